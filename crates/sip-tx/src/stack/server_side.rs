//! What comes in for server transactions: requests, and the timers of their machines.

use sip::{Method, Name, Request};
use sip_transport::Flow;
use wire::{Instant, Now};

use super::{Server, ServerMachine, Stack};
use crate::effects::{Context, Effects, Timer};
use crate::event::{Event, Incoming, ServerId};
use crate::key::ServerKey;
use crate::server_invite::ServerInvite;
use crate::server_non_invite::ServerNonInvite;

impl Stack {
    pub(super) fn on_request(&mut self, request: Request, flow: Flow, now: Instant) {
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

    pub(super) fn on_known_request(&mut self, id: ServerId, request: Request, flow: Flow, now: Instant) {
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

    pub(super) fn on_new_request(&mut self, key: ServerKey, request: Request, flow: Flow, now: Instant) {
        let is_invite = request.method() == Method::Invite;
        let tx = self.open_server(key, &request, &flow);
        if is_invite && self.options.auto_trying {
            self.respond(tx, 100, request.respond(100, "").finish(), Now { at: now, ..Now::default() });
        }
        self.events.push_back(Event::Request(Box::new(Incoming { tx, request, flow })));
    }

    /// RFC 3261 §9.2: a CANCEL is answered by itself, and has an effect only while its INVITE has no final response.
    pub(super) fn on_cancel(&mut self, key: ServerKey, cancel: Request, flow: Flow, now: Instant) {
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

    pub(super) fn open_server(&mut self, key: ServerKey, request: &Request, flow: &Flow) -> ServerId {
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
    pub(super) fn refuse(&mut self, request: &Request, flow: &Flow) {
        self.stats.refused += 1;
        let answer = request.respond(503, "busy").header(Name::RetryAfter, "5").finish();
        let path = self.transports.return_path(request, flow);
        self.transports.send_response(&path, answer);
    }

    pub(super) fn on_server_timer(&mut self, id: ServerId, timer: Timer, due: Instant, now: Instant) {
        let Some(server) = self.servers.get_mut(id.0) else { return };
        let cx = Context { now, timing: self.options.timing, reliable: server.path.transport().is_reliable() };
        let mut fx = Effects::default();
        match &mut server.machine {
            ServerMachine::Invite(machine) => machine.on_timer(timer, due, &cx, &mut fx),
            ServerMachine::NonInvite(machine) => machine.on_timer(timer, &mut fx),
        }
        self.carry_out_server(id, fx);
    }
}
