//! What time does: nothing else here knows a deadline from the inside.

use wire::{ConnId, Instant, Now};

use super::{Endpoint, Heard};
use crate::connection::{Sent, Transaction};
use crate::{Event, Failure, Incomplete, OutgoingId, SessionId};

/// Whose deadline an entry of the queue is. What is due is read from the owner.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Timer {
    /// Binding, a head, answers, keep-alive.
    Connection(ConnId),
    /// Incomplete messages, the end of draining.
    Session(SessionId),
}

impl Endpoint {
    /// Takes the passing of time: everything due at `now` happens.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some((due, timer)) = self.timers.pop_due(now.at) {
            match timer {
                Timer::Connection(conn) => self.on_connection_due(conn, due, now),
                Timer::Session(session) => self.on_session_due(session, due, now),
            }
        }
        self.check_invariants();
    }

    pub(super) fn arm_connection(&mut self, conn: ConnId) {
        let Some(link) = self.connections.get_mut(&conn) else { return };
        if let Some(at) = link.deadline()
            && link.armed.is_none_or(|armed| at < armed)
        {
            link.armed = Some(at);
            self.timers.arm(Timer::Connection(conn), at);
        }
    }

    pub(super) fn arm_session(&mut self, session: SessionId) {
        let Some(known) = self.sessions.get(session.0) else { return };
        // A message that begins is never the next to grow old: what is armed comes up first, and looks again.
        if known.armed.is_some() && known.drain_by.is_none() {
            return;
        }
        let touched = known.incoming.values().filter_map(|id| self.incoming.get(id.0)).map(|message| message.touched);
        let stale = touched.min().map(|at| at + self.options.message_timeout);
        let at = [stale, known.drain_by].into_iter().flatten().min();
        if let Some(at) = at
            && let Some(known) = self.sessions.get_mut(session.0)
            && known.armed.is_none_or(|armed| at < armed)
        {
            known.armed = Some(at);
            self.timers.arm(Timer::Session(session), at);
        }
    }

    fn on_connection_due(&mut self, conn: ConnId, due: Instant, now: Now) {
        let Some(link) = self.connections.get_mut(&conn) else { return };
        if link.armed == Some(due) {
            link.armed = None;
        }
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now.at);
        if is_due(link.bind_by) {
            let source = link.source;
            self.strangers.note(|refusals| &mut refusals.unbound, source, "a connection without a session", now.at);
            return self.lose(conn, true, now);
        }
        if is_due(link.head_by) {
            self.lose(conn, true, now);
            return;
        }
        if is_due(link.keep_alive_at) {
            link.keep_alive_at = None;
            if let Some(session) = link.sessions.first().copied() {
                self.write_empty(conn, session, Sent::KeepAlive, now);
            }
        }
        while let Some(transaction) = self.take_due_transaction(conn, now.at) {
            // A chunk that is answered only with an error may well be answered by nobody, and some clients answer no greeting.
            let wants_answer = !matches!(transaction.what, Sent::Quiet(..) | Sent::Bind(_));
            self.traffic.unanswered += u64::from(wants_answer);
            match transaction.what {
                Sent::Chunk(outgoing) => self.on_silence(conn, outgoing, now),
                // The peer is gone: the connection does not carry anything any more.
                Sent::KeepAlive => self.lose(conn, true, now),
                Sent::Auth => self.heard.push_back((conn, Heard::Silence)),
                // There are clients that never answer a bodiless SEND.
                Sent::Quiet(..) | Sent::Bind(_) => {}
            }
        }
        self.settle(conn, now);
    }

    /// A chunk had no answer, so its message has failed. When two messages in a row fail like that, nobody listens at the
    /// other end any more, although the connection stands.
    fn on_silence(&mut self, conn: ConnId, outgoing: OutgoingId, now: Now) {
        // Another chunk may have failed it already.
        if self.outgoing.get(outgoing.0).is_none() {
            return;
        }
        self.fail(outgoing, Failure::Timeout, now);
        let Some(link) = self.connections.get_mut(&conn) else { return };
        link.silences += 1;
        if link.silences > 1 {
            self.lose(conn, true, now);
        }
    }

    /// The oldest transaction without an answer, unless answers are not being read.
    fn take_due_transaction(&mut self, conn: ConnId, at: Instant) -> Option<Transaction> {
        let link = self.connections.get(&conn)?;
        if self.is_stopped(link) {
            let later = at + self.options.transaction_timeout;
            let transactions = &mut self.connections.get_mut(&conn)?.transactions;
            transactions
                .iter_mut()
                .filter(|transaction| transaction.deadline.is_some())
                .for_each(|t| t.deadline = Some(later));
            return None;
        }
        self.connections.get_mut(&conn)?.take_due_transaction(at)
    }

    fn on_session_due(&mut self, session: SessionId, due: Instant, now: Now) {
        let Some(known) = self.sessions.get_mut(session.0) else { return };
        if known.armed == Some(due) {
            known.armed = None;
        }
        if known.drain_by.is_some_and(|at| at <= now.at) {
            self.end_drain(session, now);
            return;
        }
        for id in known.incoming.values().copied().collect::<Vec<_>>() {
            let is_stale = |touched: Instant| touched + self.options.message_timeout <= now.at;
            if self.incoming.get(id.0).is_some_and(|message| is_stale(message.touched)) {
                self.forget_incoming(id);
                self.events.push_back(Event::Incomplete { session, incoming: id, why: Incomplete::Timeout });
            }
        }
        self.check_drained(session);
        self.arm_session(session);
    }
}
