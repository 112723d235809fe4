use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use sip::{Name, Request};
use wire::hex;

/// What a request looked like when it came in, in 16 hexadecimal characters: the end of the branch of every copy that is
/// forwarded. A request that comes back with all of it unchanged has looped; one that comes back changed is a spiral
/// (RFC 3261 §16.6 step 8, RFC 5393 §4.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fingerprint([u8; 16]);

impl Fingerprint {
    pub(crate) fn of(request: &Request, seed: u64) -> Fingerprint {
        let mut hasher = FixedState::with_seed(seed).build_hasher();
        let mut add = |part: &[u8]| {
            hasher.write(part);
            hasher.write_usize(part.len());
        };
        add(request.uri_text());
        [request.from_tag(), request.to_tag(), request.call_id()].into_iter().for_each(&mut add);
        // Not the method (RFC 5393 §4.2.2), so that CANCEL and ACK follow their INVITE.
        for name in [Name::Route, Name::ProxyRequire, Name::ProxyAuthorization] {
            request.headers(name).for_each(&mut add);
            add(b"");
        }
        hasher.write_u32(request.cseq().number);
        Fingerprint(hex(hasher.finish()))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}
