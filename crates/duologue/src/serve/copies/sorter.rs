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
        if seen.has_gap {
            // Of a message that is cut off nothing can be made.
            self.streams.retain(|(node, ..), _| *node != seen.node);
        }
        for (at, message) in self.messages(seen) {
            if let Some(homer) = &mut self.homer {
                homer.send(seen, at, &message);
            }
            if let Some(ring) = self.ring.as_mut().filter(|_| seen.is_kept) {
                ring.keep(seen, at, &message);
            }
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
        stream.as_mut().map(|cutter| cutter.push(seen.at, &seen.data)).unwrap_or_default()
    }
}
