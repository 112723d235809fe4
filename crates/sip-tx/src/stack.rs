//! The public face of the stack; what comes in and what goes out is in the modules below.

mod carry_out;
mod client_side;
mod machines;
mod server_side;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sip::{Either, Limits, Method};
use sip_transport::{Event as TransportEvent, Hop, Listener, Target, Transports};
use wire::{ConnId, Entropy, Input, Instant, Key, Now, Output, Slab, TimerQueue, Timestamp, Timing};

use self::machines::{Client, ClientMachine, Server};
use crate::effects::{Effects, Timer};
use crate::event::{ClientId, Event, Failure, Incoming, Owner, ServerId};
use crate::key::{self, ServerIndex};
use crate::overload::{Neighbours, Overload};
use crate::traffic::Traffic;

/// How a stack behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Transaction timers.
    pub timing: Timing,
    /// Bounds on messages.
    pub limits: Limits,
    /// The MTU towards UDP peers, if known; `None` moves requests above 1300 octets to TCP.
    pub path_mtu: Option<usize>,
    /// Answer every INVITE that is not refused on sight with 100 at once ([`Stack::trying`]), as a proxy does: what
    /// triggered us stops its own timer then.
    pub auto_trying: bool,
    /// Server transactions at a time; a request beyond them is answered 503. The default is what 60,000 requests a second
    /// leave behind in the 64*T1 for which each is kept.
    pub max_transactions: usize,
    /// Ask next hops to say when they are overloaded (RFC 7339), and send them less when they do.
    pub offers_overload_control: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            timing: Timing::default(),
            limits: Limits::default(),
            path_mtu: None,
            auto_trying: true,
            max_transactions: 2_000_000,
            offers_overload_control: false,
        }
    }
}

/// Counters since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Requests absorbed: those that came before, and the ACKs of final responses other than 2xx.
    pub retransmissions: u64,
    /// Responses that belong to no transaction (RFC 6026 §7.2: dropped).
    pub stray_responses: u64,
    /// Requests answered 503 because too many transactions were open.
    pub refused: u64,
    /// Requests answered 503 because the node was late.
    pub shed: u64,
    /// Requests not sent because the next hop had said that it is overloaded.
    pub left_out: u64,
    /// Responses of the role that RFC 4320 forbids to a request other than INVITE: 408, 101 to 199, an early 100.
    pub suppressed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Side {
    Client,
    Server,
}

/// Transport layer and transactions of one node: what its role is built on.
///
/// Bounds: server transactions by [`Options::max_transactions`] (twice that if each is cancelled); client transactions by
/// what the role asks for, and each ends by its own timers, but for an INVITE after its provisional response, which is the
/// role's to end (Timer C of a proxy). A timer stays in the queue until it is due, at most `64*T1` after its transaction
/// ended.
#[derive(Debug)]
pub struct Stack {
    transports: Transports,
    options: Options,
    entropy: Entropy,
    clients: Slab<Client>,
    servers: Slab<Server>,
    by_key: ServerIndex,
    /// Client transactions by the connection on which they wait.
    on_conn: BTreeSet<(ConnId, Key)>,
    /// Places taken by hops that have not been used.
    reserved: usize,
    /// CANCEL transactions by their branch, which is that of their INVITE.
    cancels: BTreeMap<String, ClientId>,
    timers: TimerQueue<(Side, Key, Timer)>,
    events: VecDeque<Event>,
    overload: Overload,
    neighbours: Neighbours,
    /// When the last input or time-out was handed in.
    at: Instant,
    utc: Timestamp,
    stats: Stats,
    traffic_in: Traffic,
    traffic_out: Traffic,
}

impl Stack {
    /// A stack on sockets that the host has bound.
    pub fn new(listeners: Vec<Listener>, options: Options, mut entropy: Entropy) -> Stack {
        let by_key = ServerIndex::new(entropy.u64());
        Stack {
            transports: Transports::new(listeners, options.limits, options.path_mtu)
                .offering_overload_control(options.offers_overload_control),
            options,
            entropy,
            clients: Slab::new(),
            servers: Slab::new(),
            by_key,
            on_conn: BTreeSet::new(),
            reserved: 0,
            cancels: BTreeMap::new(),
            timers: TimerQueue::new(),
            events: VecDeque::new(),
            overload: Overload::default(),
            neighbours: Neighbours::default(),
            at: Instant::ZERO,
            utc: Timestamp::default(),
            stats: Stats::default(),
            traffic_in: Traffic::default(),
            traffic_out: Traffic::default(),
        }
    }

    /// Says which domain is at an address; see [`Transports::name`].
    pub fn name(&mut self, addr: SocketAddr, domain: &str) -> bool {
        self.transports.name(addr, domain)
    }

    /// The transport layer: who we are, and where URIs lead.
    pub const fn transports(&self) -> &Transports {
        &self.transports
    }

    /// Timer values.
    pub const fn timing(&self) -> &Timing {
        &self.options.timing
    }

    /// The node's dice.
    pub const fn entropy(&mut self) -> &mut Entropy {
        &mut self.entropy
    }

    /// Counters.
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// Server transactions since the start: what came in.
    pub const fn traffic_in(&self) -> Traffic {
        self.traffic_in
    }

    /// Client transactions since the start: what went out.
    pub const fn traffic_out(&self) -> Traffic {
        self.traffic_out
    }

    /// Client and server transactions that have not ended.
    pub fn transactions(&self) -> (usize, usize) {
        (self.clients.len(), self.by_key.len())
    }

    /// Server transactions that may be open: [`Options::max_transactions`].
    pub const fn max_transactions(&self) -> usize {
        self.options.max_transactions
    }

    /// Takes what came from the network.
    pub fn handle_input(&mut self, input: Input, now: Now) {
        self.check_between_inputs();
        (self.at, self.utc) = (now.at, now.utc);
        self.transports.handle_input(input, now.at);
        while let Some(event) = self.transports.poll_event() {
            match event {
                TransportEvent::Received(received) => match received.message {
                    Either::Request(request) => self.on_request(request, received.flow, now.at),
                    Either::Response(response) => self.on_response(response, now.at),
                },
                TransportEvent::Failed { conn, was_up } => self.on_connection_failed(conn, was_up, now.at),
            }
        }
        self.check_invariants();
    }

    /// Fires what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.check_between_inputs();
        (self.at, self.utc) = (now.at, now.utc);
        self.by_key.expire(now.at);
        while let Some((due, (side, key, timer))) = self.timers.pop_due(now.at) {
            match side {
                Side::Client => self.on_client_timer(ClientId(key), timer, due, now.at),
                Side::Server => self.on_server_timer(ServerId(key), timer, due, now.at),
            }
        }
        self.check_invariants();
    }

    /// What must hold after every input; looked at in debug builds only.
    pub fn check_invariants(&self) {
        debug_assert_eq!(self.by_key.live(), self.servers.len(), "every server transaction is found by its key");
        debug_assert!(self.reserved + self.cancels.len() <= self.clients.len(), "places are client transactions");
        debug_assert!(self.on_conn.len() <= self.clients.len(), "a transaction waits on one connection");
        self.transports.check_invariants();
    }

    /// A role uses or abandons its hops before it takes the next input: a hop that is forgotten would take its place for
    /// ever.
    fn check_between_inputs(&self) {
        debug_assert_eq!(self.reserved, 0, "a hop was neither used nor abandoned");
    }

    /// When something is next due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.timers.next(), self.by_key.next()].into_iter().flatten().min()
    }

    /// The next event for the role.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next thing for the host to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.transports.poll_output()
    }

    // ---- overload ----

    /// Takes how long the next input has waited for this node: see [`wire::Node::handle_lag`].
    pub fn handle_lag(&mut self, lag: Duration, now: Now) {
        self.overload.note(lag, now.at);
    }

    /// Whether the next hop has said that it is overloaded, and this new request is one of those to be left out
    /// (RFC 7339 §5.10.1). To be asked for requests outside dialogs, before a hop is chosen.
    pub fn is_left_out(&mut self, target: &Target, now: Now) -> bool {
        let is_left_out = self.neighbours.leaves_out(target.addr, &mut self.entropy, now.at);
        self.stats.left_out += u64::from(is_left_out);
        is_left_out
    }

    /// Next hops that have said something of their load.
    pub fn neighbours(&self) -> usize {
        self.neighbours.len()
    }

    // ---- the client side ----

    /// Chooses how a request of about `size` octets goes to `target`, and draws its branch, which ends in `suffix`.
    ///
    /// The request must carry [`Hop::via`] on top and then be given to [`Stack::request`] or [`Stack::send_ack`]; a hop that
    /// is given to neither is to be given to [`Stack::abandon`]. `None` when the node has no such transport.
    pub fn hop(&mut self, target: &Target, size: usize, suffix: &str) -> Option<Hop> {
        let random = self.entropy.token();
        let (transports, mut hop) = (&mut self.transports, None);
        let key = self.clients.insert_with(|key| {
            let branch = key::branch(ClientId(key), &random, suffix);
            hop = transports.hop(target, size, branch);
            Client {
                machine: ClientMachine::Reserved,
                method: Method::Extension,
                began: Instant::ZERO,
                hop: blank_hop(target),
                owner: None,
                is_counted: false,
            }
        });
        if hop.is_some() {
            self.reserved += 1;
        } else {
            self.clients.remove(key);
        }
        hop
    }

    /// Gives up a hop that was not used.
    pub fn abandon(&mut self, hop: &Hop) {
        if let Some(id) = self.reserved_by(hop) {
            self.reserved -= 1;
            self.clients.remove(id.0);
        }
    }

    /// The place that a hop keeps, unless it has been used.
    fn reserved_by(&self, hop: &Hop) -> Option<ClientId> {
        let is_reserved = |c: &&Client| matches!(c.machine, ClientMachine::Reserved);
        key::client_of(hop.branch.as_bytes()).filter(|id| self.clients.get(id.0).filter(is_reserved).is_some())
    }

    /// Sends a request, which carries the hop's Via on top, in a client transaction.
    ///
    /// The connection of the hop may end before it answers: the request is then sent once more on a fresh one if the
    /// connection was reused, or by UDP if only its size sent it to TCP; else it fails.
    pub fn request(&mut self, mut hop: Hop, method: Method, bytes: Bytes, owner: Owner, now: Now) -> ClientId {
        debug_assert!(method != Method::Ack, "an ACK has no transaction");
        let id = key::client_of(hop.branch.as_bytes()).expect("the branch of a hop names its transaction");
        if self.reserved_by(&hop).is_none() {
            debug_assert!(false, "a hop is used once");
            self.events.push_back(Event::Failed { tx: id, owner, why: Failure::Transport });
            return id;
        }
        self.reserved -= 1;
        let has_way = self.transports.refresh(&mut hop);
        self.watch(id, hop.conn);
        self.traffic_out.request(method);
        let (mut fx, cx) = (Effects::default(), self.context(hop.transport.is_reliable(), now.at));
        let machine = ClientMachine::start(method, bytes, &cx, &mut fx);
        if let Some(client) = self.clients.get_mut(id.0) {
            *client = Client { machine, method, began: now.at, hop, owner: Some(owner), is_counted: false };
        }
        self.carry_out_client(id, fx, None);
        if !has_way {
            self.fail(id);
        }
        id
    }

    /// Sends the ACK of a 2xx: no transaction, no retransmission of its own.
    pub fn send_ack(&mut self, hop: &Hop, bytes: Bytes) {
        self.abandon(hop);
        self.transports.send_request(hop, bytes);
    }

    /// Cancels an INVITE (RFC 3261 §9.1): at once if a provisional response is there, else when one comes. The INVITE's
    /// final response, or its [`Event::Failed`], still comes. `reason` is the value of a Reason header field.
    pub fn cancel(&mut self, id: ClientId, reason: Option<&[u8]>, now: Now) {
        let Some((client, cx)) = self.client(id, now.at) else { return };
        let mut fx = Effects::default();
        if let ClientMachine::Invite(invite) = &mut client.machine {
            let cancel = invite.cancel(reason, &cx, &mut fx);
            self.carry_out_client(id, fx, None);
            self.send_cancel(id, cancel, now.at);
        }
    }

    /// The request of a client transaction, as it was sent, until it has its final response.
    pub fn sent(&self, id: ClientId) -> Option<Bytes> {
        self.clients.get(id.0)?.machine.request().filter(|request| !request.is_empty()).cloned()
    }

    // ---- the server side ----

    /// Sends a response in a server transaction. One that is over, or has sent its final response, ignores it.
    pub fn respond(&mut self, id: ServerId, status: u16, bytes: Bytes, now: Now) {
        let Some((server, cx)) = self.server(id, now.at) else { return };
        let mut fx = Effects::default();
        let was_final = server.machine.is_final();
        server.machine.respond(status, bytes, &cx, &mut fx);
        if !was_final && server.machine.is_final() {
            let (method, took) = (server.method, now.at.saturating_since(server.began));
            self.traffic_in.end(method, Some(status), took);
        }
        self.carry_out_server(id, fx);
    }

    /// Answers a request once and keeps nothing of it (RFC 3261 §8.2.7): for one that is refused on sight. Whoever sends
    /// from a forged address draws one answer on its victim and not eleven, and nothing stays here; a sender that lost
    /// the answer repeats the request and gets the same.
    pub fn refuse(&mut self, incoming: &Incoming, status: u16, answer: impl FnOnce(&str) -> Bytes) {
        let Some(server) = self.servers.remove(incoming.tx.0) else { return };
        self.by_key.remove(server.hash, incoming.tx);
        let answer = answer(&stateless_tag(server.hash));
        self.traffic_in.end(server.method, Some(status), self.at.saturating_since(server.began));
        let answer = if server.wants_oc { self.overload.tell(&answer, self.utc) } else { answer };
        self.transports.send_response(&server.path, answer);
    }

    /// Tells the sender of an INVITE that somebody has taken it on (RFC 3261 §17.2.1), if this stack does so and nothing
    /// has been sent yet.
    pub fn trying(&mut self, incoming: &Incoming, now: Now) {
        let is_unanswered = self.servers.get(incoming.tx.0).is_some_and(|server| server.machine.is_unanswered());
        if self.options.auto_trying && is_unanswered {
            self.respond(incoming.tx, 100, incoming.request.respond(100, "").finish(), now);
        }
    }

    /// Answers a request with a status and nothing else.
    pub fn reject(&mut self, incoming: &Incoming, status: u16, now: Now) {
        let tag = self.entropy.tag();
        self.respond(incoming.tx, status, incoming.request.respond(status, &tag).finish(), now);
    }

    /// Says whom [`Event::Cancelled`] and [`Event::Unacknowledged`] of this transaction concern.
    pub fn set_owner(&mut self, id: ServerId, owner: Owner) {
        if let Some(server) = self.servers.get_mut(id.0) {
            server.owner = Some(owner);
        }
    }

    /// Whether a server transaction still waits for its final response.
    pub fn is_pending(&self, id: ServerId) -> bool {
        self.servers.get(id.0).is_some_and(|server| !server.machine.is_final())
    }

    /// Whether a failure means that a proxy answers 408 or 503 (RFC 3261 §16.9, §16.6 step 11).
    pub const fn status_of(why: Failure) -> u16 {
        match why {
            Failure::Timeout => 408,
            Failure::Transport => 503,
        }
    }
}

const fn blank_hop(target: &Target) -> Hop {
    Hop {
        transport: target.transport,
        local: target.addr,
        remote: target.addr,
        conn: None,
        branch: String::new(),
        was_udp: false,
        is_reused: false,
        offers_oc: false,
    }
}

/// RFC 3261 §8.2.7: the same request gets the same To tag, although nothing is kept of it; and its ACK is known by that.
pub(crate) fn stateless_tag(hash: u64) -> String {
    format!("{hash:016x}")
}
