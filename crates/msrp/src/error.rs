use thiserror::Error;

/// Why bytes are not the MSRP they claim to be: where, and what was expected there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("at byte {at}: expected {expected}")]
pub struct ParseError {
    /// Offset from the start of the frame, or of the text that was parsed.
    pub at: usize,
    /// What the grammar wants there.
    pub expected: &'static str,
}

impl ParseError {
    pub(crate) const fn new(at: usize, expected: &'static str) -> ParseError {
        ParseError { at, expected }
    }
}

/// Bounds on a head. What exceeds `head` cannot be followed and ends the connection; what exceeds the others is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeadLimits {
    /// Octets of the start line and all header fields, at most 65,535.
    pub head: usize,
    /// Number of header fields.
    pub headers: usize,
    /// Number of URIs in one path.
    pub path: usize,
}

impl Default for HeadLimits {
    fn default() -> HeadLimits {
        HeadLimits { head: 16 * 1024, headers: 64, path: 16 }
    }
}
