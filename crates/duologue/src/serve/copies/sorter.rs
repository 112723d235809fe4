//! The thread: cuts what the nodes saw into messages and hands them on.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use super::homer::Homer;
use super::legs::Legs;
use super::message::Message;
use super::ring::Ring;
use super::streams::{Piece, Streams};
use super::{Counts, Item, Seen, redact};

pub(super) struct Sorter {
    homer: Option<Homer>,
    ring: Option<Ring>,
    counts: Arc<Counts>,
    streams: Streams,
    legs: Legs,
}

impl Sorter {
    /// Of bodies of MSRP so many octets are handed on.
    pub(super) fn new(homer: Option<Homer>, ring: Option<Ring>, counts: Arc<Counts>, keep: usize) -> Sorter {
        Sorter { homer, ring, counts, streams: Streams::new(keep), legs: Legs::default() }
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
        self.counts.octets_waiting.fetch_sub(seen.what.octets(), Ordering::Relaxed);
        for piece in self.streams.take(seen) {
            let Some(message) = self.message(seen, piece) else { continue };
            if let Some(homer) = &mut self.homer {
                homer.send(seen, &message);
            }
            if let Some(ring) = self.ring.as_mut().filter(|_| seen.has_sessions) {
                ring.keep(seen, &message);
            }
        }
    }

    /// What was cut out, with the call that it belongs to. MSRP of which nobody knows that is of no use: Homer would not show it
    /// with anything, and `heplify-server` stores none of it.
    fn message(&mut self, seen: &Seen, piece: Piece) -> Option<Message> {
        match piece {
            Piece::Sip(at, bytes) => {
                let read = redact::read(&bytes);
                if let Some(message) = read.as_ref().filter(|_| seen.has_sessions) {
                    self.legs.learn(&seen.node, at, message);
                }
                Some(Message::Sip { at, bytes, read })
            }
            Piece::Msrp(cut) => {
                let call_id = self.legs.call_id(&seen.node, &cut.head);
                if call_id.is_none() {
                    self.counts.strays.fetch_add(1, Ordering::Relaxed);
                }
                Some(Message::Msrp { call_id: call_id?, cut })
            }
        }
    }
}
