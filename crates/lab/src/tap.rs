//! What the six taps saw, brought to one place.

use std::net::SocketAddr;
use std::sync::mpsc::Sender;

use bytes::Bytes;
use engine::Tap;
use wire::{ConnId, Now, Transport};

/// The place of a node in [`crate::NODES`].
pub(crate) type NodeIndex = usize;

/// One thing that one tap saw.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) node: NodeIndex,
    pub(crate) at: Now,
    pub(crate) transport: Transport,
    /// The node's own end.
    pub(crate) local: SocketAddr,
    /// The other end.
    pub(crate) remote: SocketAddr,
    pub(crate) what: What,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum What {
    /// A connection is up.
    Opened {
        /// The node opened it; else it accepted it.
        by_us: bool,
    },
    /// Its socket is gone.
    Closed,
    /// The kernel took this.
    Sent(Bytes),
    /// The kernel gave this.
    Received(Bytes),
}

/// The tap of one node: copies what it sees into the lab's queue.
pub(crate) struct Recorder<S> {
    node: NodeIndex,
    queue: Sender<S>,
}

impl<S: From<Seen>> Recorder<S> {
    pub(crate) fn new(node: NodeIndex, queue: Sender<S>) -> Recorder<S> {
        Recorder { node, queue }
    }

    fn put(&self, at: Now, transport: Transport, local: SocketAddr, remote: SocketAddr, what: What) {
        // The lab reads to the end of a flow; what passes after that is nobody's concern.
        drop(self.queue.send(Seen { node: self.node, at, transport, local, remote, what }.into()));
    }
}

impl<S: From<Seen> + Send> Tap for Recorder<S> {
    fn opened(&mut self, at: Now, conn: ConnId, transport: Transport, local: SocketAddr, remote: SocketAddr) {
        self.put(at, transport, local, remote, What::Opened { by_us: !conn.is_accepted() });
    }

    fn closed(&mut self, at: Now, _conn: ConnId, transport: Transport, local: SocketAddr, remote: SocketAddr) {
        self.put(at, transport, local, remote, What::Closed);
    }

    fn sent(&mut self, at: Now, transport: Transport, local: SocketAddr, remote: SocketAddr, data: &[u8]) {
        self.put(at, transport, local, remote, What::Sent(Bytes::copy_from_slice(data)));
    }

    fn received(&mut self, at: Now, transport: Transport, local: SocketAddr, remote: SocketAddr, data: &[u8]) {
        self.put(at, transport, local, remote, What::Received(Bytes::copy_from_slice(data)));
    }
}
