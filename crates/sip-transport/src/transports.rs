mod receive;

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::Bytes;
use sip::header::Via;
use sip::{Either, Limits, Message};
use wire::{ConnId, Input, Instant, Output, Transport};

use crate::complaints::Complaints;
use crate::connections::Connections;
use crate::flow::{Flow, Hop, Listener, Target, default_port, parse_ip, via_addr};

/// RFC 3261 §18.1.1: a request larger than this goes over a congestion-controlled transport when the path MTU is unknown.
const LARGE: usize = 1300;
/// What a hop's Via adds to a request, about.
const VIA_ROOM: usize = 110;

/// A message and the way it came.
#[derive(Clone, Debug)]
pub struct Received {
    /// The message, its source stamped into the topmost Via if it is a request.
    pub message: Either,
    /// The way it came.
    pub flow: Flow,
}

/// The way back to the sender of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReturnPath {
    transport: Transport,
    conn: Option<ConnId>,
    local: SocketAddr,
    remote: SocketAddr,
}

impl ReturnPath {
    /// The transport.
    pub const fn transport(&self) -> Transport {
        self.transport
    }
}

/// What the transport layer reports.
#[derive(Debug)]
pub enum Event {
    /// A message came in.
    Received(Box<Received>),
    /// A connection broke or could not be opened: what was sent on it may not have arrived.
    Failed(ConnId),
}

/// Counters since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Messages taken in.
    pub received: u64,
    /// Messages handed to the host.
    pub sent: u64,
    /// Messages that could not be parsed.
    pub malformed: u64,
    /// Responses whose topmost Via is not ours (RFC 3261 §18.1.2).
    pub foreign_responses: u64,
    /// Messages that could not be sent: no listener of that transport, or nowhere to send a response to.
    pub unsendable: u64,
    /// Keep-alives answered.
    pub keep_alives: u64,
}

/// The transport layer of one node.
#[derive(Debug)]
pub struct Transports {
    listeners: Vec<Listener>,
    limits: Limits,
    path_mtu: Option<usize>,
    connections: Connections,
    complaints: Complaints,
    outputs: VecDeque<Output>,
    events: VecDeque<Event>,
    stats: Stats,
}

impl Transports {
    /// A transport layer on sockets that the host has bound. `path_mtu` is the MTU towards every UDP peer if it is known
    /// (loopback, a private network); `None` makes 1300 octets the bound.
    pub fn new(listeners: Vec<Listener>, limits: Limits, path_mtu: Option<usize>) -> Transports {
        Transports {
            listeners,
            limits,
            path_mtu,
            connections: Connections::default(),
            complaints: Complaints::default(),
            outputs: VecDeque::new(),
            events: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    /// The sockets.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// Counters.
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// How many stream connections are open or being opened.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Whether host and port name one of our listeners: in a Via, a Route or a Request-URI.
    pub fn is_ours(&self, host: &[u8], port: Option<u16>) -> bool {
        let Some(ip) = parse_ip(host) else { return false };
        self.listeners.iter().any(|l| l.addr.ip() == ip && l.addr.port() == port.unwrap_or(default_port(l.transport)))
    }

    /// Whether a `sip:` or `sips:` URI names one of our listeners.
    pub fn is_our_uri(&self, uri: &sip::Uri<'_>) -> bool {
        uri.is_sip() && self.is_ours(uri.host(), uri.port())
    }

    /// The address that we give to others for reaching us by `transport`.
    pub fn local(&self, transport: Transport) -> Option<SocketAddr> {
        self.listeners.iter().find(|l| l.transport == transport).map(|l| l.addr)
    }

    /// Takes what came from the network. Input of connections that are not SIP's must not be given here.
    pub fn handle_input(&mut self, input: Input, now: Instant) {
        match input {
            Input::Datagram { local, remote, data } => self.on_datagram(local, remote, data, now),
            Input::Accepted { conn, transport, local, remote } => {
                self.connections.accepted(conn, transport, local, remote);
            }
            Input::Connected { conn, local } => {
                if let Some(known) = self.connections.get_mut(conn) {
                    (known.up, known.local) = (true, local);
                }
            }
            Input::Stream { conn, data } => self.on_stream(conn, &data, now),
            Input::Closed { conn, failed: _ } => {
                // An orderly close, too, leaves requests without their answers.
                if self.connections.remove(conn).is_some() {
                    self.events.push_back(Event::Failed(conn));
                }
            }
        }
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next thing for the host to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Chooses how a request of about `size` octets goes to `target`. `None` when the node has no such transport.
    pub fn hop(&mut self, target: &Target, size: usize, branch: String) -> Option<Hop> {
        let mut transport = target.transport;
        let bound = self.path_mtu.map_or(LARGE, |mtu| mtu.saturating_sub(200));
        let is_large = transport == Transport::Udp && size + VIA_ROOM > bound;
        if is_large && self.local_for(Transport::Tcp, target.addr).is_some() {
            transport = Transport::Tcp;
        }
        let local = self.local_for(transport, target.addr)?;
        let conn = transport.is_reliable().then(|| self.connection(transport, local, target));
        let was_udp = transport != target.transport;
        Some(Hop { transport, local, remote: target.addr, conn, branch, was_udp })
    }

    /// The hop by UDP of a request that was too large for it, after TCP was refused (RFC 3261 §18.1.1).
    pub fn udp_instead(&self, hop: &Hop) -> Option<Hop> {
        let local = self.local_for(Transport::Udp, hop.remote)?;
        let usable = hop.was_udp && hop.transport == Transport::Tcp;
        usable.then(|| Hop { transport: Transport::Udp, local, conn: None, was_udp: false, ..hop.clone() })
    }

    /// Sends a request that carries the hop's Via on top.
    pub fn send_request(&mut self, hop: &Hop, bytes: Bytes) {
        match hop.conn {
            None => self.datagram(hop.local, hop.remote, bytes),
            Some(conn) => self.write(conn, bytes),
        }
    }

    /// Where responses to `request`, which came on `flow`, go (RFC 3261 §18.2.2, RFC 3581 §4).
    pub fn return_path(&self, request: &Message, flow: &Flow) -> ReturnPath {
        let via = request.via();
        let remote = if flow.conn.is_some() {
            SocketAddr::new(flow.remote.ip(), via.port.unwrap_or(default_port(flow.transport)))
        } else {
            response_addr(&via, flow)
        };
        ReturnPath { transport: flow.transport, conn: flow.conn, local: flow.local, remote }
    }

    /// Sends a response. When the connection that the request came on is gone, a new one is opened to sent-by.
    pub fn send_response(&mut self, path: &ReturnPath, bytes: Bytes) {
        match path.conn {
            Some(conn) if self.connections.get(conn).is_some() => self.write(conn, bytes),
            Some(_) => self.send_to(path.transport, path.remote, bytes),
            None => self.datagram(path.local, path.remote, bytes),
        }
    }

    /// Sends a response whose own topmost Via says where to: one that is forwarded without a transaction.
    pub fn send_response_by_via(&mut self, bytes: Bytes) {
        let Ok(response) = Message::parse_response(bytes.clone()) else {
            self.stats.unsendable += 1;
            return;
        };
        match via_addr(&response.via()) {
            Some((transport, addr)) => self.send_to(transport, addr, bytes),
            None => self.stats.unsendable += 1,
        }
    }

    fn send_to(&mut self, transport: Transport, addr: SocketAddr, bytes: Bytes) {
        let Some(local) = self.local_for(transport, addr) else {
            self.stats.unsendable += 1;
            return;
        };
        if transport.is_reliable() {
            let conn = self.connection(transport, local, &Target::new(transport, addr));
            self.write(conn, bytes);
        } else {
            self.datagram(local, addr, bytes);
        }
    }

    /// The connection to a target: the one it names, one that leads there, or a new one.
    fn connection(&mut self, transport: Transport, local: SocketAddr, target: &Target) -> ConnId {
        let named = target.conn.filter(|c| self.connections.get(*c).is_some_and(|c| c.transport == transport));
        if let Some(conn) = named.or_else(|| self.connections.to(transport, target.addr)) {
            return conn;
        }
        let conn = self.connections.open(transport, local, target.addr);
        self.outputs.push_back(Output::Connect { conn, transport, local, remote: target.addr });
        conn
    }

    /// Our listener for a transport, of the same address family as the peer.
    fn local_for(&self, transport: Transport, remote: SocketAddr) -> Option<SocketAddr> {
        let same = |l: &&Listener| l.transport == transport && l.addr.is_ipv4() == remote.is_ipv4();
        self.listeners.iter().find(same).map(|l| l.addr)
    }

    fn datagram(&mut self, local: SocketAddr, remote: SocketAddr, data: Bytes) {
        self.stats.sent += 1;
        self.outputs.push_back(Output::Datagram { local, remote, data });
    }

    fn write(&mut self, conn: ConnId, data: Bytes) {
        self.stats.sent += 1;
        self.outputs.push_back(Output::Write { conn, data });
    }
}

/// RFC 3261 §18.2.2 and RFC 3581 §4 for datagrams: `maddr`, else the source's address with the port of `rport` or sent-by.
fn response_addr(via: &Via<'_>, flow: &Flow) -> SocketAddr {
    if let Some(ip) = via.maddr().and_then(parse_ip).filter(|ip| !ip.is_multicast()) {
        return SocketAddr::new(ip, via.port.unwrap_or(5060));
    }
    let port = if via.rport().is_some() { flow.remote.port() } else { via.port.unwrap_or(5060) };
    SocketAddr::new(flow.remote.ip(), port)
}
