use crate::ParseError;
use crate::scan::{is_token, trim};

/// Privacy (RFC 3323 §4.2, RFC 3325 §9.3): which kinds of privacy the sender asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Privacy<'a> {
    text: &'a [u8],
}

impl<'a> Privacy<'a> {
    /// Reads a Privacy value: words between semicolons, or commas, which some write.
    pub fn parse(value: &'a [u8]) -> Result<Privacy<'a>, ParseError> {
        let privacy = Privacy { text: value };
        if privacy.kinds().all(is_token) { Ok(privacy) } else { Err(ParseError::new(0, "words and semicolons")) }
    }

    /// The kinds asked for, in order.
    pub fn kinds(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.text.split(|b| matches!(b, b';' | b',')).map(trim)
    }

    /// Whether this kind is asked for.
    pub fn has(&self, kind: &str) -> bool {
        self.kinds().any(|k| k.eq_ignore_ascii_case(kind.as_bytes()))
    }

    /// Whether the asserted identity must not leave the trust domain (RFC 3325 §9.3).
    pub fn hides_identity(&self) -> bool {
        self.has("id")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_privacy() {
        let privacy = Privacy::parse(b"header ;ID; critical").unwrap();
        assert!(privacy.hides_identity() && privacy.has("header") && !privacy.has("user"));
        assert!(!Privacy::parse(b"none").unwrap().hides_identity());
        assert!(Privacy::parse(b"user, id").unwrap().hides_identity());
        for text in ["", ";", "id;;user", "id user", "\"id\""] {
            assert!(Privacy::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
