use std::fmt;
use std::net::IpAddr;

use crate::host::{ip, same_host};
use crate::scan::{Scan, is_token_byte, trim};
use crate::{ParseError, is_visual_separator};

/// The scheme of a URI.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Scheme {
    /// `sip:`.
    Sip,
    /// `sips:`.
    Sips,
    /// `tel:` (RFC 3966).
    Tel,
    /// Any other: carried, never interpreted.
    #[default]
    Other,
}

/// A URI, borrowed from the message it stands in.
///
/// `sip:` and `sips:` are taken apart by RFC 3261 §19.1.1, `tel:` by RFC 3966 §3; any other scheme is checked for its
/// characters only.
#[derive(Clone, Copy, Default)]
pub struct Uri<'a> {
    text: &'a [u8],
    scheme: Scheme,
    user: Option<&'a [u8]>,
    password: Option<&'a [u8]>,
    host: &'a [u8],
    port: Option<u16>,
    params: &'a [u8],
    headers: Option<&'a [u8]>,
}

impl<'a> Uri<'a> {
    /// Reads a whole URI.
    pub fn parse(text: &'a [u8]) -> Result<Uri<'a>, ParseError> {
        let colon = memchr::memchr(b':', text).ok_or(ParseError::new(0, "a URI scheme and a colon"))?;
        let (scheme_text, rest) = (&text[..colon], &text[colon + 1..]);
        let is_scheme = scheme_text.first().is_some_and(u8::is_ascii_alphabetic)
            && scheme_text.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        if !is_scheme {
            return Err(ParseError::new(0, "a URI scheme"));
        }
        if let Some(at) = text.iter().position(|b| *b <= b' ' || matches!(b, b'<' | b'>' | b'"' | 0x7f)) {
            return Err(ParseError::new(at, "a character that may occur in a URI"));
        }
        let blank = Uri {
            text,
            scheme: Scheme::Other,
            user: None,
            password: None,
            host: b"",
            port: None,
            params: b"",
            headers: None,
        };
        let parsed = if scheme_text.eq_ignore_ascii_case(b"sip") {
            parse_sip(rest, Uri { scheme: Scheme::Sip, ..blank })
        } else if scheme_text.eq_ignore_ascii_case(b"sips") {
            parse_sip(rest, Uri { scheme: Scheme::Sips, ..blank })
        } else if scheme_text.eq_ignore_ascii_case(b"tel") {
            parse_tel(rest, Uri { scheme: Scheme::Tel, ..blank })
        } else if rest.is_empty() {
            Err(ParseError::new(0, "something after the scheme"))
        } else {
            Ok(blank)
        };
        parsed.map_err(|e| e.shifted(colon + 1))
    }

    /// The scheme.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether it is `sip:` or `sips:`.
    pub const fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// As it stood.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.text
    }

    /// The user part, escapes untouched; for `tel:` the number as written.
    pub const fn user(&self) -> Option<&'a [u8]> {
        self.user
    }

    /// The password part. Nobody should send one (RFC 3261 §19.1.1).
    pub const fn password(&self) -> Option<&'a [u8]> {
        self.password
    }

    /// The host as written, an IPv6 reference with its brackets; empty for schemes that have none.
    pub const fn host(&self) -> &'a [u8] {
        self.host
    }

    /// The address that the host is, unless it is a name.
    pub fn ip(&self) -> Option<IpAddr> {
        ip(self.host)
    }

    /// The port, if written.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// A URI parameter's value; `Some(b"")` for one without a value.
    pub fn param(&self, name: &str) -> Option<&'a [u8]> {
        self.params().find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, v)| v)
    }

    /// Whether a parameter is there.
    pub fn has_param(&self, name: &str) -> bool {
        self.param(name).is_some()
    }

    /// URI parameters in order.
    pub fn params(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        split_pairs(self.params, b';')
    }

    /// The header part (`?name=value&…`) as written.
    pub const fn headers(&self) -> Option<&'a [u8]> {
        self.headers
    }

    /// Whether it carries the `lr` parameter: the route is loose (RFC 3261 §19.1.1).
    pub fn is_loose(&self) -> bool {
        self.has_param("lr")
    }

    /// The URI without its parameters and headers: the address-of-record form (RFC 3261 §10.3 step 5).
    pub fn without_params(&self) -> &'a [u8] {
        let tail = self.params.len() + self.headers.map_or(0, |h| h.len() + 1);
        &self.text[..self.text.len() - tail]
    }

    /// Compares by RFC 3261 §19.1.4 for `sip:` and `sips:`, by RFC 3966 §4 for `tel:`, byte by byte for others.
    pub fn matches(&self, other: &Uri<'_>) -> bool {
        if self.scheme != other.scheme {
            return false;
        }
        match self.scheme {
            Scheme::Sip | Scheme::Sips => self.matches_sip(other),
            Scheme::Tel => self.matches_tel(other),
            Scheme::Other => self.text == other.text,
        }
    }

    fn matches_sip(&self, other: &Uri<'_>) -> bool {
        same_escaped(self.user, other.user)
            && same_escaped(self.password, other.password)
            && same_host(self.host, other.host)
            && self.port == other.port
            && self.params_agree(other)
            && other.params_agree(self)
            && same_headers(self.headers, other.headers)
    }

    /// Every parameter of ours that the other has too must have the same value; these five must not be missing there.
    fn params_agree(&self, other: &Uri<'_>) -> bool {
        self.params().all(|(name, value)| match other.params().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
            Some((_, v)) => same_text(value, v, true),
            None => {
                ![&b"user"[..], b"ttl", b"method", b"maddr", b"transport"].iter().any(|n| n.eq_ignore_ascii_case(name))
            }
        })
    }

    fn matches_tel(&self, other: &Uri<'_>) -> bool {
        let digits = |uri: &Uri<'_>| -> Vec<u8> {
            let number = uri.user.unwrap_or_default();
            number.iter().filter(|b| !is_visual_separator(**b)).map(u8::to_ascii_lowercase).collect()
        };
        let count = |uri: &Uri<'_>| uri.params().count();
        digits(self) == digits(other)
            && count(self) == count(other)
            && self.params().all(|(name, value)| {
                other.params().any(|(n, v)| n.eq_ignore_ascii_case(name) && v.eq_ignore_ascii_case(value))
            })
    }
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.text))
    }
}

impl fmt::Debug for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uri({self})")
    }
}

/// `[user[:password]@]host[:port][;params][?headers]`.
fn parse_sip<'a>(rest: &'a [u8], blank: Uri<'a>) -> Result<Uri<'a>, ParseError> {
    let mut uri = blank;
    let mut host_at = 0;
    if let Some(at) = memchr::memchr(b'@', rest) {
        let userinfo = &rest[..at];
        let (user, password) = match memchr::memchr(b':', userinfo) {
            Some(colon) => (&userinfo[..colon], Some(&userinfo[colon + 1..])),
            None => (userinfo, None),
        };
        if user.is_empty() {
            return Err(ParseError::new(0, "a user before the @"));
        }
        check_escapes(userinfo)?;
        (uri.user, uri.password, host_at) = (Some(user), password, at + 1);
    }
    let mut scan = Scan::new(&rest[host_at..]);
    let parsed = (|| {
        uri.host = scan.host()?;
        uri.port = scan.port()?;
        let tail = scan.rest();
        let question = memchr::memchr(b'?', tail);
        uri.params = &tail[..question.unwrap_or(tail.len())];
        uri.headers = question.map(|q| &tail[q + 1..]);
        if uri.params.first().is_some_and(|b| *b != b';') || memchr::memchr(b'@', tail).is_some() {
            return Err(scan.error("; or ? or the end of the URI"));
        }
        if uri.params().any(|(name, _)| name.is_empty()) {
            return Err(scan.error("the name of a URI parameter"));
        }
        check_escapes(tail).map_err(|e| e.shifted(scan.at()))
    })();
    parsed.map(|()| uri).map_err(|e| e.shifted(host_at))
}

/// `number[;params]`, the number global (`+…`) or local.
fn parse_tel<'a>(rest: &'a [u8], blank: Uri<'a>) -> Result<Uri<'a>, ParseError> {
    let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
    let number = &rest[..end];
    let is_digit = |b: &u8| b.is_ascii_hexdigit() || matches!(b, b'*' | b'#' | b'+') || is_visual_separator(*b);
    if !number.iter().all(is_digit) || !number.iter().any(|b| b.is_ascii_hexdigit() || matches!(b, b'*' | b'#')) {
        return Err(ParseError::new(0, "a telephone number"));
    }
    Ok(Uri { user: Some(number), params: &rest[end..], ..blank })
}

fn check_escapes(text: &[u8]) -> Result<(), ParseError> {
    for at in memchr::memchr_iter(b'%', text) {
        let hex = text.get(at + 1..at + 3);
        if !hex.is_some_and(|h| h.iter().all(u8::is_ascii_hexdigit)) {
            return Err(ParseError::new(at, "two hexadecimal digits after %"));
        }
    }
    Ok(())
}

fn split_pairs(text: &[u8], separator: u8) -> impl Iterator<Item = (&[u8], &[u8])> {
    let text = text.strip_prefix(&[separator]).unwrap_or(text);
    text.split(move |b| *b == separator).filter(|_| !text.is_empty()).map(|pair| match memchr::memchr(b'=', pair) {
        Some(i) => (trim(&pair[..i]), trim(&pair[i + 1..])),
        None => (trim(pair), &b""[..]),
    })
}

/// Unescapes `%HH` of characters outside the reserved set, which are the same as their escapes (RFC 3261 §19.1.4).
fn unescape(text: &[u8]) -> impl Iterator<Item = (u8, bool)> + '_ {
    let mut i = 0;
    std::iter::from_fn(move || {
        let b = *text.get(i)?;
        if b == b'%'
            && let Some(hex) = text.get(i + 1..i + 3)
            && let Some(value) = std::str::from_utf8(hex).ok().and_then(|h| u8::from_str_radix(h, 16).ok())
        {
            i += 3;
            let plain = is_token_byte(value) && value != b'%' && value != b'+';
            return Some((value, !plain));
        }
        i += 1;
        Some((b, false))
    })
}

fn same_text(a: &[u8], b: &[u8], ignore_case: bool) -> bool {
    unescape(a)
        .map(|(c, e)| (if ignore_case { c.to_ascii_lowercase() } else { c }, e))
        .eq(unescape(b).map(|(c, e)| (if ignore_case { c.to_ascii_lowercase() } else { c }, e)))
}

fn same_escaped(a: Option<&[u8]>, b: Option<&[u8]>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same_text(a, b, false),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn same_headers(a: Option<&[u8]>, b: Option<&[u8]>) -> bool {
    let list = |text: Option<&[u8]>| -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut pairs: Vec<_> = split_pairs(text.unwrap_or_default(), b'&')
            .map(|(n, v)| (n.to_ascii_lowercase(), unescape(v).map(|(c, _)| c).collect()))
            .collect();
        pairs.sort();
        pairs
    };
    list(a) == list(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri<'_> {
        Uri::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn sip_uris_are_taken_apart() {
        let u = uri("sip:alice:secret@[2001:db8::1]:5070;transport=tcp;lr?subject=hi");
        assert_eq!(u.user(), Some(&b"alice"[..]));
        assert_eq!(u.password(), Some(&b"secret"[..]));
        assert_eq!((u.host(), u.port()), (&b"[2001:db8::1]"[..], Some(5070)));
        assert_eq!(u.param("Transport"), Some(&b"tcp"[..]));
        assert!(u.is_loose());
        assert_eq!(u.headers(), Some(&b"subject=hi"[..]));
        assert_eq!(u.without_params(), b"sip:alice:secret@[2001:db8::1]:5070");
    }

    #[test]
    fn tel_uris_are_numbers() {
        let u = uri("tel:+1-201-555-0123;phone-context=example.com");
        assert_eq!((u.scheme(), u.user()), (Scheme::Tel, Some(&b"+1-201-555-0123"[..])));
        assert!(u.matches(&uri("tel:+12015550123;Phone-Context=EXAMPLE.com")));
        assert!(!u.matches(&uri("tel:+12015550123")));
    }

    #[test]
    fn equality_of_rfc_3261_19_1_4() {
        let same = [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
        ];
        for (a, b) in same {
            assert!(uri(a).matches(&uri(b)), "{a} == {b}");
        }
        let different = [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ];
        for (a, b) in different {
            assert!(!uri(a).matches(&uri(b)), "{a} != {b}");
        }
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for text in [
            "",
            "sip",
            "sip:",
            ":x",
            "sip:@h",
            "sip:a@",
            "sip:a b@h",
            "<sip:a@h>",
            "sip:a%4@h",
            "sip:h:99999",
            "sip:h:",
            "tel:",
            "tel:abc;x y",
            "sip:a@b@c",
            "1sip:h",
        ] {
            assert!(Uri::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
