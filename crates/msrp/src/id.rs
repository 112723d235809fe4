use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use wire::{Entropy, Key};

/// Names a session of an endpoint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionId(pub(crate) Key);

/// Names a message that is coming in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct IncomingId(pub(crate) Key);

/// Names a message that is going out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OutgoingId(pub(crate) Key);

/// The value of `Message-ID`: the same in every chunk of a message and in the reports on it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(Arc<str>);

impl MessageId {
    /// Reads one. RFC 4975 §9 allows 32 characters; UUIDs with their 36 are seen, so 1 to 128 visible characters are taken.
    pub fn parse(text: &str) -> Option<MessageId> {
        let is_fine = (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_fine.then(|| MessageId(text.into()))
    }

    /// Draws one of 128 random bits.
    pub fn draw(entropy: &mut Entropy) -> MessageId {
        MessageId((entropy.tag() + &entropy.tag()).into())
    }

    /// As it is printed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for MessageId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
