//! Answering 401 and 407 with credentials (RFC 3261 §22).

use sip::{Name, Response};

use super::own_request::Kind;
use super::{Caller, Cx, Session, Side, State};
use crate::digest;
use crate::draft::Draft;

/// Challenges answered for one request: a proxy's and the server's, and a nonce that grew old on the way.
const MAX_CHALLENGES: u8 = 3;

/// A BYE has ended the session already: credentials are given once, so that those on the way learn of it.
const BYE_CHALLENGES: u8 = 1;

impl Session {
    /// A final response to the INVITE: if it is a challenge that we can meet, sends the INVITE anew.
    pub(super) fn answer_challenge(&mut self, response: &Response, cx: &mut Cx<'_>) -> bool {
        let may = self.may_call_again();
        let Some(Caller { draft: Some(draft), half, credentials, .. }) = self.caller_mut().filter(|_| may) else {
            return false;
        };
        meet(draft, credentials, MAX_CHALLENGES, response, half.cseq + 1, cx) && self.call_again(cx)
    }

    /// A final response to the INVITE: if the session interval was too short for somebody, asks for a longer one
    /// (RFC 4028 §7.3).
    pub(super) fn ask_for_more(&mut self, response: &Response, cx: &mut Cx<'_>) -> bool {
        if response.status() != 422 || !self.may_call_again() || !self.timer.raise(response) {
            return false;
        }
        let Side::Caller(caller) = &mut self.side else { return false };
        let Caller { draft: Some(draft), half, .. } = &mut **caller else { return false };
        self.timer.ask_again(&mut draft.fields);
        draft.renumber(half.cseq + 1);
        self.call_again(cx)
    }

    const fn may_call_again(&self) -> bool {
        matches!(self.state, State::Calling | State::Proceeding | State::Early)
    }

    /// RFC 3261 §8.1.3.5: same Call-ID, From and tag; the early dialogs of the first attempt are gone.
    fn call_again(&mut self, cx: &mut Cx<'_>) -> bool {
        let pinned = self.pinned;
        let Some(caller) = self.caller_mut() else { return false };
        let Some(draft) = &caller.draft else { return false };
        let Some((hop, bytes)) = draft.route(cx.stack, pinned.as_ref(), &cx.shared.resolver) else { return false };
        caller.half.cseq += 1;
        let owner = sip_tx::Owner::Session(cx.key);
        caller.tx = cx.stack.request(hop, sip::Method::Invite, bytes, owner, cx.now);
        self.state = State::Calling;
        cx.closed.extend(self.peers.drain(..).map(|peer| peer.dialog.id().clone()));
        true
    }

    /// The same for a request in the dialog, BYE included.
    pub(super) fn answer_own_challenge(&mut self, at: usize, response: &Response, cx: &mut Cx<'_>) -> bool {
        let own = &mut self.own[at];
        let peer = &mut self.peers[own.peer];
        let number = peer.dialog.local_cseq() + 1;
        let most = if own.kind == Kind::Bye { BYE_CHALLENGES } else { MAX_CHALLENGES };
        if !meet(&mut own.draft, &mut own.credentials, most, response, number, cx) {
            return false;
        }
        peer.dialog.next_cseq();
        let Some(tx) = cx.send(&own.draft, self.pinned.as_ref()) else { return false };
        own.tx = tx;
        true
    }
}

/// What a request remembers of its challenges.
#[derive(Debug, Default)]
pub(crate) struct Met {
    client: Option<digest::Client>,
    count: u8,
}

/// Puts credentials into a draft that was challenged, and gives it a new sequence number.
fn meet(draft: &mut Draft, met: &mut Met, most: u8, response: &Response, number: u32, cx: &mut Cx<'_>) -> bool {
    if !matches!(response.status(), 401 | 407) || met.count >= most {
        return false;
    }
    let Some(account) = &cx.shared.account else { return false };
    let client = met.client.get_or_insert_with(|| digest::Client::new(account.clone()));
    if !client.learn(response) {
        return false;
    }
    met.count += 1;
    let cnonce = cx.stack.entropy().tag();
    for name in [Name::Authorization, Name::ProxyAuthorization] {
        draft.fields.remove(name);
    }
    for (name, value) in client.authorize(draft.method.as_str(), &draft.uri, &cnonce) {
        draft.fields.push(name, value);
    }
    draft.renumber(number);
    true
}
