//! Content-Length read from a head that has not been indexed: all that stream framing needs.

use crate::scan::{number, trim};
use crate::{Name, ParseError};

pub(crate) fn content_length(head: &[u8]) -> Result<u64, ParseError> {
    let mut found = None;
    let mut at = 0;
    for lf in memchr::memchr_iter(b'\n', head) {
        let line = &head[at..lf];
        at = lf + 1;
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        if line.first().is_some_and(|b| matches!(b, b' ' | b'\t'))
            || Name::from_bytes(trim(&line[..colon])) != Name::ContentLength
        {
            continue;
        }
        // A value folded onto the next line would be read as empty here: refused, since hops disagree about it.
        let length = number(trim(&line[colon + 1..])).ok_or(ParseError::new(at, "a Content-Length"))?;
        if found.replace(length).is_some() {
            return Err(ParseError::new(at, "one Content-Length"));
        }
    }
    // Where the message ends is unknown, and so is whether it is whole: dropped, with the stream (RFC 3261 §18.3).
    found.ok_or(ParseError::new(head.len(), "a Content-Length, mandatory on streams").with_status(0))
}
