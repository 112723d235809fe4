//! Receipts: in the session while it lasts, by SIP MESSAGE once it is over.

use bytes::Bytes;
use cpim::{Builder, DateTime, Delivery, Display, Envelope, Imdn, MessageId, Notification, Receipt};
use sip_ua::SessionKey;
use wire::Now;

use super::send::{Kind, Parcel};
use super::{HISTORY, Leaving, Messages};
use crate::{Event, SessionId};

/// A receipt whose session is over. A session is not opened for it (RFC 5438 leaves the way open): it goes as a MESSAGE.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Stray {
    /// The session of the message that it is about.
    pub(crate) session: SessionKey,
    /// That message.
    pub(crate) message_id: String,
    /// Whom it is for.
    pub(crate) peer: String,
    /// The conversation of the message that it is about.
    pub(crate) conversation_id: String,
    /// The CPIM message.
    pub(crate) cpim: Bytes,
}

impl Messages {
    /// The user has seen a message: its sender is told, if it asked. False when there is nothing to tell.
    pub(crate) fn displayed(&mut self, key: SessionKey, id: &str, now: Now) -> bool {
        let Some(at) = self.unread.iter().position(|unread| unread.session == key && unread.message_id == id) else {
            return false;
        };
        let Some((unread, message_id)) = self.unread.remove(at).zip(MessageId::parse(id).ok()) else { return false };
        let mut receipt = Imdn::new(message_id, Notification::Display(Display::Displayed));
        receipt.date_time = unread.date_time;
        if self.lines.get(&key).is_some_and(|line| line.leaving == Leaving::No) {
            self.send_receipt(key, &receipt, now);
        } else if let Some(cpim) = self.print_receipt(&receipt, now) {
            let (peer, conversation_id) = (unread.peer, unread.conversation_id);
            self.stray(Stray { session: key, message_id: id.to_owned(), peer, conversation_id, cpim });
        }
        true
    }

    pub(super) fn send_receipt(&mut self, key: SessionKey, receipt: &Imdn, now: Now) {
        if let Some(cpim) = self.print_receipt(receipt, now) {
            self.post(key, Kind::Receipt(receipt.message_id().as_str().to_owned()), cpim, now);
        }
    }

    fn print_receipt(&mut self, receipt: &Imdn, now: Now) -> Option<Bytes> {
        let id = self.entropy.uuid();
        let id = MessageId::parse(&id).ok()?;
        Some(Builder::anonymous().date_time(DateTime::utc(now.utc)).message_id(id).receipt(receipt))
    }

    /// A receipt that its session does not carry any more.
    pub(super) fn detour(&mut self, key: SessionKey, message_id: String, parcel: Parcel) {
        if let Some(line) = self.lines.get(&key) {
            let (peer, conversation_id) = (line.peer.clone(), line.conversation_id.clone());
            self.stray(Stray { session: key, message_id, peer, conversation_id, cpim: parcel.into_cpim() });
        }
    }

    fn stray(&mut self, stray: Stray) {
        if self.strays.len() < HISTORY {
            self.strays.push_back(stray);
        } else {
            let (session, message_id) = (SessionId(stray.session), stray.message_id);
            self.events.push_back(Event::ReceiptLost { session, message_id, status: 503 });
        }
    }

    /// The next receipt that is to be sent by SIP MESSAGE.
    pub(crate) fn next_stray(&mut self) -> Option<Stray> {
        self.strays.pop_front()
    }

    /// A CPIM message came by SIP MESSAGE from `peer`: a receipt is taken. The status to answer with.
    pub(crate) fn on_page(&mut self, peer: &str, body: &[u8]) -> u16 {
        let Ok(envelope) = Envelope::parse(body) else { return 400 };
        if !envelope.content().is(Imdn::MEDIA_TYPE) {
            return 415;
        }
        let receipt = envelope.content().decoded().and_then(|content| Imdn::parse(&content));
        let Ok(receipt) = receipt else { return 400 };
        self.on_receipt(&receipt, peer);
        200
    }

    /// A receipt counts if it comes from whom the message was for, and says more than the one before.
    pub(super) fn on_receipt(&mut self, receipt: &Imdn, peer: &str) {
        let Receipt::News(key) = self.awaited.on_receipt(receipt, peer) else { return };
        let (session, message_id) = (SessionId(key), receipt.message_id().as_str().to_owned());
        match receipt.notification {
            Notification::Delivery(Delivery::Delivered) => {
                self.events.push_back(Event::Delivered { session, message_id });
            }
            Notification::Display(Display::Displayed) => {
                self.events.push_back(Event::Displayed { session, message_id });
            }
            Notification::Delivery(Delivery::Failed | Delivery::Forbidden | Delivery::Error)
            | Notification::Display(Display::Forbidden | Display::Error)
            | Notification::Processing(_)
            | Notification::Other(_) => tracing::debug!(%message_id, "a receipt that says neither"),
        }
    }
}
