use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::{Instant, Now, PeerCertificate, Verify};

/// The transport below SIP (RFC 3261 §18) or MSRP (RFC 4975 §5.4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Transport {
    /// Datagrams: unreliable, so transactions retransmit.
    Udp,
    /// A stream per connection.
    Tcp,
    /// TLS over TCP.
    Tls,
}

impl Transport {
    /// Whether the transport itself repeats what was lost (RFC 3261 §17: then no transaction retransmits).
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Transport::Udp)
    }

    /// The token of the Via header field, `UDP`, `TCP` or `TLS`.
    pub const fn via_token(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
        })
    }
}

/// One stream connection of a node. Even numbers are drawn by the node (it asked for the connection), odd ones by the host
/// (it accepted the connection), so that the two never collide.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnId(u64);

impl ConnId {
    /// The `n`-th connection that the node opens.
    pub const fn opened(n: u64) -> ConnId {
        ConnId(n * 2)
    }

    /// The `n`-th connection that a part of the node opens which numbers its connections by itself: SIP is lane 0, which
    /// [`ConnId::opened`] is short for, MSRP lane 1.
    pub const fn opened_in(lane: u8, n: u64) -> ConnId {
        ConnId(((lane as u64) << 48 | n) * 2)
    }

    /// The `n`-th connection that the host accepts.
    pub const fn accepted(n: u64) -> ConnId {
        ConnId(n * 2 + 1)
    }

    /// Whether the host accepted it.
    pub const fn is_accepted(self) -> bool {
        self.0 % 2 == 1
    }
}

/// What a host tells a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// A datagram came in on the socket bound to `local`.
    Datagram {
        /// The node's bound address.
        local: SocketAddr,
        /// Who sent it.
        remote: SocketAddr,
        /// The whole datagram.
        data: Bytes,
    },
    /// A peer connected to the listener bound to `local`.
    Accepted {
        /// The new connection.
        conn: ConnId,
        /// TCP or TLS, as the listener was configured.
        transport: Transport,
        /// The listener's bound address: tells the node what the connection is for.
        local: SocketAddr,
        /// The peer's address.
        remote: SocketAddr,
        /// The certificate that the peer gave, over TLS and if it gave one.
        peer: Option<Arc<PeerCertificate>>,
    },
    /// A connection that the node asked for is up; over TLS that means that the peer is the one that was wanted.
    Connected {
        /// The connection.
        conn: ConnId,
        /// The local address that the kernel chose.
        local: SocketAddr,
        /// The certificate that the peer gave, over TLS.
        peer: Option<Arc<PeerCertificate>>,
    },
    /// Bytes came in on a connection: any number, no framing.
    Stream {
        /// The connection.
        conn: ConnId,
        /// What was read.
        data: Bytes,
    },
    /// The host handed octets of earlier [`Output::Write`]s on this connection to the kernel. Reported for every connection
    /// that the node has not closed, several writes together; all reports together never exceed what was written. A node
    /// that streams keeps what it has written and not been told of below a bound of its own; others need not listen.
    Written {
        /// The connection.
        conn: ConnId,
        /// How many, more than zero.
        octets: usize,
    },
    /// A connection ended, or one that the node asked for could not be opened: over TLS also because somebody else was
    /// found there. Nothing more comes from it.
    Closed {
        /// The connection.
        conn: ConnId,
        /// True when it broke or was never up; false when the peer closed it in order.
        failed: bool,
    },
    /// What an earlier life of the node kept and did not forget: once for each key, before anything else is handed in.
    Recalled {
        /// Under which key.
        key: u64,
        /// What was kept last.
        value: Bytes,
    },
    /// An [`Output::Keep`] came to its end.
    Kept {
        /// Which.
        id: u64,
        /// Whether it outlives the node now, whatever happens. If not, it may or may not.
        ok: bool,
    },
}

/// What a node wants to outlive it: a value under a key of the node's own choice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The key.
    pub key: u64,
    /// The value, which takes the place of the one before; `None` forgets the key. At most [`Entry::MAX`] octets.
    pub value: Option<Bytes>,
    /// Whether it opens something new. A host that runs out of room refuses these first, and holds a reserve for what ends
    /// things: to end them makes room.
    pub opens: bool,
}

impl Entry {
    /// Octets that a value may have.
    pub const MAX: usize = 64 * 1024;
}

/// What a node asks its host to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send a datagram from the socket bound to `local`.
    Datagram {
        /// One of the node's bound UDP addresses.
        local: SocketAddr,
        /// Where to.
        remote: SocketAddr,
        /// The whole datagram.
        data: Bytes,
    },
    /// Open a connection; answered by [`Input::Connected`] or [`Input::Closed`].
    Connect {
        /// The name the node gives it, from [`ConnId::opened`].
        conn: ConnId,
        /// TCP or TLS.
        transport: Transport,
        /// A listener of the node whose IP address the connection starts from.
        local: SocketAddr,
        /// Where to.
        remote: SocketAddr,
        /// Whom the peer must prove to be. Nothing but TLS can tell: a connection over TLS without it is not made.
        verify: Option<Verify>,
    },
    /// Write to a connection, in order. Before [`Input::Connected`] the host queues it.
    Write {
        /// The connection.
        conn: ConnId,
        /// What to write.
        data: Bytes,
    },
    /// Stop or go on reading from a connection; at first it is read. While it is not, the kernel's buffers fill and hold the
    /// peer up, and the node hears no [`Input::Stream`] of it, nor that the peer closed it in order, which comes after what
    /// is unread. That it broke is still told at once, and what is unread is lost then.
    Read {
        /// The connection.
        conn: ConnId,
        /// Whether to read.
        on: bool,
    },
    /// Close a connection once everything written has been handed to the kernel. No [`Input::Closed`] follows.
    Close {
        /// The connection.
        conn: ConnId,
    },
    /// Keep an entry beyond the life of the process; answered by [`Input::Kept`]. The host gathers those of one turn and
    /// makes them durable together, while the node goes on: what may not be said before it is durable, the node holds back
    /// by itself. A host without a journal answers that it did not.
    Keep {
        /// What the node calls it.
        id: u64,
        /// What to keep.
        entry: Entry,
    },
}

/// A machine that a host can run: the outermost one, which stands for one network node.
///
/// The contract: after any `handle_*`, call `poll_output` until `None` before the next `handle_*`; `poll_*` decides nothing;
/// after `handle_timeout(now)`, `poll_timeout()` is `None` or later than `now`.
pub trait Node {
    /// Takes what came from the network.
    fn handle_input(&mut self, input: Input, now: Now);
    /// Takes how late the host is: how long the input that comes next has waited at least. A node that cannot keep up
    /// refuses what it can do without.
    fn handle_lag(&mut self, _lag: Duration, _now: Now) {}
    /// Takes the passing of time: everything due at `now` happens.
    fn handle_timeout(&mut self, now: Now);
    /// Hands out the next thing to do.
    fn poll_output(&mut self) -> Option<Output>;
    /// When the node next wants [`Node::handle_timeout`].
    fn poll_timeout(&self) -> Option<Instant>;
}
