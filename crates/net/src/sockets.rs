use std::io;
use std::time::Duration;

use mio::event::Event;
use mio::net::{TcpListener, UdpSocket};
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use wire::{Input, Instant, Output, Transport};

use crate::batch::Arrivals;
use crate::effects::{Deadline, Effects, Source, Step};
use crate::listen::{Bound, bind_all};
use crate::pool::ReadPool;
use crate::streams::Streams;
use crate::tap::{Path, Probe};
use crate::tcp::TcpPort;
use crate::tls::{Acceptor, Tls};
use crate::udp::UdpPort;
use crate::{BindError, Clock, Counters, Limits, Listen, Tap};

/// Reports of the kernel taken at once.
const EVENTS: usize = 1024;

/// Reads from one source before the next one has its turn.
const TURN: usize = 16;

/// Reads in one call of [`Sockets::next_input`] that may come to nothing.
const READS: usize = 64;

/// The waker's token; listening sockets have those from 0, connections the next.
const WAKER: Token = Token(usize::MAX);

/// All sockets of one node.
///
/// The host's loop is: [`Sockets::wait`]; then for each [`Sockets::next_input`], give it to the node, hand all its outputs
/// to [`Sockets::handle_output`] and call [`Sockets::flush`]; then [`Sockets::handle_timeout`].
///
/// Outputs reach the kernel in the order they are handed over, with two gatherings: what a few steps write to connections leaves
/// together, by connection, and datagrams leave before the kernel is next asked for anything, so that one call takes what the
/// inputs of one call brought about. Dropping the value closes everything at once.
pub struct Sockets {
    poll: Poll,
    events: Events,
    bound: Vec<Listen>,
    table: Table,
}

/// Everything but the queue of the kernel's reports.
struct Table {
    registry: Registry,
    ports: Vec<Port>,
    streams: Streams,
    arrivals: Arrivals,
    pool: ReadPool,
    fx: Effects,
    /// Reads that the source at the head of the ready queue still has.
    turn: usize,
}

/// A socket of the configuration.
struct Port {
    socket: PortSocket,
    in_ready: bool,
    /// Whether the kernel reports that it takes datagrams. It would do so for every datagram that has left, and wake us.
    reports_room: bool,
}

enum PortSocket {
    Udp(UdpPort),
    Tcp(TcpPort),
}

impl Sockets {
    /// Binds all addresses, or none, with the default limits.
    pub fn bind(listens: &[Listen]) -> Result<Sockets, BindError> {
        Sockets::bind_with(listens, Limits::default())
    }

    /// Binds all addresses, or none.
    pub fn bind_with(listens: &[Listen], limits: Limits) -> Result<Sockets, BindError> {
        Sockets::bind_secret(listens, limits, None)
    }

    /// Binds all addresses, or none. Without `tls` there is no TLS, neither on what listens nor on what is opened.
    pub fn bind_secret(listens: &[Listen], limits: Limits, tls: Option<Tls>) -> Result<Sockets, BindError> {
        let poll = Poll::new().map_err(BindError::Poll)?;
        let mut bound = Vec::with_capacity(listens.len());
        let mut ports = Vec::with_capacity(listens.len());
        for (listen, socket) in bind_all(listens, &limits)? {
            let acceptor = acceptor(&listen, tls.as_ref())?;
            let port = Port::register(poll.registry(), ports.len(), listen, socket, acceptor);
            ports.push(port.map_err(BindError::Poll)?);
            bound.push(listen);
        }
        let registry = || poll.registry().try_clone().map_err(BindError::Poll);
        let table = Table {
            registry: registry()?,
            streams: Streams::new(registry()?, ports.len(), tls),
            ports,
            arrivals: Arrivals::new(),
            pool: ReadPool::new(),
            fx: Effects::new(limits),
            turn: TURN,
        };
        Ok(Sockets { poll, events: Events::with_capacity(EVENTS), bound, table })
    }

    /// The addresses that it listens on, in the order of the request, with the ports that the kernel chose.
    pub fn bound(&self) -> &[Listen] {
        &self.bound
    }

    /// Sets the clock that deadlines are measured with, and the tap. Call it before the first [`Sockets::wait`].
    pub fn attach(&mut self, clock: Clock, tap: Option<Box<dyn Tap>>) {
        self.table.fx.clock = clock;
        self.table.fx.probe = tap.map_or_else(Probe::default, |tap| Probe::new(tap, clock));
    }

    /// What ends a [`Sockets::wait`] from another thread. There can be only one; share it.
    pub fn waker(&self) -> io::Result<Waker> {
        Waker::new(self.poll.registry(), WAKER)
    }

    /// Waits until a socket is ready, the waker is used or `timeout` passes; does not wait if inputs are left.
    ///
    /// Deadlines of the sockets themselves are the caller's to mind: see [`Sockets::poll_timeout`].
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.send();
        let timeout = if self.has_inputs() { Some(Duration::ZERO) } else { timeout };
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(e) => return Err(e),
        }
        for event in &self.events {
            self.table.on_event(event);
        }
        Ok(())
    }

    /// Whether [`Sockets::next_input`] may have something without waiting.
    pub fn has_inputs(&self) -> bool {
        let fx = &self.table.fx;
        !fx.pending.is_empty() || !fx.written.is_empty() || !fx.ready.is_empty()
    }

    /// How long what is read now has waited at most, if the kernel tells: only datagrams are left to read, so many that one call
    /// does not take them.
    pub fn waited(&self) -> Option<Duration> {
        self.table.waited()
    }

    /// The next input for the node, read from the sockets that are ready in turn. `None`: let [`Sockets::wait`] look again.
    pub fn next_input(&mut self) -> Option<Input> {
        self.table.next_input()
    }

    /// Does what the node asked for.
    pub fn handle_output(&mut self, output: Output) {
        self.table.handle_output(output);
    }

    /// Ends a step: call it after the node's last output. Hands the kernel the writes that were gathered, if they are many.
    pub fn flush(&mut self) {
        self.table.streams.end_step(&mut self.table.fx);
    }

    /// Hands the kernel all that was gathered, which [`Sockets::wait`] does as well.
    pub fn send(&mut self) {
        self.table.streams.flush(&mut self.table.fx);
        self.table.send_datagrams();
    }

    /// Lets deadlines pass: connections that are not accepted, or not finished, in time.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.table.handle_timeout(now);
    }

    /// When [`Sockets::handle_timeout`] is next due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.table.fx.deadlines.next()
    }

    /// What bounds them.
    pub const fn limits(&self) -> &Limits {
        &self.table.fx.limits
    }

    /// Datagrams that wait at the socket where most do, and octets at the connection where most do.
    pub fn fullest(&self) -> (usize, usize) {
        let datagrams = self.table.ports.iter().filter_map(|port| match &port.socket {
            PortSocket::Udp(udp) => Some(udp.waiting()),
            PortSocket::Tcp(_) => None,
        });
        (datagrams.max().unwrap_or(0), self.table.streams.most_queued())
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.table.fx.counters
    }
}

impl Table {
    fn on_event(&mut self, event: &Event) {
        if event.token() == WAKER {
            return;
        }
        let token = event.token().0;
        let Some(port) = self.ports.get_mut(token) else {
            return self.streams.on_event(event, &mut self.fx);
        };
        let is_readable = event.is_readable() || event.is_error();
        if let PortSocket::Udp(udp) = &mut port.socket {
            if event.is_writable() {
                udp.unblock(&mut self.fx);
            }
            if is_readable {
                udp.has_arrivals();
            }
        }
        if is_readable {
            self.mark_ready(token);
        }
    }

    /// Hands the kernel the datagrams that wait.
    fn send_datagrams(&mut self) {
        for (index, port) in self.ports.iter_mut().enumerate() {
            if let PortSocket::Udp(udp) = &mut port.socket {
                udp.flush(&mut self.fx);
                if udp.is_blocked() != port.reports_room {
                    port.reports_room = port.watch(&self.registry, index);
                }
            }
        }
    }

    fn mark_ready(&mut self, port: usize) {
        if let Some(state) = self.ports.get_mut(port)
            && !std::mem::replace(&mut state.in_ready, true)
        {
            self.fx.ready.push_back(Source::Port(port));
        }
    }

    fn waited(&self) -> Option<Duration> {
        let mut longest = None;
        for source in &self.fx.ready {
            let Source::Port(port) = source else { return None };
            let PortSocket::Udp(udp) = &self.ports[*port].socket else { return None };
            longest = longest.max(Some(udp.waited()?));
        }
        longest
    }

    fn next_input(&mut self) -> Option<Input> {
        for _ in 0..READS {
            let told = self.fx.pending.pop_front().or_else(|| self.streams.next_written(&mut self.fx));
            if told.is_some() {
                return told;
            }
            let Some(source) = self.fx.ready.front().copied() else {
                if self.streams.is_flushed() {
                    return None;
                }
                // What there was to read has been read: what came of it leaves, and the node is told so.
                self.streams.flush(&mut self.fx);
                continue;
            };
            match self.read(source) {
                Step::Input(input) => {
                    self.end_read();
                    return Some(input);
                }
                Step::Again => self.end_read(),
                Step::Done => {
                    self.fx.ready.pop_front();
                    self.turn = TURN;
                }
            }
        }
        None
    }

    /// Passes the turn on after a number of reads, so that no source starves the others.
    fn end_read(&mut self) {
        self.turn -= 1;
        if self.turn == 0 {
            self.fx.ready.rotate_left(1);
            self.turn = TURN;
        }
    }

    fn read(&mut self, source: Source) -> Step {
        let port = match source {
            Source::Conn(key) => return self.streams.read(key, &mut self.pool, &mut self.fx),
            Source::Port(port) => port,
        };
        if matches!(&self.ports[port].socket, PortSocket::Udp(udp) if udp.is_read_out()) {
            self.send_datagrams();
        }
        let port = &mut self.ports[port];
        let step = match &mut port.socket {
            PortSocket::Udp(udp) => udp.receive(&mut self.arrivals, &mut self.pool, &mut self.fx),
            PortSocket::Tcp(tcp) => match tcp.accept(&mut self.fx) {
                Some((stream, remote)) => {
                    self.streams.accept(stream, tcp.path(remote), tcp.acceptor.as_ref(), &mut self.fx)
                }
                None => Step::Done,
            },
        };
        if matches!(step, Step::Done) {
            port.in_ready = false;
        }
        step
    }

    fn handle_output(&mut self, output: Output) {
        let fx = &mut self.fx;
        match output {
            Output::Datagram { local, remote, data } => {
                // What the node said first leaves first.
                self.streams.flush(fx);
                let udp = self.ports.iter_mut().find_map(|port| match &mut port.socket {
                    PortSocket::Udp(udp) if udp.local() == local => Some(udp),
                    PortSocket::Udp(_) | PortSocket::Tcp(_) => None,
                });
                debug_assert!(udp.is_some(), "a node sends from what it is bound to, not from {local}");
                match udp {
                    Some(udp) => udp.send(remote, data, fx),
                    None => fx.counters.datagrams_failed += 1,
                }
            }
            Output::Read { conn, on } => self.streams.set_reading(conn, on, fx),
            Output::Keep { .. } => debug_assert!(false, "what is to be kept is the engine's affair"),
            Output::Connect { .. } | Output::Write { .. } | Output::Close { .. } => {
                self.send_datagrams();
                self.handle_stream_output(output);
            }
        }
    }

    fn handle_stream_output(&mut self, output: Output) {
        let fx = &mut self.fx;
        match output {
            Output::Connect { conn, transport, local, remote, verify } => {
                self.streams.connect(conn, Path { transport, local, remote }, verify.as_ref(), fx);
            }
            Output::Write { conn, data } => self.streams.write(conn, data, fx),
            Output::Close { conn } => self.streams.close(conn, fx),
            Output::Datagram { .. } | Output::Read { .. } | Output::Keep { .. } => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        while let Some((_, deadline)) = self.fx.deadlines.pop_due(now) {
            match deadline {
                Deadline::Connect { key } => self.streams.on_connect_deadline(key, &mut self.fx),
                Deadline::Handshake { key } => self.streams.on_handshake_deadline(key, &mut self.fx),
                Deadline::Linger { key } => self.streams.on_linger_deadline(key, &mut self.fx),
                Deadline::Accept { port } => self.mark_ready(port),
            }
        }
    }
}

/// What a listener over TLS needs; nothing for the others.
fn acceptor(listen: &Listen, tls: Option<&Tls>) -> Result<Option<Acceptor>, BindError> {
    if listen.transport != Transport::Tls {
        return Ok(None);
    }
    let fail = |reason| BindError::Listen { transport: listen.transport, addr: listen.addr, reason };
    let tls = tls.ok_or_else(|| fail(io::Error::other("the node has no certificate")))?;
    tls.acceptor(listen.client_auth).map(Some).map_err(|reason| fail(io::Error::other(reason)))
}

impl Port {
    fn register(
        registry: &Registry,
        index: usize,
        listen: Listen,
        bound: Bound,
        acceptor: Option<Acceptor>,
    ) -> io::Result<Port> {
        let token = Token(index);
        let socket = match bound {
            Bound::Udp(socket) => {
                let mut socket = UdpSocket::from_std(socket);
                registry.register(&mut socket, token, Interest::READABLE)?;
                PortSocket::Udp(UdpPort::new(socket, listen.addr))
            }
            Bound::Tcp(listener) => {
                let mut listener = TcpListener::from_std(listener);
                registry.register(&mut listener, token, Interest::READABLE)?;
                PortSocket::Tcp(TcpPort::new(listener, listen.addr, index, acceptor))
            }
        };
        Ok(Port { socket, in_ready: false, reports_room: false })
    }

    /// Has the kernel report room for datagrams if and only if some wait for it. Whether it does.
    fn watch(&mut self, registry: &Registry, index: usize) -> bool {
        let PortSocket::Udp(udp) = &mut self.socket else { return false };
        let wanted = udp.is_blocked();
        let interest = if wanted { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        match registry.reregister(&mut udp.socket, Token(index), interest) {
            Ok(()) => wanted,
            Err(e) => {
                tracing::debug!(error = %e, "cannot change what is reported of a socket");
                !wanted
            }
        }
    }
}
