use crate::recent::Recent;
use crate::{Delivery, Display, Imdn, MessageId, Notification};

/// The messages that were sent and whose receipts are awaited. Bounded: the oldest is forgotten first.
///
/// A receipt counts only if it comes from the recipient of the message that it names, and only if it says more than the ones
/// before: receipts travel by other ways than messages, so `delivered` may come after `displayed`, and twice.
/// `T` is what the caller knows of a message by itself: the session that it was sent in.
#[derive(Debug)]
pub struct Awaited<T = ()> {
    sent: Recent<Sent<T>>,
}

#[derive(Debug)]
struct Sent<T> {
    recipient: String,
    progress: u8,
    context: T,
}

/// What a receipt means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Receipt<T = ()> {
    /// It says something new about a message that was sent.
    News(T),
    /// It says what is known already, or less.
    Old,
    /// It names no message that was sent, or one that is forgotten.
    Unknown,
    /// It comes from somebody whom the message was not for.
    NotFromRecipient,
}

impl<T: Copy> Awaited<T> {
    /// Remembers the last `capacity` messages, at least one.
    pub fn new(capacity: usize) -> Awaited<T> {
        Awaited { sent: Recent::new(capacity) }
    }

    /// A message is sent, perhaps again. `recipient` is whom SIP sends it to.
    pub fn sent(&mut self, id: MessageId<'_>, recipient: &str, context: T) {
        self.sent.insert(id.as_str(), Sent { recipient: recipient.into(), progress: 0, context });
    }

    /// A receipt came. `from` is its asserted sender, written as the recipient was.
    pub fn on_receipt(&mut self, receipt: &Imdn, from: &str) -> Receipt<T> {
        let Some(sent) = self.sent.get_mut(receipt.message_id().as_str()) else { return Receipt::Unknown };
        if sent.recipient != from {
            return Receipt::NotFromRecipient;
        }
        let progress = progress(&receipt.notification);
        if progress <= sent.progress {
            return Receipt::Old;
        }
        sent.progress = progress;
        Receipt::News(sent.context)
    }
}

/// How far a message has come. A failure may be followed by a success: a deferred message is tried again.
const fn progress(notification: &Notification) -> u8 {
    match notification {
        Notification::Processing(_) | Notification::Other(_) => 1,
        Notification::Delivery(Delivery::Failed | Delivery::Forbidden | Delivery::Error) => 2,
        Notification::Delivery(Delivery::Delivered) => 3,
        Notification::Display(Display::Forbidden | Display::Error) => 4,
        Notification::Display(Display::Displayed) => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELIVERED: Notification = Notification::Delivery(Delivery::Delivered);
    const DISPLAYED: Notification = Notification::Display(Display::Displayed);

    fn about(id: &str, notification: Notification) -> Imdn {
        Imdn::new(MessageId::parse(id).unwrap(), notification)
    }

    fn waiting_for(id: &str) -> Awaited {
        let mut awaited = Awaited::new(4);
        awaited.sent(MessageId::parse(id).unwrap(), "sip:bob@x", ());
        awaited
    }

    #[test]
    fn delivered_after_displayed_is_old_and_so_is_the_second_one() {
        let mut awaited = waiting_for("m1");
        let mut receive = |notification| awaited.on_receipt(&about("m1", notification), "sip:bob@x");
        assert_eq!(receive(Notification::Delivery(Delivery::Failed)), Receipt::News(()));
        assert_eq!(receive(DISPLAYED), Receipt::News(()));
        assert_eq!(receive(DISPLAYED), Receipt::Old);
        assert_eq!(receive(DELIVERED), Receipt::Old);
    }

    #[test]
    fn a_receipt_of_a_stranger_or_for_a_message_never_sent_counts_for_nothing() {
        let mut awaited = waiting_for("m1");
        assert_eq!(awaited.on_receipt(&about("m2", DELIVERED), "sip:bob@x"), Receipt::Unknown);
        assert_eq!(awaited.on_receipt(&about("m1", DELIVERED), "sip:eve@x"), Receipt::NotFromRecipient);
        assert_eq!(awaited.on_receipt(&about("m1", DELIVERED), "sip:bob@x"), Receipt::News(()));
    }

    #[test]
    fn sending_again_does_not_take_back_what_is_known() {
        let mut awaited = waiting_for("m1");
        assert_eq!(awaited.on_receipt(&about("m1", DELIVERED), "sip:bob@x"), Receipt::News(()));
        awaited.sent(MessageId::parse("m1").unwrap(), "sip:bob@x", ());
        assert_eq!(awaited.on_receipt(&about("m1", DELIVERED), "sip:bob@x"), Receipt::Old);
    }
}
