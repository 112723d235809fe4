use std::borrow::Cow;

use bytes::Bytes;
use sip::{Builder, Message, Name};

/// Header fields that a role adds to a message, in order.
///
/// Where the user agent writes a header field by itself (Allow, Supported, User-Agent, Max-Forwards), one of the same name
/// given here takes its place.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Headers {
    fields: Vec<(Cow<'static, str>, Bytes)>,
}

impl Headers {
    /// None.
    pub const fn new() -> Headers {
        Headers { fields: Vec::new() }
    }

    /// One more.
    #[must_use]
    pub fn with(self, name: Name, value: impl AsRef<[u8]>) -> Headers {
        self.with_named(name.as_str(), value)
    }

    /// One more, of any name.
    #[must_use]
    pub fn with_named(mut self, name: impl Into<Cow<'static, str>>, value: impl AsRef<[u8]>) -> Headers {
        self.fields.push((name.into(), one_line(value.as_ref())));
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
        self.fields.iter().any(|(n, _)| n.eq_ignore_ascii_case(name.as_str()))
    }

    /// The first value of that name.
    pub fn get(&self, name: Name) -> Option<&Bytes> {
        self.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name.as_str())).map(|(_, value)| value)
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    pub(crate) fn push(&mut self, name: Name, value: impl AsRef<[u8]>) {
        self.fields.push((name.as_str().into(), one_line(value.as_ref())));
    }

    /// Those of another list behind these.
    pub(crate) fn extend(&mut self, other: &Headers) {
        self.fields.extend(other.fields.iter().cloned());
    }

    /// Takes away all of that name.
    pub(crate) fn remove(&mut self, name: Name) {
        self.fields.retain(|(n, _)| !n.eq_ignore_ascii_case(name.as_str()));
    }

    /// Puts a value in the place of the first one of that name.
    pub(crate) fn replace(&mut self, name: Name, value: impl AsRef<[u8]>) {
        if let Some((_, old)) = self.fields.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case(name.as_str())) {
            *old = one_line(value.as_ref());
        }
    }

    /// Prints them.
    pub fn onto(&self, builder: Builder) -> Builder {
        self.fields.iter().fold(builder, |builder, (name, value)| builder.named(name, value))
    }

    /// Octets when printed.
    pub(crate) fn size(&self) -> usize {
        self.fields.iter().map(|(name, value)| name.len() + value.len() + 4).sum()
    }
}

/// A value that ended its line would let whoever chose it write header fields of his own. Folding becomes spaces.
fn one_line(value: &[u8]) -> Bytes {
    if value.iter().any(|b| matches!(b, b'\r' | b'\n')) {
        value.iter().map(|b| if matches!(b, b'\r' | b'\n') { b' ' } else { *b }).collect()
    } else {
        Bytes::copy_from_slice(value)
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
        assert_eq!(headers.get(Name::Subject).unwrap(), "hi  Route: <sip:evil>");
        assert!(!headers.has(Name::Route));
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
