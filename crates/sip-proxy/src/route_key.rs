use std::fmt;
use std::hash::Hasher as _;

use sha2::{Digest as _, Sha256};
use sip::Request;
use siphasher::sip::SipHasher24;
use wire::Entropy;

/// A node's key for the marks that it writes into its Record-Route. A request of a dialog that was set up through the node
/// brings the mark back in Route; one whose sender only knows Call-ID and tags, or has made them up, cannot.
///
/// The mark is made of the dialog's own facts, so nothing is kept for it, and a node that restarts with the same key knows
/// it again. SipHash-2-4 is a keyed function made for short inputs, and cheaper than an HMAC.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RouteKey([u8; 16]);

impl RouteKey {
    /// The key that a secret stands for; the same after a restart.
    pub fn from_secret(secret: &[u8]) -> RouteKey {
        let digest = Sha256::new().chain_update(b"duologue record-route\0").chain_update(secret).finalize();
        RouteKey(std::array::from_fn(|i| digest[i]))
    }

    /// A key that nobody knows, not even this node after a restart.
    pub fn drawn(entropy: &mut Entropy) -> RouteKey {
        let halves = [entropy.u64(), entropy.u64()].map(u64::to_be_bytes);
        RouteKey(std::array::from_fn(|i| halves[i / 8][i % 8]))
    }

    /// The mark of the dialogs that a request outside any dialog may make. `scope` is what else the node wants to find
    /// again, unchanged.
    pub fn mark(&self, request: &Request, scope: u64) -> u64 {
        self.of(request.call_id(), request.from_tag(), scope)
    }

    /// Whether `mark` is that of the dialog which a request belongs to: it came from one end or from the other.
    pub fn knows(&self, mark: u64, request: &Request, scope: u64) -> bool {
        self.marks(request, scope).contains(&mark)
    }

    /// The marks that the dialog of a request may have been given: as its sender began it, and as its receiver did.
    pub fn marks(&self, request: &Request, scope: u64) -> [u64; 2] {
        [request.from_tag(), request.to_tag()].map(|tag| self.of(request.call_id(), tag, scope))
    }

    fn of(&self, call_id: &[u8], caller_tag: &[u8], scope: u64) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write_u64(scope);
        hasher.write_usize(call_id.len());
        hasher.write(call_id);
        hasher.write(caller_tag);
        hasher.finish()
    }
}

/// Never shown.
impl fmt::Debug for RouteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RouteKey")
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use sip::Message;

    use super::*;

    fn request(call_id: &str, from_tag: &str, to_tag: &str) -> Request {
        let to = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
        let text = format!(
            "BYE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag={from_tag}\r\n\
             To: <sip:b@x>{to}\r\nCall-ID: {call_id}\r\nCSeq: 1 BYE\r\nMax-Forwards: 70\r\n\r\n"
        );
        Message::parse_request(Bytes::from(text)).unwrap()
    }

    #[test]
    fn both_ends_of_a_dialog_bring_the_mark_back_and_nobody_else() {
        let key = RouteKey::from_secret(b"a secret of some length");
        let mark = key.mark(&request("c", "1", ""), 7);
        assert!(key.knows(mark, &request("c", "1", "2"), 7) && key.knows(mark, &request("c", "2", "1"), 7));
        for other in [request("d", "1", "2"), request("c", "3", "2"), request("c", "11", "2")] {
            assert!(!key.knows(mark, &other, 7));
        }
        assert!(!key.knows(mark, &request("c", "1", "2"), 8), "the scope counts");
        assert!(!RouteKey::from_secret(b"another").knows(mark, &request("c", "1", "2"), 7));
        assert_eq!(RouteKey::from_secret(b"a secret of some length"), key, "a restart changes nothing");
        assert_eq!(format!("{key:?}"), "RouteKey");
    }
}
