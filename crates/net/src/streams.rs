use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use hashbrown::HashMap;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use wire::{ConnId, Input, Key, Slab, Transport, Verify};

use crate::conn::{Conn, Phase, ReadOutcome};
use crate::effects::{Deadline, Effects, Source, Step};
use crate::gathered::Gathered;
use crate::listen;
use crate::pool::ReadPool;
use crate::tap::Path;
use crate::tls::{Acceptor, Handshake, Session, Tls};

/// All connections of a node.
pub(crate) struct Streams {
    registry: Registry,
    /// Added to the key of a connection to make its token; listening sockets have the tokens below.
    first_token: usize,
    conns: Slab<Conn>,
    /// What connections that we open over TLS need.
    tls: Option<Tls>,
    /// Accepted connections whose handshake is not done.
    handshakes: usize,
    /// The connections that the node knows.
    by_id: HashMap<ConnId, Key>,
    accepted: u64,
    /// Connections with something that the kernel was not handed yet.
    gathered: Gathered,
}

impl Streams {
    pub(crate) fn new(registry: Registry, first_token: usize, tls: Option<Tls>) -> Streams {
        Streams {
            registry,
            first_token,
            conns: Slab::new(),
            tls,
            handshakes: 0,
            by_id: HashMap::new(),
            accepted: 0,
            gathered: Gathered::new(),
        }
    }

    /// Takes over a connection that a listener accepted; `path.local` is the listener's address.
    ///
    /// Over TLS the node hears of it when the handshake is done.
    pub(crate) fn accept(
        &mut self,
        stream: TcpStream,
        path: Path,
        acceptor: Option<&Acceptor>,
        fx: &mut Effects,
    ) -> Step {
        if self.is_full(fx) || (acceptor.is_some() && self.handshakes >= fx.limits.handshakes) {
            fx.counters.refused += 1;
            return Step::Again;
        }
        let conn = ConnId::accepted(self.accepted);
        match self.admit(conn, stream, path, acceptor) {
            Ok((key, _)) if acceptor.is_some() => {
                self.accepted += 1;
                self.handshakes += 1;
                fx.deadlines.arm(Deadline::Handshake { key }, fx.clock.at() + fx.limits.handshake_timeout);
                Step::Again
            }
            Ok((_, actual)) => {
                self.accepted += 1;
                fx.counters.accepted += 1;
                fx.probe.opened(conn, actual);
                let Path { transport, local, remote } = path;
                Step::Input(Input::Accepted { conn, transport, local, remote, peer: None })
            }
            Err(e) => {
                fx.counters.accept_errors += 1;
                tracing::debug!(remote = %path.remote, error = %e, "an accepted connection is of no use");
                Step::Again
            }
        }
    }

    fn admit(
        &mut self,
        conn: ConnId,
        stream: TcpStream,
        mut path: Path,
        acceptor: Option<&Acceptor>,
    ) -> io::Result<(Key, Path)> {
        stream.set_nodelay(true)?;
        if path.local.ip().is_unspecified() {
            path.local = stream.local_addr()?;
        }
        let tls = acceptor.map(Acceptor::accept).transpose().map_err(io::Error::other)?;
        let phase = if tls.is_some() { Phase::Handshaking } else { Phase::Open };
        Ok((self.insert(conn, stream, tls, path, phase)?, path))
    }

    /// Starts a connection for the node.
    pub(crate) fn connect(&mut self, conn: ConnId, path: Path, verify: Option<&Verify>, fx: &mut Effects) {
        debug_assert!(!self.by_id.contains_key(&conn), "a node names each connection anew");
        if self.by_id.contains_key(&conn) {
            fx.counters.connect_failed += 1;
            return;
        }
        match self.try_connect(conn, path, verify, fx) {
            Ok(key) => {
                fx.deadlines.arm(Deadline::Connect { key }, fx.clock.at() + fx.limits.connect_timeout);
            }
            Err(e) => connect_failed(conn, path.remote, &e, fx),
        }
    }

    fn try_connect(&mut self, conn: ConnId, path: Path, verify: Option<&Verify>, fx: &Effects) -> io::Result<Key> {
        let tls = self.secrecy(path, verify)?;
        if self.is_full(fx) {
            return Err(io::Error::other("too many connections"));
        }
        let stream = TcpStream::from_std(listen::connect(path.local.ip(), path.remote)?);
        self.insert(conn, stream, tls, path, Phase::Connecting)
    }

    /// The TLS that a connection needs. Nobody is called without knowing whom to expect.
    fn secrecy(&self, path: Path, verify: Option<&Verify>) -> io::Result<Option<Session>> {
        match (path.transport, &self.tls, verify) {
            (Transport::Tcp, _, _) => Ok(None),
            (Transport::Udp, _, _) => Err(io::ErrorKind::Unsupported.into()),
            (Transport::Tls, Some(tls), Some(verify)) => {
                tls.connect(verify, path.remote.ip()).map(Some).map_err(io::Error::other)
            }
            (Transport::Tls, None, _) => Err(io::Error::other("the node has no certificate")),
            (Transport::Tls, Some(_), None) => Err(io::Error::other("nobody says who the peer must be")),
        }
    }

    /// Queues `data`; it leaves with [`Streams::flush`], or when enough is gathered ([`Streams::end_step`]).
    pub(crate) fn write(&mut self, conn: ConnId, data: Bytes, fx: &mut Effects) {
        let Some((key, state)) = self.find(conn) else {
            fx.counters.stream_bytes_dropped += data.len() as u64;
            return;
        };
        if data.is_empty() {
            return;
        }
        let octets = data.len();
        state.push(data);
        let is_too_much = state.queued() > fx.limits.write_queue;
        let is_new = !std::mem::replace(&mut state.in_gathered, true);
        self.gathered.add(octets, is_new.then_some(key));
        if is_too_much {
            self.flush(fx);
            self.give_up_if_too_slow(key, fx);
        }
    }

    /// Stops or goes on reading for the node.
    pub(crate) fn set_reading(&mut self, conn: ConnId, on: bool, fx: &mut Effects) {
        let Some((key, state)) = self.find(conn) else { return };
        state.reading = on;
        if on && state.readable {
            self.mark_ready(key, fx);
        }
    }

    fn give_up_if_too_slow(&mut self, key: Key, fx: &mut Effects) {
        if self.conn(key).is_some_and(|conn| conn.queued() > fx.limits.write_queue) {
            fx.counters.overflowed += 1;
            self.fail(key, fx);
        }
    }

    /// Closes a connection for the node, which hears no more of it.
    pub(crate) fn close(&mut self, conn: ConnId, fx: &mut Effects) {
        fx.pending.retain(|input| conn_of(input) != Some(conn));
        let Some((key, state)) = self.find(conn) else { return };
        state.owned = false;
        self.by_id.remove(&conn);
        // What was gathered for it leaves with the next flush, which then finishes it.
        self.linger(key, fx);
    }

    /// The node is done with it, or was told that it ended: it stays until the peer has what was written.
    fn linger(&mut self, key: Key, fx: &mut Effects) {
        self.finish_if_flushed(key, fx);
        let Some(conn) = self.conn(key) else { return };
        conn.progress = false;
        // The node hears no more of it, so what comes in is discarded, not held.
        if !std::mem::replace(&mut conn.reading, true) && conn.readable {
            self.mark_ready(key, fx);
        }
        fx.deadlines.arm(Deadline::Linger { key }, fx.clock.at() + fx.limits.linger);
    }

    fn finish_if_flushed(&mut self, key: Key, fx: &mut Effects) {
        let Some(conn) = self.conn(key) else { return };
        if conn.owned || conn.queued() > 0 {
            return;
        }
        match conn.phase {
            Phase::Connecting | Phase::Handshaking => self.remove(key, fx),
            Phase::Open => {
                if !conn.say_goodbye(fx) {
                    return;
                }
                if conn.ended || conn.broken || !conn.shut() {
                    self.remove(key, fx);
                } else {
                    self.mark_readable(key, fx);
                }
            }
            Phase::Shut => {}
        }
    }

    /// The node has put out all that a step brings about.
    pub(crate) fn end_step(&mut self, fx: &mut Effects) {
        if self.gathered.is_enough() {
            self.flush(fx);
        }
    }

    /// Whether the kernel has been handed all that was written, as far as it takes it.
    pub(crate) fn is_flushed(&self) -> bool {
        self.gathered.is_empty()
    }

    /// Hands the kernel what was gathered.
    pub(crate) fn flush(&mut self, fx: &mut Effects) {
        while let Some(key) = self.gathered.next() {
            if let Some(conn) = self.conn(key) {
                conn.in_gathered = false;
                self.flush_conn(key, fx);
            }
        }
    }

    fn flush_conn(&mut self, key: Key, fx: &mut Effects) {
        let Some(conn) = self.conn(key) else { return };
        conn.flush(fx);
        if conn.owned && conn.written > 0 && !std::mem::replace(&mut conn.in_written, true) {
            fx.written.push_back(key);
        }
        if conn.broken {
            // What the peer sent before it broke is read first; reading then finds the end.
            self.mark_readable(key, fx);
        }
        self.finish_if_flushed(key, fx);
    }

    /// The kernel reported something about the connection with this token.
    pub(crate) fn on_event(&mut self, event: &mio::event::Event, fx: &mut Effects) {
        let key = Key::from_bits((event.token().0 - self.first_token) as u64);
        let Some(conn) = self.conn(key) else { return };
        if conn.phase == Phase::Connecting {
            self.on_connect_event(key, fx);
        }
        let Some(conn) = self.conn(key) else { return };
        if conn.phase == Phase::Connecting {
            return;
        }
        conn.erred |= event.is_error();
        conn.ending |= event.is_read_closed();
        if conn.phase == Phase::Handshaking {
            return self.go_on_with_handshake(key, fx);
        }
        if event.is_writable() {
            conn.unblock();
            self.flush_conn(key, fx);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.mark_readable(key, fx);
        }
    }

    fn on_connect_event(&mut self, key: Key, fx: &mut Effects) {
        let Some(conn) = self.conn(key) else { return };
        match conn.connected() {
            None => {}
            Some(Err(e)) => {
                tracing::debug!(remote = %conn.path.remote, error = %e, "cannot connect");
                self.fail(key, fx);
            }
            Some(Ok(())) if conn.is_secret() => {
                conn.phase = Phase::Handshaking;
                fx.deadlines.arm(Deadline::Handshake { key }, fx.clock.at() + fx.limits.handshake_timeout);
            }
            Some(Ok(())) => self.on_open(key, fx),
        }
    }

    fn go_on_with_handshake(&mut self, key: Key, fx: &mut Effects) {
        let Some(conn) = self.conn(key) else { return };
        match conn.handshake() {
            Ok(Handshake::Blocked) => {}
            Ok(Handshake::Done) => {
                if conn.id.is_accepted() {
                    self.handshakes -= 1;
                }
                self.on_open(key, fx);
                self.flush_conn(key, fx);
                // Octets of the node may have come with the last ones of the handshake.
                self.mark_readable(key, fx);
            }
            Err(e) => {
                fx.counters.handshakes_failed += 1;
                let refused = is_refusal(&e);
                fx.counters.peers_refused += u64::from(refused);
                let remote = conn.path.remote;
                if refused {
                    tracing::warn!(%remote, error = %e, "the peer's certificate is not accepted");
                } else {
                    tracing::debug!(%remote, error = %e, "the handshake of TLS failed");
                }
                self.fail(key, fx);
            }
        }
    }

    /// The connection carries octets of the node from here on.
    fn on_open(&mut self, key: Key, fx: &mut Effects) {
        let Some(conn) = self.conn(key) else { return };
        conn.phase = Phase::Open;
        let (id, path, owned, peer) = (conn.id, conn.path, conn.owned, conn.peer());
        let Path { transport, local, remote } = path;
        fx.probe.opened(id, path);
        if id.is_accepted() {
            fx.counters.accepted += 1;
            fx.pending.push_back(Input::Accepted { conn: id, transport, local, remote, peer });
        } else {
            fx.counters.connected += 1;
            if owned {
                fx.pending.push_back(Input::Connected { conn: id, local, peer });
            }
        }
    }

    /// The handshake of a connection took too long.
    pub(crate) fn on_handshake_deadline(&mut self, key: Key, fx: &mut Effects) {
        if self.conn(key).is_some_and(|conn| conn.phase == Phase::Handshaking) {
            fx.counters.handshakes_failed += 1;
            fx.counters.handshakes_expired += 1;
            self.fail(key, fx);
        }
    }

    /// The next report of what was written.
    pub(crate) fn next_written(&mut self, fx: &mut Effects) -> Option<Input> {
        while let Some(key) = fx.written.pop_front() {
            let Some(conn) = self.conn(key) else { continue };
            conn.in_written = false;
            let octets = std::mem::take(&mut conn.written);
            if octets > 0 && conn.owned {
                return Some(Input::Written { conn: conn.id, octets });
            }
        }
        None
    }

    /// Reads once from the connection.
    pub(crate) fn read(&mut self, key: Key, pool: &mut ReadPool, fx: &mut Effects) -> Step {
        let Some(conn) = self.conn(key) else { return Step::Done };
        let id = conn.id;
        if !conn.reading && (conn.broken || conn.erred) {
            self.fail(key, fx);
            return Step::Done;
        }
        if !conn.reading || !conn.readable {
            conn.in_ready = false;
            return Step::Done;
        }
        match conn.read(pool, fx) {
            ReadOutcome::Data(data) if conn.owned => {
                fx.counters.stream_bytes_in += data.len() as u64;
                Step::Input(Input::Stream { conn: id, data })
            }
            ReadOutcome::Data(data) => {
                fx.counters.stream_bytes_ignored += data.len() as u64;
                Step::Again
            }
            ReadOutcome::Blocked => {
                conn.readable = false;
                conn.in_ready = false;
                Step::Done
            }
            ReadOutcome::Ended => self.on_end(key, fx),
            ReadOutcome::Failed => {
                self.fail(key, fx);
                Step::Done
            }
        }
    }

    /// The peer closed its direction. That is the end for the node; what it wrote before still leaves.
    fn on_end(&mut self, key: Key, fx: &mut Effects) -> Step {
        let Some(conn) = self.conn(key) else { return Step::Done };
        conn.ended = true;
        conn.in_ready = false;
        if conn.phase == Phase::Shut {
            self.remove(key, fx);
        } else if conn.owned {
            conn.owned = false;
            let id = conn.id;
            self.by_id.remove(&id);
            fx.pending.push_back(Input::Closed { conn: id, failed: false });
            self.linger(key, fx);
        } else {
            self.finish_if_flushed(key, fx);
        }
        Step::Done
    }

    /// A connection was not accepted in time.
    pub(crate) fn on_connect_deadline(&mut self, key: Key, fx: &mut Effects) {
        if self.conn(key).is_some_and(|conn| conn.phase == Phase::Connecting) {
            self.fail(key, fx);
        }
    }

    /// A closed connection goes on for as long as its peer reads.
    pub(crate) fn on_linger_deadline(&mut self, key: Key, fx: &mut Effects) {
        let Some(conn) = self.conn(key) else { return };
        if conn.phase != Phase::Shut && std::mem::take(&mut conn.progress) {
            fx.deadlines.arm(Deadline::Linger { key }, fx.clock.at() + fx.limits.linger);
        } else {
            fx.counters.linger_expired += 1;
            self.remove(key, fx);
        }
    }

    /// The connection broke or was never up.
    fn fail(&mut self, key: Key, fx: &mut Effects) {
        let Some(conn) = self.conn(key) else { return };
        // Nobody was told of a connection that was accepted and has come to nothing.
        let is_unheard = conn.phase == Phase::Handshaking && conn.id.is_accepted();
        let (id, owned) = (conn.id, conn.owned && !is_unheard);
        match conn.phase {
            Phase::Handshaking if is_unheard => {}
            Phase::Connecting | Phase::Handshaking => fx.counters.connect_failed += 1,
            Phase::Open => fx.counters.broken += 1,
            // The peer may well reset what we closed; nothing is lost.
            Phase::Shut => {}
        }
        self.remove(key, fx);
        if owned {
            fx.pending.push_back(Input::Closed { conn: id, failed: true });
        }
    }

    /// Reading from it may find something.
    fn mark_readable(&mut self, key: Key, fx: &mut Effects) {
        if let Some(conn) = self.conn(key) {
            conn.readable = true;
            self.mark_ready(key, fx);
        }
    }

    fn mark_ready(&mut self, key: Key, fx: &mut Effects) {
        if let Some(conn) = self.conn(key)
            && !std::mem::replace(&mut conn.in_ready, true)
        {
            fx.ready.push_back(Source::Conn(key));
        }
    }

    fn insert(
        &mut self,
        id: ConnId,
        stream: TcpStream,
        tls: Option<Session>,
        path: Path,
        phase: Phase,
    ) -> io::Result<Key> {
        let key = self.conns.insert(Conn::new(id, stream, tls, path, phase));
        if let Err(e) = self.register(key) {
            self.conns.remove(key);
            return Err(e);
        }
        self.by_id.insert(id, key);
        Ok(key)
    }

    fn register(&mut self, key: Key) -> io::Result<()> {
        let token = Token(self.first_token + key.to_bits() as usize);
        let Some(conn) = self.conns.get_mut(key) else { return Ok(()) };
        self.registry.register(&mut conn.stream, token, Interest::READABLE | Interest::WRITABLE)
    }

    fn remove(&mut self, key: Key, fx: &mut Effects) {
        let Some(mut conn) = self.conns.remove(key) else { return };
        if conn.owned {
            self.by_id.remove(&conn.id);
        }
        conn.discard_queue(fx);
        if conn.phase == Phase::Handshaking && conn.id.is_accepted() {
            self.handshakes -= 1;
        }
        if !matches!(conn.phase, Phase::Connecting | Phase::Handshaking) {
            fx.counters.closed += 1;
            fx.probe.closed(conn.id, conn.path);
        }
        // Closing the descriptor, which dropping does, takes it out of the queue as well.
        if let Err(e) = self.registry.deregister(&mut conn.stream) {
            tracing::debug!(error = %e, "cannot deregister a connection");
        }
    }

    fn is_full(&self, fx: &Effects) -> bool {
        self.conns.len() >= fx.limits.connections
    }

    /// Octets that wait at the connection where most do.
    pub(crate) fn most_queued(&self) -> usize {
        self.conns.iter().map(|(_, conn)| conn.queued()).max().unwrap_or(0)
    }

    fn conn(&mut self, key: Key) -> Option<&mut Conn> {
        self.conns.get_mut(key)
    }

    fn find(&mut self, conn: ConnId) -> Option<(Key, &mut Conn)> {
        let key = *self.by_id.get(&conn)?;
        Some((key, self.conns.get_mut(key)?))
    }
}

fn connect_failed(conn: ConnId, remote: SocketAddr, reason: &io::Error, fx: &mut Effects) {
    tracing::debug!(%remote, error = %reason, "cannot connect");
    fx.counters.connect_failed += 1;
    fx.pending.push_back(Input::Closed { conn, failed: true });
}

/// Whether a handshake failed because of the certificate that the peer gave or did not give, or that it did not like ours.
fn is_refusal(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(inner, Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented))
}

/// Which connection an input is about.
fn conn_of(input: &Input) -> Option<ConnId> {
    match input {
        Input::Datagram { .. } | Input::Recalled { .. } | Input::Kept { .. } => None,
        Input::Accepted { conn, .. }
        | Input::Connected { conn, .. }
        | Input::Stream { conn, .. }
        | Input::Written { conn, .. }
        | Input::Closed { conn, .. } => Some(*conn),
    }
}
