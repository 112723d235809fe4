//! The endpoint: its sessions and connections, its public face. What happens on the wire is in the modules below.

mod auth;
mod close;
mod peer;
mod receive;
mod send;
mod timers;
mod write;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use hashbrown::HashMap;
use sdp::{MediaTypes, MsrpUri, Protocol};
use wire::{ConnId, Entropy, Input, Instant, Now, Output, PeerCertificate, Slab, TimerQueue, Transport};

pub(crate) use self::auth::Heard;
use crate::connection::Connection;
use crate::incoming::Incoming;
use crate::outgoing::Outgoing;
use crate::session::{Session, Stats};
use crate::strangers::{Refusals, Strangers};
use crate::traffic::Traffic;
use crate::{Event, MessageId, Options, OutgoingId, SessionId, SessionOptions};

/// All MSRP sessions of a node and the connections that carry them (RFC 4975).
///
/// The contract is that of every machine: after any method that takes `now`, call [`Endpoint::poll_output`] and
/// [`Endpoint::poll_event`] until both are `None`. A session is opened before its offer or answer is printed, because it
/// needs the session-id; then either side connects. Several sessions may share a connection.
#[derive(Debug)]
pub struct Endpoint {
    options: Options,
    entropy: Entropy,
    sessions: Slab<Session>,
    by_id: BTreeMap<String, SessionId>,
    /// Nothing that reaches the wire depends on their order here.
    connections: HashMap<ConnId, Connection, foldhash::fast::RandomState>,
    /// Connections without a session.
    unbound: usize,
    incoming: Slab<Incoming>,
    outgoing: Slab<Outgoing>,
    /// See [`Endpoint::refused_peers`].
    refused_peers: u64,
    timers: TimerQueue<timers::Timer>,
    out: VecDeque<Output>,
    events: VecDeque<Event>,
    strangers: Strangers,
    traffic: Traffic,
    /// What happened on connections to relays.
    heard: VecDeque<(ConnId, Heard)>,
}

impl Endpoint {
    /// An endpoint without sessions.
    pub fn new(options: Options, entropy: Entropy) -> Endpoint {
        Endpoint {
            options,
            entropy,
            sessions: Slab::new(),
            by_id: BTreeMap::new(),
            connections: HashMap::default(),
            unbound: 0,
            incoming: Slab::new(),
            outgoing: Slab::new(),
            refused_peers: 0,
            timers: TimerQueue::new(),
            out: VecDeque::new(),
            events: VecDeque::new(),
            strangers: Strangers::default(),
            traffic: Traffic::default(),
            heard: VecDeque::new(),
        }
    }

    /// Draws a session-id of 128 random bits (RFC 4975 §14.1 asks for 80): who does not know it cannot join the session.
    pub fn draw_session_id(&mut self) -> String {
        self.entropy.tag() + &self.entropy.tag()
    }

    /// Draws a message identifier.
    pub fn draw_message_id(&mut self) -> MessageId {
        MessageId::draw(&mut self.entropy)
    }

    /// Opens a session; from here on the peer may connect. `None` when its URI has no session-id, or one that is in use.
    pub fn open(&mut self, options: SessionOptions) -> Option<SessionId> {
        let id = options.local.session_id()?.to_owned();
        if self.by_id.contains_key(&id) {
            return None;
        }
        let session = SessionId(self.sessions.insert(Session::new(options, self.options.history)));
        self.by_id.insert(id, session);
        Some(session)
    }

    /// Gives a session another URI of ours with the same session-id: for an answer over another protocol than was prepared.
    pub fn set_local(&mut self, session: SessionId, local: MsrpUri) {
        if let Some(known) = self.sessions.get_mut(session.0) {
            debug_assert_eq!(known.options.local.session_id(), local.session_id(), "the session-id stays");
            known.options.local = local;
            self.print_paths(session);
        }
    }

    /// Over what a session is described.
    pub fn protocol(&self, session: SessionId) -> Protocol {
        Protocol::over(self.sessions.get(session.0).is_some_and(|known| known.options.local.is_tls()))
    }

    /// Sets where requests go, without TLS; see [`Endpoint::set_peer`]. What waits goes there, too.
    pub fn set_remote(&mut self, session: SessionId, remote: Vec<MsrpUri>) {
        if let Some(known) = self.sessions.get_mut(session.0) {
            known.is_renewed = false;
            let [old, new] = [&known.options.remote, &remote].map(|path| path.iter().map(MsrpUri::as_str));
            if !old.eq(new) {
                known.options.remote = remote;
                self.print_paths(session);
            }
        }
    }

    /// The remote path has come after the connection: what waited for it may go.
    pub(crate) fn press_on(&mut self, session: SessionId, now: Now) {
        let Some(known) = self.sessions.get(session.0) else { return };
        let conn = known.conn;
        for outgoing in known.outgoing.clone() {
            self.make_ready(outgoing);
        }
        if let Some(conn) = conn {
            self.settle(conn, now);
        }
    }

    /// Where requests go; empty as long as that is not known.
    pub fn remote(&self, session: SessionId) -> &[MsrpUri] {
        self.sessions.get(session.0).map_or(&[], |known| &known.options.remote)
    }

    /// Sets what is taken, when the description of whom it is meant for comes.
    pub fn set_limits(&mut self, session: SessionId, accept: MediaTypes, max_size: u64) {
        if let Some(known) = self.sessions.get_mut(session.0) {
            (known.options.accept, known.options.max_size) = (accept, max_size);
        }
    }

    /// Gives a session a new URI, to be offered because its connection is lost (RFC 4975 §5.4). It leaves its connection and
    /// its peer, who names itself anew, and keeps everything else: what it knows of messages that ended, so that one that is
    /// sent again is told apart, and those that wait. False when the URI has no session-id, or one that is in use.
    pub fn renew(&mut self, session: SessionId, local: MsrpUri, now: Now) -> bool {
        let Some(id) = local.session_id().filter(|id| !self.by_id.contains_key(*id)).map(str::to_owned) else {
            return false;
        };
        self.leave_connection(session, now);
        let Some(known) = self.sessions.get_mut(session.0) else { return false };
        let old = std::mem::replace(&mut known.options.local, local);
        known.options.remote.clear();
        known.wanted = None;
        known.is_renewed = true;
        old.session_id().and_then(|id| self.by_id.remove(id));
        self.by_id.insert(id, session);
        self.print_paths(session);
        self.check_invariants();
        true
    }

    /// Lets a session leave its connection, because its peer has a new path. No event tells of it; messages that were begun
    /// fail, others wait for the next connection.
    pub fn disconnect(&mut self, session: SessionId, now: Now) {
        self.leave_connection(session, now);
        self.check_invariants();
    }

    /// The paths of a session have changed: its messages that wait have them, too.
    fn print_paths(&mut self, session: SessionId) {
        let Some(known) = self.sessions.get_mut(session.0) else { return };
        let old = known.paths.len();
        known.print_paths();
        for outgoing in &known.outgoing {
            if let Some(message) = self.outgoing.get_mut(outgoing.0) {
                message.fields = [&known.paths[..], &message.fields[old..]].concat().into();
            }
        }
    }

    /// Opens a connection for a session, under a name that the node has drawn from [`ConnId::opened`]. `local` is a listener
    /// of the node; `remote` is where [`sdp::connect_to`] leads.
    pub fn connect(&mut self, session: SessionId, conn: ConnId, local: SocketAddr, remote: SocketAddr, now: Now) {
        let Some(known) = self.sessions.get(session.0) else { return };
        let is_tls = known.options.remote.first().is_some_and(MsrpUri::is_tls);
        self.leave_connection(session, now);
        self.connections.insert(conn, Connection::new(self.options.heads, false, is_tls));
        self.join_connection(session, conn);
        let transport = if is_tls { Transport::Tls } else { Transport::Tcp };
        let verify = self.sessions.get(session.0).and_then(|known| known.wanted.clone()).filter(|_| is_tls);
        self.out.push_back(Output::Connect { conn, transport, local, remote, verify });
        self.check_invariants();
    }

    /// Lets a session use a connection that another session has (RFC 4975 §5.4). False when there is no such connection,
    /// or when it is TLS and does not lead to the peer of the session.
    pub fn attach(&mut self, session: SessionId, conn: ConnId, now: Now) -> bool {
        let Some(is_up) = self.connections.get(&conn).map(|link| link.is_up) else { return false };
        if self.is_wanted(session, conn) != Some(true) {
            return false;
        }
        self.leave_connection(session, now);
        self.join_connection(session, conn);
        if is_up {
            self.greet(session, conn, now);
        }
        self.settle(conn, now);
        true
    }

    /// The connection that a session has or is waiting for.
    pub fn connection(&self, session: SessionId) -> Option<ConnId> {
        self.sessions.get(session.0)?.conn
    }

    /// Whether an input is this endpoint's, which connections come to at `listener`: a node with other protocols asks before
    /// it passes input on.
    pub fn takes(&self, input: &Input, listener: SocketAddr) -> bool {
        match input {
            Input::Accepted { local, .. } => *local == listener,
            Input::Connected { conn, .. }
            | Input::Stream { conn, .. }
            | Input::Closed { conn, .. }
            | Input::Written { conn, .. } => self.connections.contains_key(conn),
            Input::Datagram { .. } | Input::Recalled { .. } | Input::Kept { .. } => false,
        }
    }

    /// Sessions and connections.
    pub fn len(&self) -> (usize, usize) {
        (self.sessions.len(), self.connections.len())
    }

    /// Whether there is no session and no connection.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.connections.is_empty()
    }

    /// Counters of a session.
    pub fn stats(&self, session: SessionId) -> Option<Stats> {
        self.sessions.get(session.0).map(|session| session.stats)
    }

    /// What came from somebody who is in no session.
    pub const fn refusals(&self) -> Refusals {
        self.strangers.refusals
    }

    /// Requests either way, and their answers.
    pub const fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Octets that are kept: read from a connection and not looked at, out of order, or waiting to be written.
    pub fn buffered_octets(&self) -> usize {
        let unread = self.connections.values().map(|link| link.inbox_octets);
        let early = self.incoming.iter().map(|(_, message)| message.held_octets);
        let waiting = self.outgoing.iter().map(|(_, message)| message.queued());
        unread.chain(early).chain(waiting).sum()
    }

    /// Takes what came from the network: all that the endpoint [takes](Endpoint::takes), which is what concerns its connections
    /// and those that were accepted on the node's MSRP listener.
    pub fn handle_input(&mut self, input: Input, now: Now) {
        match input {
            Input::Accepted { conn, transport, remote, peer, .. } => {
                let mut link = Connection::new(self.options.heads, true, transport == Transport::Tls);
                (link.source, link.peer) = (Some(remote.ip()), peer);
                self.on_accepted(conn, link, now);
            }
            Input::Connected { conn, peer, .. } => self.on_connected(conn, peer, now),
            Input::Stream { conn, data } => self.on_stream(conn, data, now),
            Input::Written { conn, octets } => self.on_written(conn, octets, now),
            Input::Closed { conn, .. } => self.lose(conn, false, now),
            Input::Datagram { .. } | Input::Recalled { .. } | Input::Kept { .. } => {}
        }
        self.check_invariants();
    }

    /// Stops reading for a session, and with it for all that share its connection. Answers to what we send are not read
    /// either, so until [`Endpoint::resume`] they are not missed.
    pub fn pause(&mut self, session: SessionId, now: Now) {
        if let Some(conn) = self.set_paused(session, true) {
            self.settle(conn, now);
        }
        self.check_invariants();
    }

    /// Goes on reading for a session.
    pub fn resume(&mut self, session: SessionId, now: Now) {
        if let Some(conn) = self.set_paused(session, false) {
            self.process(conn, now);
            self.settle(conn, now);
        }
        self.check_invariants();
    }

    /// Hands out the next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Hands out the next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When the endpoint next wants [`Endpoint::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    fn set_paused(&mut self, session: SessionId, paused: bool) -> Option<ConnId> {
        let session = self.sessions.get_mut(session.0)?;
        session.is_paused = paused;
        session.conn
    }

    fn on_accepted(&mut self, conn: ConnId, mut link: Connection, now: Now) {
        if self.unbound >= self.options.unbound {
            self.out.push_back(Output::Close { conn });
            return;
        }
        link.bind_by = Some(now.at + self.options.bind_timeout);
        self.connections.insert(conn, link);
        self.unbound += 1;
        self.settle(conn, now);
    }

    fn on_connected(&mut self, conn: ConnId, peer: Option<Arc<PeerCertificate>>, now: Now) {
        let Some(link) = self.connections.get_mut(&conn) else { return };
        (link.is_up, link.peer) = (true, peer);
        if link.is_to_relay {
            self.heard.push_back((conn, Heard::Up));
        }
        for session in link.sessions.clone() {
            self.greet(session, conn, now);
        }
        self.settle(conn, now);
    }

    /// The host has written octets: there is room for more, and the time for answers to them runs.
    fn on_written(&mut self, conn: ConnId, octets: usize, now: Now) {
        let Some(link) = self.connections.get_mut(&conn) else { return };
        link.unsent = link.unsent.saturating_sub(octets);
        let written = link.handed - link.unsent as u64;
        let deadline = now.at + self.options.transaction_timeout;
        // They are written in their order: the time of those before these runs already.
        let waiting = link.transactions.iter_mut().rev().take_while(|transaction| transaction.deadline.is_none());
        for transaction in waiting.filter(|transaction| transaction.mark <= written) {
            transaction.deadline = Some(deadline);
        }
        // There is room for more, but nothing that waits for it.
        if link.is_at_rest() {
            return self.arm_connection(conn);
        }
        self.process(conn, now);
        self.settle(conn, now);
    }

    fn join_connection(&mut self, session: SessionId, conn: ConnId) {
        if let Some(known) = self.sessions.get_mut(session.0)
            && let Some(link) = self.connections.get_mut(&conn)
        {
            known.conn = Some(conn);
            link.sessions.push(session);
            if link.bind_by.take().is_some() {
                self.unbound -= 1;
            }
        }
    }

    /// The session has a connection that is up: what waits may go.
    fn bind(&mut self, session: SessionId) {
        let Some(known) = self.sessions.get_mut(session.0) else { return };
        known.is_bound = true;
        self.events.push_back(Event::Bound { session });
        for outgoing in known.outgoing.clone() {
            self.make_ready(outgoing);
        }
    }

    /// Queues a message on its connection if it has something to write.
    fn make_ready(&mut self, id: OutgoingId) {
        let Some(message) = self.outgoing.get_mut(id.0) else { return };
        let may_go = |session: &&Session| session.is_bound && !session.options.remote.is_empty();
        let session = self.sessions.get(message.session.0).filter(may_go);
        if let Some(conn) = session.and_then(|session| session.conn)
            && let Some(link) = self.connections.get_mut(&conn)
            && message.has_chunk()
            && !message.is_ready
        {
            message.is_ready = true;
            link.ready.push_back(id);
        }
    }

    /// Whether the connection is not to be read on: a session asks for it, or waits to be told who its peer is, or the peer
    /// does not read our answers.
    fn is_stopped(&self, link: &Connection) -> bool {
        let is_clogged = link.unsent > self.options.backlog;
        let is_paused = |session: &SessionId| {
            let known = self.sessions.get(session.0);
            known.is_some_and(|known| known.is_paused || (link.is_tls && known.wanted.is_none()))
        };
        is_clogged || link.sessions.iter().any(is_paused)
    }

    fn tell_reading(&mut self, conn: ConnId, now: Now) {
        let Some(link) = self.connections.get(&conn) else { return };
        let stop = self.is_stopped(link);
        if let Some(link) = self.connections.get_mut(&conn)
            && link.told_to_stop != stop
        {
            link.told_to_stop = stop;
            self.out.push_back(Output::Read { conn, on: !stop });
            // What came in the meantime was not read, answers included.
            let deadline = now.at + self.options.transaction_timeout;
            for transaction in link.transactions.iter_mut().filter(|transaction| transaction.deadline.is_some()) {
                transaction.deadline = Some(deadline);
            }
        }
    }

    /// The end of every change to a connection: write what may be written, say whether to read, arm the timers.
    fn settle(&mut self, conn: ConnId, now: Now) {
        self.pump(conn, now);
        self.tell_reading(conn, now);
        self.arm_connection(conn);
    }

    /// What holds between any two calls.
    fn check_invariants(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        for (key, session) in self.sessions.iter() {
            let link = session.conn.map(|conn| self.connections.get(&conn));
            let is_known = link.is_none_or(|link| link.is_some_and(|link| link.sessions.contains(&SessionId(key))));
            debug_assert!(is_known, "a session and its connection know each other");
            debug_assert!(session.is_bound <= session.conn.is_some(), "a bound session has a connection");
            debug_assert!(session.incoming.len() <= self.options.messages, "messages coming in are bounded");
            for outgoing in &session.outgoing {
                debug_assert!(self.outgoing.get(outgoing.0).is_some(), "a session's messages exist");
            }
        }
        let unbound = self.connections.values().filter(|link| link.bind_by.is_some()).count();
        debug_assert_eq!(unbound, self.unbound, "unbound connections are counted");
        for link in self.connections.values() {
            let octets: usize = link.transactions.iter().map(|transaction| transaction.octets).sum();
            debug_assert_eq!(octets, link.in_flight, "what is in flight is counted");
            let inbox: usize = link.inbox.iter().map(bytes::Bytes::len).sum();
            debug_assert_eq!(inbox, link.inbox_octets, "what is unread is counted");
        }
    }
}
