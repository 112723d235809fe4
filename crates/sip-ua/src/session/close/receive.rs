use sip_tx::Incoming;

use super::super::{Cx, Session, State};
use crate::{Cause, Headers, Reject, UaEvent};

impl Session {
    /// The peer's BYE, in order: answered at once, then what it ends (RFC 3261 §15.1.2).
    pub(in super::super) fn on_bye(&mut self, peer: usize, incoming: Incoming, cx: &mut Cx<'_>) {
        // 1. The answer. A BYE that comes after the end is answered 200 if it crossed ours, else it is one too many.
        let crossed = self.peers[peer].bye_sent;
        let is_late = self.state == State::Terminated && !crossed;
        if is_late || self.peers[peer].bye_received {
            return cx.reply(&incoming, 481, &Headers::new());
        }
        cx.reply(&incoming, 200, &Headers::new());
        self.peers[peer].bye_received = true;

        // 2. Another fork than the session's has nothing to do with it.
        if self.chosen.is_some_and(|chosen| chosen != peer) {
            return self.forgo_bye(peer, cx);
        }

        // 3. What waits for an answer of ours gets 487, the INVITE included.
        if self.ringing().is_some() {
            self.refuse(&Reject::new(487), cx);
        }
        self.withdraw_pending(cx);

        // 4. The session.
        let request = Box::new(incoming.request);
        match self.state {
            State::Incoming | State::Early if !self.is_caller() => {
                cx.tell(UaEvent::Bye { request, crossed: false });
                self.terminate(Cause::RemoteBye, cx);
            }
            State::AnsweredNoAck | State::Established | State::PendingBye => {
                cx.tell(UaEvent::Bye { request, crossed: false });
                self.terminate(Cause::RemoteBye, cx);
            }
            State::Calling | State::Proceeding | State::Early => {
                // Against RFC 3261 §15, but proxies that release calls do it; the INVITE must still come to its end.
                cx.tell(UaEvent::Bye { request, crossed: false });
                self.cancel_as(Cause::RemoteBye, &Headers::new(), cx);
            }
            State::Closing => {
                cx.tell(UaEvent::Bye { request, crossed: true });
                self.forgo_bye(peer, cx);
            }
            State::Incoming | State::Cancelling | State::Terminated => {}
        }
    }
}
