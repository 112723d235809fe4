//! The ends of things: of a session, in order or not, and of a connection.

use std::time::Duration;

use wire::{ConnId, Now, Output};

use super::{Endpoint, Heard};
use crate::{Event, Failure, IncomingId, Incomplete, SessionId, Status};

impl Endpoint {
    /// Begins to close a session: nothing new is taken or sent, what is under way may end within `bound`. Then what has not
    /// ended fails, and [`Event::Drained`] says that the session may be removed.
    pub fn drain(&mut self, session: SessionId, bound: Duration, now: Now) {
        let Some(known) = self.sessions.get_mut(session.0).filter(|known| !known.is_draining()) else { return };
        known.drain_by = Some(now.at + bound);
        self.check_drained(session);
        self.arm_session(session);
        self.check_invariants();
    }

    /// Closes a session at once. What is under way fails, and its connection is closed unless another session uses it.
    pub fn remove(&mut self, session: SessionId, now: Now) {
        let Some(known) = self.sessions.get_mut(session.0) else { return };
        known.is_drained = true;
        known.drain_by = None;
        self.end_messages(session, now);
        self.leave_connection(session, now);
        if let Some(known) = self.sessions.remove(session.0)
            && let Some(id) = known.options.local.session_id()
        {
            self.by_id.remove(id);
        }
        self.check_invariants();
    }

    /// Fails the messages that wait for a connection, because there will be none.
    pub fn fail_waiting(&mut self, session: SessionId, now: Now) {
        let Some(known) = self.sessions.get(session.0).filter(|known| !known.is_bound) else { return };
        for id in known.outgoing.clone() {
            self.fail_by_end(id, now);
        }
        self.check_invariants();
    }

    /// The time to drain is over.
    pub(super) fn end_drain(&mut self, session: SessionId, now: Now) {
        self.end_messages(session, now);
        self.check_drained(session);
    }

    pub(super) fn check_drained(&mut self, session: SessionId) {
        if let Some(known) = self.sessions.get_mut(session.0)
            && known.drain_by.is_some()
            && known.is_idle()
        {
            known.drain_by = None;
            known.is_drained = true;
            self.events.push_back(Event::Drained { session });
        }
    }

    /// A connection ended, or ends by our decision. Incoming messages wait a while: their sender may come back.
    pub(super) fn lose(&mut self, conn: ConnId, ours: bool, now: Now) {
        let Some(link) = self.connections.remove(&conn) else { return };
        if link.bind_by.is_some() {
            self.unbound -= 1;
        }
        if ours {
            self.out.push_back(Output::Close { conn });
        }
        if link.is_to_relay {
            self.heard.push_back((conn, Heard::Gone));
        }
        for session in link.sessions {
            self.on_disconnected(session, None, now);
        }
    }

    /// The peer does not know the session on this connection.
    pub(super) fn unbind(&mut self, session: SessionId, refused: Option<Status>, now: Now) {
        let Some(known) = self.sessions.get(session.0) else { return };
        let Some(conn) = known.conn else { return };
        // What was begun here is aborted here, not on the connection that comes next.
        for id in known.outgoing.clone() {
            if self.outgoing.get(id.0).is_some_and(|message| message.has_begun()) {
                self.fail_by_end(id, now);
            }
        }
        self.detach(session, conn);
        self.on_disconnected(session, refused, now);
        self.close_if_unused(conn);
    }

    /// Takes a session off its connection without a word.
    pub(super) fn leave_connection(&mut self, session: SessionId, now: Now) {
        let Some(conn) = self.sessions.get(session.0).and_then(|known| known.conn) else { return };
        let outgoing = self.sessions.get(session.0).map(|known| known.outgoing.clone()).unwrap_or_default();
        for id in outgoing {
            if self.outgoing.get(id.0).is_some_and(|message| message.has_begun() || message.unanswered > 0) {
                self.abort(id, now);
            } else if let Some(message) = self.outgoing.get_mut(id.0) {
                message.is_ready = false;
            }
        }
        self.detach(session, conn);
        if let Some(known) = self.sessions.get_mut(session.0) {
            known.conn = None;
            known.is_bound = false;
        }
        self.close_if_unused(conn);
        self.settle(conn, now);
    }

    pub(super) fn forget_incoming(&mut self, id: IncomingId) {
        if let Some(message) = self.incoming.remove(id.0)
            && let Some(known) = self.sessions.get_mut(message.session.0)
        {
            known.incoming.remove(&message.id);
        }
    }

    fn detach(&mut self, session: SessionId, conn: ConnId) {
        let Some(link) = self.connections.get_mut(&conn) else { return };
        link.sessions.retain(|other| *other != session);
        link.route = None;
        let outgoing = &self.outgoing;
        link.ready.retain(|id| outgoing.get(id.0).is_some_and(|message| message.session != session));
    }

    fn close_if_unused(&mut self, conn: ConnId) {
        if self.connections.get(&conn).is_some_and(|link| link.sessions.is_empty() && !link.is_to_relay) {
            self.connections.remove(&conn);
            self.out.push_back(Output::Close { conn });
        }
    }

    fn on_disconnected(&mut self, session: SessionId, refused: Option<Status>, now: Now) {
        let Some(known) = self.sessions.get_mut(session.0) else { return };
        known.conn = None;
        known.is_bound = false;
        let (outgoing, incoming) = (known.outgoing.clone(), known.incoming.values().copied().collect::<Vec<_>>());
        for id in incoming {
            // An answer belongs to the connection of its request.
            if let Some(message) = self.incoming.get_mut(id.0) {
                message.pending = None;
            }
        }
        for id in outgoing {
            match self.outgoing.get_mut(id.0) {
                Some(message) if !message.has_begun() => message.is_ready = false,
                Some(_) | None => self.fail_by_end(id, now),
            }
        }
        self.events.push_back(Event::Disconnected { session, refused });
    }

    fn end_messages(&mut self, session: SessionId, now: Now) {
        let Some(known) = self.sessions.get(session.0) else { return };
        let (outgoing, incoming) = (known.outgoing.clone(), known.incoming.values().copied().collect::<Vec<_>>());
        for id in outgoing {
            self.fail_by_end(id, now);
        }
        for id in incoming {
            self.forget_incoming(id);
            self.events.push_back(Event::Incomplete { session, incoming: id, why: Incomplete::Closed });
        }
    }

    fn fail_by_end(&mut self, id: crate::OutgoingId, now: Now) {
        let is_written = self.outgoing.get(id.0).is_some_and(|message| message.is_written);
        self.fail(id, if is_written { Failure::Unknown } else { Failure::Unsent }, now);
    }
}
