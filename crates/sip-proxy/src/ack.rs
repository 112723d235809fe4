use sip::Request;
use sip_tx::Stack;

use crate::fingerprint::Fingerprint;
use crate::forward::RECORD_ROUTE_ROOM;
use crate::plan::{ForwardTo, Resolve};
use crate::print::{Copy, Prepared};
use crate::{Edits, Preprocessed, Proxy};

impl Proxy {
    /// Forwards the ACK of a 2xx: without a transaction and without an answer, whatever becomes of it (RFC 3261 §16.11).
    /// `false` when it had to be dropped: out of Max-Forwards, in a loop, or without a next hop.
    pub fn forward_ack(
        &self,
        stack: &mut Stack,
        ack: &Request,
        pre: &Preprocessed,
        to: ForwardTo,
        edits: &Edits,
        resolve: Resolve<'_>,
    ) -> bool {
        if ack.max_forwards() == Some(0) || self.has_looped(stack, ack) {
            return false;
        }
        let to = Prepared::new(ack, pre, to, resolve);
        let Ok(target) = to.target else { return false };
        let size = ack.size() + to.added_size() + edits.size() + RECORD_ROUTE_ROOM;
        let Some(hop) = stack.hop(&target, size, Fingerprint::of(ack, self.seed).as_str()) else { return false };
        let copy = Copy { request: ack, pre, edits, record_route: None, breadth: None };
        let bytes = copy.print(stack, &to, &hop);
        stack.send_ack(&hop, bytes);
        true
    }
}
