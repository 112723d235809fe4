//! Connections to relays and AUTH on them (RFC 4976). What is said there is [`Relay`](crate::Relay)'s to decide.

use std::net::SocketAddr;

use bytes::BytesMut;
use sdp::MsrpUri;
use wire::{ConnId, Now, Output, Transport, Verify};

use super::Endpoint;
use crate::SessionId;
use crate::connection::{Connection, Sent};
use crate::frame::Flag;
use crate::head::Head;
use crate::print::{self, TransactionId};

/// What happened on a connection to a relay.
#[derive(Debug)]
pub(crate) enum Heard {
    /// It is up.
    Up,
    /// AUTH was answered.
    Answer(Box<Head>),
    /// AUTH was not answered in time.
    Silence,
    /// It could not be opened, or is gone; not by our wish.
    Gone,
}

impl Endpoint {
    /// Opens a connection to a relay. It stays when no session uses it.
    pub(crate) fn dial(&mut self, conn: ConnId, is_tls: bool, local: SocketAddr, remote: SocketAddr) {
        let mut link = Connection::new(self.options.heads, false, is_tls);
        link.is_to_relay = true;
        self.connections.insert(conn, link);
        let transport = if is_tls { Transport::Tls } else { Transport::Tcp };
        // A relay has no fingerprint that we have been told: somebody must vouch for its address.
        let verify = is_tls.then(|| Verify::Name(remote.ip().to_string().into()));
        self.out.push_back(Output::Connect { conn, transport, local, remote, verify });
        self.check_invariants();
    }

    /// Sends AUTH on it. No `Expires` is asked for: the relay knows what it can grant.
    pub(crate) fn write_auth(
        &mut self,
        conn: ConnId,
        relay: &MsrpUri,
        us: &MsrpUri,
        authorization: Option<&str>,
        now: Now,
    ) {
        let id = TransactionId::draw(&mut self.entropy, b"");
        let mut text = BytesMut::with_capacity(512);
        print::request_line(&mut text, &id, "AUTH");
        print::field(&mut text, "To-Path", relay.as_str());
        print::field(&mut text, "From-Path", us.as_str());
        if let Some(authorization) = authorization {
            print::field(&mut text, "Authorization", authorization);
        }
        print::end_line(&mut text, id.as_bytes(), Flag::Complete);
        self.write_frame(conn, text.freeze(), now);
        self.expect_answer(conn, id, Sent::Auth, 0, now);
        self.settle(conn, now);
        self.check_invariants();
    }

    /// Closes it, for all sessions that use it.
    pub(crate) fn hang_up(&mut self, conn: ConnId, now: Now) {
        self.lose(conn, true, now);
        self.check_invariants();
    }

    /// What happened next on a connection to a relay.
    pub(crate) fn poll_heard(&mut self) -> Option<(ConnId, Heard)> {
        self.heard.pop_front()
    }

    /// Sets the relays that the requests of a session pass, the nearest first: when another path is offered.
    pub fn set_relays(&mut self, session: SessionId, relays: Vec<MsrpUri>) {
        if let Some(known) = self.sessions.get_mut(session.0) {
            known.options.relays = relays;
            self.print_paths(session);
        }
    }
}
