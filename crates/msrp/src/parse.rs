//! The bytes of a head to its index. Nothing is copied; every fault that leaves the frame readable is kept, not returned.

use bytes::Bytes;
use smallvec::SmallVec;

use crate::grammar::{is_ident, is_token_char, status_code};
use crate::head::{Field, Head, Method, Name, Span, Start};
use crate::{HeadLimits, ParseError, Status};

/// Longest transaction identifier by which a frame is still followed, to answer that it is too long.
const MAX_FOLLOWED: usize = 64;

/// What a start line says, and the first fault in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StartLine {
    pub(crate) transaction: Span,
    pub(crate) start: Start,
    /// Where its CRLF ends.
    end: usize,
    fault: Option<ParseError>,
}

/// Reads the first line, its CRLF left out. An error means that nobody can tell where the frame ends.
pub(crate) fn start_line(line: &[u8]) -> Result<StartLine, ParseError> {
    let rest = line.strip_prefix(b"MSRP ").ok_or(ParseError::new(0, "MSRP and a space"))?;
    let len = memchr::memchr(b' ', rest).ok_or(ParseError::new(line.len(), "a space and a method or status"))?;
    let id = &rest[..len];
    if !(1..=MAX_FOLLOWED).contains(&len) || !id.iter().all(u8::is_ascii_graphic) {
        return Err(ParseError::new(5, "a transaction identifier"));
    }
    let mut fault = (!is_ident(id)).then_some(ParseError::new(5, "a transaction identifier of 4 to 32 characters"));

    let what = &rest[len + 1..];
    let at = 6 + len;
    let start = match what.first() {
        None => return Err(ParseError::new(at, "a method or status")),
        Some(b'0'..=b'9') => {
            let (code, comment) = what.split_at(memchr::memchr(b' ', what).unwrap_or(what.len()));
            let code = status_code(code);
            if code.is_none() || !is_text(comment) {
                fault = fault.or(Some(ParseError::new(at, "three digits and perhaps a comment")));
            }
            Start::Response(Status(code.unwrap_or(0)))
        }
        Some(_) => {
            if !what.iter().all(u8::is_ascii_uppercase) {
                fault = fault.or(Some(ParseError::new(at, "a method in capital letters")));
            }
            Start::Request(match what {
                b"SEND" => Method::Send,
                b"REPORT" => Method::Report,
                b"AUTH" => Method::Auth,
                _ => Method::Other,
            })
        }
    };
    Ok(StartLine { transaction: span(5, 5 + len), start, end: line.len() + 2, fault })
}

/// Indexes a whole head: the start line was read before, `ends` is where the CRLFs of the other lines end.
pub(crate) fn index(bytes: Bytes, line: StartLine, ends: &[u16], has_body: bool, limits: &HeadLimits) -> Head {
    let mut fields: SmallVec<[Field; 10]> = SmallVec::new();
    let mut fault = line.fault;
    let text = &bytes[..];
    let mut at = line.end;
    for next in ends.iter().copied().map(usize::from) {
        match field(text, at, next - 2) {
            Ok(field) if fields.len() == limits.headers => {
                fault = fault.or(Some(ParseError::new(usize::from(field.token.start), "fewer header fields")));
                break;
            }
            Ok(field) => {
                if field.name.is_single() && fields.iter().any(|other| other.name == field.name) {
                    fault = fault.or(Some(ParseError::new(at, "this header field only once")));
                }
                fields.push(field);
            }
            Err(error) => fault = fault.or(Some(error)),
        }
        at = next;
    }
    Head { transaction: line.transaction, start: line.start, fields, fault, has_body, bytes }
}

fn field(text: &[u8], at: usize, end: usize) -> Result<Field, ParseError> {
    let line = &text[at..end];
    let len = line.iter().position(|byte| !is_token_char(*byte)).unwrap_or(line.len());
    if len == 0 || !line[0].is_ascii_alphabetic() {
        return Err(ParseError::new(at, "a header field name"));
    }
    // White space before the colon is refused: two hops that differ on it could be played against each other.
    if line.get(len) != Some(&b':') {
        return Err(ParseError::new(at + len, "a colon after the header field name"));
    }
    let value = &line[len + 1..];
    if !is_text(value) {
        return Err(ParseError::new(at + len + 1, "UTF-8 text without control characters"));
    }
    let lead = value.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let tail = value[lead..].iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let (from, to) = (at + len + 1 + lead, end - tail);
    Ok(Field { name: Name::from_bytes(&line[..len]), token: span(at, at + len), value: span(from, to) })
}

/// `utf8text` without control characters but HTAB: a bare CR or LF is no end of a line here, and so has no place.
fn is_text(text: &[u8]) -> bool {
    // Looks at every octet, so that the compiler can look at many at a time.
    let look = |(odd, all): (bool, u8), byte: &u8| (odd | (byte.is_ascii_control() & (*byte != b'\t')), all | *byte);
    let (odd, all) = text.iter().fold((false, 0), look);
    !odd && (all.is_ascii() || std::str::from_utf8(text).is_ok())
}

const fn span(start: usize, end: usize) -> Span {
    Span { start: start as u16, end: end as u16 }
}
