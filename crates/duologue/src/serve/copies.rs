//! Copies of all SIP and MSRP that passes the sockets: for Homer, and to be kept for a while for operators.
//!
//! The engines hand over what they see and wait for nobody: the queue is bounded, and what does not fit is counted. A thread of
//! its own cuts connections into messages and takes out of them what is nobody's business.

mod homer;
mod legs;
mod message;
mod packet;
mod redact;
mod ring;
mod sorter;
mod streams;
mod tap;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use anyhow::Context as _;
use bytes::Bytes;
use engine::{Gauge, Queue, Tap};
use wire::{Redacted, Timestamp, Transport};

use homer::Homer;
pub(super) use ring::Passed;
use ring::Ring;
use sorter::Sorter;
use tap::NodeTap;

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

/// Of the body of an MSRP request so many octets are copied where contents are wanted.
const MOST_BODY: usize = 4_096;

/// What has become of copies.
pub(super) struct Counts {
    pieces: Gauge,
    octets_waiting: AtomicUsize,
    dropped: AtomicU64,
    /// Frames of MSRP whose call is not known.
    strays: AtomicU64,
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
            strays: AtomicU64::default(),
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

    /// Requests and responses of MSRP that were not copied, as nobody knows what call they belong to.
    pub(super) fn strays(&self) -> u64 {
        self.strays.load(Ordering::Relaxed)
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
        let contents =
            hep.as_ref().is_some_and(|plan| plan.contents) || capture.as_ref().is_some_and(|plan| plan.contents);
        let homer = hep.map(|plan| Homer::new(plan, Arc::clone(&counts))).transpose()?;
        let ring = capture.map(|plan| Ring::new(plan, Arc::clone(&counts)));
        let sorter = Sorter::new(homer, ring, Arc::clone(&counts), if contents { MOST_BODY } else { 0 });
        let (queue, items) = sync_channel(MOST_WAITING);
        thread::Builder::new().name("copies".to_owned()).spawn(move || sorter.run(&items)).context("thread copies")?;
        Ok(Some(Copies { queue, counts, has_homer, is_keeping }))
    }

    /// What a node's engine takes. What is kept is kept of participating functions, which have sessions.
    pub(super) fn tap(&self, node: &str, has_sessions: bool) -> Option<Box<dyn Tap>> {
        let tap = NodeTap::new(node, has_sessions, self.queue.clone(), Arc::clone(&self.counts));
        (self.has_homer || self.is_keeping && has_sessions).then(|| Box::new(tap) as Box<dyn Tap>)
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

    /// The messages with one of these Call-IDs that are kept of a node, in the order of time; among them all that
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
    has_sessions: bool,
    at: Timestamp,
    transport: Transport,
    way: Way,
    what: What,
    gap: Gap,
}

/// Which way something went, and at which end it was seen: a node that is connected to itself sees it at both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Way {
    from: SocketAddr,
    to: SocketAddr,
    is_sent: bool,
}

impl Way {
    const fn sent(from: SocketAddr, to: SocketAddr) -> Way {
        Way { from, to, is_sent: true }
    }

    /// The other direction at the same end.
    const fn back(self) -> Way {
        Way { from: self.to, to: self.from, is_sent: !self.is_sent }
    }
}

/// Whether something was dropped before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Gap {
    None,
    /// Something that went the same way.
    Here,
    /// Something of this node, nobody knows what.
    Anywhere,
}

/// What it was.
#[derive(Clone)]
enum What {
    /// A connection is up.
    Opened,
    /// A datagram, or a piece of a stream.
    Data(Bytes),
    /// A connection is gone.
    Closed,
}

impl What {
    fn octets(&self) -> usize {
        match self {
            What::Data(data) => data.len(),
            What::Opened | What::Closed => 0,
        }
    }
}

/// What an operator wants to see.
struct Question {
    node: String,
    call_ids: Vec<Bytes>,
    reply: SyncSender<Vec<Passed>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_anybody_who_wants_copies_there_is_no_thread_and_a_core_has_no_tap_for_what_is_kept() {
        assert!(Copies::start(None, None).unwrap().is_none());
        let copies = Copies::start(None, Some(CapturePlan { octets: 1 << 20, contents: false })).unwrap().unwrap();
        assert_eq!([true, false].map(|has_sessions| copies.tap("n", has_sessions).is_some()), [true, false]);
    }
}
