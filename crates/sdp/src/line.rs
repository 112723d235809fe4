use std::ops::Range;

/// The longest body that is read. A SIP message over UDP cannot carry more.
pub const MAX_BYTES: usize = 64 * 1024;

/// The most lines that are read.
pub const MAX_LINES: usize = 1024;

/// The bytes are not what the grammar says. An INVITE that carries them is answered 400.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected {expected} at byte {at}")]
pub struct ParseError {
    /// Where, counted from the start of what was parsed.
    pub at: usize,
    /// What should have been there.
    pub expected: &'static str,
}

/// Where one line stands in the body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Line {
    /// Without its end.
    pub(crate) content: Range<usize>,
    /// With its end, be it CRLF, LF or (in the last line) nothing.
    pub(crate) whole: Range<usize>,
}

/// The lines of a body without and with their ends.
pub(crate) fn lines_of(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let (whole, tail) = rest.split_at(end);
        rest = tail;
        let content = whole.strip_suffix(b"\n").map_or(whole, |line| line.strip_suffix(b"\r").unwrap_or(line));
        (!whole.is_empty()).then_some((content, whole))
    })
}

/// The bounds on a body.
pub(crate) fn check_length(bytes: &[u8]) -> Result<(), ParseError> {
    if bytes.len() > MAX_BYTES {
        return Err(ParseError { at: MAX_BYTES, expected: "the end of a body of at most 64 KiB" });
    }
    // No line is shorter than its end.
    if bytes.len() <= MAX_LINES {
        return Ok(());
    }
    match memchr::memchr_iter(b'\n', bytes).nth(MAX_LINES - 1) {
        Some(end) if end + 1 < bytes.len() => {
            Err(ParseError { at: end + 1, expected: "the end of a body of at most 1024 lines" })
        }
        Some(_) | None => Ok(()),
    }
}

/// What is no session description does not begin with `v=0`; blank lines before it are suffered.
pub(crate) fn check_start(bytes: &[u8]) -> Result<(), ParseError> {
    let first = lines_of(bytes).map(|(content, _)| content).find(|content| !content.trim_ascii().is_empty());
    match first {
        Some(content) if content.trim_ascii_end() == b"v=0" => Ok(()),
        Some(_) | None => Err(ParseError { at: 0, expected: "v=0" }),
    }
}

/// The lines of a body: which bytes are which, without a copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Lines {
    bytes: Vec<u8>,
    lines: Vec<Line>,
    /// The line numbers of the m-lines, ascending.
    m_lines: Vec<usize>,
}

impl Lines {
    /// Cuts a body into lines at LF; a CR before it belongs to the line end (RFC 8866 §5: parsers should take LF alone).
    pub(crate) fn cut(bytes: &[u8]) -> Result<Lines, ParseError> {
        check_length(bytes)?;
        let mut lines = Vec::with_capacity(memchr::memchr_iter(b'\n', bytes).count() + 1);
        let mut at = 0;
        for (content, whole) in lines_of(bytes) {
            lines.push(Line { content: at..at + content.len(), whole: at..at + whole.len() });
            at += whole.len();
        }
        let is_m = |line: &Line| bytes[line.content.clone()].starts_with(b"m=");
        let m_lines = (0..lines.len()).filter(|&n| is_m(&lines[n])).collect();
        Ok(Lines { bytes: bytes.to_vec(), lines, m_lines })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(crate) fn media_count(&self) -> usize {
        self.m_lines.len()
    }

    /// The content of a line, without its end.
    pub(crate) fn content(&self, line: usize) -> &[u8] {
        &self.bytes[self.lines[line].content.clone()]
    }

    /// The end of a line: CRLF, LF or nothing.
    pub(crate) fn end(&self, line: usize) -> &[u8] {
        let Line { content, whole } = &self.lines[line];
        &self.bytes[content.end..whole.end]
    }

    /// What ends a line that is put in: as the first line does it, CRLF in doubt (RFC 8866 §5).
    pub(crate) fn usual_end(&self) -> &'static [u8] {
        if !self.lines.is_empty() && self.end(0) == b"\n" { b"\n" } else { b"\r\n" }
    }

    /// The lines before the first m-line.
    pub(crate) fn session(&self) -> Range<usize> {
        0..self.m_lines.first().copied().unwrap_or(self.len())
    }

    /// The lines of the `index`-th media description, its m-line first.
    pub(crate) fn media(&self, index: usize) -> Range<usize> {
        let end = self.m_lines.get(index + 1).copied().unwrap_or(self.len());
        self.m_lines[index]..end
    }
}
