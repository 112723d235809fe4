//! The callee's responses to the INVITE (RFC 3261 §13.3).

use std::time::Duration;

use bytes::Bytes;
use sip::Request;
use sip_tx::ServerId;

use super::{Cx, Exchange, Peer, Session, Side, State, Timer};
use crate::config::{Intervals, Parts};
use crate::{Body, Cause, Dialog, Headers, Reject, WrongState};

/// RFC 3261 §13.3.1.1: proxies give up on an INVITE that has been silent for three minutes.
const PROGRESS: Duration = Duration::from_secs(60);

/// What only the callee has.
#[derive(Debug)]
pub(crate) struct Callee {
    pub(crate) tx: ServerId,
    /// The last provisional response, with its status.
    progress: Option<(u16, Bytes)>,
}

impl Session {
    /// The callee's end of an INVITE that makes `dialog`.
    pub(crate) fn callee(
        tx: ServerId,
        request: Request,
        dialog: Dialog,
        contact: Bytes,
        intervals: Intervals,
    ) -> Session {
        let side = Side::Callee(Callee { tx, progress: None });
        let mut session = Session::new(side, State::Incoming, request, contact, intervals);
        session.peers.push(Peer::new(dialog));
        session.chosen = Some(0);
        if let Some(body) = Body::of(&session.request).filter(Body::is_sdp) {
            session.remote_body = Some(body);
            session.exchange = Exchange::MustAnswer;
        }
        session
    }

    const fn as_callee_mut(&mut self) -> Option<&mut Callee> {
        match &mut self.side {
            Side::Callee(callee) => Some(callee),
            Side::Caller(_) | Side::Resumed => None,
        }
    }

    /// The transaction of the INVITE, while it waits for our final response.
    pub(super) fn ringing(&self) -> Option<ServerId> {
        match (&self.side, self.state) {
            (Side::Callee(callee), State::Incoming | State::Early) => Some(callee.tx),
            (Side::Callee(_) | Side::Caller(_) | Side::Resumed, _) => None,
        }
    }

    fn respond_to_invite(&self, status: u16, headers: &Headers, body: Option<&Body>, cx: &Cx<'_>) -> Bytes {
        let tag = self.peers.first().map_or(&b""[..], |peer| &peer.dialog.id().local_tag);
        let parts = Parts { contact: Some(&self.contact), headers, body };
        cx.shared.config.response(&self.request, status, tag, &parts)
    }

    /// Sends a provisional response (101 to 199).
    pub(crate) fn progress(
        &mut self,
        status: u16,
        headers: &Headers,
        body: Option<&Body>,
        cx: &mut Cx<'_>,
    ) -> Result<(), WrongState> {
        let tx = self.ringing().filter(|_| (101..200).contains(&status)).ok_or(WrongState(self.state))?;
        let bytes = self.respond_to_invite(status, headers, body, cx);
        cx.stack.respond(tx, status, bytes.clone(), cx.now);
        self.state = State::Early;
        if let Some(callee) = self.as_callee_mut() {
            callee.progress = Some((status, bytes));
        }
        self.timers.arm(Timer::Progress, cx.now.at + PROGRESS);
        Ok(())
    }

    pub(super) fn repeat_progress(&mut self, cx: &mut Cx<'_>) {
        let Some(tx) = self.ringing() else { return };
        let Some((status, bytes)) = self.as_callee_mut().and_then(|callee| callee.progress.clone()) else { return };
        cx.stack.respond(tx, status, bytes, cx.now);
        self.timers.arm(Timer::Progress, cx.now.at + PROGRESS);
    }

    /// Answers 200, and repeats it until the ACK comes.
    pub(crate) fn accept(&mut self, headers: &Headers, body: Option<Body>, cx: &mut Cx<'_>) -> Result<(), WrongState> {
        let tx = self.ringing().ok_or(WrongState(self.state))?;
        let mut headers = headers.clone();
        headers.extend(&self.agree_as_uas(&self.request.clone(), cx));
        let bytes = self.respond_to_invite(200, &headers, body.as_ref(), cx);
        cx.stack.respond(tx, 200, bytes.clone(), cx.now);
        self.timers.cancel(Timer::Progress);
        self.state = State::AnsweredNoAck;
        if body.as_ref().is_some_and(Body::is_sdp) {
            self.exchange = self.exchange.sent();
            self.local_body = body;
        }
        self.await_ack(tx, self.request.cseq().number, bytes, cx);
        Ok(())
    }

    /// Answers 300 to 699; there will be no session.
    pub(crate) fn reject(&mut self, reject: &Reject, cx: &mut Cx<'_>) -> Result<(), WrongState> {
        let tx = self.ringing().filter(|_| (300..700).contains(&reject.status)).ok_or(WrongState(self.state))?;
        self.refuse(tx, reject, cx);
        self.terminate(Cause::Refused(reject.status), cx);
        Ok(())
    }

    /// Sends the final response to the INVITE, without ending the session.
    pub(super) fn refuse(&self, tx: ServerId, reject: &Reject, cx: &mut Cx<'_>) {
        let bytes = self.respond_to_invite(reject.status, &reject.headers, None, cx);
        cx.stack.respond(tx, reject.status, bytes, cx.now);
    }
}
