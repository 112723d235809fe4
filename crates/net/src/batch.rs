//! Datagrams by the batch: one system call for all that wait, either way.
//!
//! What the kernel does for each datagram remains; what entering it costs is shared. Segmentation offload (UDP GSO and GRO)
//! would share more, but only among datagrams of one size to one peer, which SIP does not send.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;

use bytes::Bytes;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use smallvec::SmallVec;

use crate::pool::READ_MAX;

/// Most datagrams of one system call.
pub(crate) const BATCH: usize = 32;

/// From one place to the next: a datagram of any length, and a little so that equal places do not share a cache line set.
const STRIDE: usize = READ_MAX + 1 + 128;

/// Where datagrams are received. Memory that was never written to is not there.
pub(crate) struct Arrivals {
    buffer: Vec<u8>,
    /// Length and sender of those that wait in the buffer.
    waiting: SmallVec<[(usize, SocketAddr); BATCH]>,
}

impl Arrivals {
    pub(crate) fn new() -> Arrivals {
        Arrivals { buffer: vec![0; STRIDE * BATCH], waiting: SmallVec::new() }
    }

    /// Receives up to `most` datagrams in place of those of the call before. Fewer than asked for: there are no more.
    pub(crate) fn receive(&mut self, socket: &impl AsRawFd, most: usize) -> io::Result<usize> {
        let most = most.clamp(1, BATCH);
        self.waiting.clear();
        let mut places = self.buffer.chunks_exact_mut(STRIDE);
        let mut slices: [_; BATCH] =
            std::array::from_fn(|_| [IoSliceMut::new(places.next().map_or(&mut [], |place| &mut place[..READ_MAX]))]);
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(most, None);
        let received =
            recvmmsg(socket.as_raw_fd(), &mut headers, slices.iter_mut().take(most), MsgFlags::empty(), None)?;
        for message in received {
            // A datagram without a sender has nobody to answer to; over IP there is none.
            let sender = message.address.as_ref().and_then(address).unwrap_or(NOBODY);
            self.waiting.push((message.bytes, sender));
        }
        Ok(self.waiting.len())
    }

    /// The datagrams that the last call received, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let places = self.buffer.chunks_exact(STRIDE);
        self.waiting.iter().zip(places).map(|((len, sender), place)| (*sender, &place[..*len]))
    }
}

const NOBODY: SocketAddr = SocketAddr::V4(SocketAddrV4::new(std::net::Ipv4Addr::UNSPECIFIED, 0));

/// Sends datagrams in order; returns how many the kernel took, at least one. An error is that of the first.
pub(crate) fn send<'a>(
    socket: &impl AsRawFd,
    datagrams: impl Iterator<Item = &'a (SocketAddr, Bytes)>,
) -> io::Result<usize> {
    let (mut slices, mut peers) = (Vec::with_capacity(BATCH), SmallVec::<[_; BATCH]>::new());
    for (peer, data) in datagrams.take(BATCH) {
        slices.push([IoSlice::new(data)]);
        peers.push(Some(SockaddrStorage::from(*peer)));
    }
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(slices.len(), None);
    let none: [nix::sys::socket::ControlMessage<'_>; 0] = [];
    Ok(sendmmsg(socket.as_raw_fd(), &mut headers, &slices, &peers, none, MsgFlags::empty())?.count())
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|v4| SocketAddr::V4(SocketAddrV4::from(*v4)));
    v4.or_else(|| storage.as_sockaddr_in6().map(|v6| SocketAddr::V6(SocketAddrV6::from(*v6))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_comes_in_order_whole_and_with_its_sender_and_a_short_batch_is_the_last() {
        for ip in ["127.0.0.1:0", "[::1]:0"] {
            let [a, b] = [(), ()].map(|()| std::net::UdpSocket::bind(ip).unwrap());
            b.set_nonblocking(true).unwrap();
            let (from, to) = (a.local_addr().unwrap(), b.local_addr().unwrap());
            let sent: Vec<(SocketAddr, Bytes)> =
                (0..40_usize).map(|n| (to, Bytes::from(vec![n as u8; n * 50]))).collect();
            assert_eq!(send(&a, sent.iter()).unwrap(), BATCH);
            assert_eq!(send(&a, sent[BATCH..].iter()).unwrap(), 8);

            let (mut arrivals, mut got) = (Arrivals::new(), Vec::new());
            for expected in [BATCH, 8] {
                assert_eq!(arrivals.receive(&b, BATCH).unwrap(), expected);
                got.extend(arrivals.iter().map(|(sender, data)| (sender, data.to_vec())));
            }
            assert_eq!(arrivals.receive(&b, BATCH).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            assert_eq!(arrivals.iter().count(), 0);
            assert!(got.iter().zip(&sent).all(|((sender, data), (_, wanted))| *sender == from && data == wanted));
            assert_eq!(got.len(), sent.len());
        }
    }
}
