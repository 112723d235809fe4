//! The sending side: messages, receipts, typing.

use bytes::Bytes;
use cpim::{Builder, DateTime, Display, Dispositions, Imdn, IsComposing, MessageId, Notification};
use msrp::{Failure, OutgoingId, Outline};
use sip_ua::SessionKey;
use wire::Now;

use super::{Leaving, Messages, PARALLEL, QUEUE};
use crate::{Event, SessionId};

/// A CPIM message on its way out.
#[derive(Debug)]
pub(super) struct Parcel {
    /// Of a message; nothing for a receipt or a typing notification.
    message_id: Option<String>,
    cpim: Bytes,
}

impl Messages {
    /// Sends a message, under an identifier that is drawn.
    pub(crate) fn send(&mut self, key: SessionKey, media_type: &str, content: &[u8], now: Now) -> Option<String> {
        let id = self.entropy.uuid();
        self.send_as(key, &id, media_type, content, now).then_some(id)
    }

    /// Sends a message, perhaps again. False when it is not taken: no such session, closing, too much waiting, or the
    /// identifier is none or under way.
    pub(crate) fn send_as(&mut self, key: SessionKey, id: &str, media_type: &str, content: &[u8], now: Now) -> bool {
        let Some(line) = self.lines.get_mut(&key) else { return false };
        let is_full = line.waiting.len() + line.outgoing.len() >= QUEUE;
        let Some(message_id) = MessageId::parse(id).ok().filter(|_| line.leaving == Leaving::No && !is_full) else {
            return false;
        };
        let under_way = line.outgoing.values().chain(line.waiting.iter().map(|parcel| &parcel.message_id));
        if under_way.flatten().any(|other| other == id) {
            return false;
        }
        line.composer.handle_sent();
        self.awaited.sent(message_id, &line.peer);
        let cpim =
            Builder::anonymous().date_time(DateTime::utc(now.utc)).message_id(message_id).ask(Dispositions::USUAL);
        let cpim = cpim.content(media_type, content);
        self.post(key, Parcel { message_id: Some(id.to_owned()), cpim }, now);
        true
    }

    /// The user has seen a message: its sender is told, if it asked. False when there is nothing to tell.
    pub(crate) fn displayed(&mut self, key: SessionKey, id: &str, now: Now) -> bool {
        let Some(at) = self.unread.iter().position(|unread| unread.session == key && unread.message_id == id) else {
            return false;
        };
        let Some((unread, message_id)) = self.unread.remove(at).zip(MessageId::parse(id).ok()) else { return false };
        let notification = Notification::Display(Display::Displayed);
        let mut receipt = Imdn::new(message_id, notification);
        receipt.date_time = unread.date_time;
        self.send_receipt(key, &receipt, now);
        true
    }

    /// The user typed.
    pub(crate) fn typing(&mut self, key: SessionKey, now: Now) {
        let notification = self.lines.get_mut(&key).and_then(|line| line.composer.handle_typing(now));
        self.send_composing(key, notification, now);
    }

    pub(super) fn on_typing_due(&mut self, key: SessionKey, now: Now) {
        while let Some(line) = self.lines.get_mut(&key)
            && line.composer.poll_timeout().is_some_and(|at| at <= now.at)
        {
            let notification = line.composer.handle_timeout(now);
            self.send_composing(key, notification, now);
        }
        if self.lines.get_mut(&key).is_some_and(|line| line.typing.handle_timeout(now.at)) {
            self.events.push_back(Event::Composing { session: SessionId(key), active: false });
        }
    }

    fn send_composing(&mut self, key: SessionKey, notification: Option<IsComposing>, now: Now) {
        if let Some(notification) = notification {
            let id = self.entropy.uuid();
            let Ok(id) = MessageId::parse(&id) else { return };
            let cpim = Builder::anonymous().date_time(DateTime::utc(now.utc)).message_id(id).composing(&notification);
            self.post(key, Parcel { message_id: None, cpim }, now);
        }
    }

    pub(super) fn send_receipt(&mut self, key: SessionKey, receipt: &Imdn, now: Now) {
        let id = self.entropy.uuid();
        let Ok(id) = MessageId::parse(&id) else { return };
        let cpim = Builder::anonymous().date_time(DateTime::utc(now.utc)).message_id(id).receipt(receipt);
        self.post(key, Parcel { message_id: None, cpim }, now);
    }

    /// Takes a message up: it leaves as soon as the peer's path is known and those before it leave room.
    fn post(&mut self, key: SessionKey, parcel: Parcel, now: Now) {
        let Some(line) = self.lines.get_mut(&key) else { return };
        // After the peer's BYE nobody reads any more.
        let is_readable = !matches!(line.leaving, Leaving::AfterBye(_));
        // Messages were counted when they were taken.
        let is_full = parcel.message_id.is_none() && line.waiting.len() + line.outgoing.len() >= QUEUE;
        if is_readable && !is_full {
            line.waiting.push_back(parcel);
            self.send_waiting(key, now);
        } else {
            tracing::debug!("a receipt has no way any more");
            self.report_unsent(key, parcel);
        }
        self.work(now);
    }

    /// Hands waiting messages to MSRP, a few at a time.
    pub(super) fn send_waiting(&mut self, key: SessionKey, now: Now) {
        while let Some(line) = self.lines.get_mut(&key)
            && line.is_agreed
            && line.outgoing.len() < PARALLEL
            && let Some(parcel) = line.waiting.pop_front()
        {
            match self.endpoint.send(line.msrp, Outline::new("message/cpim"), parcel.cpim.clone(), now) {
                Ok(outgoing) => {
                    line.outgoing.insert(outgoing, parcel.message_id);
                    self.connect(key, now);
                }
                Err(error) => {
                    tracing::debug!(%error, "a message is not taken");
                    self.report_unsent(key, parcel);
                }
            }
        }
    }

    pub(super) fn report_unsent(&mut self, key: SessionKey, parcel: Parcel) {
        if let Some(message_id) = parcel.message_id {
            self.events.push_back(Event::NotSent { session: SessionId(key), message_id, unknown: false });
        }
    }

    pub(super) fn on_sent(&mut self, key: SessionKey, outgoing: OutgoingId, now: Now) {
        if let Some(message_id) = self.lines.get_mut(&key).and_then(|line| line.outgoing.remove(&outgoing)).flatten() {
            self.events.push_back(Event::Sent { session: SessionId(key), message_id });
        }
        self.send_waiting(key, now);
    }

    pub(super) fn on_failed(&mut self, key: SessionKey, outgoing: OutgoingId, why: Failure, now: Now) {
        let unknown = match why {
            Failure::Timeout | Failure::Unknown => true,
            Failure::Refused(_) | Failure::Unsent => false,
        };
        if let Some(message_id) = self.lines.get_mut(&key).and_then(|line| line.outgoing.remove(&outgoing)).flatten() {
            self.events.push_back(Event::NotSent { session: SessionId(key), message_id, unknown });
        }
        self.send_waiting(key, now);
    }
}
