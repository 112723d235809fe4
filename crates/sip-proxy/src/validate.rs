use sip::header::Via;
use sip::{Name, Request, Scheme};
use sip_tx::Stack;

use crate::fingerprint::Fingerprint;
use crate::{Proxy, Reject};

impl Proxy {
    /// Request validation (RFC 3261 §16.3). `understood` are the option tags of Proxy-Require that the role supports.
    ///
    /// The syntax (step 1) was checked when the message was parsed; credentials (step 6) are the role's. A role that
    /// answers OPTIONS with Max-Forwards 0 itself, as step 3 allows, does so before asking.
    pub fn validate(&self, stack: &Stack, request: &Request, understood: &[&str]) -> Result<(), Reject> {
        // 2. URI scheme. With a Route in between, a scheme that we do not know is the next hop's to understand.
        if request.uri().scheme() == Scheme::Other && !request.has(Name::Route) {
            return Err(Reject::new(416));
        }

        // 3. Max-Forwards.
        if request.max_forwards() == Some(0) {
            return Err(Reject::new(483));
        }

        // 4. Loop detection.
        if self.has_looped(stack, request) {
            return Err(Reject::new(482));
        }

        // 5. Proxy-Require.
        let is_strange =
            |tag: &&[u8]| !tag.is_empty() && !understood.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(tag));
        let strange: Vec<_> =
            request.values(Name::ProxyRequire).filter(is_strange).map(String::from_utf8_lossy).collect();
        if !strange.is_empty() {
            return Err(Reject::new(420).with(Name::Unsupported, strange.join(", ")));
        }
        Ok(())
    }

    /// RFC 5393 §4.2.1: a Via of ours whose branch ends in what the request still looks like.
    pub(crate) fn has_looped(&self, stack: &Stack, request: &Request) -> bool {
        let is_ours =
            |value: &[u8]| Via::sent_by(value).is_some_and(|(host, port)| stack.transports().is_ours(host, port));
        let mut ours = request.values(Name::Via).filter(|value| is_ours(value)).peekable();
        // Most requests have never been here: what this one looks like need not be known.
        if ours.peek().is_none() {
            return false;
        }
        let fingerprint = Fingerprint::of(request, self.seed);
        ours.any(|value| Via::parse(value).is_ok_and(|via| via.branch.ends_with(fingerprint.as_bytes())))
    }
}
