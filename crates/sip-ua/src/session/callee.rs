//! The callee's responses to the INVITE (RFC 3261 §13.3).

use std::time::Duration;

use bytes::Bytes;
use sip::Request;
use sip_tx::ServerId;

use super::{Cx, Exchange, Session, Side, State, Timer, description};
use crate::config::{Intervals, Parts};
use crate::{Body, Cause, Dialog, DialogId, Headers, Reject, WrongState};

/// RFC 3261 §13.3.1.1: proxies give up on an INVITE that has been silent for three minutes.
const PROGRESS: Duration = Duration::from_secs(60);

/// What only the callee has.
#[derive(Debug)]
pub(crate) struct Callee {
    pub(crate) tx: ServerId,
    /// The INVITE, until it has its final response.
    request: Option<Box<Request>>,
    pub(super) cseq: u32,
    /// The last provisional response, with its status.
    progress: Option<(u16, Bytes)>,
}

impl Callee {
    /// The callee's end of an INVITE whose session is over.
    pub(super) const fn buried(tx: ServerId, cseq: u32) -> Callee {
        Callee { tx, request: None, cseq, progress: None }
    }

    /// The INVITE has its final response: it is not looked at again.
    pub(super) fn answered(&mut self) {
        (self.request, self.progress) = (None, None);
    }
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
        let remote_body = description(&request);
        let exchange = if remote_body.is_some() { Exchange::MustAnswer } else { Exchange::Stable };
        // It may ring for minutes, and what it came in is the memory of many messages.
        let (cseq, request) = (request.cseq().number, Some(Box::new(request.detached())));
        let side = Side::Callee(Callee { tx, request, cseq, progress: None });
        let mut session = Session {
            remote_body,
            exchange,
            chosen: Some(0),
            ..Session::new(side, State::Incoming, contact, intervals)
        };
        session.add_peer(dialog);
        session
    }

    /// The dialog and the sequence number of the INVITE that we received.
    pub(crate) fn invited_in(&self) -> Option<(&DialogId, u32)> {
        let Side::Callee(callee) = &self.side else { return None };
        self.dialog_ids().next().map(|id| (id, callee.cseq))
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

    fn response_to(&self, invite: &Request, status: u16, headers: &Headers, body: Option<&Body>, cx: &Cx<'_>) -> Bytes {
        let tag = self.peers.first().map_or(&b""[..], |peer| &peer.dialog.id().local_tag);
        let parts = Parts { contact: Some(&self.contact), headers, body };
        cx.shared.config.response(invite, status, tag, &parts)
    }

    /// The INVITE, for its final response: there is no other one.
    fn take_invite(&mut self) -> Result<(ServerId, Box<Request>), WrongState> {
        let tx = self.ringing().ok_or(WrongState(self.state))?;
        let request = self.as_callee_mut().and_then(|callee| callee.request.take());
        Ok((tx, request.ok_or(WrongState(self.state))?))
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
        let Side::Callee(Callee { request: Some(request), .. }) = &self.side else { return Ok(()) };
        let bytes = self.response_to(request, status, headers, body, cx);
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
        let (tx, invite) = self.take_invite()?;
        let mut headers = headers.clone();
        headers.extend(&self.agree_as_uas(&invite, cx));
        let bytes = self.response_to(&invite, 200, &headers, body.as_ref(), cx);
        cx.stack.respond(tx, 200, bytes.clone(), cx.now);
        self.timers.cancel(Timer::Progress);
        self.state = State::AnsweredNoAck;
        if body.as_ref().is_some_and(Body::is_sdp) {
            self.exchange = self.exchange.sent();
            self.local_body = body;
        }
        self.await_ack(tx, invite.cseq().number, bytes, cx);
        Ok(())
    }

    /// Answers 300 to 699; there will be no session.
    pub(crate) fn reject(&mut self, reject: &Reject, cx: &mut Cx<'_>) -> Result<(), WrongState> {
        self.ringing().filter(|_| (300..700).contains(&reject.status)).ok_or(WrongState(self.state))?;
        self.refuse(reject, cx);
        self.terminate(Cause::Refused(reject.status), cx);
        Ok(())
    }

    /// Sends the final response to the INVITE, without ending the session.
    pub(super) fn refuse(&mut self, reject: &Reject, cx: &mut Cx<'_>) {
        let Ok((tx, invite)) = self.take_invite() else { return };
        let bytes = self.response_to(&invite, reject.status, &reject.headers, None, cx);
        cx.stack.respond(tx, reject.status, bytes, cx.now);
    }
}
