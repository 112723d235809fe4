//! Messages: sent, and what became of them.

use bytes::{BufMut, Bytes, BytesMut};
use msrp::{Event, FailureReport, Outline};
use wire::{Instant, Key, Now};

use super::pair::State;
use super::{Caller, Phase};
use crate::Messages;
use crate::stamp::Stamp;

/// Every message has one of these; what it is does not matter to who relays it.
const MIME: &[u8] = b"Content-Type: message/cpim\r\n";
const CPIM: &[u8] = b"From: <sip:a@load.test>\r\nTo: <sip:b@load.test>\r\n\r\nContent-Type: text/plain\r\n\r\n";

/// A CPIM message of this size; all messages of a run share its memory.
pub(super) fn body(size: usize) -> Bytes {
    let mut body = BytesMut::with_capacity(size);
    body.extend_from_slice(&CPIM[..CPIM.len().min(size)]);
    body.put_bytes(b'x', size - body.len());
    body.freeze()
}

impl Caller {
    /// Sends a message that was due at `due` in the session whose turn it is.
    pub(super) fn send_next(&mut self, due: Instant, now: Now) {
        self.turn = (self.turn + 1) % self.up.len();
        self.send(self.up[self.turn], due, now);
    }

    /// Sends as many as the window of a session has room for.
    pub(super) fn fill(&mut self, key: Key, now: Now) {
        let Messages::Window(window) = self.plan.messages else { return };
        let in_flight = self.pairs.get(key).map_or(window, |pair| pair.in_flight);
        for _ in in_flight..window {
            self.send(key, now.at, now);
        }
    }

    fn send(&mut self, key: Key, due: Instant, now: Now) {
        if self.in_flight >= self.plan.most_in_flight() {
            return self.tally.error("message: too many under way");
        }
        let Some(pair) = self.pairs.get_mut(key) else { return };
        pair.number += 1;
        let outline = Outline {
            message_id: Stamp { due, number: pair.number }.message_id(),
            mime: Bytes::from_static(MIME),
            total: None,
            success_report: false,
            failure_report: FailureReport::Yes,
        };
        self.tally.record(&mut self.lateness, due, now);
        match self.end.endpoint.send(pair.msrp, outline, self.body.clone(), now) {
            Ok(_) => {
                pair.in_flight += 1;
                self.in_flight += 1;
                self.counts.sent += 1;
            }
            Err(error) => self.tally.error(format!("message: {error}")),
        }
    }

    pub(super) fn on_message(&mut self, event: Event, now: Now) {
        let Some(key) = self.by_msrp.get(&event.session()).copied() else { return };
        match event {
            Event::Bound { .. } => self.on_bound(key, now),
            Event::Sent { message_id, .. } => {
                self.counts.acknowledged += 1;
                if let Some(stamp) = Stamp::of(&message_id) {
                    self.tally.record(&mut self.answer, stamp.due, now);
                }
                self.on_answer(key, now);
            }
            Event::Failed { why, .. } => {
                self.tally.error(format!("message: {why:?}"));
                self.on_answer(key, now);
            }
            Event::Disconnected { refused, .. } => self.on_disconnected(key, refused),
            Event::Report { .. }
            | Event::Started { .. }
            | Event::Piece { .. }
            | Event::Complete { .. }
            | Event::Incomplete { .. }
            | Event::WantsMore { .. }
            | Event::Drained { .. } => {}
        }
    }

    /// A message is no longer under way.
    fn on_answer(&mut self, key: Key, now: Now) {
        let Some(pair) = self.pairs.get_mut(key) else { return };
        pair.in_flight -= 1;
        self.in_flight -= 1;
        if pair.state == State::Up
            && let Phase::Running { to, .. } = self.phase
            && now.at < to
        {
            self.fill(key, now);
        } else {
            self.check_left(key, now);
        }
    }

    /// The connection of a session is gone, though nobody closed the session.
    fn on_disconnected(&mut self, key: Key, refused: Option<msrp::Status>) {
        let Some(pair) = self.pairs.get(key) else { return };
        if pair.state == State::Up {
            self.tally.error(match refused {
                Some(status) => format!("MSRP connection refused: {status}"),
                None => "MSRP connection lost".to_owned(),
            });
        }
    }
}
