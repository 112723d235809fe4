//! Changing or refreshing a session: re-INVITE (RFC 3261 §14) and UPDATE (RFC 3311), in both directions.

use std::time::Duration;

use bytes::Bytes;
use sip::{Method, Response};
use sip_tx::{Failure, Incoming};

use super::in_dialog::retry_after;
use super::own_request::{Kind, Own};
use super::{Cx, Exchange, Pending, Session, State, Timer, check_interval};
use crate::{Body, Cause, Headers, UaEvent, WrongState};

/// A modification of ours that met the peer's and waits to be tried again.
#[derive(Clone, Debug)]
pub(crate) struct Retry {
    method: Method,
    headers: Headers,
    body: Option<Body>,
    tries: u8,
    /// The session timer wants it, not the role.
    pub(super) is_refresh: bool,
}

impl Retry {
    pub(super) const fn refresh(method: Method, body: Option<Body>) -> Retry {
        Retry { method, headers: Headers::new(), body, tries: 0, is_refresh: true }
    }
}

/// Attempts of one modification that keeps meeting the peer's.
const MAX_TRIES: u8 = 8;

impl Session {
    // ---- the peer's ----

    /// A re-INVITE or UPDATE came.
    pub(super) fn on_modification(&mut self, incoming: Incoming, cx: &mut Cx<'_>) {
        if let Err(reject) = check_interval(&incoming.request, cx.shared.config.intervals) {
            return cx.reply(&incoming, reject.status, &reject.headers);
        }
        let is_invite = incoming.request.method() == Method::Invite;
        let has_offer = Body::of(&incoming.request).is_some_and(|body| body.is_sdp());
        if let Some(status) = self.is_in_the_way(is_invite, has_offer) {
            let headers = if status == 500 { retry_after(cx) } else { Headers::new() };
            return cx.reply(&incoming, status, &headers);
        }
        if !self.hold(&incoming, cx) {
            return;
        }
        if has_offer {
            self.exchange = Exchange::MustAnswer;
            self.note_remote_body(&incoming.request);
        }
        let incoming = Box::new(incoming);
        cx.tell(if is_invite { UaEvent::Reinvite { incoming } } else { UaEvent::Update { incoming } });
    }

    /// Why a modification cannot be looked at now: 491 when something of ours is open, 500 when something of the peer's
    /// is (RFC 3261 §14.2, RFC 3311 §5.2).
    fn is_in_the_way(&self, is_invite: bool, has_offer: bool) -> Option<u16> {
        let theirs = |method: Method| self.pending.iter().any(|pending| pending.request.method() == method);
        let ours = self.is_calling() || self.own.iter().any(|own| own.kind == Kind::Modify { is_invite: true });
        if is_invite {
            // While our 2xx waits for its ACK the last exchange is not over on the peer's side.
            if ours || self.unacked.is_some() || self.exchange == Exchange::Offered {
                return Some(491);
            }
            let busy = theirs(Method::Invite) || theirs(Method::Update) || self.ringing().is_some();
            return busy.then_some(500);
        }
        if has_offer && self.exchange == Exchange::Offered {
            return Some(491);
        }
        let busy = theirs(Method::Update) || (has_offer && self.exchange == Exchange::MustAnswer);
        busy.then_some(500)
    }

    /// The role has given its final answer to the peer's modification.
    pub(super) fn on_modification_answered(
        &mut self,
        pending: &Pending,
        status: u16,
        body: Option<Body>,
        bytes: Bytes,
        cx: &mut Cx<'_>,
    ) {
        if status >= 300 {
            // RFC 3261 §14.2: nothing has changed.
            self.exchange = Exchange::Stable;
            return;
        }
        if let Some(peer) = self.peer_of(pending.request.from_tag()) {
            self.peers[peer].dialog.refresh_target(&pending.request);
        }
        if body.as_ref().is_some_and(Body::is_sdp) {
            self.exchange = self.exchange.sent();
            self.local_body = body;
        }
        if pending.request.method() == Method::Invite {
            self.await_ack(pending.tx, pending.request.cseq().number, bytes, cx);
        }
    }

    // ---- ours ----

    /// Sends a re-INVITE or UPDATE. Only one at a time, and not while the peer's is open.
    pub(crate) fn modify(
        &mut self,
        method: Method,
        headers: Headers,
        body: Option<Body>,
        cx: &mut Cx<'_>,
    ) -> Result<(), WrongState> {
        if !self.may_modify() || self.retry.is_some() {
            return Err(WrongState(self.state));
        }
        self.send_modification(Retry { method, headers, body, tries: 0, is_refresh: false }, cx);
        Ok(())
    }

    pub(super) fn may_modify(&self) -> bool {
        let is_modification = |own: &Own| matches!(own.kind, Kind::Modify { .. });
        self.state == State::Established
            && self.exchange == Exchange::Stable
            && self.unacked.is_none()
            && self.pending.iter().all(|p| !matches!(p.request.method(), Method::Invite | Method::Update))
            && !self.own.iter().any(is_modification)
    }

    pub(super) fn send_modification(&mut self, retry: Retry, cx: &mut Cx<'_>) {
        let Some(peer) = self.chosen else { return };
        let mut draft = self.peers[peer].dialog.request(retry.method);
        draft.fields = draft.fields.with(sip::Name::Contact, &self.contact);
        draft.fields = self.timer.ask(cx.shared.config.describe(retry.method, draft.fields, &retry.headers));
        draft.body.clone_from(&retry.body);
        let kind = Kind::Modify { is_invite: retry.method == Method::Invite };
        match cx.send(&draft, self.pinned.as_ref()) {
            Some(tx) => {
                if retry.body.as_ref().is_some_and(Body::is_sdp) {
                    self.exchange = Exchange::Offered;
                }
                self.own.push(Own::new(tx, kind, peer, draft));
                self.retry = Some(retry);
            }
            None => {
                self.retry = Some(retry);
                self.on_modification_failed(Failure::Transport, cx);
            }
        }
    }

    /// The final response to our re-INVITE or UPDATE.
    pub(super) fn on_modification_response(&mut self, response: Box<Response>, cx: &mut Cx<'_>) {
        let status = response.status();
        let retry = self.retry.take();
        match (status, retry) {
            (491, Some(retry)) if retry.tries < MAX_TRIES => {
                self.exchange = Exchange::Stable;
                self.wait_out_glare(retry, cx);
            }
            // RFC 4028 §7.3.
            (422, Some(retry)) if retry.tries < MAX_TRIES && self.timer.raise(&response) => {
                self.exchange = Exchange::Stable;
                self.send_modification(Retry { tries: retry.tries + 1, ..retry }, cx);
            }
            (200..300, retry) => self.on_modified(retry, response, cx),
            (_, Some(retry)) if retry.is_refresh => {
                self.exchange = Exchange::Stable;
                self.on_refresh_refused(&response, cx);
            }
            // RFC 3261 §12.2.1.2: the peer has no such dialog any more.
            (481 | 408, _) => {
                self.exchange = Exchange::Stable;
                cx.tell(UaEvent::Modified { response, owes_answer: false });
                self.lose(cx);
            }
            (_, _) => {
                self.exchange = Exchange::Stable;
                cx.tell(UaEvent::Modified { response, owes_answer: false });
            }
        }
    }

    fn on_modified(&mut self, retry: Option<Retry>, response: Box<Response>, cx: &mut Cx<'_>) {
        let Some(peer) = self.chosen else { return };
        self.peers[peer].dialog.refresh_target(&response);
        self.agree_as_uac(&response, cx);
        let is_refresh = retry.as_ref().is_some_and(|retry| retry.is_refresh);
        let offered = retry.and_then(|retry| retry.body);
        let brings_sdp = self.note_remote_body(&response);
        let is_invite = response.cseq().method == Method::Invite;
        let owes_answer = is_invite && brings_sdp && self.exchange == Exchange::Stable;
        if let Some(body) = offered.filter(Body::is_sdp) {
            self.local_body = Some(body);
        }
        if owes_answer {
            self.exchange = Exchange::MustAnswer;
            self.owed_ack = Some((peer, response.cseq().number));
        } else {
            self.exchange = Exchange::Stable;
            if is_invite {
                self.send_ack(peer, response.cseq().number, &Headers::new(), None, cx);
            }
        }
        if !is_refresh {
            cx.tell(UaEvent::Modified { response, owes_answer });
        }
    }

    /// No answer came: the peer counts as gone (RFC 3261 §12.2.1.2: as 408).
    pub(super) fn on_modification_failed(&mut self, why: Failure, cx: &mut Cx<'_>) {
        let is_refresh = self.retry.take().is_some_and(|retry| retry.is_refresh);
        self.exchange = Exchange::Stable;
        match why {
            // The next hop may be back before the session expires.
            Failure::Transport if is_refresh => self.refresh_later(None, cx),
            Failure::Transport | Failure::Timeout if is_refresh => self.lose(cx),
            Failure::Transport | Failure::Timeout => {
                cx.tell(UaEvent::NotModified { why });
                self.lose(cx);
            }
        }
    }

    /// The dialog is lost; BYE tells whoever may still be there.
    pub(super) fn lose(&mut self, cx: &mut Cx<'_>) {
        if self.state == State::Established {
            self.send_bye_as(Cause::Lost, &Headers::new(), cx);
        }
    }

    /// RFC 3261 §14.1: the owner of the Call-ID waits 2.1 to 4 s, the other one up to 2 s, in steps of 10 ms.
    fn wait_out_glare(&mut self, mut retry: Retry, cx: &mut Cx<'_>) {
        let steps = if self.is_caller() { 210 + cx.stack.entropy().below(191) } else { cx.stack.entropy().below(201) };
        retry.tries += 1;
        self.retry = Some(retry);
        self.timers.arm(Timer::Glare, cx.now.at + Duration::from_millis(10 * steps));
    }

    pub(super) fn retry_modification(&mut self, cx: &mut Cx<'_>) {
        let Some(retry) = self.retry.take() else { return };
        if self.may_modify() {
            self.send_modification(retry, cx);
        } else if self.state == State::Established {
            self.wait_out_glare(retry, cx);
        }
    }
}
