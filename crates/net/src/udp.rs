use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use mio::net::UdpSocket;
use wire::{Input, Transport};

use crate::batch::{self, Arrivals, BATCH};
use crate::effects::{Effects, Step};
use crate::pool::ReadPool;
use crate::tap::Path;

/// Errors read in a row before the socket is left alone until the kernel reports it again.
const ERRORS_IN_A_ROW: usize = 8;

/// Datagrams asked for beyond as many as the last call gave: preparing a call costs something for each.
const MORE: usize = 4;

/// A UDP socket, what has been received on it and what is to be sent.
pub(crate) struct UdpPort {
    pub(crate) socket: UdpSocket,
    local: SocketAddr,
    inbox: VecDeque<(SocketAddr, Bytes)>,
    /// How many the last call received.
    last_batch: usize,
    /// The last call received fewer than asked for: the kernel has no more.
    drained: bool,
    /// How long the datagrams read last had waited in the kernel: known while there are more than one call takes.
    waited: Option<Duration>,
    outbox: Outbox,
}

impl UdpPort {
    pub(crate) fn new(socket: UdpSocket, local: SocketAddr) -> UdpPort {
        if let Err(error) = batch::note_arrival(&socket) {
            tracing::debug!(%error, "the kernel does not note when datagrams come");
        }
        let (inbox, outbox) = (VecDeque::new(), Outbox::default());
        UdpPort { socket, local, inbox, last_batch: 0, drained: false, waited: None, outbox }
    }

    pub(crate) const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Whether the next datagram must be asked of the kernel.
    pub(crate) fn is_read_out(&self) -> bool {
        self.inbox.is_empty()
    }

    /// How many datagrams wait to be sent.
    pub(crate) fn waiting(&self) -> usize {
        self.outbox.waiting.len()
    }

    /// How long the datagrams read last had waited, if there are more.
    pub(crate) const fn waited(&self) -> Option<Duration> {
        self.waited
    }

    /// The kernel reported that there is something.
    pub(crate) const fn has_arrivals(&mut self) {
        self.drained = false;
    }

    /// The next datagram.
    pub(crate) fn receive(&mut self, arrivals: &mut Arrivals, pool: &mut ReadPool, fx: &mut Effects) -> Step {
        if self.inbox.is_empty() && !self.drained {
            self.read(arrivals, pool, fx);
        }
        match self.inbox.pop_front() {
            Some((remote, data)) => Step::Input(Input::Datagram { local: self.local, remote, data }),
            None => Step::Done,
        }
    }

    /// Reads as many datagrams as one call gives. An error says something about an earlier one that we sent, never about
    /// the socket.
    fn read(&mut self, arrivals: &mut Arrivals, pool: &mut ReadPool, fx: &mut Effects) {
        self.drained = true;
        self.waited = None;
        let wanted = (self.last_batch + MORE).min(BATCH);
        for _ in 0..ERRORS_IN_A_ROW {
            match arrivals.receive(&self.socket, wanted, self.last_batch == BATCH) {
                Ok(count) => {
                    (self.last_batch, self.drained) = (count, count < wanted);
                    self.waited = arrivals.waited().filter(|_| !self.drained);
                    break;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => fx.counters.datagram_errors += 1,
            }
        }
        for (remote, data) in arrivals.iter() {
            fx.counters.datagrams_in += 1;
            fx.counters.datagram_bytes_in += data.len() as u64;
            fx.probe.received(self.path(remote), data);
            self.inbox.push_back((remote, pool.copy(data)));
        }
    }

    /// Takes a datagram to send. It leaves with [`UdpPort::flush`], together with others.
    pub(crate) fn send(&mut self, remote: SocketAddr, data: Bytes, fx: &mut Effects) {
        self.outbox.push(remote, data, fx);
        if self.outbox.waiting.len() >= BATCH && !self.outbox.is_blocked {
            self.flush(fx);
        }
    }

    /// Hands the kernel what waits, unless it has no room.
    pub(crate) fn flush(&mut self, fx: &mut Effects) {
        while !self.outbox.waiting.is_empty() && !self.outbox.is_blocked {
            self.offer(fx);
        }
    }

    /// The kernel takes datagrams again.
    pub(crate) fn unblock(&mut self, fx: &mut Effects) {
        self.outbox.is_blocked = false;
        self.flush(fx);
    }

    /// Whether the kernel is to tell when it takes datagrams again.
    pub(crate) const fn is_blocked(&self) -> bool {
        self.outbox.is_blocked
    }

    /// Offers the first datagrams to the kernel. What it refuses for another reason than want of room is counted and gone,
    /// as if the network had lost it.
    fn offer(&mut self, fx: &mut Effects) {
        let at = fx.probe.before();
        let outcome = match &self.outbox.waiting.as_slices() {
            ([(remote, data)], []) => self.socket.send_to(data, *remote).map(|_| 1),
            _ => batch::send(&self.socket, self.outbox.waiting.iter()),
        };
        let taken = match outcome {
            Ok(taken) => taken,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                self.outbox.is_blocked = true;
                return;
            }
            Err(e) => {
                fx.counters.datagrams_failed += 1;
                let len = self.outbox.waiting.pop_front().map(|(_, data)| data.len());
                tracing::debug!(error = %e, len, "the kernel refused a datagram");
                return;
            }
        };
        let local = self.local;
        for (remote, data) in self.outbox.waiting.drain(..taken) {
            fx.counters.datagrams_out += 1;
            fx.counters.datagram_bytes_out += data.len() as u64;
            fx.probe.sent(at, Path { transport: Transport::Udp, local, remote }, &data);
        }
    }

    fn path(&self, remote: SocketAddr) -> Path {
        Path { transport: Transport::Udp, local: self.local, remote }
    }
}

/// Datagrams that wait to be sent, in order and, while the kernel has no room, bounded.
#[derive(Default)]
struct Outbox {
    waiting: VecDeque<(SocketAddr, Bytes)>,
    is_blocked: bool,
}

impl Outbox {
    fn push(&mut self, remote: SocketAddr, data: Bytes, fx: &mut Effects) {
        if self.is_blocked && self.waiting.len() >= fx.limits.datagram_queue {
            fx.counters.datagrams_dropped += 1;
        } else {
            self.waiting.push_back((remote, data));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn port() -> UdpPort {
        let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let local = socket.local_addr().unwrap();
        UdpPort::new(socket, local)
    }

    #[test]
    fn a_full_queue_drops_the_newest_and_counts_it_and_the_rest_leaves_in_order() {
        let mut fx = Effects::new(Limits { datagram_queue: 2, ..Limits::default() });
        let mut port = port();
        let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = peer.local_addr().unwrap();
        port.send(to, Bytes::from_static(b"1"), &mut fx);
        // As if the kernel had refused the first one: whatever follows must not overtake it.
        port.outbox.is_blocked = true;
        port.send(to, Bytes::from_static(b"2"), &mut fx);
        port.send(to, Bytes::from_static(b"3"), &mut fx);
        port.flush(&mut fx);
        assert_eq!((fx.counters.datagrams_out, fx.counters.datagrams_dropped), (0, 1));

        port.unblock(&mut fx);
        port.send(to, Bytes::from_static(b"4"), &mut fx);
        port.flush(&mut fx);
        let mut buf = [0; 8];
        let order: Vec<u8> = (0..3).map(|_| (peer.recv(&mut buf).unwrap(), buf[0]).1).collect();
        assert_eq!(order, b"124");
        assert_eq!(fx.counters.datagrams_out, 3);
    }

    #[test]
    fn a_datagram_that_the_kernel_refuses_is_counted_and_those_around_it_leave() {
        let mut fx = Effects::new(Limits::default());
        let mut port = port();
        let own = port.local();
        port.send(own, Bytes::from_static(b"before"), &mut fx);
        port.send(own, Bytes::from(vec![0; 70_000]), &mut fx);
        port.send("[::1]:9".parse().unwrap(), Bytes::from_static(b"other family"), &mut fx);
        port.send(own, Bytes::from_static(b"after"), &mut fx);
        port.flush(&mut fx);
        assert_eq!((fx.counters.datagrams_failed, fx.counters.datagrams_out), (2, 2));

        let (mut arrivals, mut pool) = (Arrivals::new(), ReadPool::new());
        let mut next = || match port.receive(&mut arrivals, &mut pool, &mut fx) {
            Step::Input(Input::Datagram { data, .. }) => Some(data),
            Step::Input(_) | Step::Again | Step::Done => None,
        };
        assert_eq!([next(), next(), next()], [Some(Bytes::from("before")), Some(Bytes::from("after")), None]);
    }
}
