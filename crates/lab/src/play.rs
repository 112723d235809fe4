//! One session from registration to its close, driven by what happens and never by waiting a fixed time.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use engine::{CallError, Clock};
use flow::CloseBy;
use role_client::{Client, Event, SessionId};
use wire::Instant;

use crate::chat::{self, Chat};
use crate::judge::Judgement;
use crate::recording::Recording;
use crate::stage::{self, Side, Signal, Stage};
use crate::{Finding, FlowReport, LabError, Messages, NODES, Scenario, Settings};

const A: Side = 0;
const B: Side = 1;

/// When nothing has happened for so long, nothing will: longer than the first retransmissions of a lost datagram
/// (0.5 s, 1 s, 2 s; RFC 3261 §17.1.2.2 with T1).
const QUIET: Duration = Duration::from_secs(3);
/// How long a flow may take in all.
const DEADLINE: Duration = Duration::from_secs(20);
/// How long to listen, after the flow is complete, for arrows that it does not have.
const AFTERMATH: Duration = Duration::from_millis(200);

/// How long one user who is to close waits for the other.
const MOMENT: Duration = Duration::from_millis(100);

/// A flow that was played: the verdict, and the recording that it was made from.
#[derive(Debug)]
pub struct Played {
    /// The verdict.
    pub report: FlowReport,
    recording: Recording,
}

/// Plays one scenario with six nodes of its own, and stops them.
pub fn play(settings: &Settings, scenario: Scenario) -> Result<Played, LabError> {
    let clock = Clock::start();
    let mut recording = Recording::new(clock.now());
    let (queue, signals) = channel();
    let stage = Stage::set(settings, &scenario, clock, &queue, &mut recording)?;
    // Once the engines are gone, so are all senders.
    drop(queue);
    let mut act = Act {
        scenario,
        wanted: (settings.messages, settings.size),
        clock,
        recording,
        signals,
        users: [User::default(), User::default()],
        chats: [Chat::default(), Chat::default()],
        until: Instant::ZERO,
        close: None,
        findings: vec![],
    };
    act.run(&stage)?;
    // Nothing more may come, and nothing may be left. What passes while the nodes stop, one after the other, tells nothing.
    act.wait(AFTERMATH);
    act.look_for_rests(&stage)?;
    let nodes = stage.strike();
    Ok(act.into_played(nodes))
}

/// Writes what was on the wire in these flows as a capture file.
pub fn write_pcap<'p>(played: impl IntoIterator<Item = &'p Played>, out: &mut dyn Write) -> io::Result<()> {
    crate::pcap::write(played.into_iter().map(|played| &played.recording), out)
}

/// What a client has told its user.
#[derive(Clone, Default)]
struct User {
    registered: bool,
    session: Option<SessionId>,
    /// The session waits for its user to accept it.
    rings: bool,
    established: bool,
    closed: bool,
    /// It will not come to a session.
    failed: bool,
    /// Messages that came and that the user has not looked at.
    unread: Vec<String>,
}

struct Act {
    scenario: Scenario,
    clock: Clock,
    recording: Recording,
    signals: Receiver<Signal>,
    users: [User; 2],
    /// How many messages each user sends, and of how many octets.
    wanted: (u64, u64),
    chats: [Chat; 2],
    /// When patience with the present part is at an end.
    until: Instant,
    /// When the first user was told to close.
    close: Option<Instant>,
    findings: Vec<Finding>,
}

impl Act {
    fn run(&mut self, stage: &Stage) -> Result<(), LabError> {
        let [a, b] = &stage.clients;

        // 1. Both clients register.
        a.call(|client, now| client.register(now)).map_err(gone(0))?;
        b.call(|client, now| client.register(now)).map_err(gone(5))?;
        self.listen(stage, |act| act.both(|user| user.registered) && act.judge().is_registered())?;
        if !self.both(|user| user.registered) {
            return Ok(());
        }

        // 2. A invites B; B's user accepts (see `on_event`). It is set up when both sides say so and every ACK is there.
        let to = stage::aor(B);
        let session = a.call(move |client, now| client.invite(&to, now)).map_err(gone(0))?;
        self.users[A].session = session;
        self.listen(stage, |act| act.both(|user| user.established) && act.judge().is_set_up())?;
        if !self.both(|user| user.established) {
            return Ok(());
        }

        // 3. Each user sends what was asked for, and waits for both receipts of everything.
        let (wanted, _) = self.wanted;
        if wanted > 0 {
            self.write(stage)?;
            self.listen(stage, move |act| act.chats.iter().all(|chat| chat.is_complete(wanted)))?;
        }

        // 4. The user, or both at the same moment, closes; and it is over when the flow is complete at both ends.
        self.close = Some(self.clock.at());
        let closing: Vec<Side> = [A, B].into_iter().filter(|side| self.closes(*side)).collect();
        for (side, moment) in closing.iter().zip(same_moment(closing.len())) {
            let Some(session) = self.users[*side].session else { continue };
            let close = stage.clients[*side].cast(move |client, now| {
                moment();
                client.close(session, now);
            });
            close.map_err(gone(stage::CLIENTS[*side]))?;
        }
        self.listen(stage, |act| act.both(|user| user.closed) && act.judge().is_closed())
    }

    fn closes(&self, side: Side) -> bool {
        match self.scenario.close_by {
            CloseBy::A => side == A,
            CloseBy::B => side == B,
            CloseBy::Both => true,
        }
    }

    fn both(&self, is: impl Fn(&User) -> bool) -> bool {
        self.users.iter().all(is)
    }

    fn judge(&self) -> Judgement {
        Judgement::of(&self.scenario, &self.recording, self.close)
    }

    /// Takes what happens until `done`, until a client gives up, or until nothing happens any more.
    fn listen(&mut self, stage: &Stage, done: impl Fn(&Act) -> bool) -> Result<(), LabError> {
        self.until = self.clock.at() + DEADLINE;
        loop {
            if self.users.iter().any(|user| user.failed) || (done(self) && self.recording.all_received()) {
                return Ok(());
            }
            let left = self.until.saturating_since(self.clock.at());
            let Ok(signal) = self.signals.recv_timeout(QUIET.min(left)) else { return Ok(()) };
            self.take(signal);
            if std::mem::take(&mut self.users[B].rings)
                && let Some(session) = self.users[B].session
            {
                stage.clients[B].call(move |client, now| client.accept(session, now)).map_err(gone(5))?;
            }
            if self.users.iter().all(|user| user.established) && self.close.is_none() {
                self.write(stage)?;
            }
        }
    }

    /// Sends what may be sent now, and tells the clients what has been shown.
    fn write(&mut self, stage: &Stage) -> Result<(), LabError> {
        let (wanted, size) = self.wanted;
        for side in [A, B] {
            let client = &stage.clients[side];
            let Some(session) = self.users[side].session else { continue };
            for id in std::mem::take(&mut self.users[side].unread) {
                client
                    .call(move |client, now| client.displayed(session, &id, now))
                    .map_err(gone(stage::CLIENTS[side]))?;
            }
            for number in self.chats[side].may_send(wanted) {
                let send = move |client: &mut Client, now| chat::send(client, session, side, number, size, now);
                match client.call(send).map_err(gone(stage::CLIENTS[side]))? {
                    Some(id) => self.chats[side].on_sent(id, number),
                    None => break,
                }
            }
        }
        Ok(())
    }

    /// Takes what happens until nothing has happened for `quiet`.
    fn wait(&mut self, quiet: Duration) {
        while self.clock.at() < self.until + quiet
            && let Ok(signal) = self.signals.recv_timeout(quiet)
        {
            self.take(signal);
        }
    }

    fn take(&mut self, signal: Signal) {
        match signal {
            Signal::Wire(seen) => self.recording.record(seen),
            Signal::Client(side, event) => self.on_event(side, event),
        }
    }

    fn on_event(&mut self, side: Side, event: Event) {
        let user = &mut self.users[side];
        let name = NODES[stage::CLIENTS[side]];
        match event {
            Event::Registered { .. } => user.registered = true,
            Event::RegistrationFailed { status } => {
                user.failed = true;
                self.findings.push(Finding::about("registration", name, &format!("could not register: {status}")));
            }
            Event::Incoming { session, .. } => {
                user.rings = user.session.is_none();
                user.session.get_or_insert(session);
            }
            Event::Established { .. } => user.established = true,
            Event::Failed { status, .. } => {
                user.failed = true;
                self.findings.push(Finding::about("set-up", name, &format!("got no session: {status}")));
            }
            Event::Closed { .. } => user.closed = true,
            Event::Message { message_id, content, .. } => {
                self.chats[1 - side].on_got(1 - side, &message_id, &content, self.wanted.1);
                user.unread.push(message_id);
            }
            Event::Delivered { .. } => self.chats[side].on_delivered(),
            Event::Displayed { .. } => self.chats[side].on_displayed(),
            Event::NotSent { .. } => self.chats[side].on_not_sent(),
            Event::Unregistered
            | Event::Ringing { .. }
            | Event::MediaUp { .. }
            | Event::Sent { .. }
            | Event::ReceiptLost { .. }
            | Event::RelayUp
            | Event::RelayFailed { .. }
            | Event::Composing { .. } => {}
        }
    }

    /// A session that somebody still holds after the close is one that leaks.
    fn look_for_rests(&mut self, stage: &Stage) -> Result<(), LabError> {
        if self.close.is_none() {
            return Ok(());
        }
        for (pf, index) in stage.pfs.iter().zip(stage::PFS) {
            let open = pf.call(|pf, _| pf.open_sessions()).map_err(gone(index))?;
            if open > 0 {
                self.findings.push(Finding::about("session-left", NODES[index], "still holds the session"));
            }
        }
        Ok(())
    }

    fn into_played(mut self, nodes: Vec<crate::NodeReport>) -> Played {
        for (user, index) in self.users.iter().zip(stage::CLIENTS) {
            let (kind, what) = if !user.registered {
                ("registration", "never heard that it is registered")
            } else if !user.established {
                ("set-up", "never heard that the session is set up")
            } else if !user.closed {
                ("not-closed", "never heard that the session is over")
            } else {
                continue;
            };
            if !user.failed {
                self.findings.push(Finding::about(kind, NODES[index], what));
            }
        }
        self.findings.extend(self.recording.findings());
        for side in [A, B] {
            let (chat, name, other) = (&self.chats[side], NODES[stage::CLIENTS[side]], NODES[stage::CLIENTS[1 - side]]);
            self.findings.extend(chat.wrong().map(|what| Finding::about("message", other, what)));
            let (lost, receipts) = chat.missing(self.wanted.0);
            if self.users[side].established && lost + receipts > 0 {
                let what = format!("misses {lost} of its messages at the other end and {receipts} receipts");
                self.findings.push(Finding::about("message", name, &what));
            }
        }
        let (messages, msrp) = (Messages::of(&self.chats), self.recording.msrp_connections());
        let report = FlowReport::new(self.scenario, self.judge(), self.findings, messages, msrp, nodes);
        Played { report, recording: self.recording }
    }
}

/// Closures for `n` threads, each of which returns when all of them have been called: one thread may be slow to wake, and
/// two users who close at once would close one after the other. None waits for long: one that is never called stops nobody.
fn same_moment(n: usize) -> Vec<Box<dyn FnOnce() + Send>> {
    let (doors, waiting): (Vec<Sender<()>>, Vec<Receiver<()>>) = (0..n).map(|_| channel()).unzip();
    let meet = |(place, own): (usize, Receiver<()>)| {
        let mut others = doors.clone();
        others.remove(place);
        let moment = move || {
            // Who is not there any more need not hear it.
            for door in &others {
                let _ = door.send(());
            }
            for _ in &others {
                if own.recv_timeout(MOMENT).is_err() {
                    return;
                }
            }
        };
        Box::new(moment) as Box<dyn FnOnce() + Send>
    };
    waiting.into_iter().enumerate().map(meet).collect()
}

fn gone(index: usize) -> impl Fn(CallError) -> LabError {
    move |reason| LabError::Engine { node: NODES[index], reason }
}
