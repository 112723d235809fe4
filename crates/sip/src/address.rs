use crate::params::ONCE;
use crate::scan::{Scan, is_space, is_token_byte, trim};
use crate::{Params, ParseError, Uri};

/// `name-addr` or `addr-spec` with header field parameters (RFC 3261 §20.10): what stands in From, To, Contact, Route,
/// Record-Route, P-Asserted-Identity and their kin.
#[derive(Clone, Copy, Debug, Default)]
pub struct Address<'a> {
    display: &'a [u8],
    uri: Uri<'a>,
    params: Params<'a>,
}

impl<'a> Address<'a> {
    /// Reads one address; `text` holds no second, comma-separated one.
    pub fn parse(text: &'a [u8]) -> Result<Address<'a>, ParseError> {
        Self::read(text, |_, _| Ok(()))
    }

    /// Reads one address with its tag, which is there once at most. Of two, one hop takes the first and another the last; RFC 3261
    /// §7.3.1 forbids to repeat any parameter.
    pub(crate) fn parse_with_tag(text: &'a [u8]) -> Result<(Address<'a>, Option<&'a [u8]>), ParseError> {
        let mut tag = None;
        let address = Self::read(text, |name, value| {
            let is_second = name.eq_ignore_ascii_case(b"tag") && tag.replace(value).is_some();
            if is_second { Err(ParseError::new(0, ONCE)) } else { Ok(()) }
        })?;
        Ok((address, tag))
    }

    /// [`Address::parse`] that shows the parameters on the way.
    pub(crate) fn read(
        text: &'a [u8],
        each: impl FnMut(&'a [u8], &'a [u8]) -> Result<(), ParseError>,
    ) -> Result<Address<'a>, ParseError> {
        let lead = text.len() - text.trim_ascii_start().len();
        let text = trim(text);
        match angle(text) {
            Some(open) => Self::parse_bracketed(text, open, each),
            None => Self::parse_bare(text, each),
        }
        .map_err(|e| e.shifted(lead))
    }

    fn parse_bracketed(
        text: &'a [u8],
        open: usize,
        each: impl FnMut(&'a [u8], &'a [u8]) -> Result<(), ParseError>,
    ) -> Result<Address<'a>, ParseError> {
        let display = trim(&text[..open]);
        check_display(display)?;
        let close = memchr::memchr(b'>', &text[open..]).ok_or(ParseError::new(text.len(), "> after the URI"))? + open;
        let uri = Uri::parse(&text[open + 1..close]).map_err(|e| e.shifted(open + 1))?;
        let params = Params::read(&text[close + 1..], each).map_err(|e| e.shifted(close + 1))?;
        Ok(Address { display, uri, params })
    }

    /// Without brackets every parameter is the header field's, and `,`, `?` and `;` may not be the URI's (§20.10).
    fn parse_bare(
        text: &'a [u8],
        each: impl FnMut(&'a [u8], &'a [u8]) -> Result<(), ParseError>,
    ) -> Result<Address<'a>, ParseError> {
        let end = memchr::memchr(b';', text).unwrap_or(text.len());
        let uri_text = trim(&text[..end]);
        if let Some(at) = memchr::memchr2(b'?', b',', uri_text) {
            return Err(ParseError::new(at, "angle brackets around a URI with ? or ,"));
        }
        let uri = Uri::parse(uri_text)?;
        let params = Params::read(&text[end..], each).map_err(|e| e.shifted(end))?;
        Ok(Address { display: b"", uri, params })
    }

    pub(crate) const fn trusted(display: &'a [u8], uri: Uri<'a>, params: Params<'a>) -> Address<'a> {
        Address { display, uri, params }
    }

    /// The display name as written, with its quotes if it has them.
    pub const fn display(&self) -> &'a [u8] {
        self.display
    }

    /// The URI.
    pub const fn uri(&self) -> Uri<'a> {
        self.uri
    }

    /// The header field parameters.
    pub const fn params(&self) -> Params<'a> {
        self.params
    }

    /// The `tag` parameter of From and To (RFC 3261 §19.3).
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.params.get("tag")
    }
}

/// Where the `<` stands that opens the URI: outside a quoted display name.
fn angle(text: &[u8]) -> Option<usize> {
    if text.first() != Some(&b'"') {
        return memchr::memchr(b'<', text);
    }
    let mut scan = Scan::new(text);
    scan.quoted().ok()?;
    memchr::memchr(b'<', scan.rest()).map(|i| i + scan.at())
}

/// A quoted string or tokens. UTF-8 outside quotes is not in the grammar but on the wire.
fn check_display(display: &[u8]) -> Result<(), ParseError> {
    if display.first() == Some(&b'"') {
        let mut scan = Scan::new(display);
        scan.quoted()?;
        return scan.end();
    }
    match display.iter().position(|b| !is_token_byte(*b) && !is_space(*b) && *b < 0x80) {
        Some(at) => Err(ParseError::new(at, "a display name of tokens, or in quotes")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address<'_> {
        Address::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn forms_of_an_address() {
        let a = address(r#""A. G. Bell \"x\" <hi>" <sip:agb@bell-telephone.com;lr> ;tag=a48s"#);
        assert_eq!(a.uri().as_bytes(), b"sip:agb@bell-telephone.com;lr");
        assert_eq!(a.tag(), Some(&b"a48s"[..]));
        let a = address("sip:+12125551212@server.phone2net.com;tag=887s");
        assert_eq!((a.uri().as_bytes(), a.tag()), (&b"sip:+12125551212@server.phone2net.com"[..], Some(&b"887s"[..])));
        assert_eq!(address("caller<sip:a@b>").display(), b"caller");
        assert_eq!(address("<tel:+15550001;phone-context=x>;a=\"b;c\"").params().get("A"), Some(&b"b;c"[..]));
        assert_eq!(address("<urn:service:sos>").uri().as_bytes(), b"urn:service:sos");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "Bell, Alexander <sip:a@b>",
            "\"unfinished <sip:a@b>",
            "<sip:a@b",
            "sip:a@b?Route=x",
            "<sip:a@b>x",
            "<sip:a@b>;;tag=1",
            "\"a\" b <sip:a@b>",
        ] {
            assert!(Address::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
