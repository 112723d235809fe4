//! The messages that the two users send each other before the close.

use std::collections::BTreeMap;

use role_client::{Client, SessionId};
use wire::Now;

use crate::report::Messages;
use crate::stage::Side;

/// Messages of one user that may be under way at a time: more would only wait in the client's queue.
const WINDOW: u64 = 16;

/// What one user sends, and what has come of it.
#[derive(Debug, Default)]
pub(crate) struct Chat {
    /// Numbers of the messages sent, by imdn.Message-ID.
    sent: BTreeMap<String, u64>,
    /// Those that the other user has got, once and as they were.
    got: BTreeMap<String, u64>,
    /// Delivery receipts that came back.
    delivered: u64,
    /// Display receipts that came back.
    displayed: u64,
    /// What the other user got twice, or not as it was sent.
    wrong: Vec<String>,
    not_sent: u64,
}

impl Chat {
    /// How many more messages may be sent now, of `wanted` in all.
    pub(crate) fn may_send(&self, wanted: u64) -> std::ops::Range<u64> {
        let sent = self.sent.len() as u64;
        sent..wanted.min(self.delivered + self.not_sent + WINDOW)
    }

    pub(crate) fn on_sent(&mut self, id: String, number: u64) {
        self.sent.insert(id, number);
    }

    /// The other user got a message of this one's.
    pub(crate) fn on_got(&mut self, side: Side, id: &str, content: &[u8], size: u64) {
        let Some(number) = self.sent.get(id) else {
            self.wrong.push(format!("got a message {id} that nobody sent"));
            return;
        };
        if content != payload(side, *number, size) {
            self.wrong.push(format!("got message {number} changed"));
        } else if self.got.insert(id.to_owned(), *number).is_some() {
            self.wrong.push(format!("got message {number} twice"));
        }
    }

    pub(crate) const fn on_delivered(&mut self) {
        self.delivered += 1;
    }

    pub(crate) const fn on_displayed(&mut self) {
        self.displayed += 1;
    }

    pub(crate) const fn on_not_sent(&mut self) {
        self.not_sent += 1;
    }

    /// Everything has been sent, and both receipts of everything have come back.
    pub(crate) fn is_complete(&self, wanted: u64) -> bool {
        self.sent.len() as u64 == wanted && self.delivered == wanted && self.displayed == wanted
    }

    pub(crate) fn wrong(&self) -> impl Iterator<Item = &String> {
        self.wrong.iter()
    }

    /// Messages that did not arrive, and receipts that did not come back.
    pub(crate) fn missing(&self, wanted: u64) -> (u64, u64) {
        (wanted - self.got.len() as u64, 2 * wanted - self.delivered - self.displayed)
    }
}

impl Messages {
    /// Of both users.
    pub(crate) fn of(chats: &[Chat; 2]) -> Messages {
        let sum = |count: fn(&Chat) -> u64| chats.iter().map(count).sum();
        Messages { sent: sum(|c| c.sent.len() as u64), delivered: sum(|c| c.got.len() as u64) }
    }
}

/// Sends one message; its imdn.Message-ID if the client takes it.
pub(crate) fn send(
    client: &mut Client,
    session: SessionId,
    side: Side,
    number: u64,
    size: u64,
    now: Now,
) -> Option<String> {
    client.send_content(session, "text/plain", &payload(side, number, size), now)
}

/// Text of exactly `size` octets that tells which message it is, and where in it one looks.
fn payload(side: Side, number: u64, size: u64) -> Vec<u8> {
    let words = format!("message {number} of user {}, ", if side == 0 { 'A' } else { 'B' });
    words.bytes().cycle().take(usize::try_from(size).unwrap_or(usize::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_changed_or_twice_or_from_nowhere_is_noticed() {
        let mut chat = Chat::default();
        chat.on_sent("a".to_owned(), 0);
        chat.on_got(0, "a", &payload(0, 0, 100), 100);
        assert_eq!((chat.wrong().count(), chat.missing(1)), (0, (0, 2)));
        chat.on_got(0, "a", &payload(0, 0, 100), 100);
        chat.on_got(0, "a", &payload(0, 1, 100), 100);
        chat.on_got(0, "b", b"", 100);
        assert_eq!(chat.wrong().count(), 3);
        chat.on_delivered();
        assert!(!chat.is_complete(1));
        chat.on_displayed();
        assert!(chat.is_complete(1));
    }

    #[test]
    fn a_window_of_messages_is_under_way() {
        let mut chat = Chat::default();
        assert_eq!(chat.may_send(100), 0..16);
        assert_eq!(chat.may_send(3), 0..3);
        (0..16).for_each(|n| chat.on_sent(n.to_string(), n));
        assert!(chat.may_send(100).is_empty());
        chat.on_delivered();
        assert_eq!(chat.may_send(100), 16..17);
    }

    #[test]
    fn a_payload_has_its_size() {
        for size in [0, 1, 100, 20_000] {
            assert_eq!(payload(1, 7, size).len() as u64, size);
        }
    }
}
