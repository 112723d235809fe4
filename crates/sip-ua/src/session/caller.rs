//! The caller's INVITE and the responses to it (RFC 3261 §13.2).

use bytes::Bytes;
use sip::{Name, Response};
use sip_tx::{ClientId, Failure, Stack, Target};

use super::challenge::Met;
use super::{Cx, Exchange, Session, Side, State, Timer};
use crate::config::Intervals;
use crate::draft::Draft;
use crate::{Body, Cause, Dialog, HalfDialog, Headers, UaEvent};

/// What only the caller has.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) tx: ClientId,
    /// Whether the INVITE has no final response yet.
    pub(crate) is_pending: bool,
    pub(crate) half: HalfDialog,
    /// The INVITE, until nothing can make us send it once more.
    pub(crate) draft: Option<Box<Draft>>,
    /// The credentials in the INVITE that was answered.
    pub(super) authorization: Headers,
    pub(crate) credentials: Met,
}

impl Caller {
    /// The caller's end of an INVITE whose session is over.
    pub(super) fn buried(tx: ClientId, half: HalfDialog, authorization: Headers) -> Caller {
        Caller { tx, is_pending: false, half, draft: None, authorization, credentials: Met::default() }
    }

    /// The INVITE has its last answer: of it stays what the ACKs of its 2xx need.
    pub(super) fn answered(&mut self) {
        let Some(draft) = self.draft.take() else { return };
        // One for the server and one for each proxy that asked.
        self.authorization = draft.fields.only(&[Name::Authorization, Name::ProxyAuthorization]);
        self.credentials = Met::default();
    }
}

/// Dialogs that one INVITE may make. A 2xx beyond is not acknowledged: its sender closes it for want of an ACK.
const MAX_FORKS: usize = 32;

impl Session {
    pub(crate) fn caller(
        tx: ClientId,
        half: HalfDialog,
        draft: Draft,
        contact: Bytes,
        pinned: Option<Target>,
        intervals: Intervals,
    ) -> Session {
        let local_body = draft.body.clone().filter(Body::is_sdp);
        let caller = Caller {
            tx,
            is_pending: true,
            half,
            draft: Some(Box::new(draft)),
            authorization: Headers::new(),
            credentials: Met::default(),
        };
        let mut session = Session::new(Side::Caller(Box::new(caller)), State::Calling, contact, intervals);
        session.pinned = pinned;
        if local_body.is_some() {
            session.exchange = Exchange::Offered;
        }
        session.local_body = local_body;
        session
    }

    pub(super) fn caller_mut(&mut self) -> Option<&mut Caller> {
        match &mut self.side {
            Side::Caller(caller) => Some(caller),
            Side::Callee { .. } | Side::Resumed => None,
        }
    }

    pub(super) const fn as_caller(&self) -> Option<&Caller> {
        match &self.side {
            Side::Caller(caller) => Some(caller),
            Side::Callee { .. } | Side::Resumed => None,
        }
    }

    /// Whether our INVITE still waits for its final response.
    pub(super) fn is_calling(&self) -> bool {
        self.as_caller().is_some_and(|caller| caller.is_pending)
    }

    /// A response to the INVITE.
    pub(crate) fn on_invite_response(&mut self, response: Box<Response>, cx: &mut Cx<'_>) {
        if matches!(self.state, State::Calling | State::Proceeding | State::Early) {
            if response.is_provisional() {
                self.timers.arm(Timer::Unanswered, cx.now.at + cx.stack.timing().timer_c);
            } else {
                self.timers.cancel(Timer::Unanswered);
            }
        }
        match response.status() {
            0..=100 => {
                if self.state == State::Calling {
                    self.state = State::Proceeding;
                }
            }
            101..=199 => self.on_provisional(response, cx),
            200..=299 => self.on_success(response, cx),
            status => self.on_refusal(status, Some(response), cx),
        }
    }

    /// Nobody will answer: the CANCEL is for those on the way who still hold the INVITE.
    pub(super) fn give_up_calling(&mut self, cx: &mut Cx<'_>) {
        if matches!(self.state, State::Calling | State::Proceeding | State::Early) {
            self.cancel_as(Cause::Lost, &Headers::new(), cx);
        }
    }

    /// The INVITE ended without a final response (RFC 3261 §8.1.3.1: as if 408 or 503 had come).
    pub(crate) fn on_invite_failed(&mut self, why: Failure, cx: &mut Cx<'_>) {
        self.on_refusal(Stack::status_of(why), None, cx);
    }

    fn on_provisional(&mut self, response: Box<Response>, cx: &mut Cx<'_>) {
        if !matches!(self.state, State::Calling | State::Proceeding | State::Early) {
            return;
        }
        if !response.to_tag().is_empty() && self.open_peer(&response, cx).is_some() {
            self.state = State::Early;
        } else if self.state == State::Calling {
            self.state = State::Proceeding;
        }
        self.note_remote_body(&response);
        cx.tell(UaEvent::Progress { response });
    }

    /// The dialog that a response belongs to, made if it is new.
    fn open_peer(&mut self, response: &Response, cx: &mut Cx<'_>) -> Option<usize> {
        if let Some(known) = self.peer_of(response.to_tag()) {
            return Some(known);
        }
        if self.peers.len() >= MAX_FORKS {
            return None;
        }
        let dialog = Dialog::as_uac(self.half_dialog()?, response);
        cx.opened.push(dialog.id().clone());
        self.add_peer(dialog);
        Some(self.peers.len() - 1)
    }

    /// RFC 3261 §13.2.2.4.
    fn on_success(&mut self, response: Box<Response>, cx: &mut Cx<'_>) {
        let cseq = response.cseq().number;
        let Some(peer) = self.open_peer(&response, cx) else { return };
        if self.repeat_ack(peer, cseq, cx) || self.chosen == Some(peer) {
            // It came before; if there is no ACK yet, the answer in it is still to be made by the role.
            return;
        }
        if let Side::Caller(caller) = &mut self.side {
            caller.is_pending = false;
            self.peers[peer].dialog.confirm(&caller.half, &response);
            caller.answered();
        }
        match self.state {
            State::Calling | State::Proceeding | State::Early => self.on_answer(peer, response, cx),
            State::Cancelling => {
                // RFC 3261 §9.1, §15: the 2xx crossed our CANCEL.
                self.chosen = Some(peer);
                self.send_ack(peer, cseq, &Headers::new(), None, cx);
                self.close_cancelled(cx);
            }
            State::Established => {
                self.send_ack(peer, cseq, &Headers::new(), None, cx);
                self.send_bye(peer, &elsewhere(), cx);
                cx.tell(UaEvent::Forked { response });
            }
            State::Closing | State::Terminated => {
                let headers = if self.chosen.is_some() { elsewhere() } else { Headers::new() };
                self.send_ack(peer, cseq, &Headers::new(), None, cx);
                self.send_bye(peer, &headers, cx);
                self.settle(cx);
            }
            State::Incoming | State::AnsweredNoAck | State::PendingBye => {}
        }
    }

    fn on_answer(&mut self, peer: usize, response: Box<Response>, cx: &mut Cx<'_>) {
        let cseq = response.cseq().number;
        self.chosen = Some(peer);
        self.state = State::Established;
        self.agree_as_uac(&response, cx);
        let brings_sdp = self.note_remote_body(&response);
        let owes_answer = brings_sdp && self.exchange == Exchange::Stable;
        if owes_answer {
            self.exchange = Exchange::MustAnswer;
            self.owed_ack = Some((peer, cseq));
        } else {
            // An answer that stood in a provisional response need not be repeated by every peer: taken as given.
            self.exchange = Exchange::Stable;
            self.send_ack(peer, cseq, &Headers::new(), None, cx);
        }
        cx.tell(UaEvent::Answered { response, owes_answer });
    }

    fn on_refusal(&mut self, status: u16, response: Option<Box<Response>>, cx: &mut Cx<'_>) {
        if let Some(response) = response.as_deref()
            && (self.answer_challenge(response, cx) || self.ask_for_more(response, cx))
        {
            return;
        }
        if let Some(caller) = self.caller_mut() {
            caller.is_pending = false;
        }
        match self.state {
            State::Calling | State::Proceeding | State::Early => {
                cx.tell(UaEvent::Rejected { status, response });
                self.terminate(Cause::Rejected(status), cx);
            }
            State::Cancelling => {
                let cause = self.closing.as_ref().map_or(Cause::LocalCancel, |closing| closing.cause);
                self.terminate(cause, cx);
            }
            // RFC 3261 §15: the early dialogs are gone; their BYEs run to their ends.
            State::Closing => self.settle(cx),
            State::Incoming | State::AnsweredNoAck | State::Established | State::PendingBye | State::Terminated => {}
        }
    }
}

/// Why a fork is closed that answered after another one (RFC 3326): its user need not be told of a missed call.
fn elsewhere() -> Headers {
    Headers::new().with(Name::Reason, "SIP;cause=200;text=\"Call completed elsewhere\"")
}
