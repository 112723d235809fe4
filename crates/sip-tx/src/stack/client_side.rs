//! What comes in for client transactions: responses, broken connections, and the timers of their machines.

use sip::{Message, Method, Name, Response};
use wire::{ConnId, Instant};

use super::{Client, ClientMachine, Stack};
use crate::effects::{Context, Effects, Timer};
use crate::event::ClientId;
use crate::key;

impl Stack {
    pub(super) fn on_response(&mut self, response: Response, now: Instant) {
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

    pub(super) fn on_connection_failed(&mut self, conn: ConnId, now: Instant) {
        let hit: Vec<ClientId> =
            self.clients.iter().filter(|(_, c)| c.hop.conn == Some(conn)).map(|(key, _)| ClientId(key)).collect();
        for id in hit {
            if !self.retry_by_udp(id, now) {
                self.fail(id);
            }
        }
    }

    /// RFC 3261 §18.1.1: a request that went to TCP for its size and was refused there goes by UDP after all.
    pub(super) fn retry_by_udp(&mut self, id: ClientId, now: Instant) -> bool {
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

    pub(super) fn fail(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(id.0) else { return };
        let mut fx = Effects::default();
        match &mut client.machine {
            ClientMachine::Invite(machine) => machine.on_transport_error(&mut fx),
            ClientMachine::NonInvite(machine) => machine.on_transport_error(&mut fx),
            ClientMachine::Reserved => {}
        }
        self.carry_out_client(id, fx, None);
    }

    pub(super) fn on_client_timer(&mut self, id: ClientId, timer: Timer, due: Instant, now: Instant) {
        let Some((mut fx, cx)) = self.client_context(id, now) else { return };
        let Some(client) = self.clients.get_mut(id.0) else { return };
        match &mut client.machine {
            ClientMachine::Invite(machine) => machine.on_timer(timer, due, &cx, &mut fx),
            ClientMachine::NonInvite(machine) => machine.on_timer(timer, due, &cx, &mut fx),
            ClientMachine::Reserved => {}
        }
        self.carry_out_client(id, fx, None);
    }
}
