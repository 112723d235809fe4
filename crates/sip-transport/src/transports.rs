//! The public face of the transport layer and its sending half.

mod receive;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use sip::header::Via;
use sip::{Either, Limits, Message};
use wire::{ConnId, Input, Instant, OncePerMinute, Output, Transport, Verify};

use crate::connections::Connections;
use crate::flow::{Flow, Hop, Listener, Target, default_port, parse_ip, via_addr};

/// RFC 3261 §18.1.1: a request larger than this goes over a congestion-controlled transport when the path MTU is unknown.
const LARGE: usize = 1300;
/// What a hop's Via adds to a request, about.
const VIA_ROOM: usize = 110;
/// The most that a UDP datagram can carry over IPv4: 65,535 octets less the headers.
const DATAGRAM_MAX: usize = 65_507;

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
    Failed {
        /// The connection, gone by now.
        conn: ConnId,
        /// Whether it was ever up; else nothing has left on it.
        was_up: bool,
    },
}

/// Counters since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Messages taken in.
    pub received: u64,
    /// Messages handed to the host.
    pub sent: u64,
    /// Messages that could not be parsed, or that the end of their stream cut off.
    pub malformed: u64,
    /// Responses whose topmost Via is not ours (RFC 3261 §18.1.2).
    pub foreign_responses: u64,
    /// Messages that could not be sent: no listener of that transport, nowhere to send a response to, too many
    /// connections, or more than a datagram holds.
    pub unsendable: u64,
    /// Connections that ended or could not be opened. Responses that were waiting on them are lost (the client repeats its
    /// request); requests are reported by [`Event::Failed`].
    pub closed_connections: u64,
    /// Keep-alives answered.
    pub keep_alives: u64,
}

/// The transport layer of one node.
#[derive(Debug)]
pub struct Transports {
    listeners: Vec<Listener>,
    limits: Limits,
    path_mtu: Option<usize>,
    offers_oc: bool,
    connections: Connections,
    /// The domains at addresses, for TLS.
    names: BTreeMap<SocketAddr, Arc<str>>,
    /// Who has been complained about.
    complaints: OncePerMinute,
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
            offers_oc: false,
            connections: Connections::default(),
            names: BTreeMap::new(),
            complaints: OncePerMinute::default(),
            outputs: VecDeque::new(),
            events: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    /// Asks every next hop to say when it is overloaded (RFC 7339 §5.1), or none.
    #[must_use]
    pub const fn offering_overload_control(mut self, offers: bool) -> Transports {
        self.offers_oc = offers;
        self
    }

    /// The sockets.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// Says which domain is at an address: over TLS, whoever is there must have a certificate for it. False when another
    /// domain is there already.
    pub fn name(&mut self, addr: SocketAddr, domain: &str) -> bool {
        let domain = domain.to_ascii_lowercase();
        **self.names.entry(addr).or_insert_with(|| domain.as_str().into()) == *domain
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
        let is_at = |l: &Listener| l.addr.port() == port.unwrap_or(default_port(l.transport));
        // The port differs more often than not, and is compared faster.
        if !self.listeners.iter().any(is_at) {
            return false;
        }
        let Some(ip) = parse_ip(host) else { return false };
        self.listeners.iter().any(|l| is_at(l) && l.addr.ip() == ip)
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
            Input::Accepted { conn, transport, local, remote, peer } => {
                self.connections.accepted(conn, transport, local, remote);
                if let Some(known) = self.connections.get_mut(conn) {
                    known.peer = peer;
                }
            }
            Input::Connected { conn, local, peer } => {
                if let Some(known) = self.connections.get_mut(conn) {
                    (known.up, known.local, known.peer) = (true, local, peer);
                }
            }
            Input::Stream { conn, data } => self.on_stream(conn, &data, now),
            // Messages are small: the bound of the host's write queue suffices.
            Input::Written { .. } => {}
            // The role's affair.
            Input::Recalled { .. } | Input::Kept { .. } => {}
            Input::Closed { conn, failed: _ } => {
                // An orderly close, too, leaves requests without their answers.
                if let Some(gone) = self.connections.remove(conn) {
                    self.stats.closed_connections += 1;
                    self.stats.malformed += u64::from(!gone.buffer.is_empty());
                    self.events.push_back(Event::Failed { conn, was_up: gone.up });
                }
            }
        }
    }

    /// What must hold between any two inputs; looked at in debug builds only.
    pub fn check_invariants(&self) {
        self.connections.check_invariants();
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next thing for the host to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Chooses how a request of about `size` octets goes to `target`. `None` when the node has no such transport, or too
    /// many connections.
    pub fn hop(&mut self, target: &Target, size: usize, branch: String) -> Option<Hop> {
        let mut transport = target.transport;
        let bound = self.path_mtu.map_or(LARGE, |mtu| mtu.saturating_sub(200));
        let is_large = transport == Transport::Udp && size + VIA_ROOM > bound;
        if is_large && self.local_for(Transport::Tcp, target.addr).is_some() {
            transport = Transport::Tcp;
        }
        let local = self.local_for(transport, target.addr)?;
        let conn = if transport.is_reliable() { Some(self.connection(transport, local, target)?) } else { None };
        let was_udp = transport != target.transport;
        let is_reused = conn.is_some_and(|conn| self.can_be_replaced(conn, target.addr));
        let offers_oc = self.offers_oc;
        Some(Hop { transport, local, remote: target.addr, conn, branch, was_udp, is_reused, offers_oc })
    }

    /// Whether a connection that fails may just have been stale: it was up before, and another one can be opened in its
    /// place, which is not so for one that the peer opened from a port where it does not listen.
    fn can_be_replaced(&self, conn: ConnId, addr: SocketAddr) -> bool {
        self.connections.get(conn).is_some_and(|c| c.up && !(conn.is_accepted() && c.remote == addr))
    }

    /// The hop by UDP of a request that was too large for it, after TCP was refused (RFC 3261 §18.1.1).
    pub fn udp_instead(&self, hop: &Hop) -> Option<Hop> {
        let local = self.local_for(Transport::Udp, hop.remote)?;
        let usable = hop.was_udp && hop.transport == Transport::Tcp;
        usable.then(|| Hop { transport: Transport::Udp, local, conn: None, was_udp: false, ..hop.clone() })
    }

    /// The hop over a fresh connection of a request whose reused connection ended before anything was heard on it. Its Via
    /// is that of `hop`. `None` when a fresh connection would be of no use, or was already tried.
    pub fn reopened(&mut self, hop: &Hop) -> Option<Hop> {
        if !hop.is_reused {
            return None;
        }
        let conn = self.connection(hop.transport, hop.local, &Target::new(hop.transport, hop.remote))?;
        Some(Hop { conn: Some(conn), is_reused: false, ..hop.clone() })
    }

    /// Makes sure that the connection of a hop, which may have ended since the hop was chosen, is one that exists. False
    /// when there are too many connections.
    pub fn refresh(&mut self, hop: &mut Hop) -> bool {
        let Some(conn) = hop.conn else { return true };
        if self.connections.get(conn).is_none() {
            let fresh = self.connection(hop.transport, hop.local, &Target::new(hop.transport, hop.remote));
            let Some(fresh) = fresh else { return false };
            (hop.conn, hop.is_reused) = (Some(fresh), false);
        }
        true
    }

    /// Sends a request that carries the hop's Via on top.
    pub fn send_request(&mut self, hop: &Hop, bytes: Bytes) {
        match hop.conn {
            None => self.datagram(hop.local, hop.remote, bytes),
            Some(conn) if self.connections.get(conn).is_some() => self.write(conn, bytes),
            Some(_) => self.send_to(hop.transport, hop.remote, bytes),
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
        if !transport.is_reliable() {
            return self.datagram(local, addr, bytes);
        }
        match self.connection(transport, local, &Target::new(transport, addr)) {
            Some(conn) => self.write(conn, bytes),
            None => self.stats.unsendable += 1,
        }
    }

    /// The connection to a target: the one it names, one that leads there, or a new one.
    fn connection(&mut self, transport: Transport, local: SocketAddr, target: &Target) -> Option<ConnId> {
        let named = target.conn.filter(|c| self.connections.get(*c).is_some_and(|c| c.transport == transport));
        if let Some(conn) = named.or_else(|| self.connections.to(transport, target.addr)) {
            return Some(conn);
        }
        let conn = self.connections.open(transport, local, target.addr)?;
        let verify = (transport == Transport::Tls).then(|| self.wanted_at(target.addr));
        self.outputs.push_back(Output::Connect { conn, transport, local, remote: target.addr, verify });
        Some(conn)
    }

    /// Who must be at an address over TLS (RFC 5922 §7): the domain that it was named for, else the address itself. Since an
    /// address has one name, a connection that leads there has proved that name, and is reused for no other.
    fn wanted_at(&self, addr: SocketAddr) -> Verify {
        let by_address = || addr.ip().to_string().into();
        Verify::Name(self.names.get(&addr).cloned().unwrap_or_else(by_address))
    }

    /// Our listener for a transport, of the same address family as the peer.
    fn local_for(&self, transport: Transport, remote: SocketAddr) -> Option<SocketAddr> {
        let same = |l: &&Listener| l.transport == transport && l.addr.is_ipv4() == remote.is_ipv4();
        self.listeners.iter().find(same).map(|l| l.addr)
    }

    fn datagram(&mut self, local: SocketAddr, remote: SocketAddr, data: Bytes) {
        // A Via may say port 0; no socket takes it.
        if data.len() > DATAGRAM_MAX || remote.port() == 0 {
            self.stats.unsendable += 1;
            return;
        }
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
