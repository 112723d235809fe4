//! Which call a session of MSRP belongs to, as the SDP in copied SIP says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use msrp::Head;
use sdp::{Host, MsrpUri};
use sip::{Message, Name};
use wire::Timestamp;

/// How much is remembered, about: some 40,000 legs. Then the one that was not heard of for longest is forgotten.
const MOST_OCTETS: usize = 32 << 20;

/// What tables take for each call and each URI besides their texts.
const OVERHEAD: usize = 200;

/// Longer ones than clients make are not remembered.
const LONGEST: usize = 255;

/// How many paths of one call are remembered: two, and more where connections were lost.
const MOST_PATHS: usize = 8;

/// How long the call is remembered after a BYE, in microseconds: some messages are under way (64*T1).
const GRACE: u64 = 32_000_000;

/// A call at a node, by its Call-ID: each leg of a B2BUA is another one.
type Leg = (Arc<str>, Bytes);

/// One end of a session of MSRP, as [`end`] prints it, at a node.
type End = (Arc<str>, String);

#[derive(Default)]
pub(super) struct Legs {
    by_end: BTreeMap<End, Leg>,
    known: BTreeMap<Leg, Known>,
    /// The one that was not heard of for longest is first.
    by_age: BTreeMap<u64, Leg>,
    heard: u64,
    /// Those with a BYE, in the order in which it passed.
    closed: VecDeque<(Timestamp, Leg)>,
    octets: usize,
}

/// What is known of a leg.
struct Known {
    ends: VecDeque<String>,
    /// Its place in the order of age.
    heard: u64,
    /// Whether a BYE has passed.
    is_closed: bool,
}

impl Legs {
    /// Takes the paths out of an offer or answer, and hears of a BYE.
    pub(super) fn learn(&mut self, node: &Arc<str>, at: Timestamp, message: &Message) {
        self.forget_closed(at);
        let call_id = message.header(Name::CallId).unwrap_or_default();
        if call_id.is_empty() || call_id.len() > LONGEST {
            return;
        }
        let leg = || (Arc::clone(node), Bytes::copy_from_slice(call_id));
        match message.cseq_method() {
            b"BYE" if message.is_request() => {
                self.close(at, leg());
            }
            b"INVITE" | b"ACK" | b"PRACK" | b"UPDATE" if has_sdp(message) => {
                for end in paths(message.body()) {
                    self.remember(leg(), end);
                }
            }
            _ => {}
        }
    }

    fn close(&mut self, at: Timestamp, leg: Leg) {
        if let Some(known) = self.known.get_mut(&leg).filter(|known| !known.is_closed) {
            known.is_closed = true;
            self.closed.push_back((at, leg));
        }
    }

    /// The Call-ID of the leg that a request or response belongs to. Either end is good: the node itself is one of them, and its
    /// path has one URI (RFC 4975 §7.2 leaves the others of a path out of some answers).
    pub(super) fn call_id(&mut self, node: &Arc<str>, head: &Head) -> Option<Bytes> {
        let paths = [msrp::Name::ToPath, msrp::Name::FromPath].into_iter().filter_map(|name| head.value(name));
        let mut ends = paths.filter_map(end);
        let leg = ends.find_map(|end| self.by_end.get(&(Arc::clone(node), end)).cloned())?;
        self.hear(&leg);
        Some(leg.1)
    }

    fn remember(&mut self, leg: Leg, end: String) {
        let key = (Arc::clone(&leg.0), end.clone());
        if self.by_end.get(&key) != Some(&leg) {
            if let Some(other) = self.by_end.get(&key).cloned() {
                self.remove_end(&other, &end);
            }
            self.octets += end.len() * 2 + leg.1.len() + OVERHEAD;
            self.by_end.insert(key, leg.clone());
            let octets = &mut self.octets;
            let known = self.known.entry(leg.clone()).or_insert_with(|| {
                *octets += leg.1.len() * 2 + OVERHEAD;
                Known { ends: VecDeque::new(), heard: 0, is_closed: false }
            });
            known.ends.push_back(end);
            if known.ends.len() > MOST_PATHS {
                let oldest = known.ends[0].clone();
                self.remove_end(&leg, &oldest);
            }
        }
        self.hear(&leg);
        while self.octets > MOST_OCTETS {
            let Some((_, oldest)) = self.by_age.pop_first() else { break };
            self.forget(&oldest);
        }
    }

    fn hear(&mut self, leg: &Leg) {
        let Some(known) = self.known.get_mut(leg) else { return };
        self.by_age.remove(&known.heard);
        self.heard += 1;
        known.heard = self.heard;
        self.by_age.insert(self.heard, leg.clone());
    }

    fn remove_end(&mut self, leg: &Leg, end: &str) {
        let Some(known) = self.known.get_mut(leg) else { return };
        known.ends.retain(|other| other != end);
        if self.by_end.remove(&(Arc::clone(&leg.0), end.to_owned())).is_some() {
            self.octets -= end.len() * 2 + leg.1.len() + OVERHEAD;
        }
    }

    fn forget(&mut self, leg: &Leg) {
        let Some(known) = self.known.get(leg) else { return };
        for end in known.ends.clone() {
            self.remove_end(leg, &end);
        }
        if let Some(known) = self.known.remove(leg) {
            self.by_age.remove(&known.heard);
            self.octets -= leg.1.len() * 2 + OVERHEAD;
        }
    }

    fn forget_closed(&mut self, now: Timestamp) {
        let is_over = |closed: &(Timestamp, Leg)| now.as_micros().saturating_sub(closed.0.as_micros()) > GRACE;
        while let Some((_, leg)) = self.closed.pop_front_if(|closed| is_over(closed)) {
            self.forget(&leg);
        }
    }
}

fn has_sdp(message: &Message) -> bool {
    let kind = message.header(Name::ContentType).unwrap_or_default().to_ascii_lowercase();
    kind.starts_with(b"application/sdp") || kind.starts_with(b"multipart/")
}

/// The ends that lines `a=path` of a description name (RFC 4975 §8.2).
fn paths(body: &[u8]) -> impl Iterator<Item = String> {
    let lines = body.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"a=path:"));
    lines.filter_map(|path| end(std::str::from_utf8(path).ok()?)).take(MOST_PATHS)
}

/// The far end of a path: what of its last URI is compared (RFC 4975 §6.1). A path may lead through relays.
fn end(path: &str) -> Option<String> {
    let uri = MsrpUri::parse(path.split_ascii_whitespace().next_back()?).ok()?;
    let host = match uri.host() {
        Host::Ip(ip) => ip.to_string(),
        Host::Name(name) => name.to_ascii_lowercase(),
    };
    let end = format!("{host} {} {}", uri.port().unwrap_or_default(), uri.session_id()?);
    (end.len() <= LONGEST).then_some(end)
}

#[cfg(test)]
mod tests;
