//! What the engine of a node hands over.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;

use bytes::Bytes;
use engine::Tap;
use wire::{ConnId, Now, Transport};

use super::{Counts, Gap, Item, MOST_OCTETS, Seen, Way, What};

/// Of so many directions it is remembered that something was dropped, and so many ends of connections are told later.
const MOST_MISSED: usize = 1_024;

pub(super) struct NodeTap {
    node: Arc<str>,
    has_sessions: bool,
    queue: SyncSender<Item>,
    counts: Arc<Counts>,
    missed: Missed,
}

/// What was dropped and not told yet.
#[derive(Default)]
struct Missed {
    /// Streams that have a gap.
    directions: BTreeSet<Way>,
    /// Connections that are gone.
    closed: VecDeque<(Now, Transport, Way)>,
    /// Whether there was more than that.
    is_beyond: bool,
}

impl Missed {
    fn add(&mut self, at: Now, transport: Transport, way: Way, what: &What) {
        // Every datagram stands for itself.
        if transport == Transport::Udp {
            return;
        }
        match what {
            What::Data(_) => self.has_gap(way),
            What::Opened => [way, way.back()].into_iter().for_each(|way| self.has_gap(way)),
            What::Closed if self.closed.len() < MOST_MISSED => self.closed.push_back((at, transport, way)),
            What::Closed => self.is_beyond = true,
        }
    }

    fn has_gap(&mut self, way: Way) {
        self.is_beyond |= self.directions.len() >= MOST_MISSED;
        if !self.is_beyond {
            self.directions.insert(way);
        }
    }

    /// What who cuts a stream has to hear before it goes on.
    fn gap(&self, way: Way) -> Gap {
        if self.is_beyond {
            Gap::Anywhere
        } else if self.directions.contains(&way) {
            Gap::Here
        } else {
            Gap::None
        }
    }

    /// Who cuts streams has heard of it, and has forgotten or begun what an event is about.
    fn told(&mut self, way: Way, what: &What) {
        if self.is_beyond {
            self.directions.clear();
            self.is_beyond = false;
        }
        self.directions.remove(&way);
        match what {
            What::Data(_) => {}
            What::Opened | What::Closed => {
                self.directions.remove(&way.back());
            }
        }
    }
}

impl NodeTap {
    pub(super) fn new(node: &str, has_sessions: bool, queue: SyncSender<Item>, counts: Arc<Counts>) -> NodeTap {
        NodeTap { node: node.into(), has_sessions, queue, counts, missed: Missed::default() }
    }

    fn data(&mut self, at: Now, transport: Transport, way: Way, data: &[u8]) {
        let waiting = self.counts.octets_waiting.fetch_add(data.len(), Ordering::Relaxed);
        let has_room = waiting + data.len() <= MOST_OCTETS;
        let what = What::Data(if has_room { Bytes::copy_from_slice(data) } else { Bytes::new() });
        if !(has_room && self.put(at, transport, way, &what)) {
            self.counts.octets_waiting.fetch_sub(data.len(), Ordering::Relaxed);
            self.drop_one(at, transport, way, &what);
        }
    }

    fn event(&mut self, at: Now, transport: Transport, way: Way, what: &What) {
        if !self.put(at, transport, way, what) {
            self.drop_one(at, transport, way, what);
        }
    }

    /// Hands something over if there is room, but not before all ends of connections that came before.
    fn put(&mut self, at: Now, transport: Transport, way: Way, what: &What) -> bool {
        while let Some((at, transport, way)) = self.missed.closed.front().copied() {
            if !self.send(at, transport, way, &What::Closed) {
                return false;
            }
            self.missed.closed.pop_front();
        }
        self.send(at, transport, way, what)
    }

    fn send(&mut self, at: Now, transport: Transport, way: Way, what: &What) -> bool {
        let (node, has_sessions, gap) = (Arc::clone(&self.node), self.has_sessions, self.missed.gap(way));
        let seen = Seen { node, has_sessions, at: at.utc, transport, way, what: what.clone(), gap };
        let is_sent = self.counts.pieces.put(|| self.queue.try_send(Item::Seen(seen)).map_err(drop)).is_ok();
        if is_sent {
            self.missed.told(way, what);
        }
        is_sent
    }

    fn drop_one(&mut self, at: Now, transport: Transport, way: Way, what: &What) {
        self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        self.missed.add(at, transport, way, what);
    }
}

impl Tap for NodeTap {
    fn opened(&mut self, at: Now, _: ConnId, transport: Transport, local: SocketAddr, remote: SocketAddr) {
        self.event(at, transport, Way::sent(local, remote), &What::Opened);
    }

    fn closed(&mut self, at: Now, _: ConnId, transport: Transport, local: SocketAddr, remote: SocketAddr) {
        self.event(at, transport, Way::sent(local, remote), &What::Closed);
    }

    fn sent(&mut self, at: Now, transport: Transport, local: SocketAddr, remote: SocketAddr, data: &[u8]) {
        self.data(at, transport, Way::sent(local, remote), data);
    }

    fn received(&mut self, at: Now, transport: Transport, local: SocketAddr, remote: SocketAddr, data: &[u8]) {
        self.data(at, transport, Way::sent(local, remote).back(), data);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, sync_channel};

    use super::*;

    fn tap(pieces: usize) -> (NodeTap, Receiver<Item>) {
        let (queue, items) = sync_channel(pieces);
        (NodeTap::new("pf", true, queue, Arc::default()), items)
    }

    fn addr(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn sent(tap: &mut NodeTap, ports: [u16; 2], data: &[u8]) {
        tap.sent(Now::default(), Transport::Tcp, addr(ports[0]), addr(ports[1]), data);
    }

    fn received(tap: &mut NodeTap, ports: [u16; 2], data: &[u8]) {
        tap.received(Now::default(), Transport::Tcp, addr(ports[1]), addr(ports[0]), data);
    }

    /// From where, what, and what was dropped before.
    fn told(items: &Receiver<Item>) -> Vec<(u16, &'static str, Gap)> {
        let told = items.try_iter().map(|item| match item {
            Item::Seen(seen) => {
                let what = match seen.what {
                    What::Opened => "opened",
                    What::Data(_) => "data",
                    What::Closed => "closed",
                };
                (seen.way.from.port(), what, seen.gap)
            }
            Item::Question(_) => panic!("nobody asks"),
        });
        told.collect()
    }

    #[test]
    fn what_does_not_fit_is_counted_and_nobody_waits() {
        let (mut tap, items) = tap(2);
        for data in [&[b'x'; 10][..], &vec![b'x'; MOST_OCTETS], &[b'x'; 5], &[b'x'; 7]] {
            sent(&mut tap, [1, 2], data);
        }
        // The large one is beyond the octets, the last one beyond the pieces.
        assert_eq!(tap.counts.waiting(), (15, 2));
        assert_eq!(tap.counts.queues().map(|queue| queue.depth), [2, 15]);
        assert_eq!(told(&items), [(1, "data", Gap::None), (1, "data", Gap::Here)]);
    }

    #[test]
    fn who_cuts_a_stream_hears_of_its_gap_and_others_do_not() {
        let (mut tap, items) = tap(3);
        let large = vec![b'x'; MOST_OCTETS + 1];
        tap.sent(Now::default(), Transport::Udp, addr(3), addr(4), &large);
        sent(&mut tap, [1, 2], &large);
        for ports in [[3, 4], [2, 1], [1, 2]] {
            sent(&mut tap, ports, b"x");
        }
        assert_eq!(told(&items), [(3, "data", Gap::None), (2, "data", Gap::None), (1, "data", Gap::Here)]);
        sent(&mut tap, [1, 2], b"x");
        assert_eq!(told(&items), [(1, "data", Gap::None)]);
    }

    #[test]
    fn the_end_of_a_connection_that_was_dropped_is_told_before_anything_else() {
        let (mut tap, items) = tap(1);
        sent(&mut tap, [5, 6], b"x");
        tap.closed(Now::default(), ConnId::opened(1), Transport::Tcp, addr(1), addr(2));
        tap.opened(Now::default(), ConnId::opened(1), Transport::Tcp, addr(1), addr(2));
        assert_eq!(told(&items).len(), 1);
        received(&mut tap, [2, 1], b"x");
        assert_eq!(told(&items), [(1, "closed", Gap::Here)]);
        // With that nothing is known of it, and so nothing can be missed.
        tap.opened(Now::default(), ConnId::opened(2), Transport::Tcp, addr(1), addr(2));
        assert_eq!(told(&items), [(1, "opened", Gap::None)]);
        received(&mut tap, [2, 1], b"x");
        assert_eq!(told(&items), [(2, "data", Gap::None)]);
    }

    #[test]
    fn when_more_is_dropped_than_can_be_remembered_all_streams_may_have_a_gap() {
        let (mut tap, items) = tap(1);
        sent(&mut tap, [1, 2], b"x");
        for port in 0..=MOST_MISSED {
            sent(&mut tap, [port as u16, 9], b"x");
        }
        assert!(tap.missed.directions.len() <= MOST_MISSED);
        assert_eq!(told(&items).len(), 1);
        sent(&mut tap, [7, 8], b"x");
        assert_eq!(told(&items), [(7, "data", Gap::Anywhere)]);
        sent(&mut tap, [1, 9], b"x");
        assert_eq!(told(&items), [(1, "data", Gap::None)]);
    }
}
