//! Giving an INVITE up before it is answered, at either end (RFC 3261 §9).

use sip::{Name, Request};
use sip_tx::ServerId;

use super::{Closing, Cx, Session, State};
use crate::{Cause, Headers, Reject, UaEvent, WrongState};

impl Session {
    /// Caller: cancels. What comes of it is the final response to the INVITE; a 2xx that crosses the CANCEL is
    /// acknowledged and closed by BYE.
    pub(crate) fn cancel(&mut self, headers: &Headers, cx: &mut Cx<'_>) -> Result<(), WrongState> {
        if !matches!(self.state, State::Calling | State::Proceeding | State::Early) || !self.is_caller() {
            return Err(WrongState(self.state));
        }
        self.cancel_as(Cause::LocalCancel, headers, cx);
        Ok(())
    }

    pub(super) fn cancel_as(&mut self, cause: Cause, headers: &Headers, cx: &mut Cx<'_>) {
        let Some(tx) = self.as_caller().map(|caller| caller.tx) else { return };
        self.withdraw_pending(cx);
        self.state = State::Cancelling;
        self.closing = Some(Closing::new(cause, headers.clone()));
        cx.stack.cancel(tx, headers.get(Name::Reason), cx.now);
    }

    /// Callee: the CANCEL is answered; the INVITE gets its 487.
    pub(crate) fn on_cancel(&mut self, tx: ServerId, cancel: Box<Request>, cx: &mut Cx<'_>) {
        if self.ringing() == Some(tx) {
            self.refuse(&Reject::new(487), cx);
            cx.tell(UaEvent::Cancelled { cancel });
            self.terminate(Cause::RemoteCancel, cx);
        } else {
            // A re-INVITE: the session goes on.
            self.withdraw(tx, cx);
        }
    }
}
