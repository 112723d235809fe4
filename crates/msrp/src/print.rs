//! Printing heads and end-lines, and the choice of transaction identifiers.

use std::fmt::Write as _;

use bytes::{BufMut, Bytes, BytesMut};
use wire::Entropy;

use crate::frame::Flag;
use crate::head::{Head, Method, Name, Start};
use crate::{ByteRange, HeadLimits, Status};
use crate::{hyphens, path};

/// A transaction identifier of ours: 64 random bits as 16 hexadecimal characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TransactionId(pub(crate) [u8; 16]);

impl TransactionId {
    /// Draws one whose end-line does not occur in `body`.
    pub fn draw(entropy: &mut Entropy, body: &[u8]) -> TransactionId {
        loop {
            let id = TransactionId(entropy.token());
            // RFC 4975 §7.1: the end-line may not occur in the body, so draw again. Not even without the line break
            // before it, because there are receivers that look for less (erratum 4177).
            if !id.is_in(body) {
                return id;
            }
        }
    }

    /// The identifier as it is printed.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether seven hyphens and the identifier, which may not occur in a body, do in `text`.
    pub(crate) fn is_in(&self, text: &[u8]) -> bool {
        // The last seven of however many count: the identifier begins with none.
        hyphens::rows(text).any(|row| text[row.end..].starts_with(&self.0))
    }
}

/// Octets of seven hyphens and an identifier of ours.
pub(crate) const MARK: usize = 23;

/// Prints `MSRP id METHOD`, the start line of a request.
pub fn request_line(out: &mut BytesMut, id: &TransactionId, method: &str) {
    lines(out, &[b"MSRP ", id.as_bytes(), b" ", method.as_bytes(), b"\r\n"]);
}

/// Prints one header field.
pub fn field(out: &mut BytesMut, name: &str, value: &str) {
    lines(out, &[name.as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
}

/// Prints the header field `Byte-Range`.
pub(crate) fn byte_range(out: &mut BytesMut, range: &ByteRange) {
    out.put_slice(b"Byte-Range: ");
    number(out, range.start);
    for (before, bound) in [(b'-', range.end), (b'/', range.total)] {
        out.put_u8(before);
        match bound {
            Some(bound) => number(out, bound),
            None => out.put_u8(b'*'),
        }
    }
    out.put_slice(b"\r\n");
}

/// Prints a number in decimal, which every chunk has three of.
fn number(out: &mut BytesMut, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] += (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return out.put_slice(&digits[at..]);
        }
    }
}

/// Prints an end-line. The CRLF that divides it from a body is the caller's.
pub fn end_line(out: &mut BytesMut, id: &[u8], flag: Flag) {
    lines(out, &[b"-------", id, &[flag.byte()], b"\r\n"]);
}

/// The answer to a request, unless its paths cannot be read: then there is nobody to answer, nor is there to a REPORT or a
/// response. RFC 4975 §7.2: a SEND is answered hop by hop, any other request all the way.
pub fn response(request: &Head, status: Status, limits: &HeadLimits) -> Option<Bytes> {
    let (to, from) = (request.value(Name::ToPath)?, request.value(Name::FromPath)?);
    if path::is_path(to, limits.path) && path::is_path(from, limits.path) { answer(request, status) } else { None }
}

/// The same for a request whose paths are known to be paths.
pub(crate) fn answer(request: &Head, status: Status) -> Option<Bytes> {
    let Start::Request(method @ (Method::Send | Method::Auth | Method::Other)) = request.start() else { return None };
    let (to, from) = (request.raw(Name::ToPath)?, request.raw(Name::FromPath)?);
    let back = if method == Method::Send { path::first(from) } else { from };
    let mut out = BytesMut::with_capacity(96 + back.len() + to.len());
    lines(&mut out, &[b"MSRP ", request.transaction_id(), b" "]);
    write!(out, "{status}\r\n").expect("a buffer in memory takes everything");
    lines(&mut out, &[b"To-Path: ", back, b"\r\nFrom-Path: ", path::first(to), b"\r\n"]);
    end_line(&mut out, request.transaction_id(), Flag::Complete);
    Some(out.freeze())
}

fn lines(out: &mut BytesMut, parts: &[&[u8]]) {
    for part in parts {
        out.put_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_printed_as_it_is_read() {
        for text in ["1-*/*", "1-0/0", "2049-4096/5000", "6-5/5", "1-18446744073709551615/*"] {
            let mut out = BytesMut::new();
            byte_range(&mut out, &ByteRange::parse(text).unwrap());
            assert_eq!(out, format!("Byte-Range: {text}\r\n"));
        }
    }

    #[test]
    fn an_identifier_whose_mark_is_in_the_body_is_drawn_again() {
        let mut same = Entropy::from_seed(5);
        let (first, second) = (TransactionId(same.token()), TransactionId(same.token()));
        let body = [b"x-------".as_slice(), first.as_bytes(), b"y"].concat();
        assert_eq!(TransactionId::draw(&mut Entropy::from_seed(5), &body), second);
        assert_eq!(TransactionId::draw(&mut Entropy::from_seed(5), &body[2..]), first);
    }

    #[test]
    fn a_mark_is_found_after_any_number_of_hyphens_and_before_anything() {
        let id = TransactionId(*b"0123456789abcdef");
        for (text, is_in) in [
            ("-------0123456789abcdef", true),
            ("--------0123456789abcdef", true),
            ("---------------------0123456789abcdef-------", true),
            ("a-------b-------0123456789abcdefc", true),
            ("-------0123456789abcde-------0123456789abcdef", true),
            ("------0123456789abcdef", false),
            ("-------0123456789abcde", false),
            ("------- 0123456789abcdef", false),
            ("--------------------------------", false),
            ("", false),
        ] {
            assert_eq!(id.is_in(text.as_bytes()), is_in, "{text}");
        }
    }
}
