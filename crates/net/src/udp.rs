use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use mio::net::UdpSocket;
use wire::{Input, Transport};

use crate::effects::{Effects, Step};
use crate::pool::ReadPool;
use crate::tap::Path;

/// Errors read in a row before the socket is left alone until the kernel reports it again.
const ERRORS_IN_A_ROW: usize = 8;

/// A UDP socket and the datagrams that the kernel would not take yet.
pub(crate) struct UdpPort {
    pub(crate) socket: UdpSocket,
    local: SocketAddr,
    outbox: Outbox,
}

impl UdpPort {
    pub(crate) fn new(socket: UdpSocket, local: SocketAddr) -> UdpPort {
        UdpPort { socket, local, outbox: Outbox::default() }
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Reads one datagram. An error says something about an earlier one that we sent, never about the socket.
    pub(crate) fn receive(&self, pool: &mut ReadPool, fx: &mut Effects) -> Step {
        for _ in 0..ERRORS_IN_A_ROW {
            match self.socket.recv_from(pool.room()) {
                Ok((len, remote)) => {
                    let data = pool.take(len);
                    fx.counters.datagrams_in += 1;
                    fx.counters.datagram_bytes_in += len as u64;
                    fx.probe.received(self.path(remote), &data);
                    return Step::Input(Input::Datagram { local: self.local, remote, data });
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Step::Done,
                Err(_) => fx.counters.datagram_errors += 1,
            }
        }
        Step::Done
    }

    /// Sends a datagram, after those that wait.
    pub(crate) fn send(&mut self, remote: SocketAddr, data: Bytes, fx: &mut Effects) {
        if !self.outbox.is_empty() || !self.offer(remote, &data, fx) {
            self.outbox.push(remote, data, fx);
        }
    }

    /// The kernel takes datagrams again.
    pub(crate) fn flush(&mut self, fx: &mut Effects) {
        while let Some((remote, data)) = self.outbox.first() {
            if !self.offer(remote, &data, fx) {
                return;
            }
            self.outbox.pop();
        }
    }

    /// Hands one datagram to the kernel; false if it has no room. What it refuses for another reason is counted and gone,
    /// as if the network had lost it.
    fn offer(&self, remote: SocketAddr, data: &Bytes, fx: &mut Effects) -> bool {
        loop {
            let at = fx.probe.before();
            match self.socket.send_to(data, remote) {
                Ok(_) => {
                    fx.counters.datagrams_out += 1;
                    fx.counters.datagram_bytes_out += data.len() as u64;
                    fx.probe.sent(at, self.path(remote), data);
                    return true;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return false,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    fx.counters.datagrams_failed += 1;
                    tracing::debug!(error = %e, len = data.len(), "the kernel refused a datagram");
                    return true;
                }
            }
        }
    }

    fn path(&self, remote: SocketAddr) -> Path {
        Path { transport: Transport::Udp, local: self.local, remote }
    }
}

/// Datagrams that wait for the kernel, in order and bounded.
#[derive(Default)]
struct Outbox {
    waiting: VecDeque<(SocketAddr, Bytes)>,
}

impl Outbox {
    fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn push(&mut self, remote: SocketAddr, data: Bytes, fx: &mut Effects) {
        if self.waiting.len() < fx.limits.datagram_queue {
            self.waiting.push_back((remote, data));
        } else {
            fx.counters.datagrams_dropped += 1;
        }
    }

    fn first(&self) -> Option<(SocketAddr, Bytes)> {
        self.waiting.front().cloned()
    }

    fn pop(&mut self) {
        self.waiting.pop_front();
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
        // As if the kernel had refused the first one: whatever follows must not overtake it.
        port.outbox.push(to, Bytes::from_static(b"1"), &mut fx);
        port.send(to, Bytes::from_static(b"2"), &mut fx);
        port.send(to, Bytes::from_static(b"3"), &mut fx);
        assert_eq!((fx.counters.datagrams_out, fx.counters.datagrams_dropped), (0, 1));

        port.flush(&mut fx);
        port.send(to, Bytes::from_static(b"4"), &mut fx);
        let mut buf = [0; 8];
        let order: Vec<u8> = (0..3).map(|_| (peer.recv(&mut buf).unwrap(), buf[0]).1).collect();
        assert_eq!(order, b"124");
        assert_eq!(fx.counters.datagrams_out, 3);
    }

    #[test]
    fn a_datagram_that_the_kernel_refuses_is_counted_and_the_socket_lives() {
        let mut fx = Effects::new(Limits::default());
        let mut port = port();
        let own = port.local();
        port.send(own, Bytes::from(vec![0; 70_000]), &mut fx);
        port.send("[::1]:9".parse().unwrap(), Bytes::from_static(b"other family"), &mut fx);
        port.send(own, Bytes::from_static(b"fits"), &mut fx);
        assert_eq!((fx.counters.datagrams_failed, fx.counters.datagrams_out), (2, 1));
    }
}
