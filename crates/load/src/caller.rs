//! The end that calls, sends and closes: it has the schedule.

mod calls;
mod messages;
mod pair;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use msrp::SessionId;
use sdp::MsrpUri;
use sip_ua::SessionKey;
use wire::{Input, Instant, Key, Node, Now, Output, Slab, TimerQueue};

pub(crate) use self::calls::YIELD;
use self::pair::Pair;
use crate::end::{End, Happened};
use crate::plan::{CROWD, MOST_OPEN};
use crate::run::Note;
use crate::schedule::Schedule;
use crate::tally::{Latencies, Tally};
use crate::{Messages, Plan, Sessions};

/// Whom to call, and how that is said in SIP.
pub(crate) struct Callee {
    pub(crate) uri: Bytes,
    pub(crate) from: String,
    pub(crate) to: String,
    /// Route besides that of the registration.
    pub(crate) routes: Vec<Bytes>,
    pub(crate) target: sip_tx::Target,
    /// Whether a core stands between, which asserts who calls.
    pub(crate) is_asserted: bool,
}

/// The caller.
pub(crate) struct Caller {
    end: End,
    plan: Plan,
    callee: Option<Callee>,
    /// Where sessions without SIP lead.
    places: VecDeque<MsrpUri>,
    body: Bytes,
    pairs: Slab<Pair>,
    by_sip: BTreeMap<SessionKey, Key>,
    by_msrp: BTreeMap<SessionId, Key>,
    /// Sessions that take messages, and whose turn it is.
    up: Vec<Key>,
    turn: usize,
    phase: Phase,
    opening: Option<Schedule>,
    sending: Option<Schedule>,
    to_open: usize,
    /// Sessions that are being set up, and those that are being closed.
    settling: usize,
    closing: usize,
    /// When something is to be done about a session.
    dues: TimerQueue<Key>,
    in_flight: usize,
    pub(crate) counts: Counts,
    pub(crate) tally: Tally,
    pub(crate) set_up: Latencies,
    pub(crate) answer: Latencies,
    pub(crate) close: Latencies,
    pub(crate) lateness: Latencies,
    notes: VecDeque<Note>,
}

/// What the caller counts over the whole run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) tried: u64,
    pub(crate) opened: u64,
    pub(crate) closed: u64,
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
}

/// What the caller is at. It goes on by itself to the end of each, and is told to begin the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Idle,
    Opening { by: Instant },
    Running { from: Instant, to: Instant, is_measured: bool },
    Draining { by: Instant },
    Closing { from: Instant, by: Instant },
}

impl Caller {
    pub(crate) fn new(end: End, plan: Plan, callee: Option<Callee>) -> Caller {
        let body = messages::body(plan.size);
        Caller {
            end,
            plan,
            callee,
            places: VecDeque::new(),
            body,
            pairs: Slab::new(),
            by_sip: BTreeMap::new(),
            by_msrp: BTreeMap::new(),
            up: Vec::new(),
            turn: 0,
            phase: Phase::Idle,
            opening: None,
            sending: None,
            to_open: 0,
            settling: 0,
            closing: 0,
            dues: TimerQueue::new(),
            in_flight: 0,
            counts: Counts::default(),
            tally: Tally::new(),
            set_up: Latencies::new(),
            answer: Latencies::new(),
            close: Latencies::new(),
            lateness: Latencies::new(),
            notes: VecDeque::new(),
        }
    }

    pub(crate) fn register(&mut self, on: bool, now: Now) {
        self.end.register(on, now);
        self.work(now);
    }

    /// Opens the sessions that are held; [`Note::Opened`] when each of them is up or has failed.
    pub(crate) fn open(&mut self, places: Vec<MsrpUri>, now: Now) {
        self.to_open = match self.plan.sessions {
            Sessions::Held(count) => count,
            Sessions::PerSecond { .. } => 0,
        };
        self.places = places.into();
        self.phase = Phase::Opening { by: now.at + self.plan.patience };
        self.work(now);
    }

    /// Sends, and opens and closes sessions if they come at a rate. Returns the time that is measured.
    pub(crate) fn start(&mut self, now: Now) -> (Instant, Instant) {
        let from = now.at + self.plan.warm_up;
        let to = from + self.plan.measured;
        self.tally.measure(from, to);
        self.phase = Phase::Running { from, to, is_measured: false };
        if let Sessions::PerSecond { rate, .. } = self.plan.sessions {
            self.opening = Some(Schedule::new(now.at, rate));
        }
        match self.plan.messages {
            Messages::None => {}
            Messages::PerSecond(_) => self.begin_sending(now),
            Messages::Window(_) => self.up.clone().into_iter().for_each(|key| self.fill(key, now)),
        }
        self.work(now);
        (from, to)
    }

    /// The schedule of the messages begins with the first session.
    fn begin_sending(&mut self, now: Now) {
        if let Messages::PerSecond(rate) = self.plan.messages
            && !self.up.is_empty()
        {
            self.sending.get_or_insert(Schedule::new(now.at, rate));
        }
    }

    /// Closes what is open, after a time that the callee has for its share; [`Note::Closed`] when nothing is left.
    pub(crate) fn close_all(&mut self, after: Duration, now: Now) {
        let from = now.at + after;
        self.phase = Phase::Closing { from, by: from + self.plan.patience };
        self.work(now);
    }

    /// What the host is to know.
    pub(crate) fn poll_note(&mut self) -> Option<Note> {
        self.notes.pop_front()
    }

    fn work(&mut self, now: Now) {
        loop {
            while let Some(happened) = self.end.next(now) {
                self.on(happened, now);
            }
            if !self.go_on(now) {
                return;
            }
        }
    }

    fn on(&mut self, happened: Happened, now: Now) {
        match happened {
            Happened::Session(session, event) => self.on_session(session, event, now),
            Happened::Message(event) => self.on_message(event, now),
            Happened::Registered => self.notes.push_back(Note::Registered),
            Happened::NotRegistered(status) => self.notes.push_back(Note::NotRegistered(status)),
            Happened::Invited(incoming) => self.end.stack.reject(&incoming, 486, now),
        }
    }

    /// Does what is due. Says whether that may have made something happen.
    fn go_on(&mut self, now: Now) -> bool {
        match self.phase {
            Phase::Idle => false,
            Phase::Opening { by } => self.go_on_opening(by, now),
            Phase::Running { from, to, is_measured } => {
                if !is_measured && now.at >= from {
                    self.phase = Phase::Running { from, to, is_measured: true };
                    self.notes.push_back(Note::Measuring);
                }
                self.take_due(now.at.min(to), now);
                if now.at >= to {
                    while self.sending.as_mut().and_then(|schedule| schedule.take(to)).is_some() {
                        self.tally.error("message: no session");
                    }
                    (self.opening, self.sending) = (None, None);
                    self.phase = Phase::Draining { by: now.at + self.plan.patience };
                    self.notes.push_back(Note::Measured);
                }
                false
            }
            Phase::Draining { by } => {
                if now.at >= by || (self.in_flight == 0 && self.settling == 0) {
                    self.phase = Phase::Idle;
                    self.notes.push_back(Note::Drained);
                }
                false
            }
            Phase::Closing { from, by } => self.go_on_closing(from, by, now),
        }
    }

    fn go_on_opening(&mut self, by: Instant, now: Now) -> bool {
        let room = CROWD.saturating_sub(self.settling).min(self.to_open);
        for _ in 0..room {
            self.to_open -= 1;
            self.call(now.at, now);
        }
        if room == 0 && (now.at >= by || (self.to_open == 0 && self.settling == 0)) {
            self.phase = Phase::Idle;
            self.notes.push_back(Note::Opened);
        }
        room > 0
    }

    /// Opens and sends what the schedules say.
    fn take_due(&mut self, until: Instant, now: Now) {
        while let Some(due) = self.opening.as_mut().and_then(|schedule| schedule.take(until)) {
            if self.pairs.len() < MOST_OPEN {
                self.call(due, now);
            } else {
                self.tally.error("set-up: too many sessions are open");
            }
        }
        // Where no session is up, messages wait for the next one, and their latency counts.
        while !self.up.is_empty()
            && let Some(due) = self.sending.as_mut().and_then(|schedule| schedule.take(until))
        {
            self.send_next(due, now);
        }
    }

    fn go_on_closing(&mut self, from: Instant, by: Instant, now: Now) -> bool {
        if self.pairs.is_empty() {
            self.phase = Phase::Idle;
            self.notes.push_back(Note::Closed);
            return false;
        }
        if now.at < from {
            return false;
        }
        if now.at >= by {
            for key in self.pairs.iter().map(|(key, _)| key).collect::<Vec<_>>() {
                self.tally.error("close: no end");
                self.forget(key, now);
            }
            return true;
        }
        let open = self.pairs.iter().filter(|(_, pair)| !pair.is_closing()).map(|(key, _)| key);
        let next: Vec<Key> = open.take(CROWD.saturating_sub(self.closing)).collect();
        for key in &next {
            self.hang_up(*key, now);
        }
        !next.is_empty()
    }

    /// When the phase wants to go on by itself.
    fn phase_due(&self) -> Option<Instant> {
        match self.phase {
            Phase::Idle => None,
            Phase::Opening { by } | Phase::Draining { by } => Some(by),
            Phase::Running { from, is_measured: false, .. } => Some(from),
            Phase::Running { to, .. } => Some(to),
            Phase::Closing { from, by } => Some(if self.closing == 0 { from } else { by }),
        }
    }
}

impl Node for Caller {
    fn handle_input(&mut self, input: Input, now: Now) {
        self.end.handle_input(input, now);
        self.work(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.end.handle_timeout(now);
        while let Some((_, key)) = self.dues.pop_due(now.at) {
            self.on_due(key, now);
        }
        self.work(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.end.poll_output()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let schedule = |schedule: &Option<Schedule>| schedule.as_ref().and_then(Schedule::next);
        let sending = schedule(&self.sending).filter(|_| !self.up.is_empty());
        let dues = [self.end.poll_timeout(), self.dues.next(), schedule(&self.opening), sending, self.phase_due()];
        dues.into_iter().flatten().min()
    }
}
