//! The receiving side: messages are gathered, read, told once, and receipted.

use bytes::{Bytes, BytesMut};
use cpim::{Delivery, Envelope, Imdn, IsComposing, Notification, ParseError};
use msrp::{ByteRange, IncomingId, Outline, Status};
use sip_ua::SessionKey;
use wire::Now;

use super::{Gathering, HISTORY, Messages, Unread};
use crate::{Event, SessionId};

impl Messages {
    pub(super) fn on_started(&mut self, key: SessionKey, incoming: IncomingId, outline: Outline) {
        let media_type = outline.content_type().unwrap_or_default().to_owned();
        let Some((line, id)) = self.lines.get_mut(&key).zip(outline.message_id) else { return };
        let gathering = Gathering { id, media_type, wants_report: outline.success_report, body: BytesMut::new() };
        line.incoming.insert(incoming, gathering);
    }

    pub(super) fn on_piece(&mut self, key: SessionKey, incoming: IncomingId, data: &[u8], now: Now) {
        let Some(line) = self.lines.get_mut(&key) else { return };
        let Some(gathering) = line.incoming.get_mut(&incoming) else { return };
        if gathering.body.len() + data.len() <= self.max_message {
            gathering.body.extend_from_slice(data);
        } else {
            line.incoming.remove(&incoming);
            self.endpoint.refuse(incoming, Status::STOP_SENDING, now);
        }
    }

    pub(super) fn on_incomplete(&mut self, key: SessionKey, incoming: IncomingId) {
        if self.lines.get_mut(&key).is_some_and(|line| line.incoming.remove(&incoming).is_some()) {
            tracing::debug!("half a message is dropped");
        }
    }

    pub(super) fn on_complete(&mut self, key: SessionKey, incoming: IncomingId, now: Now) {
        let Some(line) = self.lines.get_mut(&key) else { return };
        let Some(gathering) = line.incoming.remove(&incoming) else { return };
        let (msrp, body) = (line.link.session(), gathering.body.freeze());
        match self.read(key, &gathering.media_type, &body, &gathering.id, now) {
            Ok(receipt) => {
                self.endpoint.accept(incoming, now);
                if gathering.wants_report {
                    self.endpoint.report(msrp, &gathering.id, &ByteRange::WHOLE, Status::OK, now);
                }
                if let Some(receipt) = receipt {
                    self.send_receipt(key, &receipt, now);
                }
            }
            Err(error) => {
                tracing::debug!(%error, "a message that cannot be read is refused");
                self.endpoint.refuse(incoming, Status::BAD_REQUEST, now);
            }
        }
    }

    /// Tells the user what came; returns the delivery receipt, if one is due.
    fn read(
        &mut self,
        key: SessionKey,
        media_type: &str,
        body: &Bytes,
        id: &msrp::MessageId,
        now: Now,
    ) -> Result<Option<Imdn>, ParseError> {
        // Some clients send it bare, without CPIM.
        if media_type.split(';').next().is_some_and(|t| t.trim().eq_ignore_ascii_case(IsComposing::MEDIA_TYPE)) {
            return IsComposing::parse(body).map(|notification| self.on_composing(key, &notification, now));
        }
        let envelope = Envelope::parse(body)?;
        let content = envelope.content().decoded()?;
        if envelope.content().is(Imdn::MEDIA_TYPE) {
            let peer = self.lines.get(&key).map(|line| line.peer.clone()).unwrap_or_default();
            return Imdn::parse(&content).map(|receipt| {
                self.on_receipt(&receipt, &peer);
                None
            });
        }
        if envelope.is_composing() {
            return IsComposing::parse(&content).map(|notification| self.on_composing(key, &notification, now));
        }
        let Some(line) = self.lines.get_mut(&key) else { return Ok(None) };
        let message_id = envelope.message_id();
        // What is sent again because its answer was lost is receipted again, but not shown again (RFC 4975 §5.4).
        if message_id.is_none_or(|message_id| self.seen.is_new(&line.peer, message_id)) {
            let session = SessionId(key);
            if line.typing.handle_message() {
                self.events.push_back(Event::Composing { session, active: false });
            }
            let message_id = message_id.map_or_else(|| id.as_str(), |message_id| message_id.as_str()).to_owned();
            self.events.push_back(Event::Message {
                session,
                message_id: message_id.clone(),
                content_type: envelope.content().content_type().into_owned(),
                content: Bytes::copy_from_slice(&content),
                from: line.peer.clone(),
            });
            if envelope.wants_display_receipt() {
                let date_time = envelope.date_time().and_then(Result::ok);
                if self.unread.len() == HISTORY {
                    self.unread.pop_front();
                }
                let (peer, conversation_id) = (line.peer.clone(), line.conversation_id.clone());
                self.unread.push_back(Unread { session: key, peer, conversation_id, message_id, date_time });
            }
        }
        Ok(Imdn::about(&envelope, Notification::Delivery(Delivery::Delivered)))
    }

    fn on_composing(&mut self, key: SessionKey, notification: &IsComposing, now: Now) -> Option<Imdn> {
        let line = self.lines.get_mut(&key)?;
        if line.typing.handle_notification(notification, now.at) {
            let active = line.typing.is_active();
            self.events.push_back(Event::Composing { session: SessionId(key), active });
        }
        None
    }
}
