use std::net::SocketAddr;

use bytes::BytesMut;
use hashbrown::HashMap;
use wire::{ConnId, Transport};

/// The stream connections of a node, and which of them leads where.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    conns: HashMap<ConnId, Conn, foldhash::fast::RandomState>,
    /// Connections by where requests sent on them arrive: the peer's listening address.
    routes: HashMap<(Transport, SocketAddr), ConnId, foldhash::fast::RandomState>,
    opened: u64,
}

#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) transport: Transport,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) up: bool,
    /// Bytes of a message that has not arrived whole. Bounded by the limits of framing.
    pub(crate) buffer: BytesMut,
}

impl Connections {
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
        self.insert(conn, Conn { transport, local, remote, up: true, buffer: BytesMut::new() });
        self.routes.entry((transport, remote)).or_insert(conn);
    }

    /// Names a connection that the host is now asked to open.
    pub(crate) fn open(&mut self, transport: Transport, local: SocketAddr, remote: SocketAddr) -> ConnId {
        self.opened += 1;
        let conn = ConnId::opened(self.opened);
        self.insert(conn, Conn { transport, local, remote, up: false, buffer: BytesMut::new() });
        self.routes.insert((transport, remote), conn);
        conn
    }

    fn insert(&mut self, id: ConnId, conn: Conn) {
        self.conns.insert(id, conn);
    }

    /// RFC 5923 §4: the peer's `alias` says that its listening address is reached on this connection.
    pub(crate) fn alias(&mut self, conn: ConnId, addr: SocketAddr) {
        let Some(known) = self.conns.get(&conn) else { return };
        // The claim holds for the peer's own address only: else anybody could draw another one's requests to himself.
        if known.remote.ip() == addr.ip() {
            self.routes.entry((known.transport, addr)).or_insert(conn);
        }
    }

    pub(crate) fn remove(&mut self, conn: ConnId) -> Option<Conn> {
        let gone = self.conns.remove(&conn)?;
        self.routes.retain(|_, c| *c != conn);
        Some(gone)
    }

    pub(crate) fn len(&self) -> usize {
        self.conns.len()
    }
}
