//! The ACK of a 2xx, and the 2xx that waits for it (RFC 3261 §13.2.2.4, §13.3.1.4).

use std::time::Duration;

use bytes::Bytes;
use sip::Request;
use sip_tx::{Hop, ServerId};

use super::{Cx, Exchange, Session, State, Timer};
use crate::{Body, Cause, Headers, UaEvent, WrongState};

/// An ACK that was sent: the same one answers every repetition of its 2xx.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(super) cseq: u32,
    pub(super) hop: Hop,
    pub(super) bytes: Bytes,
}

/// A 2xx of ours that has not been acknowledged.
#[derive(Debug)]
pub(crate) struct Unacked {
    tx: ServerId,
    cseq: u32,
    bytes: Bytes,
    interval: Duration,
}

/// ACKs kept for one dialog: that of the INVITE or the last re-INVITE, and the one before it.
const KEPT: usize = 2;

impl Session {
    /// Sends the answer that a 2xx with an offer waits for.
    pub(crate) fn ack(&mut self, headers: &Headers, body: Body, cx: &mut Cx<'_>) -> Result<(), WrongState> {
        let (peer, cseq) = self.owed_ack.take().ok_or(WrongState(self.state))?;
        self.exchange = Exchange::Stable;
        self.local_body = Some(body.clone());
        self.send_ack(peer, cseq, headers, Some(body), cx);
        Ok(())
    }

    pub(super) fn send_ack(&mut self, peer: usize, cseq: u32, headers: &Headers, body: Option<Body>, cx: &mut Cx<'_>) {
        let credentials = self.credentials_of(cseq);
        let peer = &mut self.peers[peer];
        let mut draft = peer.dialog.ack(cseq);
        draft.fields = cx.shared.config.describe(draft.method, draft.fields, headers);
        draft.fields.extend(&credentials);
        draft.body = body;
        // Where the next hop cannot be reached the 2xx comes again, or the peer gives up; nothing else can be done.
        let Some((hop, bytes)) = draft.route(cx.stack, self.pinned.as_ref(), &cx.shared.resolver) else { return };
        cx.stack.send_ack(&hop, bytes.clone());
        peer.acks.reserve_exact(1);
        peer.acks.push(Sent { cseq, hop, bytes });
        if peer.acks.len() > KEPT {
            peer.acks.remove(0);
        }
    }

    /// RFC 3261 §22.1: the ACK carries the credentials of its INVITE.
    fn credentials_of(&self, cseq: u32) -> Headers {
        let caller = self.as_caller().filter(|caller| caller.half.cseq == cseq);
        caller.map(|caller| caller.authorization.clone()).unwrap_or_default()
    }

    /// A 2xx came again; `false` if it has no ACK yet.
    pub(super) fn repeat_ack(&self, peer: usize, cseq: u32, cx: &mut Cx<'_>) -> bool {
        let Some(sent) = self.peers[peer].acks.iter().find(|ack| ack.cseq == cseq) else { return false };
        cx.stack.send_ack(&sent.hop, sent.bytes.clone());
        true
    }

    /// Keeps a 2xx that was just sent until its ACK comes.
    pub(super) fn await_ack(&mut self, tx: ServerId, cseq: u32, bytes: Bytes, cx: &mut Cx<'_>) {
        let interval = cx.stack.timing().t1;
        self.unacked = Some(Unacked { tx, cseq, bytes, interval });
        self.timers.arm(Timer::Repeat, cx.now.at + interval);
        self.timers.arm(Timer::NoAck, cx.after_timeout());
    }

    pub(super) fn stop_waiting_for_ack(&mut self) {
        self.unacked = None;
        self.timers.cancel(Timer::Repeat);
        self.timers.cancel(Timer::NoAck);
    }

    /// RFC 3261 §13.3.1.4: the 2xx is repeated over every transport, since only its ACK shows that it went all the way.
    pub(super) fn repeat_answer(&mut self, cx: &mut Cx<'_>) {
        let Some(unacked) = &mut self.unacked else { return };
        unacked.interval = (unacked.interval * 2).min(cx.stack.timing().t2);
        cx.stack.respond(unacked.tx, 200, unacked.bytes.clone(), cx.now);
        self.timers.arm(Timer::Repeat, cx.now.at + unacked.interval);
    }

    /// RFC 3261 §13.3.1.4, §14.2: confirmed but to be closed.
    pub(super) fn on_no_ack(&mut self, cx: &mut Cx<'_>) {
        match self.state {
            State::AnsweredNoAck | State::Established => self.send_bye_as(Cause::NoAck, &Headers::new(), cx),
            State::PendingBye => self.send_pending_bye(cx),
            State::Calling
            | State::Proceeding
            | State::Early
            | State::Cancelling
            | State::Incoming
            | State::Closing
            | State::Terminated => {}
        }
    }

    /// An ACK came in the dialog.
    pub(crate) fn on_ack(&mut self, request: Box<Request>, cx: &mut Cx<'_>) {
        let is_awaited = self.unacked.as_ref().is_some_and(|u| u.cseq == request.cseq().number);
        if !is_awaited {
            // Repeated, or of a session that closes: of no consequence.
            return;
        }
        self.stop_waiting_for_ack();
        if self.note_remote_body(&request) || self.exchange == Exchange::Offered {
            self.exchange = Exchange::Stable;
        }
        match self.state {
            State::AnsweredNoAck | State::Established => {
                self.state = State::Established;
                cx.tell(UaEvent::Acked { request });
            }
            State::PendingBye => self.send_pending_bye(cx),
            State::Calling
            | State::Proceeding
            | State::Early
            | State::Cancelling
            | State::Incoming
            | State::Closing
            | State::Terminated => {}
        }
    }
}
