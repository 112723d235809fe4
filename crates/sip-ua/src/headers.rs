use std::fmt::Display;
use std::io::Write;
use std::ops::Range;

use bytes::Bytes;
use sip::{Builder, Message, Name};

/// Header fields that a role adds to a message, in order.
///
/// Where the user agent writes a header field by itself (Allow, Supported, User-Agent, Max-Forwards), one of the same name
/// given here takes its place.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Headers {
    /// One line each, as they are printed: a message has a dozen or two, and one piece of memory holds them all.
    lines: Vec<u8>,
}

/// Octets that a few header fields have room in.
const ROOM: usize = 256;

impl Headers {
    /// None.
    pub const fn new() -> Headers {
        Headers { lines: Vec::new() }
    }

    /// None yet, with room for so many octets.
    pub fn with_room(octets: usize) -> Headers {
        Headers { lines: Vec::with_capacity(octets) }
    }

    /// One more.
    #[must_use]
    pub fn with(self, name: Name, value: impl AsRef<[u8]>) -> Headers {
        self.with_named(name.as_str(), value)
    }

    /// One more, of any name.
    #[must_use]
    pub fn with_named(mut self, name: &str, value: impl AsRef<[u8]>) -> Headers {
        let value = value.as_ref();
        self.put(name, value.len(), |line| line.extend_from_slice(value));
        self
    }

    /// One more, whose value is printed.
    #[must_use]
    pub(crate) fn with_shown(mut self, name: Name, value: impl Display) -> Headers {
        // Writing to memory does not fail.
        self.put(name.as_str(), 0, |line| _ = write!(line, "{value}"));
        self
    }

    /// One more, if there is a value for it.
    #[must_use]
    pub fn maybe(self, name: Name, value: Option<impl AsRef<[u8]>>) -> Headers {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// All that `message` has of that name: what a B2BUA carries from one leg to the other.
    #[must_use]
    pub fn copied(self, message: &Message, name: Name) -> Headers {
        message.headers(name).fold(self, |headers, value| headers.with(name, value))
    }

    /// Whether there is one of that name.
    pub fn has(&self, name: Name) -> bool {
        self.find(name).is_some()
    }

    /// The first value of that name.
    pub fn get(&self, name: Name) -> Option<&[u8]> {
        let line = self.find(name)?;
        Some(&self.lines[line.start + name.as_str().len() + COLON.len()..line.end - END.len()])
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(crate) fn push(&mut self, name: Name, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        self.put(name.as_str(), value.len(), |line| line.extend_from_slice(value));
    }

    /// Those of another list behind these.
    pub(crate) fn extend(&mut self, other: &Headers) {
        self.lines.extend_from_slice(&other.lines);
    }

    /// All of these names, in order.
    pub(crate) fn only(&self, names: &[Name]) -> Headers {
        let mut only = Headers::new();
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &self.lines) {
            let line = &self.lines[start..=end];
            if names.iter().any(|name| is_named(line, *name)) {
                only.lines.extend_from_slice(line);
            }
            start = end + 1;
        }
        only
    }

    /// Those whose lines these are.
    pub(crate) fn from_bytes(lines: &[u8]) -> Headers {
        Headers { lines: lines.to_vec() }
    }

    /// Their lines.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.lines
    }

    /// Takes away all of that name.
    pub(crate) fn remove(&mut self, name: Name) {
        while let Some(line) = self.find(name) {
            self.lines.drain(line);
        }
    }

    /// Puts a value in the place of the first one of that name.
    pub(crate) fn replace(&mut self, name: Name, value: impl AsRef<[u8]>) {
        if let Some(line) = self.find(name) {
            let new = Headers::new().with(name, value);
            self.lines.splice(line, new.lines);
        }
    }

    /// Prints them.
    pub fn onto(&self, builder: Builder) -> Builder {
        builder.lines(&self.lines)
    }

    /// Octets when printed.
    pub(crate) const fn size(&self) -> usize {
        self.lines.len()
    }

    /// Adds a line. A value that ended it would let whoever chose it write header fields of his own: folding becomes spaces.
    /// `room` is how many octets the value is known to need.
    fn put(&mut self, name: &str, room: usize, value: impl FnOnce(&mut Vec<u8>)) {
        let needed = name.len() + COLON.len() + room + END.len();
        self.lines.reserve(if self.lines.capacity() == 0 { needed.max(ROOM) } else { needed });
        self.lines.extend_from_slice(name.as_bytes());
        self.lines.extend_from_slice(COLON);
        let start = self.lines.len();
        value(&mut self.lines);
        while let Some(at) = memchr::memchr2(b'\r', b'\n', &self.lines[start..]) {
            self.lines[start + at] = b' ';
        }
        self.lines.extend_from_slice(END);
    }

    /// Where the first line of that name stands.
    fn find(&self, name: Name) -> Option<Range<usize>> {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &self.lines) {
            if is_named(&self.lines[start..=end], name) {
                return Some(start..end + 1);
            }
            start = end + 1;
        }
        None
    }
}

fn is_named(line: &[u8], name: Name) -> bool {
    let name = name.as_str().as_bytes();
    line.get(name.len()) == Some(&b':') && line[..name.len()].eq_ignore_ascii_case(name)
}

const COLON: &[u8] = b": ";
const END: &[u8] = b"\r\n";

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Headers({:?})", String::from_utf8_lossy(&self.lines))
    }
}

/// A message body and what it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    /// The value of Content-Type.
    pub content_type: Bytes,
    /// The octets.
    pub bytes: Bytes,
}

impl Body {
    /// A session description.
    pub fn sdp(bytes: impl Into<Bytes>) -> Body {
        Body::new("application/sdp", bytes)
    }

    /// A body of any type.
    pub fn new(content_type: &'static str, bytes: impl Into<Bytes>) -> Body {
        Body { content_type: Bytes::from_static(content_type.as_bytes()), bytes: bytes.into() }
    }

    /// The body of a message, if it has one and says what it is.
    pub fn of(message: &Message) -> Option<Body> {
        let content_type = message.header(Name::ContentType)?;
        let bytes = message.body_bytes();
        (!bytes.is_empty()).then(|| Body { content_type: Bytes::copy_from_slice(content_type), bytes })
    }

    /// Whether it is, or may contain, a session description (RFC 5621: it may be one part of several).
    pub fn is_sdp(&self) -> bool {
        let starts =
            |text: &[u8]| self.content_type.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text));
        let has_part = || self.bytes.windows(SDP.len()).any(|w| w.eq_ignore_ascii_case(SDP));
        starts(SDP) || (starts(b"multipart/") && has_part())
    }
}

const SDP: &[u8] = b"application/sdp";

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Body({}, {} octets)", String::from_utf8_lossy(&self.content_type), self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_smuggle_in_a_header_field() {
        let headers = Headers::new().with(Name::Subject, "hi\r\nRoute: <sip:evil>").with_named("X-A", "1");
        assert_eq!(headers.get(Name::Subject).unwrap(), b"hi  Route: <sip:evil>");
        assert!(!headers.has(Name::Route));
    }

    #[test]
    fn header_fields_are_found_taken_away_and_replaced_by_their_whole_name() {
        let mut headers = Headers::new().with(Name::To, "a").with_named("Tod", "b").with_named("TO", "c");
        assert_eq!(headers.get(Name::To).unwrap(), b"a");
        headers.replace(Name::To, "longer");
        headers.extend(&Headers::new().with_shown(Name::MaxForwards, 70));
        let printed = |headers: &Headers| String::from_utf8(headers.lines.clone()).unwrap();
        assert_eq!(printed(&headers), "To: longer\r\nTod: b\r\nTO: c\r\nMax-Forwards: 70\r\n");
        assert_eq!(headers.size(), printed(&headers).len());
        let some = headers.clone().with(Name::To, "last").only(&[Name::To, Name::Subject]);
        assert_eq!(printed(&some), "To: longer\r\nTO: c\r\nTo: last\r\n");
        headers.remove(Name::To);
        assert_eq!(printed(&headers), "Tod: b\r\nMax-Forwards: 70\r\n");
    }

    #[test]
    fn session_descriptions_are_found_alone_and_among_parts() {
        assert!(Body::sdp("v=0").is_sdp());
        let body = |kind: &'static str, bytes: &'static str| Body { content_type: kind.into(), bytes: bytes.into() };
        assert!(body("Application/SDP;charset=x", "v=0").is_sdp());
        assert!(body("multipart/mixed;boundary=b", "--b\r\nContent-Type: application/sdp\r\n\r\nv=0").is_sdp());
        assert!(!body("multipart/mixed;boundary=b", "--b\r\n").is_sdp());
        assert!(!body("text/plain", "application/sdp").is_sdp());
    }
}
