//! What comes in for server transactions: requests, and the timers of their machines.

use std::time::Duration;

use sip::{Method, Name, Request};
use sip_transport::Flow;
use wire::{Instant, Now};

use super::machines::{Server, ServerMachine};
use super::{Stack, stateless_tag};
use crate::effects::{Effects, Timer};
use crate::event::{Event, Incoming, ServerId};
use crate::key::{self, Found, ServerKey};
use crate::overload::{Class, wants_oc};
use crate::tombstones::StoneId;

impl Stack {
    pub(super) fn on_request(&mut self, request: Request, flow: Flow, now: Instant) {
        let key = key::of(&request);
        let hash = self.by_key.hash(&key);
        match self.by_key.find(hash, &key) {
            Some(Found::Live(id)) => return self.on_known_request(id, request, flow, now),
            Some(Found::Over(stone)) => return self.answer_again(stone),
            None => {}
        }
        let method = request.method();
        if method == Method::Ack {
            return self.on_unmatched_ack(hash, request, flow);
        }
        let cancelled = (method == Method::Cancel).then(|| self.cancelled_by(&request)).flatten();
        // A CANCEL makes room, and an INVITE has one at most: there is always room for it.
        if cancelled.is_none() && self.has_no_room(&request) {
            return self.refuse_overload(hash, &request, &flow);
        }
        let tx = self.open_server(hash, &key, &request, &flow, now);
        if method == Method::Cancel {
            self.on_cancel(tx, cancelled, request, now);
        } else {
            self.on_new_request(tx, request, flow);
        }
    }

    /// Whether a request is refused for want of time or room. What ends something is served last of all: of the room for
    /// transactions, a tenth is kept for what is inside a dialog and another tenth for what closes one.
    fn has_no_room(&mut self, request: &Request) -> bool {
        let class = Class::of(request);
        let (open, most) = (self.by_key.len(), self.options.max_transactions);
        let bound = match class {
            Class::Closing => most,
            Class::Refresh => most - most / 10,
            Class::New | Class::Background => most - most / 5,
        };
        let (is_full, is_late) = (open >= bound, self.overload.sheds(class));
        self.stats.refused += u64::from(is_full);
        self.stats.shed += u64::from(is_late && !is_full);
        is_full || is_late
    }

    /// The INVITE that a CANCEL is for.
    fn cancelled_by(&self, cancel: &Request) -> Option<ServerId> {
        let key = key::of_cancelled(cancel);
        match self.by_key.find(self.by_key.hash(&key), &key)? {
            Found::Live(id) => Some(id),
            Found::Over(_) => None,
        }
    }

    /// A request came again whose transaction is over: it gets the same response (RFC 3261 §17.2.2, Completed).
    fn answer_again(&mut self, stone: StoneId) {
        self.stats.retransmissions += 1;
        if let Some((path, response)) = self.by_key.response(stone) {
            self.transports.send_response(&path, response);
        }
    }

    fn on_unmatched_ack(&mut self, hash: u64, request: Request, flow: Flow) {
        let to_tag = std::str::from_utf8(request.to_tag()).ok().and_then(|tag| u64::from_str_radix(tag, 16).ok());
        if to_tag == Some(hash) {
            // Of a refusal, of which nothing was kept.
            self.stats.retransmissions += 1;
        } else {
            self.events.push_back(Event::Ack { request: Box::new(request), flow });
        }
    }

    fn on_known_request(&mut self, id: ServerId, request: Request, flow: Flow, now: Instant) {
        let Some((server, cx)) = self.server(id, now) else { return };
        let mut fx = Effects::default();
        if server.machine.on_request(request.method(), &cx, &mut fx) {
            self.events.push_back(Event::Ack { request: Box::new(request), flow });
        } else {
            self.stats.retransmissions += 1;
        }
        self.carry_out_server(id, fx);
    }

    fn on_new_request(&mut self, tx: ServerId, request: Request, flow: Flow) {
        self.events.push_back(Event::Request(Box::new(Incoming { tx, request, flow })));
    }

    /// RFC 3261 §9.2: a CANCEL is answered by itself, and has an effect only while its INVITE has no final response.
    fn on_cancel(&mut self, tx: ServerId, invite: Option<ServerId>, cancel: Request, now: Instant) {
        let status = if invite.is_some() { 200 } else { 481 };
        let tag = self.entropy.tag();
        let answer = cancel.respond(status, &tag).finish();
        self.respond(tx, status, answer, Now { at: now, ..Now::default() });
        if let Some(tx) = invite.filter(|id| self.is_pending(*id)) {
            let owner = self.servers.get(tx.0).and_then(|s| s.owner);
            self.events.push_back(Event::Cancelled { tx, owner, cancel: Box::new(cancel) });
        }
    }

    fn open_server(&mut self, hash: u64, key: &ServerKey, request: &Request, flow: &Flow, now: Instant) -> ServerId {
        let method = request.method();
        self.traffic_in.request(method);
        let machine = ServerMachine::new(method, now);
        let path = self.transports.return_path(request, flow);
        let wants_oc = wants_oc(request);
        let id =
            ServerId(self.servers.insert(Server { machine, method, began: now, hash, path, owner: None, wants_oc }));
        self.by_key.insert(hash, key, id);
        id
    }

    /// Too much is open, or too much waits: answered without keeping anything (RFC 3261 §21.5.4).
    fn refuse_overload(&mut self, hash: u64, request: &Request, flow: &Flow) {
        self.traffic_in.request(request.method());
        self.traffic_in.end(request.method(), Some(503), Duration::ZERO);
        // Drawn, or all who are refused at once would be back at once.
        let after = (1 + self.entropy.below(10)).to_string();
        let answer = request.respond(503, &stateless_tag(hash)).header(Name::RetryAfter, after).finish();
        let answer = if wants_oc(request) { self.overload.tell(&answer, self.utc) } else { answer };
        let path = self.transports.return_path(request, flow);
        self.transports.send_response(&path, answer);
    }

    pub(super) fn on_server_timer(&mut self, id: ServerId, timer: Timer, due: Instant, now: Instant) {
        let Some((server, cx)) = self.server(id, now) else { return };
        let mut fx = Effects::default();
        server.machine.on_timer(timer, due, &cx, &mut fx);
        self.carry_out_server(id, fx);
    }
}
