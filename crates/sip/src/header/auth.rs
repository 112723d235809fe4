//! What Digest challenges and credentials share (RFC 3261 §25.1, RFC 7616 §3, RFC 8760).

use smallvec::SmallVec;

use crate::ParseError;
use crate::scan::{Scan, is_space, is_token};

/// A Digest algorithm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Algorithm<'a> {
    /// `MD5`; also what holds when none is named.
    Md5,
    /// `MD5-sess`.
    Md5Sess,
    /// `SHA-256`.
    Sha256,
    /// `SHA-256-sess`.
    Sha256Sess,
    /// `SHA-512-256`.
    Sha512Trunc256,
    /// `SHA-512-256-sess`.
    Sha512Trunc256Sess,
    /// `AKAv1-MD5` (RFC 3310).
    AkaV1Md5,
    /// Another one.
    Other(&'a [u8]),
}

const ALGORITHMS: [(Algorithm<'static>, &str); 7] = [
    (Algorithm::Md5, "MD5"),
    (Algorithm::Md5Sess, "MD5-sess"),
    (Algorithm::Sha256, "SHA-256"),
    (Algorithm::Sha256Sess, "SHA-256-sess"),
    (Algorithm::Sha512Trunc256, "SHA-512-256"),
    (Algorithm::Sha512Trunc256Sess, "SHA-512-256-sess"),
    (Algorithm::AkaV1Md5, "AKAv1-MD5"),
];

impl<'a> Algorithm<'a> {
    /// Reads the value of `algorithm`.
    pub fn from_bytes(text: &'a [u8]) -> Algorithm<'a> {
        let known = ALGORITHMS.iter().find(|(_, name)| name.as_bytes().eq_ignore_ascii_case(text));
        known.map_or(Algorithm::Other(text), |(algorithm, _)| *algorithm)
    }

    /// The token.
    pub fn as_bytes(&self) -> &'a [u8] {
        if let Algorithm::Other(text) = self {
            return text;
        }
        ALGORITHMS.iter().find(|(a, _)| a == self).map_or(b"", |(_, name)| name.as_bytes())
    }
}

/// A quality of protection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Qop {
    /// `auth`: the request line is protected.
    Auth,
    /// `auth-int`: the body too.
    AuthInt,
    /// Another word.
    Other,
}

impl Qop {
    /// Reads one word.
    pub fn from_bytes(text: &[u8]) -> Qop {
        match () {
            () if text.eq_ignore_ascii_case(b"auth") => Qop::Auth,
            () if text.eq_ignore_ascii_case(b"auth-int") => Qop::AuthInt,
            () => Qop::Other,
        }
    }

    /// The word; empty for one that we do not know.
    pub const fn as_str(self) -> &'static str {
        match self {
            Qop::Auth => "auth",
            Qop::AuthInt => "auth-int",
            Qop::Other => "",
        }
    }
}

/// The comma-separated parameters after the scheme.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuthParams<'a> {
    pairs: SmallVec<[Pair<'a>; USUAL]>,
    /// Octets of all of them.
    len: usize,
}

impl<'a> AuthParams<'a> {
    /// Takes the parameters apart. Empty list elements and values without the quotes they should have are on the wire and let
    /// pass; a name that occurs twice is not, because the two ends might take different ones.
    pub fn parse(text: &'a [u8]) -> Result<AuthParams<'a>, ParseError> {
        let mut params = AuthParams { pairs: SmallVec::new(), len: text.len() };
        each(text, |name, value| {
            let is_new = params.find(name).is_none();
            params.pairs.push((name, value));
            is_new
        })?;
        Ok(params)
    }

    /// Names and values in order. A quoted value comes as it stands between its quotes: that is what Digest hashes.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.pairs.iter().copied()
    }

    /// A parameter's value.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.find(name.as_bytes())
    }

    fn find(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.pairs.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// A parameter's value, whose lack is an error.
    pub(super) fn require(&self, name: &str, missing: &'static str) -> Result<&'a [u8], ParseError> {
        self.get(name).ok_or(ParseError::new(self.len, missing))
    }
}

/// Parameters of nearly every set.
const USUAL: usize = 12;
const MAX: usize = 32;

type Pair<'a> = (&'a [u8], &'a [u8]);

/// Shows the parameters one after the other to `take`, which tells whether a name is new. What [`AuthParams::parse`] refuses is
/// refused.
pub(super) fn each<'a>(text: &'a [u8], mut take: impl FnMut(&'a [u8], &'a [u8]) -> bool) -> Result<(), ParseError> {
    let (mut scan, mut count) = (Scan::new(text), 0);
    while let Some((name, value)) = next(&mut scan)? {
        // Keeps the search for duplicates short; the longest real set has twelve.
        if count == MAX {
            return Err(scan.error("fewer authentication parameters"));
        }
        count += 1;
        if !take(name, value) {
            return Err(ParseError::new(0, "each authentication parameter once"));
        }
    }
    Ok(())
}

fn next<'a>(scan: &mut Scan<'a>) -> Result<Option<Pair<'a>>, ParseError> {
    scan.take_while(|b| is_space(b) || b == b',');
    if scan.is_at_end() {
        return Ok(None);
    }
    let name = scan.token()?;
    if !scan.eat_separator(b'=') {
        return Err(scan.error("= after the name of an authentication parameter"));
    }
    let value = match scan.peek() {
        Some(b'"') => scan.quoted()?,
        Some(_) | None => scan.take_while(|b| b > b' ' && !matches!(b, b',' | b'"' | b'\\' | 0x7f)),
    };
    scan.skip_space();
    if !scan.is_at_end() && scan.peek() != Some(b',') {
        return Err(scan.error("a comma between authentication parameters"));
    }
    Ok(Some((name, value)))
}

/// `Scheme params`, taken apart.
pub(super) fn scheme(value: &[u8]) -> Result<(&[u8], &[u8], usize), ParseError> {
    let mut scan = Scan::new(value);
    scan.skip_space();
    let scheme = scan.token()?;
    scan.skip_space();
    Ok((scheme, scan.rest(), scan.at()))
}

/// Appends `name="value"` or, where the grammar wants a token and the value is one, `name=value`.
pub(super) fn print(out: &mut Vec<u8>, name: &str, value: Option<&[u8]>, quotes: bool) {
    let Some(value) = value else { return };
    let quotes = quotes || !is_token(value);
    out.extend_from_slice(if out.is_empty() { b"Digest " } else { b", " });
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(if quotes { b"=\"" } else { b"=" });
    out.extend_from_slice(value);
    out.extend_from_slice(if quotes { b"\"" } else { b"" });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_as_clients_write_them() {
        let params = AuthParams::parse(b"a=\"1, 2\" ,B = two,, c=sip:x@y:5060;lr?z , ").unwrap();
        let read: Vec<_> = params.iter().collect();
        assert_eq!(read, [(&b"a"[..], &b"1, 2"[..]), (b"B", b"two"), (b"c", b"sip:x@y:5060;lr?z")]);
        assert_eq!(params.get("b"), Some(&b"two"[..]));
        for text in ["a", "a=\"x", "a=b c=d", "a=1, A=2", "=x", "a=\"x\"y"] {
            assert!(AuthParams::parse(text.as_bytes()).is_err(), "{text}");
        }
        let many = "x=1,".repeat(1000);
        assert!(AuthParams::parse(many.as_bytes()).is_err());
    }

    #[test]
    fn algorithms_are_known_in_any_case() {
        for (algorithm, name) in ALGORITHMS {
            assert_eq!(Algorithm::from_bytes(name.to_lowercase().as_bytes()), algorithm);
            assert_eq!(algorithm.as_bytes(), name.as_bytes());
        }
        assert_eq!(Algorithm::from_bytes(b"TTH").as_bytes(), b"TTH");
        for qop in [Qop::Auth, Qop::AuthInt] {
            assert_eq!(Qop::from_bytes(qop.as_str().to_uppercase().as_bytes()), qop);
        }
    }
}
