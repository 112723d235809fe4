use super::super::own_request::Kind;
use super::super::{Cx, Session, State};
use crate::{ByeOutcome, UaEvent};

impl Session {
    /// Our BYE in one dialog has ended, one way or the other: 481, 408 and silence end the dialog as 200 does
    /// (RFC 3261 §15.1.1).
    pub(in super::super) fn on_bye_outcome(&mut self, peer: usize, outcome: ByeOutcome, cx: &mut Cx<'_>) {
        self.note_outcome(peer, outcome);
        self.settle(cx);
    }

    pub(in super::super) fn note_outcome(&mut self, peer: usize, outcome: ByeOutcome) {
        let is_main = self.chosen.is_none_or(|chosen| chosen == peer);
        if let Some(closing) = self.closing.as_mut().filter(|_| is_main) {
            closing.outcome = Some(outcome);
        }
    }

    /// Ends a closing session once neither a BYE of its dialog nor its INVITE is under way.
    pub(in super::super) fn settle(&mut self, cx: &mut Cx<'_>) {
        if self.state != State::Closing || self.is_calling() {
            return;
        }
        let is_main = |peer: usize| self.chosen.is_none_or(|chosen| chosen == peer);
        if self.own.iter().any(|own| own.kind == Kind::Bye && is_main(own.peer)) {
            return;
        }
        let Some(closing) = self.closing.take() else { return };
        if let Some(outcome) = closing.outcome {
            cx.tell(UaEvent::ByeDone { outcome });
        }
        self.terminate(closing.cause, cx);
    }
}
