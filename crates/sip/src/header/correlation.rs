use std::fmt;

use crate::ParseError;
use crate::scan::trim;

/// The value of Conversation-ID, Contribution-ID, InReplyTo-Contribution-ID or Session-Replaces: what ties sessions and
/// messages of CPM together.
///
/// A UUID by the book, but 32 or 40 hexadecimal digits and other words are on the wire: any visible text without list
/// and quoting characters is taken, compared byte by byte, and never normalised.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CorrelationId<'a>(&'a [u8]);

impl<'a> CorrelationId<'a> {
    /// Reads an identifier.
    pub fn parse(value: &'a [u8]) -> Result<CorrelationId<'a>, ParseError> {
        let text = trim(value);
        if text.is_empty() {
            return Err(ParseError::new(0, "an identifier"));
        }
        match text.iter().position(|b| !b.is_ascii_graphic() || matches!(b, b',' | b';' | b'"' | b'<' | b'>' | b'\\')) {
            Some(at) => Err(ParseError::new(at, "an identifier of one word")),
            None => Ok(CorrelationId(text)),
        }
    }

    /// As it stood.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// As text; identifiers are ASCII.
    pub fn as_str(&self) -> &'a str {
        std::str::from_utf8(self.0).expect("parse lets only visible ASCII through")
    }
}

impl fmt::Display for CorrelationId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CorrelationId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CorrelationId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_of_every_maker_are_taken_as_they_are() {
        for text in [
            "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
            "F81D4FAE7DEC11D0A76500A0C91E6BF6",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "aB3_x+9/kQ==.z~1",
            "abc@host:5060",
        ] {
            assert_eq!(CorrelationId::parse(text.as_bytes()).unwrap().to_string(), text);
        }
        assert_ne!(CorrelationId::parse(b"a"), CorrelationId::parse(b"A"));
        for text in ["", " ", "a b", "a,b", "a;b", "\"a\"", "a\u{e9}", "a\0", "<a>"] {
            assert!(CorrelationId::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
