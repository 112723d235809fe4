/// Why bytes are not the message they claim to be: where, and what was expected there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("at byte {at}: expected {expected}")]
pub struct ParseError {
    /// Offset from the start of what was parsed.
    pub at: usize,
    /// What the grammar wants there.
    pub expected: &'static str,
    /// The bytes ended too early: the start of a message that is still arriving may become right with more of them.
    pub truncated: bool,
}

impl ParseError {
    pub(crate) const fn new(at: usize, expected: &'static str) -> ParseError {
        ParseError { at, expected, truncated: false }
    }

    pub(crate) const fn truncated(at: usize, expected: &'static str) -> ParseError {
        ParseError { at, expected, truncated: true }
    }

    /// The same fault seen from a larger text in which the parsed one starts at `offset`.
    pub(crate) const fn shifted(self, offset: usize) -> ParseError {
        ParseError { at: self.at + offset, ..self }
    }
}
