use sip::Method;
use sip_tx::Failure;

use super::super::own_request::{Kind, Own};
use super::super::{Cx, Session, State, Timer};
use super::Closing;
use crate::{ByeOutcome, Cause, Headers, UaEvent, WrongState};

impl Session {
    /// Sends BYE, or arranges for it:
    ///
    /// * in an established session at once;
    /// * as the callee that has no ACK yet, when the ACK is there or 64*T1 have passed (RFC 3261 §15);
    /// * as the caller in early dialogs at once; the INVITE is then expected to be answered 487 (RFC 3261 §15.1.2).
    pub(crate) fn bye(&mut self, headers: &Headers, cx: &mut Cx<'_>) -> Result<(), WrongState> {
        match self.state {
            State::Established => self.send_bye_as(Cause::LocalBye, headers, cx),
            State::AnsweredNoAck => {
                self.withdraw_pending(cx);
                self.stop_timer();
                self.state = State::PendingBye;
                self.closing = Some(Closing::new(Cause::LocalBye, headers.clone()));
            }
            State::Early if self.is_caller() => self.bye_early(headers, cx),
            State::Calling
            | State::Proceeding
            | State::Early
            | State::Cancelling
            | State::Incoming
            | State::PendingBye
            | State::Closing
            | State::Terminated => return Err(WrongState(self.state)),
        }
        Ok(())
    }

    /// Sends BYE in the session's dialog.
    pub(in super::super) fn send_bye_as(&mut self, cause: Cause, headers: &Headers, cx: &mut Cx<'_>) {
        self.enter_closing(Closing::new(cause, headers.clone()), cx);
        if matches!(cause, Cause::Expired | Cause::Lost | Cause::NoAck) {
            cx.tell(UaEvent::Closing { cause });
        }
        if let Some(peer) = self.chosen {
            self.send_bye(peer, headers, cx);
        }
        self.settle(cx);
    }

    /// The ACK came, or will not come: the BYE that waited for it goes.
    pub(in super::super) fn send_pending_bye(&mut self, cx: &mut Cx<'_>) {
        let (cause, headers) =
            self.closing.take().map_or((Cause::LocalBye, Headers::new()), |closing| (closing.cause, closing.headers));
        self.send_bye_as(cause, &headers, cx);
    }

    /// A 2xx crossed our CANCEL; the ACK is out.
    pub(in super::super) fn close_cancelled(&mut self, cx: &mut Cx<'_>) {
        self.send_pending_bye(cx);
    }

    fn bye_early(&mut self, headers: &Headers, cx: &mut Cx<'_>) {
        self.enter_closing(Closing::new(Cause::LocalBye, headers.clone()), cx);
        self.timers.arm(Timer::EarlyBye, cx.after_timeout());
        for peer in 0..self.peers.len() {
            self.send_bye(peer, headers, cx);
        }
        self.settle(cx);
    }

    /// The INVITE outlived the BYE of its early dialogs: without a CANCEL it might never end.
    pub(in super::super) fn cancel_closed_invite(&mut self, cx: &mut Cx<'_>) {
        if let Some(caller) = self.as_caller().filter(|caller| caller.is_pending) {
            cx.stack.cancel(caller.tx, None, cx.now);
        }
    }

    fn enter_closing(&mut self, closing: Closing, cx: &mut Cx<'_>) {
        self.withdraw_pending(cx);
        self.stop_waiting_for_ack();
        self.timers.clear();
        self.await_byes();
        (self.retry, self.owed_ack) = (None, None);
        self.state = State::Closing;
        self.closing = Some(closing);
    }

    /// Sends BYE in one dialog: once, and not after the peer's.
    pub(in super::super) fn send_bye(&mut self, peer: usize, headers: &Headers, cx: &mut Cx<'_>) {
        let target = &mut self.peers[peer];
        if target.bye_sent || target.bye_received {
            return;
        }
        target.bye_sent = true;
        let mut draft = target.dialog.request(Method::Bye);
        draft.fields = cx.shared.config.describe(Method::Bye, draft.fields, headers);
        match cx.send(&draft, self.pinned.as_ref()) {
            Some(tx) => {
                self.own.reserve_exact(1);
                self.own.push(Own::new(tx, Kind::Bye, peer, draft));
            }
            None => self.note_outcome(peer, ByeOutcome::Failed(Failure::Transport)),
        }
    }
}
