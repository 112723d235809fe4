//! Whether the peer on a connection is the one that a session is with.

use sdp::MsrpMedia;
use wire::{ConnId, Now};

use super::Endpoint;
use crate::SessionId;

impl Endpoint {
    /// Sets where requests go and who must be there: when the peer's description comes, or a new one. Who has connected over
    /// TLS before, and is somebody else, is sent away.
    pub fn set_peer(&mut self, session: SessionId, media: &MsrpMedia, now: Now) {
        self.set_remote(session, media.path.clone());
        let Some(known) = self.sessions.get_mut(session.0) else { return };
        known.wanted = crate::wanted(media);
        let (conn, is_bound) = (known.conn, known.is_bound);
        let Some(conn) = conn else { return };
        match self.is_wanted(session, conn) {
            Some(false) => self.send_away(session, conn, now),
            Some(true) if !is_bound && conn.is_accepted() => self.bind(session),
            Some(true) | None => {}
        }
        self.process(conn, now);
        self.settle(conn, now);
        self.check_invariants();
    }

    /// Connections that were refused because somebody else than the peer of the session was there.
    pub const fn refused_peers(&self) -> u64 {
        self.refused_peers
    }

    /// Whether the peer on a connection is the one of a session. `None`: it cannot be told before its description comes, which
    /// may be slower than the peer itself; nothing that it says is read until then.
    pub(super) fn is_wanted(&self, session: SessionId, conn: ConnId) -> Option<bool> {
        let (known, link) = (self.sessions.get(session.0)?, self.connections.get(&conn)?);
        if !link.is_tls {
            return Some(true);
        }
        let wanted = known.wanted.as_ref()?;
        Some(link.peer.as_ref().is_some_and(|peer| wanted.accepts(peer)))
    }

    /// Closes a connection on which somebody else than the peer of a session named it. The session lives.
    pub(super) fn send_away(&mut self, session: SessionId, conn: ConnId, now: Now) {
        tracing::warn!(?session, "the certificate of an MSRP peer is not the one of its description");
        self.refused_peers += 1;
        self.lose(conn, true, now);
    }
}
