//! Bytes to message: finds the start line, the header fields and the body, copies nothing.

use bytes::{Buf, Bytes};
use smallvec::SmallVec;

use crate::essentials::Essentials;
use crate::landmarks::Landmarks;
use crate::message::{Field, Index, Malformed, Message, NONE, Span, StartLine};
use crate::scan::{is_space, is_token, is_token_byte};
use crate::{Limits, Method, Name, ParseError, name};

/// A head that is cut off or goes wrong after its start line is indexed up to the fault, so that it can be answered.
pub(crate) fn index(mut bytes: Bytes, limits: &Limits) -> Result<Message, Malformed> {
    let limit = limits.head.min(usize::from(u16::MAX));
    // RFC 3261 §7.5: CRLFs before the start line are ignored; nor are they forwarded.
    let lead = bytes.chunks(2).take_while(|pair| *pair == b"\r\n").count() * 2;
    bytes.advance(lead);
    let text = &bytes[..bytes.len().min(limit)];
    let cut = |at| if text.len() < bytes.len() { too_large(at) } else { ParseError::new(at, "CRLF") };

    let mut landmarks = Landmarks::new(text);
    let line_end = match landmarks.line_end(0) {
        Ok(line_end) => line_end,
        Err(e) => return Err(Malformed { error: e.unwrap_or_else(|| cut(text.len())), message: None }),
    };
    let start = start_line(&text[..line_end]).map_err(|error| Malformed { error, message: None })?;

    let mut index = Box::new(Index {
        start,
        fields: SmallVec::new(),
        first: [NONE as u8; name::COUNT],
        head_end: 0,
        body: 0..0,
        essentials: Essentials::default(),
    });
    let (head_end, fault) = fields(&mut landmarks, line_end + 2, limits, &mut index);
    index.head_end = head_end as u16;
    let body_start = if fault.is_none() { head_end + 2 } else { bytes.len() };
    index.body = body_start..bytes.len();
    let error = fault.map(|e| e.unwrap_or_else(|| cut(text.len())));
    let message = Message { bytes, index, stamp: None };
    match error {
        None => Ok(message),
        Some(error) => Err(Malformed { error, message: Some(Box::new(message)) }),
    }
}

/// Indexes header fields from `at`. Returns where the head ends, and the fault that ended it if it was not a blank line:
/// `Some(None)` when the text ended.
fn fields(
    landmarks: &mut Landmarks<'_>,
    mut at: usize,
    limits: &Limits,
    index: &mut Index,
) -> (usize, Option<Option<ParseError>>) {
    loop {
        if landmarks.text()[at..].starts_with(b"\r\n") {
            return (at, None);
        }
        if index.fields.len() == limits.headers {
            let error = ParseError::new(at, "fewer header fields").with_status(513);
            return (at, Some(Some(error)));
        }
        let (field, next) = match field(landmarks, at) {
            Ok(field) => field,
            Err(error) => return (at, Some(error)),
        };
        let count = index.fields.len();
        let slot = &mut index.first[field.name as usize];
        if usize::from(*slot) == NONE && count < NONE {
            *slot = count as u8;
        }
        index.fields.push(field);
        at = next;
    }
}

const fn too_large(at: usize) -> ParseError {
    ParseError::new(at, "a smaller head").with_status(513)
}

fn field(landmarks: &mut Landmarks<'_>, at: usize) -> Result<(Field, usize), Option<ParseError>> {
    let text = landmarks.text();
    let (name, colon) = field_name(landmarks, at)?;
    let mut end = landmarks.line_end(colon + 1)?;
    // RFC 3261 §7.3.1: a line that starts with white space continues the one before.
    while matches!(text.get(end + 2), Some(b' ' | b'\t')) {
        end = landmarks.line_end(end + 2)?;
    }
    let (mut start, mut stop) = (colon + 1, end);
    while start < stop && is_space(text[start]) {
        start += 1;
    }
    while stop > start && is_space(text[stop - 1]) {
        stop -= 1;
    }
    let field = Field { name, line: at as u16, value: Span::new(start, stop) };
    Ok((field, end + 2))
}

/// The name of the header field whose line begins at `at`, and where its colon stands.
fn field_name(landmarks: &mut Landmarks<'_>, at: usize) -> Result<(Name, usize), Option<ParseError>> {
    let text = landmarks.text();
    if let Some(colon) = landmarks.next_colon(at)
        && let name = Name::at(text, at..colon)
        && name != Name::Other
    {
        return Ok((name, colon));
    }
    // A name that nobody interprets, one with white space behind it, or none at all.
    if b"\r\n".starts_with(&text[at..]) {
        return Err(None);
    }
    let name_end = text[at..].iter().position(|b| !is_token_byte(*b)).map_or(text.len(), |i| at + i);
    let colon = text[name_end..].iter().position(|b| !matches!(b, b' ' | b'\t')).map_or(text.len(), |i| name_end + i);
    match text.get(colon) {
        Some(b':') if name_end > at => Ok((Name::at(text, at..name_end), colon)),
        Some(_) => Err(Some(ParseError::new(name_end, "a header field name and a colon"))),
        None => Err(None),
    }
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
