use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use hashbrown::HashMap;
use sip::{Either, Limits, Message, Method, Name, Request, Response};
use sip_transport::{Event as TransportEvent, Flow, Hop, Listener, ReturnPath, Target, Transports};
use wire::{ConnId, Entropy, Input, Instant, Key, Now, Output, Slab, TimerQueue, Timing};

use crate::client_invite::ClientInvite;
use crate::client_non_invite::ClientNonInvite;
use crate::effects::{Context, Effects, Timer};
use crate::event::{ClientId, Event, Failure, Incoming, Owner, ServerId};
use crate::key::{self, ServerKey};
use crate::server_invite::ServerInvite;
use crate::server_non_invite::ServerNonInvite;

/// How a stack behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Transaction timers.
    pub timing: Timing,
    /// Bounds on messages.
    pub limits: Limits,
    /// The MTU towards UDP peers, if known; `None` moves requests above 1300 octets to TCP.
    pub path_mtu: Option<usize>,
    /// Answer every new INVITE with 100 at once, as a proxy does: what triggered us stops its own timer then.
    pub auto_trying: bool,
    /// Server transactions at a time; a request beyond them is answered 503.
    pub max_transactions: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            timing: Timing::default(),
            limits: Limits::default(),
            path_mtu: None,
            auto_trying: true,
            max_transactions: 1_000_000,
        }
    }
}

/// Counters since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Requests absorbed because they came before.
    pub retransmissions: u64,
    /// Responses that belong to no transaction (RFC 6026 §7.2: dropped).
    pub stray_responses: u64,
    /// Requests answered 503 because too many transactions were open.
    pub refused: u64,
}

#[derive(Debug)]
struct Server {
    machine: ServerMachine,
    key: ServerKey,
    path: ReturnPath,
    owner: Option<Owner>,
}

#[derive(Debug)]
enum ServerMachine {
    Invite(ServerInvite),
    NonInvite(ServerNonInvite),
}

#[derive(Debug)]
struct Client {
    machine: ClientMachine,
    method: Method,
    hop: Hop,
    owner: Option<Owner>,
}

#[derive(Debug)]
enum ClientMachine {
    /// The place is taken, the request not sent yet.
    Reserved,
    Invite(ClientInvite),
    NonInvite(ClientNonInvite),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Side {
    Client,
    Server,
}

/// Transport layer and transactions of one node: what its role is built on.
#[derive(Debug)]
pub struct Stack {
    transports: Transports,
    options: Options,
    entropy: Entropy,
    clients: Slab<Client>,
    servers: Slab<Server>,
    by_key: HashMap<ServerKey, ServerId, foldhash::fast::RandomState>,
    /// CANCEL transactions by their branch, which is that of their INVITE.
    cancels: BTreeMap<String, ClientId>,
    timers: TimerQueue<(Side, Key, Timer)>,
    events: VecDeque<Event>,
    stats: Stats,
}

impl Stack {
    /// A stack on sockets that the host has bound.
    pub fn new(listeners: Vec<Listener>, options: Options, entropy: Entropy) -> Stack {
        Stack {
            transports: Transports::new(listeners, options.limits, options.path_mtu),
            options,
            entropy,
            clients: Slab::new(),
            servers: Slab::new(),
            by_key: HashMap::default(),
            cancels: BTreeMap::new(),
            timers: TimerQueue::new(),
            events: VecDeque::new(),
            stats: Stats::default(),
        }
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

    /// Client and server transactions that have not ended.
    pub const fn transactions(&self) -> (usize, usize) {
        (self.clients.len(), self.servers.len())
    }

    /// Takes what came from the network.
    pub fn handle_input(&mut self, input: Input, now: Now) {
        self.transports.handle_input(input, now.at);
        while let Some(event) = self.transports.poll_event() {
            match event {
                TransportEvent::Received(received) => match received.message {
                    Either::Request(request) => self.on_request(request, received.flow, now.at),
                    Either::Response(response) => self.on_response(response, now.at),
                },
                TransportEvent::Failed(conn) => self.on_connection_failed(conn, now.at),
            }
        }
    }

    /// Fires what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some((due, (side, key, timer))) = self.timers.pop_due(now.at) {
            match side {
                Side::Client => self.on_client_timer(ClientId(key), timer, due, now.at),
                Side::Server => self.on_server_timer(ServerId(key), timer, due, now.at),
            }
        }
    }

    /// When something is next due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The next event for the role.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next thing for the host to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.transports.poll_output()
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
            Client { machine: ClientMachine::Reserved, method: Method::Extension, hop: blank_hop(target), owner: None }
        });
        if hop.is_none() {
            self.clients.remove(key);
        }
        hop
    }

    /// Gives up a hop that was not used.
    pub fn abandon(&mut self, hop: &Hop) {
        if let Some(id) = key::client_of(hop.branch.as_bytes()) {
            self.clients.remove(id.0);
        }
    }

    /// Sends a request, which carries the hop's Via on top, in a client transaction.
    pub fn request(&mut self, hop: Hop, method: Method, bytes: Bytes, owner: Owner, now: Now) -> ClientId {
        let id = key::client_of(hop.branch.as_bytes()).expect("the branch of a hop names its transaction");
        debug_assert!(method != Method::Ack, "an ACK has no transaction");
        let (mut fx, cx) = (Effects::default(), self.context(hop.transport.is_reliable(), now.at));
        let machine = if method == Method::Invite {
            ClientMachine::Invite(ClientInvite::start(bytes, &cx, &mut fx))
        } else {
            ClientMachine::NonInvite(ClientNonInvite::start(bytes, &cx, &mut fx))
        };
        if let Some(client) = self.clients.get_mut(id.0) {
            *client = Client { machine, method, hop, owner: Some(owner) };
        }
        self.carry_out_client(id, fx, None);
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
        let Some((mut fx, cx)) = self.client_context(id, now.at) else { return };
        let Some(client) = self.clients.get_mut(id.0) else { return };
        if let ClientMachine::Invite(invite) = &mut client.machine {
            let cancel = invite.cancel(reason, &cx, &mut fx);
            self.carry_out_client(id, fx, None);
            self.send_cancel(id, cancel, now.at);
        }
    }

    /// The request of a client transaction, as it was sent.
    pub fn sent(&self, id: ClientId) -> Option<Bytes> {
        match &self.clients.get(id.0)?.machine {
            ClientMachine::Invite(machine) => Some(machine.request().clone()),
            ClientMachine::NonInvite(machine) => Some(machine.request().clone()),
            ClientMachine::Reserved => None,
        }
    }

    // ---- the server side ----

    /// Sends a response in a server transaction. One that is over, or has sent its final response, ignores it.
    pub fn respond(&mut self, id: ServerId, status: u16, bytes: Bytes, now: Now) {
        let Some(server) = self.servers.get_mut(id.0) else { return };
        let cx = Context { now: now.at, timing: self.options.timing, reliable: server.path.transport().is_reliable() };
        let mut fx = Effects::default();
        match &mut server.machine {
            ServerMachine::Invite(machine) => machine.respond(status, bytes, &cx, &mut fx),
            ServerMachine::NonInvite(machine) => machine.respond(status, bytes, &cx, &mut fx),
        }
        self.carry_out_server(id, fx);
    }

    /// Answers a request with a status and nothing else.
    pub fn reject(&mut self, incoming: &Incoming, status: u16, now: Now) {
        let tag = self.entropy.tag();
        self.respond(incoming.tx, status, incoming.request.respond(status, &tag).finish(), now);
    }

    /// Gives up answering a request other than INVITE (RFC 4320 §4.2: 408 is no answer to it). Its retransmissions are
    /// still absorbed for a while.
    pub fn leave_unanswered(&mut self, id: ServerId, now: Now) {
        let Some(server) = self.servers.get_mut(id.0) else { return };
        let cx = Context { now: now.at, timing: self.options.timing, reliable: server.path.transport().is_reliable() };
        let mut fx = Effects::default();
        match &mut server.machine {
            ServerMachine::Invite(_) => debug_assert!(false, "an INVITE is always answered"),
            ServerMachine::NonInvite(machine) => machine.leave_unanswered(&cx, &mut fx),
        }
        self.carry_out_server(id, fx);
    }

    /// Says whom [`Event::Cancelled`] and [`Event::Unacknowledged`] of this transaction concern.
    pub fn set_owner(&mut self, id: ServerId, owner: Owner) {
        if let Some(server) = self.servers.get_mut(id.0) {
            server.owner = Some(owner);
        }
    }

    /// Whether an INVITE server transaction still waits for its final response.
    pub fn is_pending(&self, id: ServerId) -> bool {
        self.servers.get(id.0).is_some_and(|s| match &s.machine {
            ServerMachine::Invite(machine) => !machine.is_final(),
            ServerMachine::NonInvite(_) => true,
        })
    }

    // ---- input ----

    fn on_request(&mut self, request: Request, flow: Flow, now: Instant) {
        let key = ServerKey::of(&request);
        if let Some(id) = self.by_key.get(&key).copied() {
            return self.on_known_request(id, request, flow, now);
        }
        let method = request.method();
        if method == Method::Ack {
            self.events.push_back(Event::Ack { request: Box::new(request), flow });
        } else if self.servers.len() >= self.options.max_transactions {
            self.refuse(&request, &flow);
        } else if method == Method::Cancel {
            self.on_cancel(key, request, flow, now);
        } else {
            self.on_new_request(key, request, flow, now);
        }
    }

    fn on_known_request(&mut self, id: ServerId, request: Request, flow: Flow, now: Instant) {
        let Some(server) = self.servers.get_mut(id.0) else { return };
        let cx = Context { now, timing: self.options.timing, reliable: server.path.transport().is_reliable() };
        let mut fx = Effects::default();
        let mut is_for_role = false;
        match (&mut server.machine, request.method()) {
            (ServerMachine::Invite(machine), Method::Ack) => is_for_role = machine.on_ack(&cx, &mut fx),
            (ServerMachine::Invite(machine), _) => machine.on_retransmission(&mut fx),
            (ServerMachine::NonInvite(machine), _) => machine.on_retransmission(&mut fx),
        }
        if is_for_role {
            self.events.push_back(Event::Ack { request: Box::new(request), flow });
        } else {
            self.stats.retransmissions += 1;
        }
        self.carry_out_server(id, fx);
    }

    fn on_new_request(&mut self, key: ServerKey, request: Request, flow: Flow, now: Instant) {
        let is_invite = request.method() == Method::Invite;
        let tx = self.open_server(key, &request, &flow);
        if is_invite && self.options.auto_trying {
            self.respond(tx, 100, request.respond(100, "").finish(), Now { at: now, ..Now::default() });
        }
        self.events.push_back(Event::Request(Box::new(Incoming { tx, request, flow })));
    }

    /// RFC 3261 §9.2: a CANCEL is answered by itself, and has an effect only while its INVITE has no final response.
    fn on_cancel(&mut self, key: ServerKey, cancel: Request, flow: Flow, now: Instant) {
        let invite = self.by_key.get(&ServerKey::of_cancelled(&cancel)).copied();
        let tx = self.open_server(key, &cancel, &flow);
        let status = if invite.is_some() { 200 } else { 481 };
        let tag = self.entropy.tag();
        let answer = cancel.respond(status, &tag).finish();
        self.respond(tx, status, answer, Now { at: now, ..Now::default() });
        if let Some(tx) = invite.filter(|id| self.is_pending(*id)) {
            let owner = self.servers.get(tx.0).and_then(|s| s.owner);
            self.events.push_back(Event::Cancelled { tx, owner, cancel: Box::new(cancel) });
        }
    }

    fn open_server(&mut self, key: ServerKey, request: &Request, flow: &Flow) -> ServerId {
        let machine = if request.method() == Method::Invite {
            ServerMachine::Invite(ServerInvite::new())
        } else {
            ServerMachine::NonInvite(ServerNonInvite::new())
        };
        let path = self.transports.return_path(request, flow);
        let id = ServerId(self.servers.insert(Server { machine, key: key.clone(), path, owner: None }));
        self.by_key.insert(key, id);
        id
    }

    /// Too much is open: answered without keeping anything (RFC 3261 §21.5.4).
    fn refuse(&mut self, request: &Request, flow: &Flow) {
        self.stats.refused += 1;
        let answer = request.respond(503, "busy").header(Name::RetryAfter, "5").finish();
        let path = self.transports.return_path(request, flow);
        self.transports.send_response(&path, answer);
    }

    fn on_response(&mut self, response: Response, now: Instant) {
        let via = response.via();
        // RFC 3261 §17.1.3: the CANCEL shares the branch of its INVITE, CSeq tells them apart.
        let id = if response.cseq().method == Method::Cancel {
            std::str::from_utf8(via.branch).ok().and_then(|branch| self.cancels.get(branch).copied())
        } else {
            key::client_of(via.branch)
        };
        let is_its = |c: &&mut Client| c.owner.is_some() && c.hop.branch.as_bytes() == via.branch;
        let found = id.and_then(|id| self.clients.get_mut(id.0).filter(is_its).map(|c| (id, c)));
        let Some((id, client)) = found else {
            self.stats.stray_responses += 1;
            return;
        };
        let cx = Context { now, timing: self.options.timing, reliable: client.hop.transport.is_reliable() };
        let (mut fx, mut cancel) = (Effects::default(), None);
        match &mut client.machine {
            ClientMachine::Invite(machine) => cancel = machine.on_response(&response, &cx, &mut fx),
            ClientMachine::NonInvite(machine) => machine.on_response(&response, &cx, &mut fx),
            ClientMachine::Reserved => {}
        }
        self.carry_out_client(id, fx, Some(response));
        self.send_cancel(id, cancel, now);
    }

    fn on_connection_failed(&mut self, conn: ConnId, now: Instant) {
        let hit: Vec<ClientId> =
            self.clients.iter().filter(|(_, c)| c.hop.conn == Some(conn)).map(|(key, _)| ClientId(key)).collect();
        for id in hit {
            if !self.retry_by_udp(id, now) {
                self.fail(id);
            }
        }
    }

    /// RFC 3261 §18.1.1: a request that went to TCP for its size and was refused there goes by UDP after all.
    fn retry_by_udp(&mut self, id: ClientId, now: Instant) -> bool {
        let Some(client) = self.clients.get_mut(id.0) else { return false };
        let Some(hop) = self.transports.udp_instead(&client.hop) else { return false };
        let sent = match &client.machine {
            ClientMachine::Invite(machine) => machine.request().clone(),
            ClientMachine::NonInvite(machine) => machine.request().clone(),
            ClientMachine::Reserved => return false,
        };
        let Ok(request) = Message::parse_request(sent) else { return false };
        let bytes = request.edit().replace_top(Name::Via, hop.via()).finish();
        let cx = Context { now, timing: self.options.timing, reliable: false };
        let mut fx = Effects::default();
        client.hop = hop;
        let resent = match &mut client.machine {
            ClientMachine::Invite(machine) => machine.resend_as(bytes, &cx, &mut fx),
            ClientMachine::NonInvite(machine) => machine.resend_as(bytes, &cx, &mut fx),
            ClientMachine::Reserved => false,
        };
        self.carry_out_client(id, fx, None);
        resent
    }

    fn fail(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(id.0) else { return };
        let mut fx = Effects::default();
        match &mut client.machine {
            ClientMachine::Invite(machine) => machine.on_transport_error(&mut fx),
            ClientMachine::NonInvite(machine) => machine.on_transport_error(&mut fx),
            ClientMachine::Reserved => {}
        }
        self.carry_out_client(id, fx, None);
    }

    fn on_client_timer(&mut self, id: ClientId, timer: Timer, due: Instant, now: Instant) {
        let Some((mut fx, cx)) = self.client_context(id, now) else { return };
        let Some(client) = self.clients.get_mut(id.0) else { return };
        match &mut client.machine {
            ClientMachine::Invite(machine) => machine.on_timer(timer, due, &cx, &mut fx),
            ClientMachine::NonInvite(machine) => machine.on_timer(timer, due, &cx, &mut fx),
            ClientMachine::Reserved => {}
        }
        self.carry_out_client(id, fx, None);
    }

    fn on_server_timer(&mut self, id: ServerId, timer: Timer, due: Instant, now: Instant) {
        let Some(server) = self.servers.get_mut(id.0) else { return };
        let cx = Context { now, timing: self.options.timing, reliable: server.path.transport().is_reliable() };
        let mut fx = Effects::default();
        match &mut server.machine {
            ServerMachine::Invite(machine) => machine.on_timer(timer, due, &cx, &mut fx),
            ServerMachine::NonInvite(machine) => machine.on_timer(timer, &mut fx),
        }
        self.carry_out_server(id, fx);
    }

    // ---- effects ----

    const fn context(&self, reliable: bool, now: Instant) -> Context {
        Context { now, timing: self.options.timing, reliable }
    }

    fn client_context(&self, id: ClientId, now: Instant) -> Option<(Effects, Context)> {
        let reliable = self.clients.get(id.0)?.hop.transport.is_reliable();
        Some((Effects::default(), self.context(reliable, now)))
    }

    fn carry_out_client(&mut self, id: ClientId, fx: Effects, response: Option<Response>) {
        let Some(client) = self.clients.get(id.0) else { return };
        for bytes in fx.send {
            self.transports.send_request(&client.hop, bytes);
        }
        for (timer, at) in fx.arm {
            self.timers.arm((Side::Client, id.0, timer), at);
        }
        if let Some(owner) = client.owner.filter(|_| client.method != Method::Cancel) {
            if let Some(response) = response.filter(|_| fx.deliver) {
                self.events.push_back(Event::Response { tx: id, owner, response: Box::new(response) });
            }
            if let Some(why) = fx.failed {
                self.events.push_back(Event::Failed { tx: id, owner, why });
            }
        }
        if fx.terminated
            && let Some(client) = self.clients.remove(id.0)
            && client.method == Method::Cancel
        {
            self.cancels.remove(&client.hop.branch);
        }
    }

    fn carry_out_server(&mut self, id: ServerId, fx: Effects) {
        let Some(server) = self.servers.get(id.0) else { return };
        for bytes in fx.send {
            self.transports.send_response(&server.path, bytes);
        }
        for (timer, at) in fx.arm {
            self.timers.arm((Side::Server, id.0, timer), at);
        }
        if fx.unacknowledged {
            self.events.push_back(Event::Unacknowledged { tx: id, owner: server.owner });
        }
        if fx.terminated
            && let Some(server) = self.servers.remove(id.0)
        {
            self.by_key.remove(&server.key);
        }
    }

    /// Sends a CANCEL: a transaction of its own under the branch of its INVITE, whose responses nobody waits for.
    fn send_cancel(&mut self, invite: ClientId, cancel: Option<Bytes>, now: Instant) {
        let (Some(bytes), Some(client)) = (cancel, self.clients.get(invite.0)) else { return };
        let hop = client.hop.clone();
        let (mut fx, cx) = (Effects::default(), self.context(hop.transport.is_reliable(), now));
        let machine = ClientMachine::NonInvite(ClientNonInvite::start(bytes, &cx, &mut fx));
        let (branch, owner) = (hop.branch.clone(), client.owner);
        let id = ClientId(self.clients.insert(Client { machine, method: Method::Cancel, hop, owner }));
        self.cancels.insert(branch, id);
        self.carry_out_client(id, fx, None);
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
    }
}

impl Stack {
    /// Whether a failure means that a proxy answers 408 or 503 (RFC 3261 §16.9, §16.6 step 11).
    pub const fn status_of(why: Failure) -> u16 {
        match why {
            Failure::Timeout => 408,
            Failure::Transport => 503,
        }
    }
}
