//! Requests of ours in a session's dialogs, from sending to their end.

use sip::{Method, Response};
use sip_tx::{ClientId, Failure};

use super::challenge::Met;
use super::close::Again;
use super::{Cx, Session, State};
use crate::draft::Draft;
use crate::{Body, ByeOutcome, Headers, UaEvent, WrongState};

/// A request under way.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) tx: ClientId,
    pub(crate) kind: Kind,
    pub(crate) draft: Draft,
    /// Which of the session's dialogs it is in.
    pub(crate) peer: usize,
    pub(crate) credentials: Met,
    /// A BYE: what it was sent again for.
    pub(crate) again: Again,
    /// How the role knows it: the transaction of the first attempt.
    pub(crate) name: ClientId,
}

/// What a request is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// To close its dialog.
    Bye,
    /// To change the session.
    Modify { is_invite: bool },
    /// For the role.
    Other,
}

impl Own {
    pub(crate) fn new(tx: ClientId, kind: Kind, peer: usize, draft: Draft) -> Own {
        Own { tx, kind, draft, peer, credentials: Met::default(), again: Again::default(), name: tx }
    }
}

impl Session {
    /// Sends a request of the role's in the session (MESSAGE, INFO, OPTIONS, …).
    pub(crate) fn send_request(
        &mut self,
        method: Method,
        headers: &Headers,
        body: Option<Body>,
        cx: &mut Cx<'_>,
    ) -> Result<ClientId, WrongState> {
        let is_free = !matches!(
            method,
            Method::Invite | Method::Ack | Method::Bye | Method::Cancel | Method::Update | Method::Extension
        );
        let peer = self.chosen.filter(|_| self.state == State::Established && is_free);
        let peer = peer.ok_or(WrongState(self.state))?;
        let mut draft = self.peers[peer].dialog.request(method);
        draft.fields = cx.shared.config.describe(method, draft.fields, headers);
        draft.body = body;
        let tx = cx.send(&draft, self.pinned.as_ref()).ok_or(WrongState(self.state))?;
        self.own.push(Own::new(tx, Kind::Other, peer, draft));
        Ok(tx)
    }

    /// A response to a request of ours.
    pub(crate) fn on_response(&mut self, tx: ClientId, response: Box<Response>, cx: &mut Cx<'_>) {
        if self.as_caller().is_some_and(|caller| caller.tx == tx) {
            return self.on_invite_response(response, cx);
        }
        let Some(at) = self.own.iter().position(|own| own.tx == tx) else {
            return self.on_stray_success(&response, cx);
        };
        if response.is_provisional() || self.answer_own_challenge(at, &response, cx) {
            return;
        }
        let own = self.own.remove(at);
        match own.kind {
            Kind::Bye => self.on_bye_answered(own, &response, cx),
            Kind::Modify { .. } if self.state == State::Established => self.on_modification_response(response, cx),
            // The session closes: only the ACK of a 2xx is still owed.
            Kind::Modify { .. } => self.acknowledge(&response, cx),
            Kind::Other => {
                let status = response.status();
                cx.tell(UaEvent::Response { tx: own.name, response });
                // RFC 3261 §12.2.1.2.
                if matches!(status, 408 | 481) {
                    self.lose(cx);
                }
            }
        }
    }

    /// A request of ours got no final response.
    pub(crate) fn on_failed(&mut self, tx: ClientId, why: Failure, cx: &mut Cx<'_>) {
        if self.as_caller().is_some_and(|caller| caller.tx == tx) {
            return self.on_invite_failed(why, cx);
        }
        let Some(at) = self.own.iter().position(|own| own.tx == tx) else { return };
        let own = self.own.remove(at);
        match own.kind {
            Kind::Bye => self.on_bye_outcome(own.peer, ByeOutcome::Failed(why), cx),
            Kind::Modify { .. } if self.state == State::Established => self.on_modification_failed(why, cx),
            Kind::Modify { .. } => {}
            Kind::Other => {
                cx.tell(UaEvent::Failed { tx: own.name, why });
                self.lose(cx);
            }
        }
    }

    /// A 2xx to a re-INVITE came again, after its request was done with.
    fn on_stray_success(&mut self, response: &Response, cx: &mut Cx<'_>) {
        let is_success = response.is_success() && response.cseq().method == Method::Invite;
        let peer = self.peer_of(response.to_tag()).filter(|_| is_success);
        if let Some(peer) = peer {
            self.repeat_ack(peer, response.cseq().number, cx);
        }
    }

    fn acknowledge(&mut self, response: &Response, cx: &mut Cx<'_>) {
        let is_success = response.is_success() && response.cseq().method == Method::Invite;
        let peer = self.peer_of(response.to_tag()).filter(|_| is_success);
        if let Some(peer) = peer {
            self.send_ack(peer, response.cseq().number, &Headers::new(), None, cx);
        }
    }

    /// The session is forgotten: an INVITE that nobody answered must not wait for ever.
    pub(super) fn abandon_requests(&mut self, cx: &mut Cx<'_>) {
        for own in self.own.drain(..) {
            cx.stack.cancel(own.tx, None, cx.now);
        }
        if let Some(caller) = self.as_caller().filter(|caller| caller.is_pending) {
            cx.stack.cancel(caller.tx, None, cx.now);
        }
    }
}
