use std::str;

use memchr::memchr;

use crate::ParseError;

/// The most octets of a message before its content: both header blocks and their empty lines.
pub const MAX_HEAD: usize = 64 * 1024;

/// The most octets of one header line.
pub const MAX_LINE: usize = 8 * 1024;

/// The most lines in each of the two header blocks.
pub const MAX_HEADERS: usize = 128;

/// One line of a header block, without its end.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    /// Where it starts, counted from the start of the message.
    pub(crate) at: usize,
    pub(crate) text: &'a str,
    /// False for the last line of bytes that end without a line end.
    pub(crate) ended: bool,
}

/// Cuts the head of a message into lines: at CRLF, and at LF alone as real clients write it.
pub(crate) struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Lines<'a> {
        Lines { bytes, at: 0 }
    }

    /// Where the next line starts.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    pub(crate) const fn go_back(&mut self, at: usize) {
        self.at = at;
    }

    /// The octets of the next line, or the first of them.
    pub(crate) fn peek(&self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        let window = &rest[..rest.len().min(MAX_LINE)];
        &window[..memchr(b'\n', window).unwrap_or(window.len())]
    }

    /// The next line, `None` at the end of the bytes.
    pub(crate) fn next(&mut self) -> Result<Option<Line<'a>>, ParseError> {
        let rest = &self.bytes[self.at..];
        if rest.is_empty() {
            return Ok(None);
        }
        let at = self.at;
        let window = &rest[..rest.len().min(MAX_LINE + 2)];
        let (raw, ended) = match memchr(b'\n', window) {
            Some(lf) => (&window[..lf], true),
            None if rest.len() > window.len() => return Err(ParseError::new(at, "a line of at most 8 KiB")),
            None => (window, false),
        };
        self.at = at + raw.len() + usize::from(ended);
        if self.at > MAX_HEAD {
            return Err(ParseError::new(at, "the content after at most 64 KiB of headers"));
        }
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        let text = str::from_utf8(raw).map_err(|e| {
            let cut_short = !ended && e.error_len().is_none();
            ParseError { truncated: cut_short, ..ParseError::new(at + e.valid_up_to(), "UTF-8") }
        })?;
        // RFC 3862 §2.3: no control characters; a CR alone would be a line end for some and not for others.
        match text.bytes().position(|b| b.is_ascii_control() && b != b'\t') {
            Some(n) => Err(ParseError::new(at + n, "no control character in a header")),
            None => Ok(Some(Line { at, text, ended })),
        }
    }
}
