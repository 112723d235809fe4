use sip::{Name, Request};
use sip_tx::Stack;
use wire::{Key, Now};

use crate::Proxy;

impl Proxy {
    /// CANCEL processing (RFC 3261 §16.10): cancels all pending forks, for the same Reason. Their 487s become the response.
    pub(crate) fn on_cancelled(&mut self, stack: &mut Stack, key: Key, cancel: &Request, now: Now) {
        let reasons: Vec<&[u8]> = cancel.headers(Name::Reason).collect();
        let reason = reasons.join(&b", "[..]);
        self.cancel(stack, key, Some(&*reason).filter(|reason| !reason.is_empty()), now);
    }

    /// Cancels an INVITE by the role's own decision. `reason` is the value of a Reason header field (RFC 3326).
    pub fn cancel(&mut self, stack: &mut Stack, context: Key, reason: Option<&[u8]>, now: Now) {
        if let Some(found) = self.contexts.get_mut(context) {
            found.cancelled = true;
            found.give_up(stack, reason, now);
        }
    }
}
