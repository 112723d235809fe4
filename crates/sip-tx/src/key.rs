//! Matching messages to transactions (RFC 3261 §17.1.3 and §17.2.3).

use std::hash::BuildHasher;

use bytes::Bytes;
use hashbrown::HashTable;
use sip::{Either, Limits, Message, Method, Request};
use sip_transport::ReturnPath;
use smallvec::SmallVec;
use wire::{Instant, Key, hex};

use crate::event::{ClientId, ServerId};
use crate::tombstones::{StoneId, Tombstones};

/// What identifies a server transaction, as one text: the branch and sent-by of the topmost Via, and the method, where an
/// ACK counts as its INVITE; for RFC 2543 peers what they do have.
pub(crate) type ServerKey = SmallVec<[u8; 160]>;

/// The key of the transaction that a request belongs to.
pub(crate) fn of(request: &Request) -> ServerKey {
    let is_ack = request.method() == Method::Ack;
    with_method(request, if is_ack { b"INVITE" } else { request.method_token() })
}

/// The key of the INVITE that a CANCEL is for.
pub(crate) fn of_cancelled(cancel: &Request) -> ServerKey {
    with_method(cancel, b"INVITE")
}

fn with_method(request: &Request, method: &[u8]) -> ServerKey {
    let via = request.via();
    let mut key = ServerKey::new();
    // Octets below the space occur in none of the parts, so they keep them apart.
    if via.has_cookie() {
        push(&mut key, &[b"3", via.branch, via.host, method]);
        key.extend_from_slice(&via.port.map_or(u32::MAX, u32::from).to_be_bytes());
    } else {
        // RFC 3261 §17.2.3. The To tag is left out: the ACK has one that the INVITE had not, and requests that differ in
        // nothing else do not occur.
        let top = request.top_via();
        push(&mut key, &[b"2", request.uri_text(), request.from_tag(), request.call_id(), top, method]);
        key.extend_from_slice(&request.cseq().number.to_be_bytes());
    }
    key
}

fn push(key: &mut ServerKey, parts: &[&[u8]]) {
    for part in parts {
        key.extend_from_slice(part);
        key.push(0);
    }
}

/// The server transactions by their keys, and those that are over but for requests that come again. A key is hashed once per
/// request and kept as a copy: a piece of the request would keep all of it, and what was received with it, in memory.
#[derive(Debug)]
pub(crate) struct ServerIndex {
    /// Each entry is in the part that its hash names. A table that grows moves all its entries at once: those of a part take a
    /// fraction of a millisecond, where all together would hold everything up for long.
    parts: Box<[HashTable<Entry>; PARTS]>,
    count: usize,
    stones: Tombstones,
    /// Seeded by the node's dice: peers cannot choose keys that collide, and the same seed gives the same To tags of
    /// refusals.
    hasher: foldhash::fast::FixedState,
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Live { key: Box<[u8]>, id: ServerId },
    Over(StoneId),
}

/// What a request belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    /// A transaction.
    Live(ServerId),
    /// What is left of one.
    Over(StoneId),
}

/// A power of two.
const PARTS: usize = 64;
/// Entries that an empty part has room for.
const KEPT: usize = 64;

impl ServerIndex {
    pub(crate) fn new(seed: u64) -> ServerIndex {
        ServerIndex {
            parts: Box::new([const { HashTable::new() }; PARTS]),
            count: 0,
            stones: Tombstones::default(),
            hasher: foldhash::fast::FixedState::with_seed(seed),
        }
    }

    pub(crate) fn hash(&self, key: &ServerKey) -> u64 {
        self.hasher.hash_one(key.as_slice())
    }

    /// The part of a hash: by bits that its table does not look at before it has four thousand million entries.
    const fn part(hash: u64) -> usize {
        (hash >> 32) as usize % PARTS
    }

    pub(crate) fn find(&self, hash: u64, key: &ServerKey) -> Option<Found> {
        let is_it = |entry: &Entry| match &entry.place {
            Place::Live { key: known, .. } => **known == **key,
            Place::Over(stone) => entry.hash == hash && self.stones.has_key(*stone, key),
        };
        self.parts[Self::part(hash)].find(hash, is_it).map(|entry| match entry.place {
            Place::Live { id, .. } => Found::Live(id),
            Place::Over(stone) => Found::Over(stone),
        })
    }

    /// Adds a transaction whose key is not there.
    pub(crate) fn insert(&mut self, hash: u64, key: &ServerKey, id: ServerId) {
        let place = Place::Live { key: Box::from(key.as_slice()), id };
        self.parts[Self::part(hash)].insert_unique(hash, Entry { hash, place }, |entry| entry.hash);
        self.count += 1;
    }

    /// Leaves a tombstone of a transaction until `due`.
    pub(crate) fn entomb(&mut self, hash: u64, id: ServerId, path: ReturnPath, response: &[u8], due: Instant) {
        let Some(entry) = self.parts[Self::part(hash)].find_mut(hash, |entry| entry.is(id)) else { return };
        if let Place::Live { key, .. } = &entry.place {
            entry.place = Place::Over(self.stones.push(hash, key, path, response, due));
        }
    }

    /// What answers the request of a tombstone that came again.
    pub(crate) fn response(&self, stone: StoneId) -> Option<(ReturnPath, Bytes)> {
        self.stones.response(stone)
    }

    /// When the first tombstone goes.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.stones.next()
    }

    /// Lets the tombstones go that are due.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some((stone, hash)) = self.stones.pop_due(now) {
            let is_it = |entry: &Entry| matches!(entry.place, Place::Over(known) if known == stone);
            self.take_out(hash, is_it);
        }
    }

    pub(crate) fn remove(&mut self, hash: u64, id: ServerId) {
        self.take_out(hash, |entry| entry.is(id));
    }

    /// An empty part keeps no room for many entries: there may once have been many.
    fn take_out(&mut self, hash: u64, is_it: impl FnMut(&Entry) -> bool) {
        let part = &mut self.parts[Self::part(hash)];
        if let Ok(entry) = part.find_entry(hash, is_it) {
            entry.remove();
            self.count -= 1;
        }
        if part.is_empty() && part.capacity() > KEPT {
            *part = HashTable::new();
        }
    }

    /// All of them, tombstones included.
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// Those that are not over.
    pub(crate) const fn live(&self) -> usize {
        self.count - self.stones.len()
    }
}

impl Entry {
    fn is(&self, wanted: ServerId) -> bool {
        matches!(self.place, Place::Live { id, .. } if id == wanted)
    }
}

/// The magic cookie (RFC 3261 §8.1.1.7).
const COOKIE: &str = "z9hG4bK";
/// Characters of the transaction's place behind the cookie.
const PLACE: usize = 16;

/// A branch that leads straight to its client transaction: cookie, place in the table, 64 random bits, and what the proxy
/// wants to recognise later (RFC 3261 §16.6 step 8).
pub(crate) fn branch(id: ClientId, random: &[u8; 16], suffix: &str) -> String {
    let mut branch = String::with_capacity(COOKIE.len() + PLACE + random.len() + suffix.len());
    branch.push_str(COOKIE);
    for part in [&hex(id.0.to_bits()), random] {
        branch.push_str(std::str::from_utf8(part).unwrap_or_default());
    }
    branch.push_str(suffix);
    branch
}

/// The client transaction that a branch of ours names; the caller compares the whole branch.
pub(crate) fn client_of(branch: &[u8]) -> Option<ClientId> {
    let place = branch.get(COOKIE.len()..COOKIE.len() + PLACE)?;
    let bits = place.iter().try_fold(0, |bits, digit| Some(bits << 4 | hex_value(*digit)?))?;
    Some(ClientId(Key::from_bits(bits)))
}

/// The value of a digit as we print it: nobody changes its case, for branches are compared as they are.
const fn hex_value(digit: u8) -> Option<u64> {
    match digit {
        b'0'..=b'9' => Some((digit - b'0') as u64),
        b'a'..=b'f' => Some((digit - b'a') as u64 + 10),
        _ => None,
    }
}

/// A request of our own, read back. What the role printed is held to no limits.
pub(crate) fn own_request(bytes: &Bytes) -> Option<Request> {
    let limits = Limits { head: usize::MAX, headers: usize::MAX, body: usize::MAX };
    match Message::parse(bytes.clone(), &limits).ok()?.split() {
        Either::Request(request) => Some(request),
        Either::Response(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, via: &str, uri: &str, to_tag: &str) -> Request {
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {via}\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>{to_tag}\r\n\
             Call-ID: c\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
        );
        Message::parse_request(Bytes::from(text)).unwrap()
    }

    #[test]
    fn the_branch_of_rfc_3261_identifies_with_sent_by_and_method() {
        let of = |method, via| of(&request(method, via, "sip:b@x", ""));
        let invite = of("INVITE", "h;branch=z9hG4bKa");
        assert_eq!(of("ACK", "h;branch=z9hG4bKa;rport"), invite);
        for (method, via) in [
            ("INVITE", "h;branch=z9hG4bKb"),
            ("INVITE", "g;branch=z9hG4bKa"),
            ("INVITE", "h:5060;branch=z9hG4bKa"),
            ("CANCEL", "h;branch=z9hG4bKa"),
            ("OPTIONS", "h;branch=z9hG4bKa"),
            ("FOO", "h;branch=z9hG4bKa"),
        ] {
            assert_ne!(of(method, via), invite, "{method} {via}");
        }
        assert_ne!(of("FOO", "h;branch=z9hG4bKa"), of("BAR", "h;branch=z9hG4bKa"));
        assert_eq!(of_cancelled(&request("CANCEL", "h;branch=z9hG4bKa", "sip:b@x", "")), invite);
    }

    #[test]
    fn rfc_2543_peers_are_matched_by_what_they_have() {
        // No branch, one without the cookie, and the cookie alone (RFC 4475 §3.2.1).
        for via in ["h", "h;branch=1", "h;branch=z9hG4bK"] {
            let invite = of(&request("INVITE", via, "sip:b@x", ""));
            assert_eq!(of(&request("ACK", via, "sip:b@x", ";tag=2")), invite, "{via}");
            assert_eq!(of_cancelled(&request("CANCEL", via, "sip:b@x", "")), invite, "{via}");
            assert_ne!(of(&request("INVITE", via, "sip:c@x", "")), invite, "{via}");
            assert_ne!(of(&request("OPTIONS", via, "sip:b@x", "")), invite, "{via}");
        }
    }

    #[test]
    fn a_branch_names_its_place() {
        let id = ClientId(Key::from_bits(0x0123_4567_89ab_cdef));
        let text = branch(id, b"0011223344556677", ".x");
        assert_eq!(text, "z9hG4bK0123456789abcdef0011223344556677.x");
        assert_eq!(client_of(text.as_bytes()), Some(id));
        for other in ["", "z9hG4bK", "z9hG4bK0123", "z9hG4bKnothexnothexnoth"] {
            assert_eq!(client_of(other.as_bytes()), None, "{other}");
        }
    }
}
