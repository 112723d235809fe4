use crate::scan::{Commas, trim};
use crate::{Address, Message, Name, ParseError, Uri};

/// One entry of P-Asserted-Identity, P-Preferred-Identity or P-Associated-URI (RFC 3325 §9, RFC 7315 §4.1).
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// The display name as written.
    pub display: &'a [u8],
    /// Who.
    pub uri: Uri<'a>,
}

impl<'a> Identity<'a> {
    /// Reads one entry, with angle brackets or, as clients in the field write P-Preferred-Identity, without.
    pub fn parse(value: &'a [u8]) -> Result<Identity<'a>, ParseError> {
        let address = Address::parse(value)?;
        Ok(Identity { display: address.display(), uri: address.uri() })
    }
}

/// The identities of a value, in order.
///
/// A widely used core writes P-Associated-URI as `<sip:a@h, tel:1>, <sip:b@h>`: several URIs in one pair of brackets are
/// read as that many identities.
#[derive(Clone)]
pub struct Identities<'a> {
    entries: Commas<'a>,
    /// What is left of a pair of brackets that holds several.
    bracket: Option<&'a [u8]>,
}

impl<'a> Identities<'a> {
    /// Reads one line's value.
    pub const fn new(value: &'a [u8]) -> Identities<'a> {
        Identities { entries: Commas::new(value), bracket: None }
    }

    fn next_in_bracket(&mut self, text: &'a [u8]) -> Result<Identity<'a>, ParseError> {
        let comma = memchr::memchr(b',', text);
        self.bracket = comma.map(|at| &text[at + 1..]);
        let uri = Uri::parse(trim(&text[..comma.unwrap_or(text.len())]))?;
        Ok(Identity { display: b"", uri })
    }
}

impl<'a> Iterator for Identities<'a> {
    type Item = Result<Identity<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(text) = self.bracket.take() {
            return Some(self.next_in_bracket(text));
        }
        let entry = self.entries.next()?;
        let read = Identity::parse(entry);
        let inner = entry.strip_prefix(b"<").and_then(|e| e.strip_suffix(b">"));
        match (read, inner) {
            (Err(_), Some(inner)) if memchr::memchr(b',', inner).is_some() => Some(self.next_in_bracket(inner)),
            (read, _) => Some(read),
        }
    }
}

impl Message {
    /// The identities in all header fields of that name. An entry that is none is an error in its place.
    pub fn identities(&self, name: Name) -> impl Iterator<Item = Result<Identity<'_>, ParseError>> {
        self.headers(name).flat_map(Identities::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uris(value: &str) -> Result<Vec<String>, ParseError> {
        Identities::new(value.as_bytes()).map(|i| i.map(|i| i.uri.to_string())).collect()
    }

    #[test]
    fn identities_as_the_field_writes_them() {
        let cases: [(&str, &[&str]); 7] = [
            ("<sip:a@h>", &["sip:a@h"]),
            ("\"A, B\" <sip:a@h>, <tel:+1>", &["sip:a@h", "tel:+1"]),
            ("sip:a@h", &["sip:a@h"]),
            ("tel:+15550001", &["tel:+15550001"]),
            ("<sip:a@h, tel:1>, <sip:b@h>", &["sip:a@h", "tel:1", "sip:b@h"]),
            ("<sip:a@h,tel:1,sip:c@h>", &["sip:a@h", "tel:1", "sip:c@h"]),
            ("<sip:a,b@h>", &["sip:a,b@h"]),
        ];
        for (text, expected) in cases {
            assert_eq!(uris(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_identity_is_an_error_in_its_place() {
        for text in ["", "<sip:a@h", "<>", "<sip:a@h,>", "<sip:a@h>,,<sip:b@h>", "nobody"] {
            assert!(uris(text).is_err(), "{text}");
        }
        let mixed: Vec<_> = Identities::new(b"<sip:a@h>, x, <sip:b@h>").map(|i| i.is_ok()).collect();
        assert_eq!(mixed, [true, false, true]);
    }
}
