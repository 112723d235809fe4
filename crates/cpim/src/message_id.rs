use std::fmt;

use crate::ParseError;

/// The imdn.Message-ID of a message (RFC 5438 §6): what receipts and the recognition of duplicates go by.
///
/// Any visible ASCII characters, compared octet by octet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MessageId<'a>(&'a str);

impl<'a> MessageId<'a> {
    /// The longest identifier that is read: a UUID takes 36 octets.
    pub const MAX: usize = 256;

    /// Takes an identifier that is 1 to [`MessageId::MAX`] visible ASCII characters.
    pub fn parse(text: &'a str) -> Result<MessageId<'a>, ParseError> {
        if text.is_empty() || text.len() > MessageId::MAX {
            return Err(ParseError::new(0, "a message identifier of 1 to 256 characters"));
        }
        match text.bytes().position(|b| !b.is_ascii_graphic()) {
            Some(at) => Err(ParseError::new(at, "a message identifier of visible ASCII characters")),
            None => Ok(MessageId(text)),
        }
    }

    /// Takes what was an identifier before.
    pub(crate) const fn trusted(text: &'a str) -> MessageId<'a> {
        MessageId(text)
    }

    /// The identifier as it is on the wire.
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

impl fmt::Display for MessageId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
