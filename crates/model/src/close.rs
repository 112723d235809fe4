//! The model: what may happen next, and what must hold.
//!
//! Abstractions. One session. Time is not a number: a timer may fire once nothing that it waits for is under way. A
//! transaction sends [`Bounds::sends`] times where RFC 3261 sends eleven times. The session timer looks at an end directly. The
//! ends obey RFC 3261 and have no timers of their own.

mod ends;
mod network;
mod node;
mod rules;
mod state;

use std::fmt;

use crate::search::Model;
use state::{EndIs, SIDES, State, Who};

pub use rules::Rule;

/// How often a BYE that was refused is sent again with a higher sequence number. The code allows 3; 1 is enough to see what
/// the rules are for.
pub(crate) const RETRIES: u8 = 1;

/// How far the sequence number is ahead of the journal's after a restart. The code jumps further than a session has
/// requests; here it exceeds [`Bounds::updates`].
pub(crate) const CSEQ_JUMP: u8 = 4;

/// How much may go wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bounds {
    /// Ends that may leave on their own: A, or both.
    pub closers: u8,
    /// How often a client transaction sends before Timer F. Losses have to be fewer: beyond, a BYE is as good as not sent.
    pub sends: u8,
    /// Messages lost by the network; those for a node that is down are lost besides.
    pub losses: u8,
    /// Messages doubled.
    pub duplicates: u8,
    /// Crashes of a node, between any two steps.
    pub crashes: u8,
    /// Ends that die without a word.
    pub deaths: u8,
    /// Requests that an end in good order answers 500 to.
    pub refusals: u8,
    /// Requests inside a dialog before the close, which only move sequence numbers.
    pub updates: u8,
    /// A second node: how often it takes the session over from one that is alive after all. Once the owner is down it may
    /// do so anyway.
    pub take_overs: u8,
    /// Whether there is a second node.
    pub second_node: bool,
    /// Sessions closed by the operator, while both ends are in it.
    pub operator: u8,
}

/// The system: a design and how much may go wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Close {
    /// How much may go wrong.
    pub bounds: Bounds,
    /// The rule that is left out.
    pub without: Option<Rule>,
}

/// What must never be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Violation {
    /// I1: somebody is still in the session, and nothing more is going to happen.
    LegAlive,
    /// I1 at once: a BYE was answered 200, and the other end is left to the session timer.
    PromiseBroken,
    /// I1 after a restart: an end left while we were down, and the other one is left to the session timer.
    NotAudited,
    /// I2: a node or the journal still holds the session.
    Held,
    /// I3: there is no record, or more than one.
    Records(u8),
    /// I3: the record has another cause than that for which a BYE was answered, or than a 481 told.
    WrongCause,
    /// I5: the session is being closed though nobody left.
    NoCause,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::LegAlive => f.write_str("I1: an end is still in the session"),
            Violation::PromiseBroken => {
                f.write_str("I1: a BYE was answered, and the other leg is left to the session timer")
            }
            Violation::NotAudited => f.write_str("I1: after a restart the other leg is left to the session timer"),
            Violation::Held => f.write_str("I2: the session is still held"),
            Violation::Records(n) => write!(f, "I3: {n} records"),
            Violation::WrongCause => f.write_str("I3: the record does not say who closed"),
            Violation::NoCause => f.write_str("I5: closed though nobody left"),
        }
    }
}

/// Who has to act for a step to be taken: what is left to a later one is not over before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Patience {
    /// It may happen, or never.
    Fault,
    /// It happens, within seconds of what enabled it.
    Prompt,
    /// The session timer sees to it, half an hour later.
    SessionTimer,
}

/// A step, as the ladder prints it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    pub(crate) patience: Patience,
    pub(crate) who: Who,
    pub(crate) to: Option<Who>,
    pub(crate) what: &'static str,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = if self.patience == Patience::Fault { "*" } else { " " };
        match self.to {
            Some(to) => write!(f, "{fault} {} -> {to}  {}", self.who, self.what),
            None => write!(f, "{fault} {}           {}", self.who, self.what),
        }
    }
}

/// Where the parts put their steps.
pub(crate) type Steps = Vec<(Step, State)>;

/// One more step.
pub(crate) fn step(steps: &mut Steps, patience: Patience, who: Who, to: Option<Who>, what: &'static str, next: State) {
    steps.push((Step { patience, who, to, what }, next));
}

impl Close {
    pub(crate) fn has(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }

    pub(crate) fn nodes(&self) -> std::ops::Range<usize> {
        0..if self.bounds.second_node { 2 } else { 1 }
    }
}

impl Model for Close {
    type State = State;
    type Step = Step;
    type Violation = Violation;

    fn start(&self) -> State {
        let Bounds { losses, duplicates, crashes, deaths, refusals, updates, take_overs, operator, .. } = self.bounds;
        let left = state::Left { losses, duplicates, crashes, deaths, refusals, updates, take_overs, operator };
        let mut start = State { left, ..State::default() };
        start.journal.opened = self.has(Rule::RowAtSetUp);
        for node in self.nodes() {
            start.nodes[node].is_up = true;
        }
        start.nodes[0].session = Some(state::Session::default());
        start
    }

    fn steps(&self, from: &State, steps: &mut Steps) {
        for x in SIDES {
            ends::steps(self, from, x, steps);
        }
        network::steps(self, from, steps);
        for node in self.nodes() {
            node::steps(self, from, node, steps);
        }
    }

    fn violation(&self, state: &State, steps: &[(Step, State)]) -> Option<Violation> {
        if !state.has_cause {
            let closes = state.net.any(|m| matches!(m, state::Message::ByeTo(..)));
            return (closes || state.sink.records > 0).then_some(Violation::NoCause);
        }
        let patience = steps.iter().map(|(step, _)| step.patience).filter(|p| *p != Patience::Fault).min();
        // Who is next to act, now that everything before has come to rest.
        match patience {
            Some(Patience::Fault | Patience::Prompt) => None,
            Some(Patience::SessionTimer) => self.promise(state).or_else(|| self.audited(state)),
            None => self.promise(state).or_else(|| self.audited(state)).or_else(|| self.over(state)),
        }
    }
}

/// The invariants, by how long they may take.
impl Close {
    /// A close that we have acknowledged waits for nobody any more.
    fn promise(&self, state: &State) -> Option<Violation> {
        let broken = state.promised.is_some() && SIDES.iter().any(|x| !state.is_gone(*x));
        broken.then_some(Violation::PromiseBroken)
    }

    /// An end that left while we were down is found out soon. One that died after its BYE was lost is found out like all who
    /// die.
    fn audited(&self, state: &State) -> Option<Violation> {
        let has_left = |x: &state::Side| state.byes[*x] && state.ends[*x].is == EndIs::Out;
        let left = SIDES.iter().any(has_left);
        (left && SIDES.iter().any(|x| !state.is_gone(*x))).then_some(Violation::NotAudited)
    }

    fn over(&self, state: &State) -> Option<Violation> {
        if SIDES.iter().any(|x| !state.is_gone(*x)) {
            return Some(Violation::LegAlive);
        }
        if state.sink.records != 1 {
            return Some(Violation::Records(state.sink.records));
        }
        let restarted = Some(state::Cause::Restarted);
        // That it was the restart is what a node says until it knows better.
        let is_forgotten = ![None, restarted, state.sink.cause].contains(&state.promised);
        if is_forgotten || (state.is_told && state.sink.cause == restarted) {
            return Some(Violation::WrongCause);
        }
        let is_open = state.journal.opened && !state.journal.closed;
        (state.is_held() || is_open || state.journal.outbox != 0).then_some(Violation::Held)
    }
}

/// Whether this end has said nothing and can still hear.
pub(crate) fn is_up(state: &State, x: state::Side) -> bool {
    state.ends[x].is == EndIs::Up
}
