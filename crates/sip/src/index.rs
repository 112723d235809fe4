//! Bytes to message: finds the start line, the header fields and the body, copies nothing.

use bytes::{Buf, Bytes};
use smallvec::SmallVec;

use crate::essentials::Essentials;
use crate::message::{Field, Malformed, Message, NONE, Span, StartLine};
use crate::scan::{is_token, is_token_byte};
use crate::{Limits, Method, Name, ParseError, name};

/// A head that is cut off or goes wrong after its start line is indexed up to the fault, so that it can be answered.
pub(crate) fn index(mut bytes: Bytes, limits: &Limits) -> Result<Message, Malformed> {
    let limit = limits.head.min(usize::from(u16::MAX));
    // RFC 3261 §7.5: CRLFs before the start line are ignored; nor are they forwarded.
    let lead = bytes.chunks(2).take_while(|pair| *pair == b"\r\n").count() * 2;
    bytes.advance(lead);
    let text = &bytes[..bytes.len().min(limit)];
    let cut = |at| if text.len() < bytes.len() { too_large(at) } else { ParseError::new(at, "CRLF") };

    let line_end = match find_line_end(text, 0) {
        Ok(line_end) => line_end,
        Err(e) => return Err(Malformed { error: e.unwrap_or_else(|| cut(text.len())), message: None }),
    };
    let start = start_line(&text[..line_end]).map_err(|error| Malformed { error, message: None })?;

    let mut message = Message {
        start,
        fields: SmallVec::new(),
        first: [NONE as u8; name::COUNT],
        head_end: 0,
        body: 0..0,
        essentials: Essentials::default(),
        stamp: None,
        bytes: Bytes::new(),
    };
    let (head_end, fault) = fields(text, line_end + 2, limits, &mut message);
    message.head_end = head_end as u16;
    let body_start = if fault.is_none() { head_end + 2 } else { head_end };
    let error = fault.map(|e| e.unwrap_or_else(|| cut(text.len())));
    message.body = body_start..bytes.len();
    message.bytes = bytes;
    match error {
        None => Ok(message),
        Some(error) => {
            message.body.start = message.body.end;
            Err(Malformed { error, message: Some(Box::new(message)) })
        }
    }
}

/// Indexes header fields from `at`. Returns where the head ends, and the fault that ended it if it was not a blank line:
/// `Some(None)` when the text ended.
fn fields(text: &[u8], mut at: usize, limits: &Limits, message: &mut Message) -> (usize, Option<Option<ParseError>>) {
    loop {
        if text[at..].starts_with(b"\r\n") {
            return (at, None);
        }
        if message.fields.len() == limits.headers {
            let error = ParseError::new(at, "fewer header fields").with_status(513);
            return (at, Some(Some(error)));
        }
        let (field, next) = match field(text, at) {
            Ok(field) => field,
            Err(error) => return (at, Some(error)),
        };
        let count = message.fields.len();
        let slot = &mut message.first[field.name as usize];
        if usize::from(*slot) == NONE && count < NONE {
            *slot = count as u8;
        }
        message.fields.push(field);
        at = next;
    }
}

const fn too_large(at: usize) -> ParseError {
    ParseError::new(at, "a smaller head").with_status(513)
}

/// The position of the CRLF that ends the line from `from`; `Err(None)` when the text ends first.
///
/// Two hops that disagree on where a line ends can be played against each other: CRLF, and nothing else, ends one, and
/// neither CR nor LF occurs alone. NUL, which ends a text for some, occurs only escaped (RFC 3261 §25.1 quoted-pair).
fn find_line_end(text: &[u8], from: usize) -> Result<usize, Option<ParseError>> {
    let mut at = from;
    loop {
        at += memchr::memchr3(b'\r', b'\n', 0, &text[at..]).ok_or(None)?;
        match (text[at], text.get(at + 1)) {
            (b'\r', Some(b'\n')) => return Ok(at),
            (b'\r', None) => return Err(None),
            (0, _) if at > from && text[at - 1] == b'\\' => at += 1,
            (0, _) => return Err(Some(ParseError::new(at, "a character that may occur in a head"))),
            _ => return Err(Some(ParseError::new(at, "CR and LF together, at the end of a line"))),
        }
    }
}

fn field(text: &[u8], at: usize) -> Result<(Field, usize), Option<ParseError>> {
    if b"\r\n".starts_with(&text[at..]) {
        return Err(None);
    }
    let mut name_end = at;
    while text.get(name_end).is_some_and(|b| is_token_byte(*b)) {
        name_end += 1;
    }
    let mut colon = name_end;
    while matches!(text.get(colon), Some(b' ' | b'\t')) {
        colon += 1;
    }
    match text.get(colon) {
        Some(b':') if name_end > at => {}
        Some(_) => return Err(Some(ParseError::new(name_end, "a header field name and a colon"))),
        None => return Err(None),
    }
    let name = Name::at(text, at..name_end);
    let mut end = find_line_end(text, colon + 1)?;
    // RFC 3261 §7.3.1: a line that starts with white space continues the one before.
    while matches!(text.get(end + 2), Some(b' ' | b'\t')) {
        end = find_line_end(text, end + 2)?;
    }
    let (mut start, mut stop) = (colon + 1, end);
    while start < stop && matches!(text[start], b' ' | b'\t' | b'\r' | b'\n') {
        start += 1;
    }
    while stop > start && matches!(text[stop - 1], b' ' | b'\t' | b'\r' | b'\n') {
        stop -= 1;
    }
    let field = Field { name, line: at as u16, value: Span::new(start, stop) };
    Ok((field, end + 2))
}

fn start_line(line: &[u8]) -> Result<StartLine, ParseError> {
    if line.len() >= 4 && line[..4].eq_ignore_ascii_case(b"SIP/") {
        return status_line(line);
    }
    let method_end = memchr::memchr(b' ', line).ok_or(ParseError::new(0, "a method and a space"))?;
    if !is_token(&line[..method_end]) {
        return Err(ParseError::new(0, "a method"));
    }
    let version_at = memchr::memrchr(b' ', line)
        .filter(|i| *i > method_end)
        .ok_or(ParseError::new(method_end + 1, "a Request-URI, a space and a version"))?;
    Ok(StartLine::Request {
        method: Method::from_bytes(&line[..method_end]),
        token: Span::new(0, method_end),
        uri: Span::new(method_end + 1, version_at),
    })
}

fn status_line(line: &[u8]) -> Result<StartLine, ParseError> {
    if !line[..line.len().min(8)].eq_ignore_ascii_case(b"SIP/2.0 ") {
        return Err(ParseError::new(0, "SIP/2.0").with_status(505));
    }
    let digits = line.get(8..11).filter(|d| d.iter().all(u8::is_ascii_digit));
    let status = digits.map(|d| d.iter().fold(0u16, |n, b| n * 10 + u16::from(b - b'0')));
    // The space before an empty reason phrase is mandatory, but missing on the wire often enough.
    match (status, line.get(11)) {
        (Some(status @ 100..=699), Some(b' ')) => Ok(StartLine::Response { status, reason: Span::new(12, line.len()) }),
        (Some(status @ 100..=699), None) => Ok(StartLine::Response { status, reason: Span::new(11, 11) }),
        _ => Err(ParseError::new(8, "a status code from 100 to 699")),
    }
}
