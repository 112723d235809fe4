//! Closing (RFC 3261 §15): [`send`] our BYE, [`receive`] the peer's, and the [`outcome`] of ours.

mod outcome;
mod receive;
mod send;

pub(crate) use outcome::{Again, Waiting};

use super::{Cx, Session, Side, State};
use crate::{ByeOutcome, Cause, Headers, Reject};

/// A close under way.
#[derive(Debug)]
pub(crate) struct Closing {
    pub(crate) cause: Cause,
    /// What the BYE says besides: its Reason.
    pub(crate) headers: Headers,
    /// How the BYE of the session's dialog ended, once it has.
    pub(crate) outcome: Option<ByeOutcome>,
}

impl Closing {
    pub(super) const fn new(cause: Cause, headers: Headers) -> Closing {
        Closing { cause, headers, outcome: None }
    }
}

impl Session {
    /// Ends an established session without a word, because its peer is known to be out of reach. Should it live after all,
    /// its requests are answered 481. In any other state this is [`Session::close`].
    pub(crate) fn abandon(&mut self, cx: &mut Cx<'_>) {
        if self.state == State::Established {
            self.terminate(Cause::Lost, cx);
        } else {
            self.close(&Headers::new(), cx);
        }
    }

    /// Ends the session by what its state asks for: CANCEL, BYE, BYE after the ACK, or a refusal. Nothing if it is
    /// closing already.
    pub(crate) fn close(&mut self, headers: &Headers, cx: &mut Cx<'_>) {
        match (&self.side, self.state) {
            (Side::Caller(_), State::Calling | State::Proceeding | State::Early) => {
                self.cancel_as(Cause::LocalCancel, headers, cx);
            }
            (Side::Callee(_), State::Incoming | State::Early) => {
                self.refuse(&Reject { status: 480, headers: headers.clone() }, cx);
                self.terminate(Cause::LocalCancel, cx);
            }
            (_, State::AnsweredNoAck | State::Established) => {
                // Both states allow it.
                let _closing = self.bye(headers, cx);
            }
            (_, _) => {}
        }
    }
}
