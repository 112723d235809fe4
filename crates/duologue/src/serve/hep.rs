//! Copies of all SIP that passes the sockets, for Homer.
//!
//! The engines hand over what they see and wait for nobody: the queue is bounded, and what does not fit is counted. A thread of
//! its own cuts connections into messages and sends each, in the clear, as one HEPv3 packet over UDP.

mod packet;
mod redact;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use anyhow::Context as _;
use bytes::Bytes;
use engine::Tap;
use sip::Cutter;
use wire::{ConnId, Now, Redacted, Timestamp, Transport};

use packet::About;

/// Where copies go, and what of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct HepPlan {
    pub(crate) address: SocketAddr,
    pub(crate) capture_id: u32,
    pub(crate) password: Option<Redacted<String>>,
    pub(crate) contents: bool,
}

/// What waits for the thread, at most.
const MOST_WAITING: usize = 8_192;
const MOST_OCTETS: usize = 16 << 20;

/// A packet has to fit into a datagram, with its chunks.
const LONGEST: usize = 64_000;

/// A Call-ID that is longer is one of an attack, and would not fit beside the message.
const LONGEST_ID: usize = 255;

/// What has become of copies.
#[derive(Default)]
pub(super) struct Counts {
    octets_waiting: AtomicUsize,
    sent: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

impl Counts {
    /// Sent; dropped as too many waited; refused by the kernel; octets that wait.
    pub(super) fn read(&self) -> ([u64; 3], usize) {
        let counts = [&self.sent, &self.dropped, &self.failed].map(|count| count.load(Ordering::Relaxed));
        (counts, self.octets_waiting.load(Ordering::Relaxed))
    }
}

/// Sends copies as long as there are taps.
pub(super) struct Exporter {
    queue: SyncSender<Seen>,
    counts: Arc<Counts>,
}

impl Exporter {
    /// Starts the thread.
    pub(super) fn start(plan: HepPlan) -> anyhow::Result<Exporter> {
        let any: SocketAddr = match plan.address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).and_then(|socket| socket.connect(plan.address).map(|()| socket));
        let socket = socket.with_context(|| format!("hep.address {} cannot be reached", plan.address))?;
        let (queue, seen) = sync_channel(MOST_WAITING);
        let counts = Arc::new(Counts::default());
        let sender = Sender { plan, socket, counts: Arc::clone(&counts), streams: BTreeMap::new(), is_failing: false };
        thread::Builder::new().name("hep".to_owned()).spawn(move || sender.run(&seen)).context("thread hep")?;
        Ok(Exporter { queue, counts })
    }

    /// What a node's engine takes.
    pub(super) fn tap(&self, node: &str) -> Box<dyn Tap> {
        Box::new(NodeTap {
            node: node.into(),
            queue: self.queue.clone(),
            counts: Arc::clone(&self.counts),
            has_gap: false,
        })
    }

    pub(super) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }
}

/// One thing that a node saw.
struct Seen {
    node: Arc<str>,
    at: Timestamp,
    transport: Transport,
    from: SocketAddr,
    to: SocketAddr,
    /// Nothing if the connection is gone.
    data: Bytes,
    /// Whether something of this node was dropped before.
    has_gap: bool,
}

struct NodeTap {
    node: Arc<str>,
    queue: SyncSender<Seen>,
    counts: Arc<Counts>,
    has_gap: bool,
}

impl NodeTap {
    fn put(&mut self, at: Now, transport: Transport, [from, to]: [SocketAddr; 2], data: &[u8]) {
        let waiting = self.counts.octets_waiting.fetch_add(data.len(), Ordering::Relaxed);
        let seen = (waiting + data.len() <= MOST_OCTETS).then(|| Seen {
            node: Arc::clone(&self.node),
            at: at.utc,
            transport,
            from,
            to,
            data: Bytes::copy_from_slice(data),
            has_gap: self.has_gap,
        });
        if seen.is_some_and(|seen| self.queue.try_send(seen).is_ok()) {
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

/// A direction of a connection, at a node.
type Direction = (Arc<str>, SocketAddr, SocketAddr);

struct Sender {
    plan: HepPlan,
    socket: UdpSocket,
    counts: Arc<Counts>,
    /// Connections that carry SIP; nothing of those with MSRP.
    streams: BTreeMap<Direction, Option<Cutter<Timestamp>>>,
    is_failing: bool,
}

impl Sender {
    fn run(mut self, queue: &Receiver<Seen>) {
        for seen in queue {
            self.counts.octets_waiting.fetch_sub(seen.data.len(), Ordering::Relaxed);
            if seen.has_gap {
                // Of a message that is cut off nothing can be made.
                self.streams.retain(|(node, ..), _| *node != seen.node);
            }
            for (at, message) in self.messages(&seen) {
                self.send(&seen, at, &message);
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

    fn send(&mut self, seen: &Seen, at: Timestamp, message: &Bytes) {
        let (mut shown, call_id) = redact::redacted(message, self.plan.contents);
        shown.truncate(LONGEST);
        let about = About {
            at,
            transport: seen.transport,
            from: seen.from,
            to: seen.to,
            correlation: if call_id.len() <= LONGEST_ID { &call_id } else { &[] },
            capture_id: self.plan.capture_id,
            password: self.plan.password.as_ref().map(|word| word.0.as_str()),
            node: &seen.node,
        };
        match self.socket.send(&packet::packet(&about, &shown)) {
            Ok(_) => {
                self.counts.sent.fetch_add(1, Ordering::Relaxed);
                self.is_failing = false;
            }
            Err(error) => {
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::warn!(address = %self.plan.address, %error, "copies for Homer cannot be sent");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted_and_nobody_waits() {
        let (queue, seen) = sync_channel(2);
        let counts = Arc::new(Counts::default());
        let mut tap = NodeTap { node: "pf".into(), queue, counts: Arc::clone(&counts), has_gap: false };
        let addr = "127.0.0.1:5060".parse().unwrap();
        for data in [&[b'x'; 10][..], &vec![b'x'; MOST_OCTETS], &[b'x'; 5], &[b'x'; 7]] {
            tap.sent(Now::default(), Transport::Udp, addr, addr, data);
        }
        // The large one is beyond the octets, the last one beyond the pieces.
        assert_eq!(counts.read(), ([0, 2, 0], 15));
        let gaps: Vec<bool> = seen.try_iter().map(|seen| seen.has_gap).collect();
        assert_eq!(gaps, [false, true], "who cuts streams hears of what is missing");
    }
}
