use std::net::SocketAddr;

use std::sync::Arc;

use bytes::BytesMut;
use hashbrown::HashMap;
use wire::{ConnId, PeerCertificate, Transport};

/// The stream connections of a node, and which of them leads where.
///
/// Bounds: at most one connection that we opened leads to an address, and [`Connections::MAX_OPENED`] exist in all; how
/// many are accepted is the host's decision. A connection has two routes at most.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    conns: HashMap<ConnId, Conn, foldhash::fast::RandomState>,
    /// Connections by where requests sent on them arrive: the peer's listening address.
    routes: HashMap<(Transport, SocketAddr), ConnId, foldhash::fast::RandomState>,
    /// How many of `conns` we opened.
    ours: usize,
    drawn: u64,
}

#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) transport: Transport,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) up: bool,
    /// What TLS has found out about the peer.
    pub(crate) peer: Option<Arc<PeerCertificate>>,
    /// Where its `alias` says that it leads, besides `remote`.
    alias: Option<SocketAddr>,
    /// Whether the last thing that came was one CRLF by itself: perhaps the first half of a ping.
    pub(crate) half_ping: bool,
    /// Bytes of a message that has not arrived whole. Bounded by the limits of framing.
    pub(crate) buffer: BytesMut,
}

impl Connections {
    /// Connections that we open, at a time.
    pub(crate) const MAX_OPENED: usize = 65_536;

    pub(crate) fn get(&self, conn: ConnId) -> Option<&Conn> {
        self.conns.get(&conn)
    }

    pub(crate) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Conn> {
        self.conns.get_mut(&conn)
    }

    /// The connection on which requests reach `addr`.
    pub(crate) fn to(&self, transport: Transport, addr: SocketAddr) -> Option<ConnId> {
        self.routes.get(&(transport, addr)).copied()
    }

    pub(crate) fn accepted(&mut self, conn: ConnId, transport: Transport, local: SocketAddr, remote: SocketAddr) {
        self.insert(conn, transport, local, remote, true);
    }

    /// Names a connection that the host is now asked to open. `None` when there are too many.
    pub(crate) fn open(&mut self, transport: Transport, local: SocketAddr, remote: SocketAddr) -> Option<ConnId> {
        if self.ours >= Connections::MAX_OPENED {
            return None;
        }
        self.drawn += 1;
        let conn = ConnId::opened(self.drawn);
        self.ours += 1;
        self.insert(conn, transport, local, remote, false);
        Some(conn)
    }

    fn insert(&mut self, id: ConnId, transport: Transport, local: SocketAddr, remote: SocketAddr, up: bool) {
        let buffer = BytesMut::new();
        self.conns.insert(id, Conn { transport, local, remote, up, peer: None, alias: None, half_ping: false, buffer });
        // The newest leads there: an older one from the same port has ended, whether or not we have been told.
        self.routes.insert((transport, remote), id);
    }

    /// RFC 5923 §4: the peer's `alias` says that its listening address is reached on this connection. Only the first one
    /// counts: a peer has one address for one connection.
    pub(crate) fn alias(&mut self, conn: ConnId, addr: SocketAddr) {
        let Some(known) = self.conns.get_mut(&conn).filter(|known| known.alias.is_none()) else { return };
        // The claim holds for the peer's own address only: else anybody could draw another one's requests to himself.
        if known.remote.ip() == addr.ip() {
            known.alias = Some(addr);
            self.routes.entry((known.transport, addr)).or_insert(conn);
        }
    }

    pub(crate) fn remove(&mut self, conn: ConnId) -> Option<Conn> {
        let gone = self.conns.remove(&conn)?;
        if !conn.is_accepted() {
            self.ours -= 1;
        }
        for addr in [Some(gone.remote), gone.alias].into_iter().flatten() {
            if self.routes.get(&(gone.transport, addr)) == Some(&conn) {
                self.routes.remove(&(gone.transport, addr));
            }
        }
        Some(gone)
    }

    pub(crate) fn len(&self) -> usize {
        self.conns.len()
    }

    /// What must hold between any two inputs.
    pub(crate) fn check_invariants(&self) {
        debug_assert!(self.routes.len() <= 2 * self.conns.len(), "a connection has two routes at most");
        debug_assert!(self.ours <= self.conns.len().min(Connections::MAX_OPENED), "opened connections are connections");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_opened_is_bounded_and_room_comes_back() {
        let mut connections = Connections::default();
        let local = addr("10.0.0.1:5060");
        let to = |n: usize| SocketAddr::new([10, 1, (n >> 16) as u8, 1].into(), n as u16);
        let opened: Vec<_> =
            (0..Connections::MAX_OPENED).map(|n| connections.open(Transport::Tcp, local, to(n)).unwrap()).collect();
        assert_eq!(connections.open(Transport::Tcp, local, addr("10.9.9.9:1")), None);
        connections.check_invariants();
        for conn in opened {
            connections.remove(conn).unwrap();
        }
        assert_eq!((connections.len(), connections.routes.len(), connections.ours), (0, 0, 0));
    }

    #[test]
    fn an_alias_counts_once_and_for_the_peers_own_address_only() {
        let mut connections = Connections::default();
        let conn = ConnId::accepted(1);
        connections.accepted(conn, Transport::Tcp, addr("10.0.0.1:5060"), addr("10.0.0.2:40000"));
        connections.alias(conn, addr("10.0.0.3:5060"));
        connections.alias(conn, addr("10.0.0.2:5060"));
        connections.alias(conn, addr("10.0.0.2:5070"));
        let leads = |a| connections.to(Transport::Tcp, addr(a));
        assert_eq!(leads("10.0.0.3:5060"), None);
        assert_eq!(leads("10.0.0.2:5060"), Some(conn));
        assert_eq!(leads("10.0.0.2:5070"), None);
        assert_eq!(leads("10.0.0.2:40000"), Some(conn));
        connections.check_invariants();
    }

    #[test]
    fn the_end_of_an_older_connection_leaves_the_newer_ones_route() {
        let mut connections = Connections::default();
        let (old, new) = (ConnId::accepted(1), ConnId::accepted(2));
        connections.accepted(old, Transport::Tcp, addr("10.0.0.1:5060"), addr("10.0.0.2:40000"));
        connections.accepted(new, Transport::Tcp, addr("10.0.0.1:5060"), addr("10.0.0.2:40000"));
        connections.remove(old);
        assert_eq!(connections.to(Transport::Tcp, addr("10.0.0.2:40000")), Some(new));
    }
}
