//! Requests received in a session's dialogs (RFC 3261 §12.2.2), and the answers that the role gives.

use sip::{Method, Name, Request};
use sip_tx::{Incoming, ServerId};

use super::{Cx, Session, State};
use crate::config::Parts;
use crate::{Body, Headers, Reject, UaEvent, WrongState};

/// A request that waits for the role's answer.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) tx: ServerId,
    pub(crate) request: Request,
}

/// Requests that may wait for answers in one session.
const MAX_PENDING: usize = 16;

impl Session {
    /// A request whose dialog is one of ours; not ACK, not CANCEL.
    pub(crate) fn on_request(&mut self, incoming: Incoming, cx: &mut Cx<'_>) {
        // 1. Which dialog, and is it in order there?
        let Some(peer) = self.peer_of(incoming.request.from_tag()) else {
            return cx.reply(&incoming, 481, &Headers::new());
        };
        if let Err(reject) = self.peers[peer].dialog.accept_request(&incoming.request) {
            return cx.reply(&incoming, reject.status, &reject.headers);
        }
        let method = incoming.request.method();
        if method == Method::Bye {
            return self.on_bye(peer, incoming, cx);
        }

        // 2. What is closing takes nothing new: for us the dialog is gone.
        if let Err(reject) = self.takes_requests(peer).and_then(|()| understands(&incoming, cx)) {
            return cx.reply(&incoming, reject.status, &reject.headers);
        }

        // 3. The method.
        match method {
            Method::Invite | Method::Update => self.on_modification(incoming, cx),
            Method::Options => crate::options::answer(&incoming, cx),
            // RFC 3262 §3: no response of ours is sent reliably, so none matches.
            Method::Prack => cx.reply(&incoming, 481, &Headers::new()),
            Method::Bye | Method::Ack | Method::Cancel => {}
            Method::Register
            | Method::Message
            | Method::Info
            | Method::Subscribe
            | Method::Notify
            | Method::Refer
            | Method::Publish
            | Method::Extension => self.on_other(incoming, cx),
        }
    }

    fn takes_requests(&self, peer: usize) -> Result<(), Reject> {
        let is_other_fork = self.chosen.is_some_and(|chosen| chosen != peer);
        match self.state {
            State::Cancelling | State::PendingBye | State::Closing | State::Terminated => Err(Reject::new(481)),
            _ if is_other_fork => Err(Reject::new(481)),
            State::Calling
            | State::Proceeding
            | State::Early
            | State::Incoming
            | State::AnsweredNoAck
            | State::Established => Ok(()),
        }
    }

    fn on_other(&mut self, incoming: Incoming, cx: &mut Cx<'_>) {
        let method = incoming.request.method();
        if !cx.shared.config.takes(method) {
            // RFC 3261 §8.2.1; §21.5.2: 501 is for methods that nobody here knows.
            let status = if method == Method::Extension { 501 } else { 405 };
            return cx.reply(&incoming, status, &Headers::new());
        }
        if self.hold(&incoming, cx) {
            cx.tell(UaEvent::Request { incoming: Box::new(incoming) });
        }
    }

    /// Keeps a request until the role answers it.
    pub(super) fn hold(&mut self, incoming: &Incoming, cx: &mut Cx<'_>) -> bool {
        if self.pending.len() >= MAX_PENDING {
            let headers = retry_after(cx);
            cx.reply(incoming, 500, &headers);
            return false;
        }
        cx.stack.set_owner(incoming.tx, sip_tx::Owner::Session(cx.key));
        self.pending.push(Pending { tx: incoming.tx, request: incoming.request.clone() });
        true
    }

    /// The role's answer to a request in the session.
    pub(crate) fn answer(
        &mut self,
        tx: ServerId,
        status: u16,
        headers: &Headers,
        body: Option<Body>,
        cx: &mut Cx<'_>,
    ) -> Result<(), WrongState> {
        let at = self.pending.iter().position(|pending| pending.tx == tx).ok_or(WrongState(self.state))?;
        if status < 200 {
            self.send_answer(at, status, headers, body.as_ref(), cx);
            return Ok(());
        }
        let mut headers = headers.clone();
        let is_modification = matches!(self.pending[at].request.method(), Method::Invite | Method::Update);
        if is_modification && status < 300 {
            headers.extend(&self.agree_as_uas(&self.pending[at].request.clone(), cx));
        }
        let bytes = self.send_answer(at, status, &headers, body.as_ref(), cx);
        let pending = self.pending.remove(at);
        if is_modification {
            self.on_modification_answered(&pending, status, body, bytes, cx);
        }
        Ok(())
    }

    fn send_answer(
        &self,
        at: usize,
        status: u16,
        headers: &Headers,
        body: Option<&Body>,
        cx: &mut Cx<'_>,
    ) -> bytes::Bytes {
        let Pending { tx, request } = &self.pending[at];
        let parts = Parts { contact: Some(&self.contact), headers, body };
        let bytes = cx.shared.config.response(request, status, request.to_tag(), &parts);
        cx.stack.respond(*tx, status, bytes.clone(), cx.now);
        bytes
    }

    /// RFC 3261 §15.1.2: what is open when the session closes is answered 487.
    pub(super) fn withdraw_pending(&mut self, cx: &mut Cx<'_>) {
        while let Some(pending) = self.pending.first() {
            self.withdraw(pending.tx, cx);
        }
    }

    /// Answers one pending request 487.
    pub(super) fn withdraw(&mut self, tx: ServerId, cx: &mut Cx<'_>) {
        let Some(at) = self.pending.iter().position(|pending| pending.tx == tx) else { return };
        self.send_answer(at, 487, &Headers::new(), None, cx);
        let pending = self.pending.remove(at);
        if matches!(pending.request.method(), Method::Invite | Method::Update) {
            self.exchange = super::Exchange::Stable;
        }
        cx.tell(UaEvent::Withdrawn { tx });
    }
}

/// RFC 3261 §8.2.2.3.
fn understands(incoming: &Incoming, cx: &Cx<'_>) -> Result<(), Reject> {
    let unsupported = cx.shared.config.unsupported(&incoming.request);
    if unsupported.is_empty() {
        return Ok(());
    }
    Err(Reject::new(420).with(Name::Unsupported, unsupported.join(", ")))
}

/// RFC 3261 §14.2: some time between 0 and 10 s.
pub(super) fn retry_after(cx: &mut Cx<'_>) -> Headers {
    Headers::new().with(Name::RetryAfter, cx.stack.entropy().below(11).to_string())
}
