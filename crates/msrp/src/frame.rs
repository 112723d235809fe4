//! What a byte stream holds, in the order in which it comes.

use bytes::Bytes;

use crate::head::Head;

/// The continuation flag of an end-line (RFC 4975 §7.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flag {
    /// `$`: the chunk holds the last octet of its message.
    Complete,
    /// `+`: more chunks follow.
    Continued,
    /// `#`: the sender gave the message up.
    Aborted,
}

impl Flag {
    pub(crate) const fn byte(self) -> u8 {
        match self {
            Flag::Complete => b'$',
            Flag::Continued => b'+',
            Flag::Aborted => b'#',
        }
    }

    pub(crate) const fn from_byte(byte: u8) -> Option<Flag> {
        match byte {
            b'$' => Some(Flag::Complete),
            b'+' => Some(Flag::Continued),
            b'#' => Some(Flag::Aborted),
            _ => None,
        }
    }
}

/// A piece of a stream. Every `Head` is followed by any number of `Body` pieces and one `End`.
#[derive(Clone, Debug)]
pub enum Frame {
    /// A request or response begins.
    Head(Box<Head>),
    /// Octets of its body.
    Body {
        /// The octets, never none; a slice of what was read.
        data: Bytes,
        /// Seven hyphens in a row were searched and not found in them: no end-line can stand there. False says nothing.
        plain: bool,
    },
    /// Its end-line.
    End(Flag),
}
