//! What comes in for client transactions: responses, broken connections, and the timers of their machines.

use bytes::Bytes;
use sip::{Method, Name, Response};
use sip_transport::Hop;
use wire::{ConnId, Instant, Key};

use super::Stack;
use super::machines::Client;
use crate::effects::{Effects, Timer};
use crate::event::ClientId;
use crate::key;

impl Stack {
    pub(super) fn on_response(&mut self, response: Response, now: Instant) {
        let via = response.via();
        let method = response.cseq().method;
        // RFC 3261 §17.1.3: the CANCEL shares the branch of its INVITE, CSeq tells them apart.
        let id = if method == Method::Cancel {
            std::str::from_utf8(via.branch).ok().and_then(|branch| self.cancels.get(branch).copied())
        } else {
            key::client_of(via.branch)
        };
        let is_its = |c: &&Client| c.owner.is_some() && c.method == method && c.hop.branch.as_bytes() == via.branch;
        let Some(id) = id.filter(|id| self.clients.get(id.0).filter(is_its).is_some()) else {
            self.stats.stray_responses += 1;
            return;
        };
        if self.options.offers_overload_control
            && let Some(client) = self.clients.get(id.0)
        {
            self.neighbours.listen(&response, client.hop.remote, now);
        }
        let Some((client, cx)) = self.client(id, now) else { return };
        let mut fx = Effects::default();
        let cancel = client.machine.on_response(&response, &cx, &mut fx);
        client.machine.forget_request();
        self.carry_out_client(id, fx, Some(response));
        self.send_cancel(id, cancel, now);
    }

    /// A connection ended: every transaction that waits on it goes another way or fails, at once.
    pub(super) fn on_connection_failed(&mut self, conn: ConnId, was_up: bool, now: Instant) {
        let all = (conn, Key::from_bits(0))..=(conn, Key::from_bits(u64::MAX));
        let waiting: Vec<ClientId> = self.on_conn.range(all).map(|(_, key)| ClientId(*key)).collect();
        for id in waiting {
            match self.other_way(id, was_up) {
                Some((hop, bytes)) => self.resend(id, hop, bytes, now),
                None => self.fail(id),
            }
        }
    }

    /// How a request whose connection ended goes instead, while nothing has been heard of it.
    fn other_way(&mut self, id: ClientId, was_up: bool) -> Option<(Hop, Bytes)> {
        let client = self.clients.get(id.0)?;
        let sent = client.machine.unanswered()?;
        // RFC 3261 §18.4 leaves it to the element: a connection that was reused may have been dead all along, so the
        // request goes once more on a fresh one. The branch is the same, so a peer that did get it notices.
        if let Some(hop) = self.transports.reopened(&client.hop) {
            return Some((hop, sent.clone()));
        }
        // RFC 3261 §18.1.1: a request that went to TCP for its size and was refused there goes by UDP after all.
        let hop = self.transports.udp_instead(&client.hop).filter(|_| !was_up)?;
        let request = key::own_request(sent)?;
        let bytes = request.edit().replace_top(Name::Via, hop.via()).finish();
        Some((hop, bytes))
    }

    fn resend(&mut self, id: ClientId, hop: Hop, bytes: Bytes, now: Instant) {
        self.watch(id, hop.conn);
        if let Some(client) = self.clients.get_mut(id.0) {
            client.hop = hop;
        }
        let Some((client, cx)) = self.client(id, now) else { return };
        let mut fx = Effects::default();
        client.machine.resend_as(bytes, &cx, &mut fx);
        self.carry_out_client(id, fx, None);
    }

    pub(super) fn fail(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(id.0) else { return };
        let mut fx = Effects::default();
        client.machine.on_transport_error(&mut fx);
        self.carry_out_client(id, fx, None);
    }

    /// Notes the connection on which a transaction waits, in place of the one noted before.
    pub(super) fn watch(&mut self, id: ClientId, conn: Option<ConnId>) {
        if let Some(old) = self.clients.get(id.0).and_then(|client| client.hop.conn) {
            self.on_conn.remove(&(old, id.0));
        }
        if let Some(conn) = conn {
            self.on_conn.insert((conn, id.0));
        }
    }

    pub(super) fn on_client_timer(&mut self, id: ClientId, timer: Timer, due: Instant, now: Instant) {
        let Some((client, cx)) = self.client(id, now) else { return };
        let mut fx = Effects::default();
        client.machine.on_timer(timer, due, &cx, &mut fx);
        self.carry_out_client(id, fx, None);
    }
}
