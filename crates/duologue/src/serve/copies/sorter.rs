//! The thread: cuts what the nodes saw into messages and hands them on.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use bytes::Bytes;
use sip::Cutter;
use wire::{Timestamp, Transport};

use super::homer::Homer;
use super::redact::first_line;
use super::ring::Ring;
use super::{Counts, Item, Seen};

/// A direction of a connection, at a node.
type Direction = (Arc<str>, SocketAddr, SocketAddr);

pub(super) struct Sorter {
    homer: Option<Homer>,
    ring: Option<Ring>,
    counts: Arc<Counts>,
    /// Connections that carry SIP; nothing of those with MSRP.
    streams: BTreeMap<Direction, Option<Cutter<Timestamp>>>,
}

impl Sorter {
    pub(super) fn new(homer: Option<Homer>, ring: Option<Ring>, counts: Arc<Counts>) -> Sorter {
        Sorter { homer, ring, counts, streams: BTreeMap::new() }
    }

    pub(super) fn run(mut self, queue: &Receiver<Item>) {
        for item in queue {
            self.counts.pieces.taken(1);
            match item {
                Item::Seen(seen) => self.take(&seen),
                Item::Question(question) => {
                    let ring = self.ring.as_ref();
                    let found = ring.map(|ring| ring.of(&question.node, &question.call_ids)).unwrap_or_default();
                    // Who asked may have given up.
                    drop(question.reply.send(found));
                }
            }
        }
    }

    fn take(&mut self, seen: &Seen) {
        self.counts.octets_waiting.fetch_sub(seen.data.len(), Ordering::Relaxed);
        self.forget(seen);
        for (at, message) in self.messages(seen) {
            if let Some(homer) = &mut self.homer {
                homer.send(seen, at, &message);
            }
            if let Some(ring) = self.ring.as_mut().filter(|_| seen.is_kept) {
                ring.keep(seen, at, &message);
            }
        }
    }

    /// Something was lost before this.
    fn forget(&mut self, seen: &Seen) {
        if seen.has_gap {
            // Of a message that is cut off nothing can be made. What carries MSRP still does.
            self.streams.retain(|(node, ..), stream| *node != seen.node || stream.is_none());
        }
    }

    fn messages(&mut self, seen: &Seen) -> Vec<(Timestamp, Bytes)> {
        if seen.transport == Transport::Udp {
            // Keep-alives are no messages (RFC 5626 §4.4).
            return if seen.data.trim_ascii().is_empty() { Vec::new() } else { vec![(seen.at, seen.data.clone())] };
        }
        let direction = (Arc::clone(&seen.node), seen.from, seen.to);
        if seen.data.is_empty() {
            self.streams.remove(&direction);
            self.streams.remove(&(Arc::clone(&seen.node), seen.to, seen.from));
            return Vec::new();
        }
        let begin = || (!seen.data.starts_with(b"MSRP")).then(Cutter::default);
        let stream = self.streams.entry(direction).or_insert_with(begin);
        let mut messages = stream.as_mut().map(|cutter| cutter.push(seen.at, &seen.data)).unwrap_or_default();
        messages.retain(|(_, message)| is_sip(message));
        messages
    }
}

/// Whether something that was cut out of a stream begins as SIP does. Behind a gap a stream may go on in the middle of what
/// people have written, and no line of that may pass for the first line of a message.
fn is_sip(message: &Bytes) -> bool {
    const VERSION: &[u8] = b"SIP/2.0";
    let line = first_line(message);
    let ends = |part: Option<&[u8]>| part.is_some_and(|part| part.eq_ignore_ascii_case(VERSION));
    ends(line.get(..VERSION.len())) || ends(line.len().checked_sub(VERSION.len()).map(|at| &line[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(data: &'static str, has_gap: bool) -> Seen {
        let [from, to] = [5060, 2855].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let (at, transport, data) = (Timestamp::default(), Transport::Tcp, Bytes::from_static(data.as_bytes()));
        Seen { node: Arc::from("pf"), at, transport, from, to, data, has_gap, is_kept: false }
    }

    fn copied(pieces: &[(&'static str, bool)]) -> Vec<String> {
        let mut sorter = Sorter::new(None, None, Arc::new(Counts::default()));
        let mut copied = Vec::new();
        for (data, has_gap) in pieces {
            let seen = seen(data, *has_gap);
            sorter.forget(&seen);
            let found = sorter.messages(&seen).into_iter();
            copied.extend(found.map(|(_, message)| String::from_utf8_lossy(&message).into_owned()));
        }
        copied
    }

    const BYE: &str = "BYE sip:b SIP/2.0\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn what_people_have_written_is_not_copied_whatever_was_lost_before() {
        let text = "see you at\r\n\r\nthe old place\r\n-------a$\r\n\r\n";
        // A stream that is known to carry MSRP, one of which nothing is known, and one of SIP that goes on inside a message: that
        // cannot be followed any more. One that goes on with the next message can.
        assert_eq!(copied(&[("MSRP a SEND\r\n", false), (text, true), (BYE, false)]), Vec::<String>::new());
        assert_eq!(copied(&[(text, true)]), Vec::<String>::new());
        assert_eq!(copied(&[(BYE, false), (text, true), (BYE, false)]), [BYE]);
        assert_eq!(copied(&[(BYE, false), (BYE, true)]), [BYE, BYE]);
    }
}
