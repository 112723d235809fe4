//! What the machines want done, carried out.

use bytes::Bytes;
use sip::{Method, Response};
use wire::Instant;

use super::machines::{Client, ClientMachine, Server};
use super::{Side, Stack};
use crate::client_non_invite::ClientNonInvite;
use crate::effects::{Context, Effects, Timer};
use crate::event::{ClientId, Event, ServerId};

impl Stack {
    pub(super) const fn context(&self, reliable: bool, now: Instant) -> Context {
        Context { now, timing: self.options.timing, reliable }
    }

    /// A client transaction and what its machine must know.
    pub(super) fn client(&mut self, id: ClientId, now: Instant) -> Option<(&mut Client, Context)> {
        let timing = self.options.timing;
        let client = self.clients.get_mut(id.0)?;
        let reliable = client.hop.transport.is_reliable();
        Some((client, Context { now, timing, reliable }))
    }

    /// A server transaction and what its machine must know.
    pub(super) fn server(&mut self, id: ServerId, now: Instant) -> Option<(&mut Server, Context)> {
        let timing = self.options.timing;
        let server = self.servers.get_mut(id.0)?;
        let reliable = server.path.transport().is_reliable();
        Some((server, Context { now, timing, reliable }))
    }

    pub(super) fn carry_out_client(&mut self, id: ClientId, fx: Effects, response: Option<Response>) {
        let Some(client) = self.clients.get_mut(id.0) else { return };
        let status = response.as_ref().map(Response::status).filter(|status| *status >= 200);
        if (status.is_some() || fx.failed.is_some()) && !client.is_counted {
            client.is_counted = true;
            self.traffic_out.end(client.method, status, self.at.saturating_since(client.began));
        }
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
        if fx.terminated {
            self.watch(id, None);
            if let Some(client) = self.clients.remove(id.0).filter(|client| client.method == Method::Cancel) {
                self.cancels.remove(&client.hop.branch);
            }
        }
    }

    pub(super) fn carry_out_server(&mut self, id: ServerId, fx: Effects) {
        let Some(server) = self.servers.get(id.0) else { return };
        for bytes in fx.send {
            let bytes = if server.wants_oc { self.overload.tell(&bytes, self.utc) } else { bytes };
            self.transports.send_response(&server.path, bytes);
        }
        let mut over = None;
        for (timer, at) in fx.arm {
            if timer == Timer::J {
                over = Some(at);
            } else {
                self.timers.arm((Side::Server, id.0, timer), at);
            }
        }
        self.stats.suppressed += u64::from(fx.suppressed);
        if fx.unacknowledged {
            self.events.push_back(Event::Unacknowledged { tx: id, owner: server.owner });
        }
        if fx.terminated
            && let Some(server) = self.servers.remove(id.0)
        {
            self.by_key.remove(server.hash, id);
        }
        // Timer J runs: the request may come again, and nothing else can happen. For that a tombstone is enough.
        if let Some((at, server)) = over.and_then(|at| Some((at, self.servers.remove(id.0)?))) {
            let response = server.machine.response().cloned().unwrap_or_default();
            self.by_key.entomb(server.hash, id, server.path, &response, at);
        }
    }

    /// Sends a CANCEL: a transaction of its own under the branch of its INVITE, whose responses nobody waits for.
    pub(super) fn send_cancel(&mut self, invite: ClientId, cancel: Option<Bytes>, now: Instant) {
        let (Some(bytes), Some(client)) = (cancel, self.clients.get(invite.0)) else { return };
        let hop = client.hop.clone();
        let (mut fx, cx) = (Effects::default(), self.context(hop.transport.is_reliable(), now));
        let machine = ClientMachine::NonInvite(ClientNonInvite::start(bytes, &cx, &mut fx));
        let (branch, conn, owner) = (hop.branch.clone(), hop.conn, client.owner);
        let id = ClientId(self.clients.insert(Client {
            machine,
            method: Method::Cancel,
            began: now,
            hop,
            owner,
            is_counted: false,
        }));
        self.traffic_out.request(Method::Cancel);
        self.cancels.insert(branch, id);
        self.watch(id, conn);
        self.carry_out_client(id, fx, None);
    }
}
