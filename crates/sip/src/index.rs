//! Bytes to message: finds the start line, the header fields and the body, copies nothing.

use bytes::Bytes;
use smallvec::SmallVec;

use crate::essentials::Essentials;
use crate::message::{Field, Message, NONE, Span, StartLine};
use crate::scan::{is_token, is_token_byte};
use crate::{Limits, Method, Name, ParseError, name};

pub(crate) fn index(bytes: Bytes, limits: &Limits) -> Result<Message, ParseError> {
    let limit = limits.head.min(usize::from(u16::MAX));
    // RFC 3261 §7.5: CRLFs before the start line are ignored.
    let lead = bytes.chunks(2).take_while(|pair| *pair == b"\r\n").count() * 2;
    let text = &bytes[..bytes.len().min(limit)];
    let cut = |at| if text.len() < bytes.len() { too_large(at) } else { ParseError::new(at, "CRLF") };

    let line_end = find_line_end(text, lead).map_err(|e| e.unwrap_or_else(|| cut(text.len())))?;
    let start = start_line(&text[..line_end], lead)?;

    let mut fields: SmallVec<[Field; 40]> = SmallVec::new();
    let mut first = [NONE as u8; name::COUNT];
    let mut at = line_end + 2;
    let head_end = loop {
        if text[at..].starts_with(b"\r\n") {
            break at;
        }
        let (field, next) = field(text, at).map_err(|e| e.unwrap_or_else(|| cut(text.len())))?;
        if fields.len() == limits.headers {
            return Err(ParseError::new(at, "fewer header fields").with_status(513));
        }
        let slot = &mut first[field.name as usize];
        if usize::from(*slot) == NONE && fields.len() < NONE {
            *slot = fields.len() as u8;
        }
        fields.push(field);
        at = next;
    };
    let body = head_end + 2..bytes.len();
    Ok(Message {
        start,
        fields,
        first,
        head_end: head_end as u16,
        body,
        essentials: Essentials::default(),
        stamp: None,
        bytes,
    })
}

const fn too_large(at: usize) -> ParseError {
    ParseError::new(at, "a smaller head").with_status(513)
}

/// The position of the CRLF that ends the line from `from`; `Err(None)` when the text ends first.
fn find_line_end(text: &[u8], from: usize) -> Result<usize, Option<ParseError>> {
    let lf = memchr::memchr(b'\n', &text[from..]).ok_or(None)? + from;
    // Two hops that disagree on where a line ends can be played against each other: CRLF, and nothing else, ends one.
    if lf == from || text[lf - 1] != b'\r' {
        return Err(Some(ParseError::new(lf, "CR before LF")));
    }
    Ok(lf - 1)
}

fn field(text: &[u8], at: usize) -> Result<(Field, usize), Option<ParseError>> {
    let name_len = text[at..].iter().position(|b| !is_token_byte(*b)).ok_or(None)?;
    if name_len == 0 {
        return Err(Some(ParseError::new(at, "a header field name")));
    }
    let mut colon = at + name_len;
    while matches!(text.get(colon), Some(b' ' | b'\t')) {
        colon += 1;
    }
    match text.get(colon) {
        Some(b':') => {}
        Some(_) => return Err(Some(ParseError::new(colon, "a colon after the header field name"))),
        None => return Err(None),
    }
    let mut end = find_line_end(text, colon + 1)?;
    // RFC 3261 §7.3.1: a line that starts with white space continues the one before.
    while matches!(text.get(end + 2), Some(b' ' | b'\t')) {
        end = find_line_end(text, end + 2)?;
    }
    if end + 2 >= text.len() {
        return Err(None);
    }
    let (mut start, mut stop) = (colon + 1, end);
    while start < stop && matches!(text[start], b' ' | b'\t' | b'\r' | b'\n') {
        start += 1;
    }
    while stop > start && matches!(text[stop - 1], b' ' | b'\t' | b'\r' | b'\n') {
        stop -= 1;
    }
    let field = Field { name: Name::from_bytes(&text[at..at + name_len]), line: at as u16, value: span(start, stop) };
    Ok((field, end + 2))
}

const fn span(start: usize, end: usize) -> Span {
    Span { start: start as u16, end: end as u16 }
}

fn start_line(text: &[u8], at: usize) -> Result<StartLine, ParseError> {
    let line = &text[at..];
    if line.len() >= 4 && line[..4].eq_ignore_ascii_case(b"SIP/") {
        return status_line(text, at);
    }
    let method_end = memchr::memchr(b' ', line).ok_or(ParseError::new(at, "a method and a space"))?;
    if !is_token(&line[..method_end]) {
        return Err(ParseError::new(at, "a method"));
    }
    let version_at = memchr::memrchr(b' ', line)
        .filter(|i| *i > method_end)
        .ok_or(ParseError::new(at + method_end + 1, "a Request-URI, a space and a version"))?;
    Ok(StartLine::Request {
        method: Method::from_bytes(&line[..method_end]),
        token: span(at, at + method_end),
        uri: span(at + method_end + 1, at + version_at),
    })
}

fn status_line(text: &[u8], at: usize) -> Result<StartLine, ParseError> {
    let line = &text[at..];
    if !line[..line.len().min(8)].eq_ignore_ascii_case(b"SIP/2.0 ") {
        return Err(ParseError::new(at, "SIP/2.0").with_status(505));
    }
    let digits = line.get(8..11).filter(|d| d.iter().all(u8::is_ascii_digit));
    let status = digits.map(|d| d.iter().fold(0u16, |n, b| n * 10 + u16::from(b - b'0')));
    // The space before an empty reason phrase is mandatory, but missing on the wire often enough.
    match (status, line.get(11)) {
        (Some(status @ 100..=699), Some(b' ')) => {
            Ok(StartLine::Response { status, reason: span(at + 12, at + line.len()) })
        }
        (Some(status @ 100..=699), None) => Ok(StartLine::Response { status, reason: span(at + 11, at + 11) }),
        _ => Err(ParseError::new(at + 8, "a status code from 100 to 699")),
    }
}
