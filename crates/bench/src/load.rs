//! The generator: caller and callee in one thread.

mod hold;

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use load::Usage;
use mio::{Events, Poll};

use crate::digest::Challenge;
use crate::messages::{CallId, Dialog, Parties};
use crate::scan;
use crate::socket::Socket;
use crate::tally::{Latency, Tally};

pub use self::hold::Held;

/// What a call is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Work {
    /// A session: INVITE, 200, ACK, and at once BYE, 200.
    #[default]
    Session,
    /// A pager-mode message: MESSAGE, 200.
    Message,
    /// A registration: REGISTER with credentials, 200. Each user is challenged once.
    Register,
}

/// How calls come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pace {
    /// Closed loop: so many calls at a time, the next one as soon as one is over.
    InFlight(usize),
    /// Open loop: so many new calls a second, whatever becomes of them.
    PerSecond(u32),
}

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The server's UDP address.
    pub proxy: SocketAddr,
    /// The server's process: its family's CPU time is measured.
    pub process: Option<u32>,
    /// What a call is.
    pub work: Work,
    /// How calls come.
    pub pace: Pace,
    /// Time before the measurement. It should exceed 64*T1, so that transactions end as fast as they begin.
    pub warm_up: Duration,
    /// Time that is measured.
    pub measured: Duration,
}

/// What came out.
#[derive(Clone, Copy, PartialEq, Debug, Default, serde::Serialize)]
pub struct Outcome {
    /// Calls completed while it was measured.
    pub calls: u64,
    /// The same per second.
    pub calls_per_s: f64,
    /// CPU time of the server per call.
    pub cpu_us: f64,
    /// The part of it in the program.
    pub user_us: f64,
    /// The part of it in the kernel.
    pub system_us: f64,
    /// From INVITE to its 200.
    pub setup: Latency,
    /// From BYE to its 200.
    pub close: Latency,
    /// All of the following.
    pub errors: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// Calls given up for want of an answer.
    pub timed_out: u64,
    /// Calls not started because too many were open.
    pub skipped: u64,
    /// ACKs that never arrived, from the start on.
    pub lost_acks: u64,
    /// Requests that the generator had to repeat.
    pub retransmissions: u64,
    /// Memory of the server at the end.
    pub memory_kib: u64,
}

/// The generator.
pub struct Load {
    options: Options,
    parties: Parties,
    poll: Poll,
    events: Events,
    uac: Socket,
    uas: Socket,
    calls: Vec<Call>,
    free: Vec<u32>,
    /// Sessions that are set up and not closed, where they are held.
    held: Option<VecDeque<u32>>,
    /// What each place of the list of calls was challenged with as a user.
    challenges: Vec<Option<Challenge>>,
    tally: Tally,
    acks_sent: u64,
    acks_seen: u64,
    next_look: Instant,
    out: Vec<u8>,
    buffer: Box<[u8; 65_536]>,
}

#[derive(Debug)]
struct Call {
    turn: u32,
    state: State,
    dialog: Dialog,
    sent: Instant,
    resend: Instant,
    interval: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Free,
    /// INVITE sent.
    Inviting,
    /// A provisional response came: the INVITE is not repeated.
    Ringing,
    /// Set up, and left so.
    Held,
    /// BYE sent, or the one request of a call that is no session.
    Closing,
}

/// Calls open at a time, but for those that are held.
const MOST_CALLS: usize = 20_000;
/// RFC 3261 §17.1.1.2.
const T1: Duration = Duration::from_millis(500);
/// Repetition of the first call of all, while the server may still be starting.
const EAGER: Duration = Duration::from_millis(100);
/// A call without an answer is given up after this.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long the first call may take.
const START: Duration = Duration::from_secs(20);
/// Time between two looks for what must be repeated.
const LOOK: Duration = Duration::from_millis(50);
/// Datagrams taken from one socket before the other has its turn.
const TURN: usize = 64;

impl Load {
    /// A generator with sockets on two loopback addresses.
    pub fn new(options: Options, uac: Ipv4Addr, uas: Ipv4Addr) -> io::Result<Load> {
        let poll = Poll::new()?;
        let uac = Socket::bind(uac, poll.registry(), 0)?;
        let uas = Socket::bind(uas, poll.registry(), 1)?;
        let parties = Parties { proxy: options.proxy, uac: uac.addr(), uas: uas.addr() };
        Ok(Load {
            options,
            parties,
            poll,
            events: Events::with_capacity(8),
            uac,
            uas,
            calls: Vec::new(),
            free: Vec::new(),
            held: None,
            challenges: Vec::new(),
            tally: Tally::new(),
            acks_sent: 0,
            acks_seen: 0,
            next_look: Instant::now(),
            out: Vec::with_capacity(2048),
            buffer: Box::new([0; 65_536]),
        })
    }

    /// Runs once: a first call until the server answers, the warm-up, the measurement, and the end of what is open.
    pub fn run(mut self) -> io::Result<Outcome> {
        self.first_call()?;
        let start = Instant::now();
        self.calls_until(start, start + self.options.warm_up)?;
        self.tally = Tally::new();
        let (from, before) = (Instant::now(), self.usage()?);
        self.calls_until(start, from + self.options.measured)?;
        let (took, after) = (from.elapsed(), self.usage()?);
        let calls = self.tally.completed;
        let latency = (self.tally.setup(), self.tally.close());
        self.drain()?;
        let per_call = |us: u64| us as f64 / calls.max(1) as f64;
        let Tally { refused, timed_out, skipped, retransmitted, .. } = self.tally;
        let lost_acks = self.acks_sent.saturating_sub(self.acks_seen);
        Ok(Outcome {
            calls,
            calls_per_s: calls as f64 / took.as_secs_f64(),
            cpu_us: per_call(after.cpu_us() - before.cpu_us()),
            user_us: per_call(after.user_us - before.user_us),
            system_us: per_call(after.system_us - before.system_us),
            setup: latency.0,
            close: latency.1,
            errors: refused + timed_out + skipped + lost_acks,
            refused,
            timed_out,
            skipped,
            lost_acks,
            retransmissions: retransmitted,
            memory_kib: after.memory_kib,
        })
    }

    fn usage(&self) -> io::Result<Usage> {
        self.options.process.map_or_else(|| Ok(Usage::default()), Usage::of_family)
    }

    /// Proves that the server works before anything is measured.
    fn first_call(&mut self) -> io::Result<()> {
        let give_up = Instant::now() + START;
        self.start_call(Instant::now(), EAGER);
        while self.tally.completed == 0 {
            let now = Instant::now();
            if now > give_up || self.tally.refused + self.tally.timed_out > 0 {
                let what = format!("no call gets through {}: {:?}", self.options.proxy, self.tally);
                return Err(io::Error::new(io::ErrorKind::TimedOut, what));
            }
            self.step(now, LOOK)?;
        }
        Ok(())
    }

    fn calls_until(&mut self, start: Instant, until: Instant) -> io::Result<()> {
        let mut started = match self.options.pace {
            Pace::PerSecond(rate) => due(rate, start.elapsed()),
            Pace::InFlight(_) => 0,
        };
        loop {
            let now = Instant::now();
            if now >= until {
                return Ok(());
            }
            let (wanted, wait) = match self.options.pace {
                Pace::InFlight(count) => (count.saturating_sub(self.in_flight()) as u64, LOOK),
                Pace::PerSecond(rate) => {
                    let wanted = due(rate, now - start) - started;
                    started += wanted;
                    (wanted, Duration::from_millis(1))
                }
            };
            for _ in 0..wanted {
                self.start_call(now, T1);
            }
            self.step(now, wait)?;
        }
    }

    /// Lets what is open come to its end.
    fn drain(&mut self) -> io::Result<()> {
        let until = Instant::now() + PATIENCE + LOOK;
        while self.in_flight() > 0 || self.acks_seen < self.acks_sent {
            let now = Instant::now();
            if now >= until {
                return Ok(());
            }
            self.step(now, LOOK)?;
        }
        Ok(())
    }

    fn in_flight(&self) -> usize {
        self.calls.len() - self.free.len() - self.held.as_ref().map_or(0, VecDeque::len)
    }

    fn start_call(&mut self, now: Instant, interval: Duration) {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.held.is_some() || self.calls.len() < MOST_CALLS => {
                let dialog = Dialog::default();
                self.calls.push(Call { turn: 0, state: State::Free, dialog, sent: now, resend: now, interval });
                self.calls.len() as u32 - 1
            }
            None => {
                self.tally.skipped += 1;
                return;
            }
        };
        let call = &mut self.calls[slot as usize];
        call.turn += 1;
        let state = if self.options.work == Work::Session { State::Inviting } else { State::Closing };
        call.begin(state, now, interval);
        let id = CallId { slot, turn: call.turn };
        self.write_request(id, state);
        self.uac.send(self.parties.proxy, &self.out);
    }

    /// The request whose answer a call in this state waits for.
    fn write_request(&mut self, id: CallId, state: State) {
        let Load { parties, calls, challenges, out, .. } = self;
        match (self.options.work, state) {
            (Work::Session, State::Inviting) => parties.invite(out, id),
            (Work::Session, _) => parties.bye(out, id, &calls[id.slot as usize].dialog),
            (Work::Message, _) => parties.message(out, id),
            (Work::Register, _) => {
                let challenge = challenges.get_mut(id.slot as usize).and_then(Option::as_mut);
                parties.register(out, id, challenge);
            }
        }
    }

    /// A registrar wants to know who registers.
    fn on_challenge(&mut self, id: CallId, challenge: Challenge) {
        let slot = id.slot as usize;
        if self.challenges.len() <= slot {
            self.challenges.resize(slot + 1, None);
        }
        self.challenges[slot] = Some(challenge);
        self.calls[slot].begin(State::Closing, Instant::now(), T1);
        self.write_request(id, State::Closing);
        self.uac.send(self.parties.proxy, &self.out);
    }

    /// Takes what came, repeats what was not answered, and waits if there was nothing.
    fn step(&mut self, now: Instant, wait: Duration) -> io::Result<()> {
        if now >= self.next_look {
            self.next_look = now + LOOK;
            for slot in 0..self.calls.len() as u32 {
                self.look_after(slot, now);
            }
        }
        let callee_is_idle = self.answer_requests()?;
        let caller_is_idle = self.take_responses()?;
        if callee_is_idle && caller_is_idle {
            match self.poll.poll(&mut self.events, Some(wait)) {
                Err(e) if e.kind() != io::ErrorKind::Interrupted => return Err(e),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn look_after(&mut self, slot: u32, now: Instant) {
        let call = &mut self.calls[slot as usize];
        if matches!(call.state, State::Free | State::Held) {
            return;
        }
        if now > call.sent + PATIENCE {
            self.tally.timed_out += 1;
            return self.end(slot);
        }
        if now < call.resend {
            return;
        }
        call.interval *= 2;
        call.resend = now + call.interval;
        let (id, state) = (CallId { slot, turn: call.turn }, call.state);
        match state {
            State::Inviting | State::Closing => self.write_request(id, state),
            State::Ringing | State::Held | State::Free => return,
        }
        self.tally.retransmitted += 1;
        let call = &self.calls[slot as usize];
        let to = call.dialog.next.filter(|_| state == State::Closing).unwrap_or(self.parties.proxy);
        self.uac.send(to, &self.out);
    }

    /// The callee: everything is answered 200 at once. Whether nothing is left.
    fn answer_requests(&mut self) -> io::Result<bool> {
        for _ in 0..TURN {
            let Some((len, from)) = self.uas.receive(&mut self.buffer[..])? else { return Ok(true) };
            let request = &self.buffer[..len];
            if scan::method(request) == b"ACK" {
                self.acks_seen += 1;
            } else if scan::status(request).is_none() {
                self.parties.answer(&mut self.out, request);
                self.uas.send(from, &self.out);
            }
        }
        Ok(false)
    }

    /// The caller. Whether nothing is left.
    fn take_responses(&mut self) -> io::Result<bool> {
        for _ in 0..TURN {
            let Some((len, _)) = self.uac.receive(&mut self.buffer[..])? else { return Ok(true) };
            self.on_response(len);
        }
        Ok(false)
    }

    fn on_response(&mut self, len: usize) {
        let response = &self.buffer[..len];
        let Some(status) = scan::status(response) else { return };
        let (mut id, mut to_invite) = (None, false);
        for line in scan::lines(response) {
            if line.is("Call-ID") {
                id = CallId::parse(line.value);
            } else if line.is("CSeq") {
                to_invite = line.value.ends_with(b"INVITE");
            }
        }
        let Some(id) = id else { return };
        let Some(call) = self.calls.get_mut(id.slot as usize).filter(|call| call.turn == id.turn) else { return };
        match (call.state, to_invite, status) {
            (State::Inviting | State::Ringing, true, ..200) => call.state = State::Ringing,
            (State::Inviting | State::Ringing, true, 200..300) => {
                call.dialog.read(response);
                self.set_up(id);
            }
            // The 200 came again: its ACK was lost.
            (State::Closing | State::Held, true, 200..300) => self.send_ack(id),
            (State::Closing, false, 401) if self.options.work == Work::Register => {
                if let Some(challenge) = Challenge::read(response) {
                    self.on_challenge(id, challenge);
                }
            }
            (State::Closing, false, 200..300) => {
                self.tally.closed(call.sent.elapsed());
                self.end(id.slot);
            }
            (State::Inviting | State::Ringing, true, 300..) | (State::Closing, false, 300..) => {
                self.tally.refused += 1;
                self.end(id.slot);
            }
            // Late, of an earlier request of the call.
            (State::Free | State::Inviting | State::Ringing | State::Held | State::Closing, _, _) => {}
        }
    }

    /// The INVITE was answered: ACK, and BYE at once, unless sessions are held.
    fn set_up(&mut self, id: CallId) {
        let call = &mut self.calls[id.slot as usize];
        let now = Instant::now();
        self.tally.set_up(now - call.sent);
        let Some(next) = call.dialog.next else {
            // Whoever forwarded the INVITE is to stay in the dialog.
            self.tally.refused += 1;
            return self.end(id.slot);
        };
        call.begin(State::Held, now, T1);
        self.send_ack(id);
        match &mut self.held {
            Some(held) => held.push_back(id.slot),
            None => self.close(id.slot, next, now),
        }
    }

    fn close(&mut self, slot: u32, next: SocketAddr, now: Instant) {
        let call = &mut self.calls[slot as usize];
        call.begin(State::Closing, now, T1);
        let id = CallId { slot, turn: call.turn };
        self.write_request(id, State::Closing);
        self.uac.send(next, &self.out);
    }

    fn send_ack(&mut self, id: CallId) {
        let dialog = &self.calls[id.slot as usize].dialog;
        self.parties.ack(&mut self.out, id, dialog);
        self.uac.send(dialog.next.unwrap_or(self.parties.proxy), &self.out);
        self.acks_sent += 1;
    }

    fn end(&mut self, slot: u32) {
        let call = &mut self.calls[slot as usize];
        call.state = State::Free;
        call.dialog.clear();
        self.free.push(slot);
    }
}

impl Call {
    fn begin(&mut self, state: State, now: Instant, interval: Duration) {
        (self.state, self.sent, self.resend, self.interval) = (state, now, now + interval, interval);
    }
}

/// Calls that should have been started.
fn due(rate: u32, elapsed: Duration) -> u64 {
    (elapsed.as_secs_f64() * f64::from(rate)) as u64
}
