use std::fmt;

/// A service or application identifier (ICSI, IARI): `urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session`, or the same with
/// its colons escaped as it stands in feature tags.
///
/// Two are equal when they are after decoding `%HH` and folding case: both spellings are on the wire in both places.
#[derive(Clone, Copy)]
pub struct Urn<'a>(&'a [u8]);

impl<'a> Urn<'a> {
    /// Takes the text of an identifier, escaped or not.
    pub const fn new(text: &'a [u8]) -> Urn<'a> {
        Urn(text)
    }

    /// As it stood.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// The form for the value of a feature tag: colons escaped.
    pub fn escaped(&self) -> String {
        self.to_string().replace(':', "%3A")
    }

    fn decoded(&self) -> impl Iterator<Item = u8> + use<'a> {
        let text = self.0;
        let mut at = 0;
        std::iter::from_fn(move || {
            let b = *text.get(at)?;
            let escaped = text.get(at + 1..at + 3).filter(|_| b == b'%').and_then(|hex| {
                let digit = |b: u8| char::from(b).to_digit(16);
                Some((digit(hex[0])? << 4 | digit(hex[1])?) as u8)
            });
            at += if escaped.is_some() { 3 } else { 1 };
            Some(escaped.unwrap_or(b).to_ascii_lowercase())
        })
    }
}

impl PartialEq for Urn<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.decoded().eq(other.decoded())
    }
}

impl Eq for Urn<'_> {}

impl PartialEq<str> for Urn<'_> {
    fn eq(&self, other: &str) -> bool {
        *self == Urn(other.as_bytes())
    }
}

impl PartialEq<&str> for Urn<'_> {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl fmt::Display for Urn<'_> {
    /// Decoded, in lower case.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.decoded().collect::<Vec<u8>>()))
    }
}

impl fmt::Debug for Urn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Urn({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_name_the_same_service() {
        let plain = "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session";
        for text in [
            plain,
            "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session",
            "urn%3aurn-7%3a3gpp-service.ims.icsi.oma.cpm.session",
            "URN:URN-7:3GPP-Service.ims.icsi.oma.cpm.session",
        ] {
            assert_eq!(Urn::new(text.as_bytes()), plain, "{text}");
            assert_eq!(Urn::new(text.as_bytes()).to_string(), plain);
        }
        assert_eq!(Urn::new(plain.as_bytes()).escaped(), "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session");
        for text in ["", "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session.group", "urn%3", "urn%zz"] {
            assert!(Urn::new(text.as_bytes()) != plain, "{text}");
        }
    }
}
