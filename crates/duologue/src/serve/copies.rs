//! Copies of all SIP that passes the sockets: for Homer, and to be kept for a while for operators.
//!
//! The engines hand over what they see and wait for nobody: the queue is bounded, and what does not fit is counted. A thread of
//! its own cuts connections into messages and takes out of them what is nobody's business.

mod homer;
mod packet;
mod redact;
mod ring;
mod sorter;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use anyhow::Context as _;
use bytes::Bytes;
use engine::{Gauge, Queue, Tap};
use wire::{ConnId, Now, Redacted, Timestamp, Transport};

use homer::Homer;
pub(super) use ring::Passed;
use ring::Ring;
use sorter::Sorter;

/// Where copies for Homer go, and what of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct HepPlan {
    pub(crate) address: SocketAddr,
    pub(crate) capture_id: u32,
    pub(crate) password: Option<Redacted<String>>,
    pub(crate) contents: bool,
}

/// How much is kept for operators.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct CapturePlan {
    pub(crate) octets: usize,
    pub(crate) contents: bool,
}

/// What waits for the thread, at most.
const MOST_WAITING: usize = 8_192;
const MOST_OCTETS: usize = 16 << 20;

/// What has become of copies.
pub(super) struct Counts {
    pieces: Gauge,
    octets_waiting: AtomicUsize,
    dropped: AtomicU64,
    /// By Homer's side.
    sent: AtomicU64,
    failed: AtomicU64,
    /// By those that are kept.
    kept: AtomicUsize,
    kept_octets: AtomicUsize,
    displaced: AtomicU64,
}

impl Default for Counts {
    fn default() -> Counts {
        Counts {
            pieces: Gauge::new("copies_pieces", MOST_WAITING),
            octets_waiting: AtomicUsize::default(),
            dropped: AtomicU64::default(),
            sent: AtomicU64::default(),
            failed: AtomicU64::default(),
            kept: AtomicUsize::default(),
            kept_octets: AtomicUsize::default(),
            displaced: AtomicU64::default(),
        }
    }
}

impl Counts {
    /// What waits for the thread.
    pub(super) fn queues(&self) -> [Queue; 2] {
        let octets = self.octets_waiting.load(Ordering::Relaxed).min(MOST_OCTETS);
        [self.pieces.read(), Queue { name: "copies_octets", depth: octets, bound: MOST_OCTETS }]
    }

    /// Octets that wait, and pieces that were dropped as too many did.
    pub(super) fn waiting(&self) -> (usize, u64) {
        (self.octets_waiting.load(Ordering::Relaxed), self.dropped.load(Ordering::Relaxed))
    }

    /// Sent to Homer; refused by the kernel.
    pub(super) fn homer(&self) -> [u64; 2] {
        [&self.sent, &self.failed].map(|count| count.load(Ordering::Relaxed))
    }

    /// Messages that are kept and their octets; messages that made room for others.
    pub(super) fn kept(&self) -> ([usize; 2], u64) {
        let held = [&self.kept, &self.kept_octets].map(|count| count.load(Ordering::Relaxed));
        (held, self.displaced.load(Ordering::Relaxed))
    }
}

/// Takes copies as long as there are taps. Cheap to copy.
#[derive(Clone)]
pub(super) struct Copies {
    queue: SyncSender<Item>,
    counts: Arc<Counts>,
    has_homer: bool,
    is_keeping: bool,
}

impl Copies {
    /// Starts the thread, if anybody wants copies.
    pub(super) fn start(hep: Option<HepPlan>, capture: Option<CapturePlan>) -> anyhow::Result<Option<Copies>> {
        let (has_homer, is_keeping) = (hep.is_some(), capture.is_some());
        if !has_homer && !is_keeping {
            return Ok(None);
        }
        let counts = Arc::new(Counts::default());
        let homer = hep.map(|plan| Homer::new(plan, Arc::clone(&counts))).transpose()?;
        let ring = capture.map(|plan| Ring::new(plan, Arc::clone(&counts)));
        let sorter = Sorter::new(homer, ring, Arc::clone(&counts));
        let (queue, items) = sync_channel(MOST_WAITING);
        thread::Builder::new().name("copies".to_owned()).spawn(move || sorter.run(&items)).context("thread copies")?;
        Ok(Some(Copies { queue, counts, has_homer, is_keeping }))
    }

    /// What a node's engine takes. What is kept is kept of participating functions, which have sessions.
    pub(super) fn tap(&self, node: &str, has_sessions: bool) -> Option<Box<dyn Tap>> {
        let is_kept = self.is_keeping && has_sessions;
        let tap = NodeTap {
            node: node.into(),
            is_kept,
            queue: self.queue.clone(),
            counts: Arc::clone(&self.counts),
            has_gap: false,
        };
        (is_kept || self.has_homer).then(|| Box::new(tap) as Box<dyn Tap>)
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    pub(super) const fn has_homer(&self) -> bool {
        self.has_homer
    }

    pub(super) const fn is_keeping(&self) -> bool {
        self.is_keeping
    }

    /// The messages with one of these Call-IDs that are kept of a node, in the order in which they passed; among them all that
    /// passed before this call. Waits for the thread.
    pub(super) fn of(&self, node: &str, call_ids: Vec<Bytes>) -> Vec<Passed> {
        let (reply, answer) = sync_channel(1);
        let question = Question { node: node.to_owned(), call_ids, reply };
        // Without the thread there is nothing.
        if self.counts.pieces.put(|| self.queue.send(Item::Question(question)).map_err(drop)).is_err() {
            return Vec::new();
        }
        answer.recv().unwrap_or_default()
    }
}

/// What the thread is given.
enum Item {
    Seen(Seen),
    Question(Question),
}

/// One thing that a node saw.
struct Seen {
    node: Arc<str>,
    is_kept: bool,
    at: Timestamp,
    transport: Transport,
    from: SocketAddr,
    to: SocketAddr,
    /// Nothing if the connection is gone.
    data: Bytes,
    /// Whether something of this node was dropped before.
    has_gap: bool,
}

/// What an operator wants to see.
struct Question {
    node: String,
    call_ids: Vec<Bytes>,
    reply: SyncSender<Vec<Passed>>,
}

struct NodeTap {
    node: Arc<str>,
    is_kept: bool,
    queue: SyncSender<Item>,
    counts: Arc<Counts>,
    has_gap: bool,
}

impl NodeTap {
    fn put(&mut self, at: Now, transport: Transport, [from, to]: [SocketAddr; 2], data: &[u8]) {
        let waiting = self.counts.octets_waiting.fetch_add(data.len(), Ordering::Relaxed);
        let seen = (waiting + data.len() <= MOST_OCTETS).then(|| Seen {
            node: Arc::clone(&self.node),
            is_kept: self.is_kept,
            at: at.utc,
            transport,
            from,
            to,
            data: Bytes::copy_from_slice(data),
            has_gap: self.has_gap,
        });
        if seen
            .is_some_and(|seen| self.counts.pieces.put(|| self.queue.try_send(Item::Seen(seen)).map_err(drop)).is_ok())
        {
            self.has_gap = false;
        } else {
            self.counts.octets_waiting.fetch_sub(data.len(), Ordering::Relaxed);
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            self.has_gap = true;
        }
    }
}

impl Tap for NodeTap {
    fn opened(&mut self, _: Now, _: ConnId, _: Transport, _: SocketAddr, _: SocketAddr) {}

    fn closed(&mut self, at: Now, _: ConnId, transport: Transport, local: SocketAddr, remote: SocketAddr) {
        self.put(at, transport, [local, remote], &[]);
    }

    fn sent(&mut self, at: Now, transport: Transport, local: SocketAddr, remote: SocketAddr, data: &[u8]) {
        self.put(at, transport, [local, remote], data);
    }

    fn received(&mut self, at: Now, transport: Transport, local: SocketAddr, remote: SocketAddr, data: &[u8]) {
        self.put(at, transport, [remote, local], data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted_and_nobody_waits() {
        let (queue, seen) = sync_channel(2);
        let counts = Arc::new(Counts::default());
        let mut tap = NodeTap { node: "pf".into(), is_kept: true, queue, counts: Arc::clone(&counts), has_gap: false };
        let addr = "127.0.0.1:5060".parse().unwrap();
        for data in [&[b'x'; 10][..], &vec![b'x'; MOST_OCTETS], &[b'x'; 5], &[b'x'; 7]] {
            tap.sent(Now::default(), Transport::Udp, addr, addr, data);
        }
        // The large one is beyond the octets, the last one beyond the pieces.
        assert_eq!(counts.waiting(), (15, 2));
        assert_eq!(counts.queues().map(|queue| queue.depth), [2, 15]);
        let gaps = seen.try_iter().map(|item| matches!(item, Item::Seen(seen) if seen.has_gap));
        assert_eq!(gaps.collect::<Vec<_>>(), [false, true], "who cuts streams hears of what is missing");
    }

    #[test]
    fn without_anybody_who_wants_copies_there_is_no_thread_and_a_core_has_no_tap_for_what_is_kept() {
        assert!(Copies::start(None, None).unwrap().is_none());
        let copies = Copies::start(None, Some(CapturePlan { octets: 1 << 20, contents: false })).unwrap().unwrap();
        assert_eq!([true, false].map(|has_sessions| copies.tap("n", has_sessions).is_some()), [true, false]);
    }
}
