//! What becomes of our BYE. The session is over whatever the answer (RFC 3261 §15.1.1); but a peer that has not understood
//! still takes itself to be in it, so some answers are a reason to say it again, each of them for a bounded number of times:
//!
//! | answer | what is done |
//! |---|---|
//! | 2xx, 481 | done: the peer has left |
//! | 408, none, no way there | done: the peer cannot be reached |
//! | 401, 407 | once more with credentials, if there are any |
//! | 491 | once more after 0 to 2 s: no answer to BYE, but seen |
//! | 503, or 500 with Retry-After | once more when asked to, after 4 s at most |
//! | 500 | up to three times, each with a higher CSeq: the peer has counted further than we (§12.2.2) |
//! | any other | done: refused. A redirection is not followed |

use std::time::Duration;

use sip::Response;
use wire::{Entropy, Instant};

use super::super::own_request::{Kind, Own};
use super::super::timer::retry_after;
use super::super::{Cx, Session, State, Timer};
use crate::{ByeOutcome, UaEvent};

/// What our BYE has been sent again for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Again {
    glare: bool,
    busy: bool,
    stale: usize,
}

/// A BYE that waits to be sent once more.
#[derive(Debug)]
pub(crate) struct Waiting {
    at: Instant,
    own: Own,
    /// What it was answered.
    status: u16,
}

/// What is due after an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    Done,
    Again { after: Duration, leap: u32 },
}

/// How far the sequence number goes ahead each time that the last one was too low. A core that closes for the peer, and a
/// node that forgot some of what it sent, are further than one; how far, nobody says.
/// Nor is it sure that the number was the reason: a proxy says 500 for a next hop that is down (RFC 3261 §16.7), which may be
/// back after a while. Each leap comes with the seconds before it.
const LEAPS: [(u32, u64); 3] = [(1, 0), (100, 1), (10_000, 4)];

/// The longest that a peer may ask us to wait.
const PATIENCE: Duration = Duration::from_secs(4);

impl Again {
    fn next(&mut self, response: &Response, dice: &mut Entropy) -> Next {
        let wait = retry_after(response);
        match response.status() {
            491 if !self.glare => {
                self.glare = true;
                Next::Again { after: Duration::from_millis(10 * dice.below(201)), leap: 1 }
            }
            500 | 503 if !self.busy && (wait.is_some() || response.status() == 503) => {
                self.busy = true;
                Next::Again { after: wait.unwrap_or(PATIENCE).min(PATIENCE), leap: 1 }
            }
            500 if wait.is_none() => {
                let Some((leap, after)) = LEAPS.get(self.stale) else { return Next::Done };
                self.stale += 1;
                Next::Again { after: Duration::from_secs(*after), leap: *leap }
            }
            _ => Next::Done,
        }
    }
}

impl Session {
    /// Our BYE was answered.
    pub(in super::super) fn on_bye_answered(&mut self, mut own: Own, response: &Response, cx: &mut Cx<'_>) {
        let status = response.status();
        let has_left = self.peers[own.peer].bye_received;
        match own.again.next(response, cx.stack.entropy()) {
            Next::Again { after, leap } if !has_left => {
                let number = self.peers[own.peer].dialog.leap_cseq(leap);
                own.draft.renumber(number);
                self.byes.push(Waiting { at: cx.now.at + after, own, status });
                self.send_byes_again(cx);
            }
            Next::Done | Next::Again { .. } => self.on_bye_outcome(own.peer, ByeOutcome::Answered(status), cx),
        }
    }

    /// Sends the BYEs that are due once more.
    pub(in super::super) fn send_byes_again(&mut self, cx: &mut Cx<'_>) {
        while let Some(at) = self.byes.iter().position(|waiting| waiting.at <= cx.now.at) {
            let Waiting { own, .. } = self.byes.remove(at);
            match cx.send(&own.draft, self.pinned.as_ref()) {
                Some(tx) => self.own.push(Own { tx, ..own }),
                None => self.on_bye_outcome(own.peer, ByeOutcome::Failed(sip_tx::Failure::Transport), cx),
            }
        }
        self.await_byes();
    }

    /// Wakes up for the next BYE that is to be sent again.
    pub(in super::super) fn await_byes(&mut self) {
        self.timers.cancel(Timer::ByeAgain);
        if let Some(at) = self.byes.iter().map(|waiting| waiting.at).min() {
            self.timers.arm(Timer::ByeAgain, at);
        }
    }

    /// The peer's own BYE came: it needs not hear ours again.
    pub(in super::super) fn forgo_bye(&mut self, peer: usize, cx: &mut Cx<'_>) {
        let Some(at) = self.byes.iter().position(|waiting| waiting.own.peer == peer) else { return };
        let waiting = self.byes.remove(at);
        self.await_byes();
        self.on_bye_outcome(peer, ByeOutcome::Answered(waiting.status), cx);
    }

    /// Our BYE in one dialog has come to its end.
    pub(in super::super) fn on_bye_outcome(&mut self, peer: usize, outcome: ByeOutcome, cx: &mut Cx<'_>) {
        self.note_outcome(peer, outcome);
        self.settle(cx);
    }

    pub(in super::super) fn note_outcome(&mut self, peer: usize, outcome: ByeOutcome) {
        let is_main = self.is_main(peer);
        if let Some(closing) = self.closing.as_mut().filter(|_| is_main) {
            closing.outcome = Some(outcome);
        }
    }

    /// Whether the session is with this peer, and not with another fork.
    fn is_main(&self, peer: usize) -> bool {
        self.chosen.is_none_or(|chosen| chosen == peer)
    }

    /// Ends a closing session once neither a BYE of its dialog nor its INVITE is under way.
    pub(in super::super) fn settle(&mut self, cx: &mut Cx<'_>) {
        if self.state != State::Closing || self.is_calling() {
            return;
        }
        let waiting = self.byes.iter().map(|waiting| &waiting.own);
        if self.own.iter().chain(waiting).any(|own| own.kind == Kind::Bye && self.is_main(own.peer)) {
            return;
        }
        let Some(closing) = self.closing.take() else { return };
        if let Some(outcome) = closing.outcome {
            cx.tell(UaEvent::ByeDone { outcome });
        }
        self.terminate(closing.cause, cx);
    }
}

#[cfg(test)]
mod tests {
    use sip::Message;

    use super::*;

    fn answer(says: &str) -> Response {
        let text = format!(
            "SIP/2.0 {says}Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>;tag=2\r\n\
             Call-ID: c\r\nCSeq: 2 BYE\r\nContent-Length: 0\r\n\r\n"
        );
        Message::parse_response(text.into()).unwrap()
    }

    /// Which leaps the same answer leads to, until it leads to none.
    fn leaps(says: &str) -> Vec<(u64, u32)> {
        let (mut again, mut dice) = (Again::default(), Entropy::from_seed(1));
        std::iter::from_fn(|| match again.next(&answer(says), &mut dice) {
            Next::Again { after, leap } => Some((after.as_secs(), leap)),
            Next::Done => None,
        })
        .collect()
    }

    #[test]
    fn every_reason_to_send_again_is_good_for_so_many_times() {
        assert_eq!(leaps("491 Request Pending\r\n").len(), 1);
        assert_eq!(leaps("503 Busy\r\n"), [(4, 1)]);
        assert_eq!(leaps("503 Busy\r\nRetry-After: 1\r\n"), [(1, 1)]);
        assert_eq!(leaps("503 Busy\r\nRetry-After: 3600\r\n"), [(4, 1)]);
        assert_eq!(leaps("500 Later\r\nRetry-After: 2\r\n"), [(2, 1)]);
        assert_eq!(leaps("500 Out of Order\r\n"), [(0, 1), (1, 100), (4, 10_000)]);
        for says in
            ["200 OK", "302 Moved", "403 No", "404 Who", "405 What", "408 Late", "481 Gone", "501 What", "603 No"]
        {
            assert_eq!(leaps(&format!("{says}\r\n")), [], "{says}");
        }
    }
}
