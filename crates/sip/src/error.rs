use thiserror::Error;

/// Why bytes are not the SIP they claim to be: where, and what was expected there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("at byte {at}: expected {expected}")]
pub struct ParseError {
    /// Offset from the start of what was parsed.
    pub at: usize,
    /// What the grammar wants there.
    pub expected: &'static str,
    /// The status code that answers a request with this fault: 400 unless a better one fits (413, 505, 513); 0 for one that
    /// is dropped without an answer.
    pub status: u16,
}

impl ParseError {
    pub(crate) const fn new(at: usize, expected: &'static str) -> ParseError {
        ParseError { at, expected, status: 400 }
    }

    pub(crate) const fn with_status(self, status: u16) -> ParseError {
        ParseError { status, ..self }
    }

    /// The same fault seen from a larger text in which the parsed one starts at `offset`.
    pub(crate) const fn shifted(self, offset: usize) -> ParseError {
        ParseError { at: self.at + offset, ..self }
    }
}

/// Bounds on what is accepted. What exceeds them is answered, never truncated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Octets of the start line and all header fields; more is answered 513. At most 65,535.
    pub head: usize,
    /// Number of header field lines; more is answered 513.
    pub headers: usize,
    /// Octets of the body; more is answered 413.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { head: 32 * 1024, headers: 200, body: 256 * 1024 }
    }
}
