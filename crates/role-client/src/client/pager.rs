//! SIP MESSAGE outside sessions: receipts for messages whose session is over.

use sip::Name;
use sip_tx::Incoming;
use sip_ua::{Body, Headers, MessagePlan, Reject};
use wire::Now;

use super::{Client, caller};
use crate::invite;
use crate::messages::Stray;
use crate::{Event, SessionId};

impl Client {
    /// A message in pager mode: this client takes receipts in it, for messages of sessions that are over.
    pub(super) fn on_message(&mut self, incoming: &Incoming, now: Now) {
        let request = &incoming.request;
        let kind = request.header(Name::ContentType).unwrap_or_default().to_ascii_lowercase();
        let is_cpim = kind.starts_with(b"message/cpim");
        let status = if is_cpim { self.messages.on_page(&caller(request), request.body()) } else { 415 };
        if status == 200 {
            return self.ua.respond(&mut self.stack, incoming, status, &Headers::new(), None, now);
        }
        // RFC 3261 §21.4.13: 415 says what would have been taken.
        let reject = Reject::new(status);
        let reject = if status == 415 { reject.with(Name::Accept, "message/cpim") } else { reject };
        self.ua.refuse(&mut self.stack, incoming, &reject, now);
    }

    /// Sends a receipt whose session is over (RFC 5438 §7.2.1 lets it take another way than the message).
    pub(super) fn send_receipt(&mut self, stray: Stray, now: Now) {
        let plan = MessagePlan {
            request_uri: stray.peer.clone().into(),
            from: format!("<{}>", self.config.aor).into(),
            to: format!("<{}>", stray.peer).into(),
            routes: self.service_route.clone(),
            headers: invite::receipt_headers(&self.config.aor, &stray.conversation_id, self.stack.entropy()),
            body: Body::new("message/cpim", stray.cpim),
            target: Some(self.config.core),
        };
        let name = self.standalone.send(plan, &self.ua, &mut self.stack, now);
        self.receipts.insert(name, (SessionId(stray.session), stray.message_id));
    }

    /// What became of a receipt. Nothing keeps it for a peer that is offline: the user is told that it is lost.
    pub(super) fn on_receipt_ended(&mut self, name: u64, status: u16) {
        let Some((session, message_id)) = self.receipts.remove(&name) else { return };
        if status >= 300 {
            self.events.push_back(Event::ReceiptLost { session, message_id, status });
        }
    }
}
