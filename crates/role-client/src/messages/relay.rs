//! The relay that all sessions go through (RFC 4976): the path that it grants, and what becomes of sessions when that changes.

use msrp::{Relay, RelayEvent, Remedy};
use sdp::MsrpUri;
use sip_ua::SessionKey;
use wire::{ConnId, Instant, Now};

use super::Messages;

/// The connections to the relay are numbered apart.
const LANE: u8 = 2;

impl Messages {
    /// All sessions are to go through this relay.
    pub(crate) fn use_relay(&mut self, uri: &MsrpUri) {
        let addr = self.listeners.offered().addr;
        let us =
            MsrpUri::new(self.listeners.offered().is_tls(), addr.ip(), addr.port(), &self.endpoint.draw_session_id());
        self.relay = Relay::new(uri.clone(), us);
        if self.relay.is_none() {
            tracing::error!(%uri, "the MSRP relay must be named by its IP address: it is not used");
        }
    }

    /// Whether sessions have a path that can be offered: always without a relay.
    pub(crate) fn is_reachable(&self) -> bool {
        self.relay.as_ref().is_none_or(|relay| !relay.path().is_empty())
    }

    /// Asks the relay for a path.
    pub(crate) fn start_relay(&mut self) {
        if let Some(relay) = &mut self.relay {
            relay.start();
        }
    }

    /// The relays that stand before us in a description of ours.
    pub(crate) fn relay_path(&self) -> &[MsrpUri] {
        self.relay.as_ref().map_or(&[], Relay::path)
    }

    /// The relays that our requests pass: the same, from our side (RFC 4976 §5.1).
    pub(super) fn way_out(&self) -> Vec<MsrpUri> {
        self.relay_path().iter().rev().cloned().collect()
    }

    /// The next thing that the client has to know or to do about the relay.
    pub(crate) fn next_relay_event(&mut self, now: Now) -> Option<RelayEvent> {
        loop {
            match self.relay.as_mut()?.poll_event()? {
                RelayEvent::Dial => self.dial(now),
                RelayEvent::Granted => {
                    self.move_sessions();
                    return Some(RelayEvent::Granted);
                }
                event @ (RelayEvent::Challenged { .. } | RelayEvent::Refused { .. } | RelayEvent::Lost) => {
                    return Some(event);
                }
            }
        }
    }

    /// What credentials are made for.
    pub(crate) fn relay_uri(&self) -> Option<&MsrpUri> {
        self.relay.as_ref().map(Relay::uri)
    }

    /// Answers a challenge of the relay; `None` when there is no answer.
    pub(crate) fn authorize_relay(&mut self, authorization: Option<&str>, now: Now) {
        let Some(relay) = &mut self.relay else { return };
        match authorization {
            Some(authorization) => relay.authorize(authorization, &mut self.endpoint, now),
            None => relay.refuse(&mut self.endpoint, now),
        }
        self.work(now);
    }

    /// It is up to us to bind the session: we name it to the peer through the relay.
    pub(super) fn join_relay(&mut self, key: SessionKey, now: Now) {
        let conn = self.relay.as_ref().and_then(Relay::connection);
        let Some(line) = self.lines.get(&key) else { return };
        let is_current = line.relays == self.relay_path();
        match conn {
            Some(conn) if is_current => {
                let _joined = self.endpoint.attach(line.link.session(), conn, now);
                self.work(now);
            }
            // What was offered leads nowhere any more.
            Some(_) => self.remedies.push_back((key, Remedy::Offer)),
            None => self.ask(key, |link, endpoint| link.lost(endpoint, now), now),
        }
    }

    /// A new path of a session leaves.
    pub(super) fn renew_relays(&mut self, key: SessionKey) {
        let (way_out, relays) = (self.way_out(), self.relay_path().to_vec());
        if let Some(line) = self.lines.get_mut(&key) {
            self.endpoint.set_relays(line.link.session(), way_out);
            line.relays = relays;
        }
    }

    pub(super) fn relay_timeout(&self) -> Option<Instant> {
        self.relay.as_ref().and_then(Relay::poll_timeout)
    }

    fn dial(&mut self, now: Now) {
        let conn = ConnId::opened_in(LANE, self.opened);
        self.opened += 1;
        if let Some(relay) = &mut self.relay {
            relay.dial(conn, self.listeners.offered().addr, &mut self.endpoint, now);
        }
    }

    /// Sessions whose path is not the one that the relay grants offer theirs anew.
    fn move_sessions(&mut self) {
        let path = self.relay.as_ref().map_or(&[][..], Relay::path);
        let moved = self.lines.iter().filter(|(_, line)| line.link.is_agreed() && line.relays != path);
        self.remedies.extend(moved.map(|(key, _)| (*key, Remedy::Offer)));
    }
}
