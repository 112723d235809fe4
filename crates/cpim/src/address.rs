use std::borrow::Cow;
use std::fmt;

use crate::ParseError;
use crate::escape::{escape, unescape};

/// The address that CPM clients put in From and To of a one-to-one session: who they are says SIP, asserted by the network.
pub const ANONYMOUS: Address<'static> = Address { name: "", uri: "sip:anonymous@anonymous.invalid" };

/// The value of From, To, cc, Original-To and the IMDN routes: an optional name and a URI (RFC 3862 §4.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address<'a> {
    /// As on the wire, without quotes, escapes left in.
    name: &'a str,
    uri: &'a str,
}

impl<'a> Address<'a> {
    /// Reads `Name <uri>`, `"Name" <uri>`, `<uri>` or a bare `uri`. What stands behind `>` must be `;` parameters, which
    /// some clients copy there from SIP; they are left out.
    pub fn parse(text: &'a str) -> Result<Address<'a>, ParseError> {
        let text = text.trim_ascii();
        let (name, rest) = match text.strip_prefix('"') {
            Some(quoted) => quoted_name(quoted)?,
            None => text.split_at(text.find('<').unwrap_or(0)),
        };
        let Some(rest) = rest.trim_ascii_start().strip_prefix('<') else {
            let bare = rest.trim_ascii();
            return if name.is_empty() { Address::of(bare) } else { Err(ParseError::new(0, "< after the name")) };
        };
        let (uri, after) = rest.split_once('>').ok_or(ParseError::new(text.len(), "> after the URI"))?;
        if !after.is_empty() && !after.trim_ascii_start().starts_with(';') {
            return Err(ParseError::new(text.len() - after.len(), "the end of the address"));
        }
        Ok(Address { name: name.trim_ascii(), ..Address::of(uri)? })
    }

    /// An address without a name. The URI must have a scheme and no white space, quotes or angle brackets.
    pub fn of(uri: &'a str) -> Result<Address<'a>, ParseError> {
        let is_wrong = |b: u8| !b.is_ascii_graphic() && b.is_ascii() || matches!(b, b'<' | b'>' | b'"');
        if let Some(at) = uri.bytes().position(is_wrong) {
            return Err(ParseError::new(at, "a URI without white space, quotes or brackets"));
        }
        let (scheme, rest) = uri.split_once(':').ok_or(ParseError::new(0, "a URI with a scheme"))?;
        let is_scheme_char = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        let starts_right = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
        if !starts_right || !scheme.bytes().all(is_scheme_char) || rest.is_empty() {
            return Err(ParseError::new(0, "a URI with a scheme"));
        }
        Ok(Address { name: "", uri })
    }

    /// Prints a name for people and a URI as an address, which [`Address::parse`] then reads.
    pub fn print_named(name: &str, uri: &str) -> Result<String, ParseError> {
        let mut out = String::with_capacity(name.len() + uri.len() + 8);
        Address::print(name, Address::of(uri)?.uri, &mut out);
        Ok(out)
    }

    /// The name for people, escapes undone. It proves nothing about who sent the message.
    pub fn name(&self) -> Cow<'a, str> {
        unescape(self.name)
    }

    /// The URI, as on the wire.
    pub const fn uri(&self) -> &'a str {
        self.uri
    }

    /// Whether it is the address that CPM uses to say nothing.
    pub fn is_anonymous(&self) -> bool {
        self.uri.eq_ignore_ascii_case(ANONYMOUS.uri)
    }

    /// As header value. `name`, if not empty, is shown in quotes.
    fn print(name: &str, uri: &str, out: &mut String) {
        if !name.is_empty() {
            out.push('"');
            escape(name, out);
            out.push_str("\" ");
        }
        out.push('<');
        out.push_str(uri);
        out.push('>');
    }
}

/// Splits at the quote that is not escaped.
fn quoted_name(text: &str) -> Result<(&str, &str), ParseError> {
    let mut escaped = false;
    for (at, b) in text.bytes().enumerate() {
        match b {
            b'"' if !escaped => return Ok((&text[..at], &text[at + 1..])),
            b'\\' => escaped = !escaped,
            0..=255 => escaped = false,
        }
    }
    Err(ParseError::new(text.len(), "the closing quote of the name"))
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        Address::print(&self.name(), self.uri, &mut out);
        f.write_str(&out)
    }
}

/// Shows nothing of the user: logs must not.
impl fmt::Debug for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_anonymous() { "Address(anonymous)" } else { "Address(…)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_that_clients_write() {
        let table = [
            ("<sip:a@x>", "", "sip:a@x"),
            ("sip:a@x", "", "sip:a@x"),
            ("tel:+15550001", "", "tel:+15550001"),
            ("Alice <im:a@x>", "Alice", "im:a@x"),
            ("\"A \\\"B\\\" <sip:c@x>\" <sip:a@x>", "A \"B\" <sip:c@x>", "sip:a@x"),
            ("\"\"<sip:a@x>;tag=1", "", "sip:a@x"),
            ("  Zoë  B <sip:a@x> ", "Zoë  B", "sip:a@x"),
        ];
        for (text, name, uri) in table {
            let address = Address::parse(text).unwrap();
            assert_eq!((&*address.name(), address.uri()), (name, uri), "{text}");
            assert_eq!(Address::parse(&address.to_string()).unwrap().uri(), uri);
        }
    }

    #[test]
    fn forms_that_could_name_two_people_are_refused() {
        for text in ["", "<>", "A", "<sip:>", "<sip:a@x", "A <sip:a@x> <sip:b@x>", "\"A <sip:a@x>", "<sip:a@x> B"] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
        for text in ["<a b:c>", "<:x>", "<1:x>", "<sip:a@x\">", "\"A\" sip:a@x", "A B sip:a@x"] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }
}
