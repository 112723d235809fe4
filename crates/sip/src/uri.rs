use std::fmt;
use std::net::IpAddr;

use crate::host::{ip, same_host};
use crate::message::Span;
use crate::scan::{Scan, is_forbidden_in_uri, is_token_byte, is_uri_mark, trim};
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
    parts: UriParts,
}

/// Where the parts of a URI stand in its text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct UriParts {
    scheme: Scheme,
    user: Option<Span>,
    password: Option<Span>,
    host: Span,
    port: Option<u16>,
    params: Span,
    headers: Option<Span>,
}

impl<'a> Uri<'a> {
    /// Reads a whole URI.
    pub fn parse(text: &'a [u8]) -> Result<Uri<'a>, ParseError> {
        UriParts::parse(text).map(|parts| Uri { text, parts })
    }

    /// Puts text and parts together that [`Uri::parse`] once took apart.
    pub(crate) const fn trusted(text: &'a [u8], parts: UriParts) -> Uri<'a> {
        Uri { text, parts }
    }

    pub(crate) const fn parts(&self) -> UriParts {
        self.parts
    }

    fn part(&self, span: Span) -> &'a [u8] {
        &self.text[span.range()]
    }

    /// The scheme.
    pub const fn scheme(&self) -> Scheme {
        self.parts.scheme
    }

    /// Whether it is `sip:` or `sips:`.
    pub const fn is_sip(&self) -> bool {
        matches!(self.parts.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// As it stood.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.text
    }

    /// The user part, escapes untouched; for `tel:` the number as written.
    pub fn user(&self) -> Option<&'a [u8]> {
        self.parts.user.map(|span| self.part(span))
    }

    /// The password part. Nobody should send one (RFC 3261 §19.1.1).
    pub fn password(&self) -> Option<&'a [u8]> {
        self.parts.password.map(|span| self.part(span))
    }

    /// The host as written, an IPv6 reference with its brackets; empty for schemes that have none.
    pub fn host(&self) -> &'a [u8] {
        self.part(self.parts.host)
    }

    /// The address that the host is, unless it is a name.
    pub fn ip(&self) -> Option<IpAddr> {
        ip(self.host())
    }

    /// The port, if written.
    pub const fn port(&self) -> Option<u16> {
        self.parts.port
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
        split_pairs(self.part(self.parts.params), b';')
    }

    /// The header part (`?name=value&…`) as written.
    pub fn headers(&self) -> Option<&'a [u8]> {
        self.parts.headers.map(|span| self.part(span))
    }

    /// Whether it carries the `lr` parameter: the route is loose (RFC 3261 §19.1.1).
    pub fn is_loose(&self) -> bool {
        self.has_param("lr")
    }

    /// The URI without its parameters and headers: the address-of-record form (RFC 3261 §10.3 step 5).
    pub fn without_params(&self) -> &'a [u8] {
        match self.parts.scheme {
            Scheme::Other => self.text,
            Scheme::Sip | Scheme::Sips | Scheme::Tel => &self.text[..usize::from(self.parts.params.start)],
        }
    }

    /// What a table of URIs is sorted by: the same for two that [`Uri::matches`] finds to be the same, and for two `sip:` URIs of
    /// one user at one host and port, whatever their parameters are.
    pub fn place(&self) -> Vec<u8> {
        let mut place = Vec::with_capacity(self.text.len());
        match self.scheme() {
            Scheme::Sip | Scheme::Sips => {
                for (octet, is_escaped) in unescape(self.user().unwrap_or_default()) {
                    // A character that means something is not the same as its escape.
                    place.extend(is_escaped.then_some(0));
                    place.push(octet);
                }
                place.extend(self.user().map(|_| b'@'));
                match self.ip().filter(|ip| ip.is_ipv6()) {
                    Some(ip) => place.extend_from_slice(ip.to_string().as_bytes()),
                    None => place.extend(self.host().iter().map(u8::to_ascii_lowercase)),
                }
                place.push(b' ');
                place.extend(self.port().into_iter().flat_map(u16::to_be_bytes));
            }
            Scheme::Tel => place.extend(self.digits()),
            Scheme::Other => place.extend_from_slice(self.text),
        }
        place
    }

    /// Compares by RFC 3261 §19.1.4 for `sip:` and `sips:`, by RFC 3966 §4 for `tel:`, byte by byte for others.
    pub fn matches(&self, other: &Uri<'_>) -> bool {
        if self.scheme() != other.scheme() {
            return false;
        }
        match self.scheme() {
            Scheme::Sip | Scheme::Sips => self.matches_sip(other),
            Scheme::Tel => self.matches_tel(other),
            Scheme::Other => self.text == other.text,
        }
    }

    fn matches_sip(&self, other: &Uri<'_>) -> bool {
        same_escaped(self.user(), other.user())
            && same_escaped(self.password(), other.password())
            && same_host(self.host(), other.host())
            && self.port() == other.port()
            && self.params_agree(other)
            && other.params_agree(self)
            && same_headers(self.headers(), other.headers())
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

    /// The digits of a `tel:` URI, without what makes them easier to read.
    fn digits(&self) -> impl Iterator<Item = u8> + use<'a> {
        let number = self.user().unwrap_or_default();
        number.iter().filter(|b| !is_visual_separator(**b)).map(u8::to_ascii_lowercase)
    }

    fn matches_tel(&self, other: &Uri<'_>) -> bool {
        let count = |uri: &Uri<'_>| uri.params().count();
        self.digits().eq(other.digits())
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

const MAX_PARAMS: usize = 64;

impl UriParts {
    fn parse(text: &[u8]) -> Result<UriParts, ParseError> {
        if text.len() > usize::from(u16::MAX) {
            return Err(ParseError::new(usize::from(u16::MAX), "a shorter URI"));
        }
        if let Some(scheme) = text.first_chunk::<4>()
            && scheme.eq_ignore_ascii_case(b"sip:")
        {
            return UriParts::parse_sip(text, 4, Scheme::Sip);
        }
        let colon = text.iter().position(|b| *b == b':').ok_or(ParseError::new(0, "a URI scheme and a colon"))?;
        let scheme = Scheme::from_bytes(&text[..colon]).ok_or(ParseError::new(0, "a URI scheme"))?;
        if matches!(scheme, Scheme::Sip | Scheme::Sips) {
            return UriParts::parse_sip(text, colon + 1, scheme);
        }
        if let Some(at) = text.iter().position(|b| is_forbidden_in_uri(*b)) {
            return Err(ParseError::new(at, FORBIDDEN));
        }
        match scheme {
            Scheme::Tel => UriParts::parse_tel(text, colon + 1),
            Scheme::Other if colon + 1 == text.len() => Err(ParseError::new(colon + 1, "something after the scheme")),
            Scheme::Sip | Scheme::Sips | Scheme::Other => Ok(UriParts::default()),
        }
    }

    /// `[user[:password]@]host[:port][;params][?headers]`.
    fn parse_sip(text: &[u8], start: usize, scheme: Scheme) -> Result<UriParts, ParseError> {
        let marks = Marks::find(text, start)?;
        let mut parts = UriParts { scheme, ..UriParts::default() };
        let mut host_at = start;
        if let Some(at) = marks.at {
            let user = Span::new(start, marks.user_colon.unwrap_or(at));
            if user.range().is_empty() {
                return Err(ParseError::new(start, "a user before the @"));
            }
            parts.user = Some(user);
            parts.password = marks.user_colon.map(|colon| Span::new(colon + 1, at));
            host_at = at + 1;
        }
        let question = marks.question.unwrap_or(text.len());
        let tail = marks.semicolon.unwrap_or(question);
        let mut scan = Scan::new(&text[..tail]);
        scan.advance(host_at);
        scan.host()?;
        parts.host = Span::new(host_at, scan.at());
        parts.port = scan.port()?;
        if !scan.is_at_end() {
            return Err(scan.error("; or ? or the end of the URI"));
        }
        parts.params = Span::new(tail, question);
        parts.headers = marks.question.map(|question| Span::new(question + 1, text.len()));
        if marks.has_nameless && question - tail > 1 {
            return Err(ParseError::new(tail, "the name of a URI parameter"));
        }
        // Comparing two URIs takes time with the product of their parameters.
        if marks.params > MAX_PARAMS {
            return Err(ParseError::new(tail, "fewer URI parameters"));
        }
        Ok(parts)
    }

    /// `number[;params]`, the number global (`+…`) or local.
    fn parse_tel(text: &[u8], start: usize) -> Result<UriParts, ParseError> {
        let end = memchr::memchr(b';', text).unwrap_or(text.len());
        let number = &text[start..end];
        let is_digit = |b: &u8| b.is_ascii_hexdigit() || matches!(b, b'*' | b'#' | b'+') || is_visual_separator(*b);
        if !number.iter().all(is_digit) || !number.iter().any(|b| b.is_ascii_hexdigit() || matches!(b, b'*' | b'#')) {
            return Err(ParseError::new(start, "a telephone number"));
        }
        let (user, params) = (Some(Span::new(start, end)), Span::new(end, text.len()));
        Ok(UriParts { scheme: Scheme::Tel, user, params, ..UriParts::default() })
    }
}

impl Scheme {
    fn from_bytes(text: &[u8]) -> Option<Scheme> {
        let is = |name: &[u8]| text.eq_ignore_ascii_case(name);
        match text {
            [b's' | b'S', ..] if is(b"sip") => Some(Scheme::Sip),
            [b's' | b'S', ..] if is(b"sips") => Some(Scheme::Sips),
            [b't' | b'T', ..] if is(b"tel") => Some(Scheme::Tel),
            [first, rest @ ..] => {
                let fits = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
                (first.is_ascii_alphabetic() && rest.iter().all(fits)).then_some(Scheme::Other)
            }
            [] => None,
        }
    }
}

const FORBIDDEN: &str = "a character that may occur in a URI";

/// What one look at every character of a `sip:` URI finds.
#[derive(Default)]
struct Marks {
    /// The `@` after a user.
    at: Option<usize>,
    /// The first colon before it.
    user_colon: Option<usize>,
    /// The first semicolon behind it, unless a question mark came before.
    semicolon: Option<usize>,
    /// The first question mark behind it.
    question: Option<usize>,
    /// How many parameters there are.
    params: usize,
    /// Whether one of them has no name.
    has_nameless: bool,
}

impl Marks {
    fn find(text: &[u8], start: usize) -> Result<Marks, ParseError> {
        let mut marks = Marks::default();
        let mut colon = None;
        let mut at = start;
        while let Some(step) = text.get(at..).and_then(|rest| rest.iter().position(|b| is_uri_mark(*b))) {
            at += step;
            match text[at] {
                b'@' if marks.at.is_some() => return Err(ParseError::new(at, "one @")),
                // What stood before it belongs to the user, who may have semicolons and question marks.
                b'@' => marks = Marks { at: Some(at), user_colon: colon, ..Marks::default() },
                b':' => colon = colon.or(Some(at)),
                b';' if marks.question.is_none() => {
                    marks.semicolon = marks.semicolon.or(Some(at));
                    marks.params += 1;
                    marks.has_nameless |= matches!(text.get(at + 1), None | Some(b';' | b'=' | b'?'));
                }
                b'?' => marks.question = marks.question.or(Some(at)),
                b';' => {}
                b'%' => check_escape(text, at)?,
                _ => return Err(ParseError::new(at, FORBIDDEN)),
            }
            at += 1;
        }
        Ok(marks)
    }
}

fn check_escape(text: &[u8], at: usize) -> Result<(), ParseError> {
    let hex = text.get(at + 1..at + 3);
    if hex.is_some_and(|h| h.iter().all(u8::is_ascii_hexdigit)) {
        Ok(())
    } else {
        Err(ParseError::new(at, "two hexadecimal digits after %"))
    }
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
