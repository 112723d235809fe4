use crate::MessageId;
use crate::recent::Recent;

/// Remembers which messages were received, so that one that is sent again is not shown again.
///
/// A sender cannot know whether a message arrived whose answer got lost with the connection, so it sends it again with the
/// same imdn.Message-ID (RFC 4975 §5.4). What is remembered is bounded: the oldest is forgotten first.
#[derive(Debug)]
pub struct DuplicateFilter {
    seen: Recent<()>,
}

impl DuplicateFilter {
    /// Remembers the last `capacity` messages, at least one.
    pub fn new(capacity: usize) -> DuplicateFilter {
        DuplicateFilter { seen: Recent::new(capacity) }
    }

    /// Takes note of a message and says whether it is a new one. `from` is the asserted sender: the identifiers of two
    /// senders have nothing to do with each other, or one could suppress the messages of the other.
    pub fn is_new(&mut self, from: &str, id: MessageId<'_>) -> bool {
        self.seen.insert(&key(from, id), ())
    }

    /// Takes the note back: the message could not be accepted after all, so the next try is not a duplicate.
    pub fn forget(&mut self, from: &str, id: MessageId<'_>) {
        self.seen.remove(&key(from, id));
    }

    /// How many messages are remembered.
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An identifier holds no space, so no two pairs have the same key.
fn key(from: &str, id: MessageId<'_>) -> String {
    format!("{id} {from}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> MessageId<'_> {
        MessageId::parse(text).unwrap()
    }

    #[test]
    fn a_message_is_new_once_per_sender() {
        let mut filter = DuplicateFilter::new(8);
        assert!(filter.is_empty() && filter.is_new("sip:a@x", id("1")));
        assert!(!filter.is_new("sip:a@x", id("1")));
        assert!(filter.is_new("sip:b@x", id("1")));
        filter.forget("sip:a@x", id("1"));
        assert!(filter.is_new("sip:a@x", id("1")));
    }

    #[test]
    fn the_oldest_is_forgotten_and_the_memory_stays_bounded() {
        let mut filter = DuplicateFilter::new(3);
        for n in 0..1000 {
            assert!(filter.is_new("sip:a@x", id(&n.to_string())));
            assert!(filter.len() <= 3);
        }
        assert!(!filter.is_new("sip:a@x", id("999")) && !filter.is_new("sip:a@x", id("997")));
        assert!(filter.is_new("sip:a@x", id("996")));
    }
}
