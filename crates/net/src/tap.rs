use std::net::SocketAddr;

use wire::{ConnId, Now, Transport};

use crate::Clock;

/// Sees what really passed the sockets: what the kernel took and what it gave, not what a node meant to send. Of TLS it sees
/// what is inside: a record when it is sealed, just before its first octet leaves.
///
/// The time of what is sent is read before the system call and that of what is received after it: among engines that
/// share a [`Clock`] a message is never received before it was sent.
pub trait Tap: Send {
    /// A connection is up.
    fn opened(&mut self, at: Now, conn: ConnId, transport: Transport, local: SocketAddr, remote: SocketAddr);
    /// The socket of a connection is gone: after both sides closed, after it broke, or when it was given up.
    fn closed(&mut self, at: Now, conn: ConnId, transport: Transport, local: SocketAddr, remote: SocketAddr);
    /// The kernel took `data`: a whole datagram, or a piece of a stream as long as it happened to be.
    fn sent(&mut self, at: Now, transport: Transport, local: SocketAddr, remote: SocketAddr, data: &[u8]);
    /// The kernel gave `data`: a whole datagram, or a piece of a stream as long as it happened to be.
    fn received(&mut self, at: Now, transport: Transport, local: SocketAddr, remote: SocketAddr, data: &[u8]);
}

/// Where the tap sits, if there is one. Without one, no clock is read.
#[derive(Default)]
pub(crate) struct Probe(Option<(Box<dyn Tap>, Clock)>);

/// The two ends that a datagram or a stream passes between.
#[derive(Clone, Copy)]
pub(crate) struct Path {
    pub(crate) transport: Transport,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

impl Probe {
    pub(crate) fn new(tap: Box<dyn Tap>, clock: Clock) -> Probe {
        Probe(Some((tap, clock)))
    }

    /// The time to give to [`Probe::sent`], read before the system call.
    pub(crate) fn before(&self) -> Option<Now> {
        self.0.as_ref().map(|(_, clock)| clock.now())
    }

    pub(crate) fn sent(&mut self, at: Option<Now>, path: Path, data: &[u8]) {
        if let (Some((tap, _)), Some(at)) = (&mut self.0, at) {
            tap.sent(at, path.transport, path.local, path.remote, data);
        }
    }

    pub(crate) fn received(&mut self, path: Path, data: &[u8]) {
        if let Some((tap, clock)) = &mut self.0 {
            tap.received(clock.now(), path.transport, path.local, path.remote, data);
        }
    }

    pub(crate) fn opened(&mut self, conn: ConnId, path: Path) {
        if let Some((tap, clock)) = &mut self.0 {
            tap.opened(clock.now(), conn, path.transport, path.local, path.remote);
        }
    }

    pub(crate) fn closed(&mut self, conn: ConnId, path: Path) {
        if let Some((tap, clock)) = &mut self.0 {
            tap.closed(clock.now(), conn, path.transport, path.local, path.remote);
        }
    }
}
