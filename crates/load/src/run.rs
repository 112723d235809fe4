//! A plan from its start to its end: two engines, and what is looked at between the turns.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use bytes::Bytes;
use engine::{BindError, CallError, Clock, Engine, Handle, Limits, Listen, Sockets};
use sip::Name;
use sip_tx::{Listener, Target};
use sip_ua::Headers;
use wire::{Entropy, Instant, Node, Transport};

use crate::callee::Callee;
use crate::caller::{self, Caller};
use crate::end::{End, Place, name_of};
use crate::outcome::Spent;
use crate::plan::{CloseBy, MOST_OPEN, Messages, Plan, Sessions, User, Way};
use crate::{Outcome, Usage};

/// What an end tells its host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Note {
    Registered,
    NotRegistered(u16),
    Opened,
    Measuring,
    Measured,
    Drained,
    Closed,
}

/// Why a plan was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// One of the ends has no sockets.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The operating system gave no thread, or no figures of a process.
    #[error(transparent)]
    System(#[from] io::Error),
    /// An engine stopped, which is a bug.
    #[error(transparent)]
    Engine(#[from] CallError),
    /// A user could not be registered.
    #[error("{who} cannot be registered: {status}")]
    Registration {
        /// Caller or callee.
        who: &'static str,
        /// The final status; 408 when none came.
        status: u16,
    },
    /// No session came up before the measurement.
    #[error("no session could be opened: {0}")]
    NoSession(String),
    /// Something took longer than its bound.
    #[error("nothing happened any more while waiting for {0}")]
    Stuck(&'static str),
}

/// What waiting for a step may take beyond what the step itself is bounded to.
const SLACK: Duration = Duration::from_secs(5);
/// Between two looks for messages that the callee has not read yet.
const LOOK: Duration = Duration::from_millis(20);
/// How much longer than the caller's messages go on the callee waits before it closes.
const CALLEE_WAITS: Duration = Duration::from_millis(500);

/// The Reason of every BYE: the user did it.
pub(crate) fn reason() -> Headers {
    Headers::new().with(Name::Reason, "SIP;cause=200;text=\"Call completed\"")
}

/// Carries a plan out. Ends by itself, whatever the server does.
pub fn run(plan: &Plan) -> Result<Outcome, LoadError> {
    let clock = Clock::start();
    let (caller, callee) = start(plan, clock)?;
    let (before, places) = (Sample::take(plan)?, caller.1);
    let (caller, callee) = (caller.0, callee);
    callee.register("the callee", plan)?;
    caller.register("the caller", plan)?;

    caller.engine.call(move |caller, now| caller.open(places, now))?;
    caller.wait(Note::Opened, plan.patience * 2, "the sessions to be opened")?;
    let opened = caller.engine.call(|caller, _| (caller.counts.opened, caller.tally.errors.clone()))?;
    if let (Sessions::Held(_), (0, errors)) = (plan.sessions, &opened) {
        return Err(LoadError::NoSession(format!("{errors:?}")));
    }
    let held = Sample::take(plan)?;

    let (from, to) = caller.engine.call(|caller, now| caller.start(now))?;
    callee.engine.call(move |callee, _| callee.tally.measure(from, to))?;
    caller.wait(Note::Measuring, plan.warm_up, "the warm-up to end")?;
    let (first, start) = (Reached::of(&caller, &callee)?, Sample::take(plan)?);
    caller.wait(Note::Measured, plan.measured, "the measurement to end")?;
    let (last, end) = (Reached::of(&caller, &callee)?, Sample::take(plan)?);
    caller.wait(Note::Drained, plan.patience, "the last answers")?;
    settle(&caller, &callee, plan, clock)?;

    close(&caller, &callee, plan)?;
    let mut outcome = gather(caller.engine.stop(), callee.engine.stop());
    outcome.seconds = (last.at - first.at).as_secs_f64();
    outcome.measured = last.received - first.received;
    outcome.messages_per_s = outcome.measured as f64 / outcome.seconds;
    outcome.sessions_per_s = (last.opened - first.opened) as f64 / outcome.seconds;
    let each = if plan.messages == Messages::None { last.opened - first.opened } else { outcome.measured };
    let spent = |pick: fn(&Sample) -> Option<Usage>| {
        let [before, held, start, end] = [&before, &held, &start, &end].map(pick);
        Some(spent([before?, held?, start?, end?], opened.0, each))
    };
    outcome.own = spent(|sample| Some(sample.own)).unwrap_or_default();
    outcome.watched = spent(|sample| sample.watched);
    Ok(outcome)
}

/// An end in its engine, and what it tells.
struct Running<N> {
    engine: Handle<N>,
    notes: Receiver<Note>,
}

/// The two ends have one face for what the host asks both of.
trait Registers: Node + Send + 'static {
    fn register(&mut self, on: bool, now: wire::Now);
}

impl Registers for Caller {
    fn register(&mut self, on: bool, now: wire::Now) {
        Caller::register(self, on, now);
    }
}

impl Registers for Callee {
    fn register(&mut self, on: bool, now: wire::Now) {
        Callee::register(self, on, now);
    }
}

impl<N: Registers> Running<N> {
    fn start(
        name: &str,
        sockets: Sockets,
        node: N,
        poll_note: fn(&mut N) -> Option<Note>,
        clock: Clock,
    ) -> io::Result<Running<N>> {
        // A run has a handful of them.
        let (send, notes): (SyncSender<Note>, _) = sync_channel(1024);
        let on_idle = move |node: &mut N| {
            while let Some(note) = poll_note(node) {
                // Who does not listen any more has given up on the run.
                let _deaf = send.try_send(note);
            }
        };
        let options = engine::Options {
            on_idle: Some(Box::new(on_idle)),
            clock,
            // What is late at this end would be told as if it was at the other.
            tick: Duration::ZERO,
            ..engine::Options::default()
        };
        Ok(Running { engine: Engine::spawn(name, sockets, node, options)?, notes })
    }

    fn register(&self, who: &'static str, plan: &Plan) -> Result<(), LoadError> {
        if !matches!(plan.way, Way::Cores { .. }) {
            return Ok(());
        }
        self.engine.call(|node, now| node.register(true, now))?;
        match self.notes.recv_timeout(plan.patience) {
            Ok(Note::NotRegistered(status)) => Err(LoadError::Registration { who, status }),
            Err(RecvTimeoutError::Timeout) => Err(LoadError::Registration { who, status: 408 }),
            Ok(_) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => Err(CallError::Stopped.into()),
        }
    }

    /// Takes the registration away; whether the core says so in time is of no matter.
    fn unregister(&self, plan: &Plan) -> Result<(), LoadError> {
        if matches!(plan.way, Way::Cores { .. }) {
            self.engine.call(|node, now| node.register(false, now))?;
            let _late = self.notes.recv_timeout(plan.patience);
        }
        Ok(())
    }

    fn wait(&self, wanted: Note, bound: Duration, what: &'static str) -> Result<(), LoadError> {
        loop {
            match self.notes.recv_timeout(bound + SLACK) {
                Ok(note) if note == wanted => return Ok(()),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return Err(LoadError::Stuck(what)),
                Err(RecvTimeoutError::Disconnected) => return Err(CallError::Stopped.into()),
            }
        }
    }
}

type Started = ((Running<Caller>, Vec<sdp::MsrpUri>), Running<Callee>);

fn start(plan: &Plan, clock: Clock) -> Result<Started, LoadError> {
    let [caller_user, callee_user] = match &plan.way {
        Way::Cores { caller, callee } => [Some(caller.clone()), Some(callee.clone())],
        Way::Direct(_) | Way::Relay(_) => [None, None],
    };
    let mut entropy = Entropy::from_os();
    let (sockets, place) = bind(plan, "callee", plan.callee, plan.callee_port, callee_user)?;
    let contact = place.listeners.first().map(|listener| listener.addr);
    let closes = match (plan.sessions, plan.close_by) {
        (Sessions::Held(_), _) | (_, CloseBy::Caller) => None,
        (Sessions::PerSecond { hold, .. }, by) => Some((hold + CALLEE_WAITS, by == CloseBy::Half)),
    };
    let mut callee = Callee::new(End::new(place, plan, entropy.fork()), closes);
    let places = match (&plan.way, plan.sessions) {
        (Way::Relay(_), Sessions::Held(count)) => callee.expect(count),
        (Way::Relay(_), Sessions::PerSecond { .. }) => callee.expect(sessions_of(plan)),
        (Way::Cores { .. } | Way::Direct(_), _) => Vec::new(),
    };
    let callee = Running::start("callee", sockets, callee, Callee::poll_note, clock)?;

    let (sockets, place) = bind(plan, "caller", plan.caller, 0, caller_user)?;
    let end = End::new(place, plan, entropy.fork());
    let caller = Caller::new(end, plan.clone(), whom(plan, contact));
    Ok(((Running::start("caller", sockets, caller, Caller::poll_note, clock)?, places), callee))
}

/// How many sessions a run opens at its rate.
fn sessions_of(plan: &Plan) -> usize {
    match plan.sessions {
        Sessions::Held(count) => count,
        Sessions::PerSecond { rate, .. } => {
            ((plan.warm_up + plan.measured).as_secs_f64() * rate).ceil().min(MOST_OPEN as f64) as usize + 1
        }
    }
}

/// Whom the caller calls, and how.
fn whom(plan: &Plan, contact: Option<SocketAddr>) -> Option<caller::Callee> {
    match &plan.way {
        Way::Cores { caller, callee } => Some(caller::Callee {
            uri: callee.aor.clone().into(),
            from: caller.aor.clone(),
            to: callee.aor.clone(),
            routes: Vec::new(),
            target: caller.core,
            is_asserted: true,
        }),
        Way::Direct(direct) => {
            let Target { transport, addr, .. } = direct.function;
            let param = if transport == Transport::Udp { "" } else { ";transport=tcp" };
            Some(caller::Callee {
                uri: format!("sip:callee@{}{param}", contact?).into(),
                from: "sip:caller@load.test".to_owned(),
                to: "sip:callee@load.test".to_owned(),
                routes: vec![Bytes::from(format!("<sip:orig@{addr};lr{param}>"))],
                target: direct.function,
                is_asserted: false,
            })
        }
        Way::Relay(_) => None,
    }
}

fn bind(
    plan: &Plan,
    name: &'static str,
    ip: IpAddr,
    port: u16,
    user: Option<User>,
) -> Result<(Sockets, Place), LoadError> {
    let outbound = match &plan.way {
        Way::Cores { .. } => user.as_ref().map(|user| user.core),
        Way::Direct(direct) => Some(direct.function),
        Way::Relay(_) => None,
    };
    let sip = outbound.map(|target| Listen::new(target.transport, SocketAddr::new(ip, 0)));
    let msrp = Listen::tcp(SocketAddr::new(ip, port)).group(1);
    let listens: Vec<Listen> = sip.into_iter().chain([msrp]).collect();
    let limits = Limits { connections: MOST_OPEN, write_queue: 64 << 20, ..Limits::default() };
    let sockets = Sockets::bind_with(&listens, limits)?;
    let bound = sockets.bound();
    let (sip, msrp) = bound.split_at(bound.len() - 1);
    let listeners = sip.iter().map(|l| Listener { transport: l.transport, addr: l.addr }).collect();
    let msrp = msrp[0].addr;
    tracing::debug!(name, user = user.as_ref().map_or("", |user| name_of(&user.aor)), %msrp, "an end listens");
    Ok((sockets, Place { name, listeners, msrp, user, outbound }))
}

/// How far both ends are.
#[derive(Clone, Copy, Debug)]
struct Reached {
    at: Instant,
    received: u64,
    opened: u64,
}

impl Reached {
    fn of(caller: &Running<Caller>, callee: &Running<Callee>) -> Result<Reached, LoadError> {
        let opened = caller.engine.call(|caller, _| caller.counts.opened)?;
        let (at, received) = callee.engine.call(|callee, now| (now.at, callee.received))?;
        Ok(Reached { at, received, opened })
    }
}

/// Lets the callee read what relays have answered for it already.
fn settle(caller: &Running<Caller>, callee: &Running<Callee>, plan: &Plan, clock: Clock) -> Result<(), LoadError> {
    let until = clock.at() + plan.patience;
    let acknowledged = caller.engine.call(|caller, _| caller.counts.acknowledged)?;
    loop {
        let (received, now) = callee.engine.call(|callee, now| (callee.received, now.at))?;
        if received >= acknowledged || now >= until {
            return Ok(());
        }
        // Nobody says when a message comes that may be lost; no note comes either, so this is a bounded wait.
        let _no_note = callee.notes.recv_timeout(LOOK);
    }
}

fn close(caller: &Running<Caller>, callee: &Running<Callee>, plan: &Plan) -> Result<(), LoadError> {
    let by = plan.close_by;
    let after = if by == CloseBy::Caller { Duration::ZERO } else { caller::YIELD };
    if by != CloseBy::Caller {
        callee.engine.call(move |callee, now| callee.close_all(by == CloseBy::Half, now))?;
    }
    caller.engine.call(move |caller, now| caller.close_all(after, now))?;
    caller.wait(Note::Closed, after + plan.patience, "the sessions to be closed")?;
    caller.unregister(plan)?;
    callee.unregister(plan)
}

/// CPU and memory at one moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    own: Usage,
    watched: Option<Usage>,
}

impl Sample {
    fn take(plan: &Plan) -> io::Result<Sample> {
        let watched = plan.watch.map(Usage::of_family).transpose()?;
        Ok(Sample { own: Usage::of_self()?, watched })
    }
}

fn spent([before, held, start, end]: [Usage; 4], sessions: u64, each: u64) -> Spent {
    let (user_us, system_us) = (end.user_us - start.user_us, end.system_us - start.system_us);
    let per = |us: u64| us as f64 / each.max(1) as f64;
    let grown = held.memory_kib.saturating_sub(before.memory_kib);
    Spent {
        user_us,
        system_us,
        cpu_us_each: per(user_us + system_us),
        user_us_each: per(user_us),
        system_us_each: per(system_us),
        memory_kib: end.memory_kib,
        peak_kib: end.peak_kib,
        memory_per_session_kib: grown as f64 / sessions.max(1) as f64,
    }
}

fn gather(caller: Caller, callee: Callee) -> Outcome {
    let counts = caller.counts;
    let mut errors = caller.tally.errors;
    for (kind, count) in callee.tally.errors {
        *errors.entry(kind).or_default() += count;
    }
    let closed = counts.closed + callee.closed;
    let mut close = caller.close;
    close.add(&callee.close);
    Outcome {
        sessions: counts.opened,
        closed,
        sent: counts.sent,
        acknowledged: counts.acknowledged,
        received: callee.received,
        lost: counts.sent.saturating_sub(callee.received) + counts.tried.saturating_sub(closed),
        repeated: callee.repeated,
        errors,
        set_up: caller.set_up.latency(),
        answer: caller.answer.latency(),
        delivery: callee.delivery.latency(),
        close: close.latency(),
        lateness: caller.lateness.latency(),
        ..Outcome::default()
    }
}
