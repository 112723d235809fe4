//! What the machines want done, carried out.

use bytes::Bytes;
use sip::{Method, Response};
use wire::Instant;

use super::{Client, ClientMachine, Side, Stack};
use crate::client_non_invite::ClientNonInvite;
use crate::effects::{Context, Effects};
use crate::event::{ClientId, Event, ServerId};

impl Stack {
    pub(super) const fn context(&self, reliable: bool, now: Instant) -> Context {
        Context { now, timing: self.options.timing, reliable }
    }

    pub(super) fn client_context(&self, id: ClientId, now: Instant) -> Option<(Effects, Context)> {
        let reliable = self.clients.get(id.0)?.hop.transport.is_reliable();
        Some((Effects::default(), self.context(reliable, now)))
    }

    pub(super) fn carry_out_client(&mut self, id: ClientId, fx: Effects, response: Option<Response>) {
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

    pub(super) fn carry_out_server(&mut self, id: ServerId, fx: Effects) {
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
    pub(super) fn send_cancel(&mut self, invite: ClientId, cancel: Option<Bytes>, now: Instant) {
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
