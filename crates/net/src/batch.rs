//! Datagrams by the batch: one system call for all that wait, either way.
//!
//! The kernel notes when a datagram came. It is asked for that only when there are more than one call takes: how long a queue is
//! says nothing of how long one waits in it.
//!
//! What the kernel does for each datagram remains; what entering it costs is shared. Segmentation offload (UDP GSO and GRO)
//! would share more, but only among datagrams of one size to one peer, which SIP does not send.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use nix::cmsg_space;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrStorage, recvmmsg, sendmmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
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
    /// How long the first of them has waited in the kernel, if it was asked.
    waited: Option<Duration>,
}

/// Has the kernel note when datagrams come.
pub(crate) fn note_arrival(socket: &impl AsFd) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::ReceiveTimestampns, &true)?)
}

impl Arrivals {
    pub(crate) fn new() -> Arrivals {
        Arrivals { buffer: vec![0; STRIDE * BATCH], waiting: SmallVec::new(), waited: None }
    }

    /// Receives up to `most` datagrams in place of those of the call before. Fewer than asked for: there are no more.
    /// `timed`: asks how long they have waited.
    pub(crate) fn receive(&mut self, socket: &impl AsRawFd, most: usize, timed: bool) -> io::Result<usize> {
        let most = most.clamp(1, BATCH);
        self.waiting.clear();
        let mut places = self.buffer.chunks_exact_mut(STRIDE);
        let mut slices: [_; BATCH] =
            std::array::from_fn(|_| [IoSliceMut::new(places.next().map_or(&mut [], |place| &mut place[..READ_MAX]))]);
        let room = timed.then(|| cmsg_space!(TimeSpec));
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(most, room);
        self.waited = None;
        let received =
            recvmmsg(socket.as_raw_fd(), &mut headers, slices.iter_mut().take(most), MsgFlags::empty(), None)?;
        for message in received {
            if timed && self.waiting.is_empty() {
                self.waited = came_at(&message).and_then(|at| at.elapsed().ok());
            }
            // A datagram without a sender has nobody to answer to; over IP there is none.
            let sender = message.address.as_ref().and_then(address).unwrap_or(NOBODY);
            self.waiting.push((message.bytes, sender));
        }
        Ok(self.waiting.len())
    }

    /// How long the first datagram of the last call had waited in the kernel, if that was asked and is known.
    pub(crate) const fn waited(&self) -> Option<Duration> {
        self.waited
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

/// When the kernel received a datagram.
fn came_at(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<SystemTime> {
    message.cmsgs().ok()?.find_map(|part| {
        let ControlMessageOwned::ScmTimestampns(at) = part else { return None };
        Some(SystemTime::UNIX_EPOCH + Duration::from(at))
    })
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
                assert_eq!(arrivals.receive(&b, BATCH, false).unwrap(), expected);
                got.extend(arrivals.iter().map(|(sender, data)| (sender, data.to_vec())));
            }
            assert_eq!(arrivals.receive(&b, BATCH, false).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            assert_eq!(arrivals.iter().count(), 0);
            assert!(got.iter().zip(&sent).all(|((sender, data), (_, wanted))| *sender == from && data == wanted));
            assert_eq!(got.len(), sent.len());
        }
    }

    #[test]
    fn the_kernel_knows_how_long_a_datagram_has_waited() {
        let [a, b] = [(), ()].map(|()| std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
        b.set_nonblocking(true).unwrap();
        note_arrival(&b).unwrap();
        let mut arrivals = Arrivals::new();
        let before = SystemTime::now();
        for n in 0..3 {
            a.send_to(&[n], b.local_addr().unwrap()).unwrap();
        }
        assert_eq!((arrivals.receive(&b, 1, false).unwrap(), arrivals.waited()), (1, None), "it was not asked");
        assert_eq!(arrivals.receive(&b, BATCH, true).unwrap(), 2);
        let waited = arrivals.waited().expect("the kernel says when a datagram came");
        assert!(waited <= before.elapsed().unwrap(), "{waited:?}");
        // The clock is one of nanoseconds: what has waited did not wait for no time at all.
        assert!(waited > Duration::ZERO);
    }
}
