use crate::scan::Scan;
use crate::{Params, ParseError};

/// Content-Type (RFC 3261 §20.15).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ContentType<'a> {
    /// The type as written.
    pub kind: &'a [u8],
    /// The subtype as written.
    pub subtype: &'a [u8],
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> ContentType<'a> {
    /// Reads a media type; an entry of Accept too, where `*` may stand for either part.
    pub fn parse(value: &'a [u8]) -> Result<ContentType<'a>, ParseError> {
        let mut scan = Scan::new(value);
        scan.skip_space();
        let kind = scan.token()?;
        if !scan.eat_separator(b'/') {
            return Err(scan.error("/ after the media type"));
        }
        let subtype = scan.token()?;
        let at = scan.at();
        let params = Params::parse(scan.rest()).map_err(|e| e.shifted(at))?;
        Ok(ContentType { kind, subtype, params })
    }

    /// Whether it is this type, written `type/subtype`; parameters and case do not matter.
    pub fn is(&self, media_type: &str) -> bool {
        media_type.split_once('/').is_some_and(|(kind, subtype)| {
            self.kind.eq_ignore_ascii_case(kind.as_bytes()) && self.subtype.eq_ignore_ascii_case(subtype.as_bytes())
        })
    }

    /// Whether it is `multipart/…`.
    pub fn is_multipart(&self) -> bool {
        self.kind.eq_ignore_ascii_case(b"multipart")
    }

    /// Whether this range of Accept (`message/cpim`, `text/*`, `*/*`) covers `other`.
    pub fn covers(&self, other: &ContentType<'_>) -> bool {
        let part = |ours: &[u8], theirs: &[u8]| ours == b"*" || ours.eq_ignore_ascii_case(theirs);
        part(self.kind, other.kind) && part(self.subtype, other.subtype)
    }

    /// The `boundary` of a multipart body.
    pub fn boundary(&self) -> Option<&'a [u8]> {
        self.params.get("boundary").filter(|b| !b.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types() {
        let read = |text: &'static str| ContentType::parse(text.as_bytes()).unwrap();
        assert!(read("application/sdp").is("Application/SDP"));
        assert!(read("Message / CPIM ; charset=utf-8").is("message/cpim"));
        assert!(!read("application/sdp").is("application/sdp+x"));
        let mixed = read("multipart/mixed;boundary=\"next part: 1\"");
        assert!(mixed.is_multipart());
        assert_eq!(mixed.boundary(), Some(&b"next part: 1"[..]));
        assert_eq!(read("multipart/mixed;boundary=a.b'c").boundary(), Some(&b"a.b'c"[..]));
        assert_eq!(read("text/plain;boundary").boundary(), None);
        assert!(read("*/*").covers(&mixed) && read("multipart/*").covers(&mixed) && !read("text/*").covers(&mixed));
        for text in ["", "text", "text/", "/plain", "text/plain charset=x", "text/plain;=", "te xt/plain"] {
            assert!(ContentType::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
