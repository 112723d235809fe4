use std::time::Duration;

use wire::Instant;

/// How long the side that connects waits before it does so again. A connection mostly ends because its session does, and BYE
/// takes a longer way.
const PAUSE: Duration = Duration::from_millis(500);
/// How long the side that does not connect waits for the other one to come back before it offers a new path.
const REJOIN: Duration = Duration::from_secs(2);
/// How long a connection that is being opened again, or that the peer is to open, may take to come up.
const ATTEMPT: Duration = Duration::from_secs(10);
/// How long a session waits for its first connection: a little longer than a SIP transaction lives, so that a function between
/// the ends, which can say why, ends it first.
const FIRST: Duration = Duration::from_secs(35);

/// How far a session is with its connection, and what is to be done next. See [`Link`](crate::Link), which knows where to.
#[derive(Debug, Default)]
pub(crate) struct Reconnect {
    state: State,
    until: Option<Instant>,
    /// When a session that has had no connection yet ends.
    end_by: Option<Instant>,
    pub(crate) has_been_up: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum State {
    /// Paths are not agreed on yet.
    #[default]
    New,
    /// The first connection is being opened, by whichever side. The peer may be late.
    Opening,
    /// It is up.
    Up,
    /// It was lost: the session may end, or the peer come back.
    Lost,
    /// It is being opened again on the same path.
    Retrying,
    /// A new path is offered.
    Offered,
    /// It is being opened on a new path.
    OpeningAgain,
    /// Nothing has helped.
    Down,
}

/// What is to be done about the connection of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Open it.
    Connect,
    /// Offer a new path.
    Offer,
    /// Nothing helps.
    GiveUp,
    /// It never came up.
    End,
}

impl Reconnect {
    /// Offer and answer name the paths; the connection is being opened.
    pub(crate) fn agreed(&mut self, now: Instant) {
        if self.has_been_up {
            (self.state, self.until) = (State::OpeningAgain, Some(now + ATTEMPT));
        } else {
            self.state = State::Opening;
            self.end_by.get_or_insert(now + FIRST);
        }
    }

    /// The connection is up.
    pub(crate) fn up(&mut self) {
        *self = Reconnect { state: State::Up, until: None, end_by: None, has_been_up: true };
    }

    /// Whether messages may wait for a connection: it is up, or something is being done about it.
    pub(crate) fn has_hope(&self) -> bool {
        self.state != State::Down
    }

    /// The connection was lost, or could not be opened. `may_connect` says that opening it is up to us.
    pub(crate) fn lost(&mut self, may_connect: bool, now: Instant) -> Option<Step> {
        match self.state {
            State::Up => {
                self.state = State::Lost;
                self.until = Some(now + if may_connect { PAUSE } else { REJOIN });
                None
            }
            State::Opening => {
                self.until = may_connect.then(|| now + ATTEMPT);
                None
            }
            State::Lost | State::Retrying => Some(self.offer(now)),
            State::OpeningAgain => self.give_up(),
            State::New | State::Offered | State::Down => None,
        }
    }

    /// A new path could not be offered at this moment, because another request is open in the dialog.
    pub(crate) fn postpone(&mut self, now: Instant) {
        self.state = State::Lost;
        self.until = Some(now + REJOIN);
    }

    /// A new path is on its way to the peer, whatever the reason: the answer comes, or the session ends.
    pub(crate) fn offered(&mut self) {
        (self.state, self.until) = (State::Offered, None);
    }

    /// The peer has refused a new path.
    pub(crate) fn refused(&mut self, may_connect: bool, now: Instant) -> Option<Step> {
        match self.state {
            State::Offered if may_connect => {
                self.agreed(now);
                Some(Step::Connect)
            }
            State::Offered => self.give_up(),
            State::New
            | State::Opening
            | State::Up
            | State::Lost
            | State::Retrying
            | State::OpeningAgain
            | State::Down => None,
        }
    }

    /// A message wants to go: what had been given up is tried once more.
    pub(crate) fn wanted(&mut self, may_connect: bool, now: Instant) -> Option<Step> {
        if self.state != State::Down {
            return None;
        }
        if !may_connect {
            return Some(self.offer(now));
        }
        Some(self.retry(now))
    }

    /// When something is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.until, self.end_by].into_iter().flatten().min()
    }

    /// What is due.
    pub(crate) fn handle_timeout(&mut self, may_connect: bool, now: Instant) -> Option<Step> {
        if self.end_by.is_some_and(|at| at <= now) {
            (self.state, self.until, self.end_by) = (State::Down, None, None);
            return Some(Step::End);
        }
        if self.until.is_none_or(|at| at > now) {
            return None;
        }
        match self.state {
            State::Opening => {
                self.until = None;
                may_connect.then_some(Step::Connect)
            }
            State::Lost if may_connect => Some(self.retry(now)),
            State::Lost | State::Retrying => Some(self.offer(now)),
            State::OpeningAgain => self.give_up(),
            State::New | State::Up | State::Offered | State::Down => {
                self.until = None;
                None
            }
        }
    }

    fn retry(&mut self, now: Instant) -> Step {
        (self.state, self.until) = (State::Retrying, Some(now + ATTEMPT));
        Step::Connect
    }

    fn offer(&mut self, now: Instant) -> Step {
        // Should nobody say what came of it, it is tried again.
        (self.state, self.until) = (State::Lost, Some(now + REJOIN));
        Step::Offer
    }

    fn give_up(&mut self) -> Option<Step> {
        (self.state, self.until) = (State::Down, None);
        Some(Step::GiveUp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Instant = Instant::ZERO;

    fn up() -> Reconnect {
        let mut link = Reconnect::default();
        link.agreed(T0);
        link.up();
        assert_eq!(link.poll_timeout(), None);
        link
    }

    #[test]
    fn who_may_connect_does_and_then_offers_a_new_path_once() {
        let mut link = up();
        assert_eq!(link.lost(true, T0), None, "BYE may be on its way");
        assert_eq!(link.handle_timeout(true, T0 + PAUSE), Some(Step::Connect));
        assert_eq!(link.lost(true, T0 + PAUSE), Some(Step::Offer));
        link.offered();
        assert_eq!(link.poll_timeout(), None, "the answer comes, or the dialog ends");
        link.agreed(T0);
        assert_eq!(link.lost(true, T0), Some(Step::GiveUp));
        assert!(!link.has_hope());
        assert_eq!(link.wanted(true, T0), Some(Step::Connect));
        link.up();
        assert!(link.has_hope());
    }

    #[test]
    fn who_is_connected_to_waits_then_offers() {
        let mut link = up();
        assert_eq!(link.lost(false, T0), None);
        assert_eq!(link.handle_timeout(false, T0 + REJOIN / 2), None);
        assert_eq!(link.handle_timeout(false, T0 + REJOIN), Some(Step::Offer));
        link.postpone(T0 + REJOIN);
        assert_eq!(link.handle_timeout(false, T0 + 2 * REJOIN), Some(Step::Offer));
        link.offered();
        assert_eq!(link.refused(false, T0), Some(Step::GiveUp));
        assert_eq!(link.wanted(false, T0), Some(Step::Offer));
    }

    #[test]
    fn an_attempt_that_hangs_is_given_up() {
        let mut link = up();
        assert_eq!(link.lost(true, T0), None);
        assert_eq!(link.handle_timeout(true, T0 + PAUSE), Some(Step::Connect));
        assert_eq!(link.handle_timeout(true, T0 + PAUSE + ATTEMPT), Some(Step::Offer));
        link.offered();
        link.agreed(T0);
        assert_eq!(link.handle_timeout(true, T0 + ATTEMPT), Some(Step::GiveUp));
        assert_eq!(link.poll_timeout(), None);
    }

    #[test]
    fn a_session_that_never_had_a_connection_ends() {
        for fails in [false, true] {
            let mut link = Reconnect::default();
            link.agreed(T0);
            if fails {
                // The peer may be late.
                assert_eq!(link.lost(true, T0), None);
                assert_eq!(link.handle_timeout(true, T0 + ATTEMPT), Some(Step::Connect));
                assert_eq!(link.lost(true, T0 + ATTEMPT), None);
            }
            let due = if fails { link.handle_timeout(true, T0 + 2 * ATTEMPT) } else { None };
            assert_eq!(due, fails.then_some(Step::Connect));
            assert_eq!(link.handle_timeout(true, T0 + FIRST), Some(Step::End));
            assert_eq!(link.poll_timeout(), None);
        }
    }
}
