use std::borrow::Cow;

use crate::ParseError;
use crate::escape::unescape;

/// The namespace that a header name belongs to (RFC 3862 §3.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Namespace<'a> {
    /// The headers of RFC 3862 itself: no prefix.
    Cpim,
    /// `urn:ietf:params:imdn` (RFC 5438 §6).
    Imdn,
    /// `http://www.openmobilealliance.org/cpm/`.
    Cpm,
    /// Another one, by its URI.
    Other(&'a str),
    /// A prefix that no NS header declared.
    Undeclared(&'a str),
}

pub(crate) const NS_CPIM: &str = "urn:ietf:params:cpim-headers:";
pub(crate) const NS_IMDN: &str = "urn:ietf:params:imdn";
pub(crate) const NS_CPM: &str = "http://www.openmobilealliance.org/cpm/";

impl<'a> Namespace<'a> {
    /// The namespace of a URI.
    pub(crate) fn of(uri: &'a str) -> Namespace<'a> {
        let is =
            |known: &str| uri.trim_end_matches(['/', ':']).eq_ignore_ascii_case(known.trim_end_matches(['/', ':']));
        if is(NS_CPIM) {
            Namespace::Cpim
        } else if is(NS_IMDN) {
            Namespace::Imdn
        } else if is(NS_CPM) {
            Namespace::Cpm
        } else {
            Namespace::Other(uri)
        }
    }

    /// What a prefix means that was not declared. Clients leave out the NS lines of the two that everybody knows.
    pub(crate) fn undeclared(prefix: &'a str) -> Namespace<'a> {
        if prefix.eq_ignore_ascii_case("imdn") {
            Namespace::Imdn
        } else if prefix.eq_ignore_ascii_case("cpm") {
            Namespace::Cpm
        } else {
            Namespace::Undeclared(prefix)
        }
    }
}

/// One message header (RFC 3862 §3), as it came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// What its prefix, or the lack of one, stands for.
    pub namespace: Namespace<'a>,
    /// The name without prefix.
    pub name: &'a str,
    /// Parameters with their leading `;`, such as `;lang=fr`; mostly empty.
    pub params: &'a str,
    /// The value as on the wire, without white space around it.
    pub raw: &'a str,
}

impl<'a> Header<'a> {
    /// The value with escapes undone.
    pub fn value(&self) -> Cow<'a, str> {
        unescape(self.raw)
    }

    /// Whether it is that header. Names are compared without regard to case: real clients vary it.
    pub fn is(&self, namespace: Namespace<'_>, name: &str) -> bool {
        self.namespace == namespace && self.name.eq_ignore_ascii_case(name)
    }

    /// The language of the value, if a parameter says it (RFC 3862 §3.3).
    pub fn language(&self) -> Option<&'a str> {
        let mut params = self.params.split(';').filter_map(|p| p.split_once('='));
        params.find(|(name, _)| name.eq_ignore_ascii_case("lang")).map(|(_, tag)| tag)
    }
}

/// Shows the name only: values are the user's.
impl std::fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Header({:?} {})", self.namespace, self.name)
    }
}

/// The pieces of a header line, before its prefix is looked up.
pub(crate) struct RawHeader<'a> {
    pub(crate) prefix: Option<&'a str>,
    pub(crate) name: &'a str,
    pub(crate) params: &'a str,
    pub(crate) value: &'a str,
}

/// The name before the colon: visible characters, none of which could be taken for a separator.
pub(crate) fn name_of(line: &str) -> Option<&str> {
    let name = &line[..line.find(':')?];
    let is_name = |b: u8| b.is_ascii_graphic() && !b"()<>@,;\\\"/[]?={}".contains(&b);
    (!name.is_empty() && name.bytes().all(is_name)).then_some(name)
}

/// Cuts `prefix.Name:;param value`.
pub(crate) fn cut(line: &str) -> Result<RawHeader<'_>, ParseError> {
    let full = name_of(line).ok_or(ParseError::new(0, "a header name and a colon"))?;
    let (prefix, name) = full.split_once('.').map_or((None, full), |(prefix, name)| (Some(prefix), name));
    if name.is_empty() || prefix.is_some_and(str::is_empty) {
        return Err(ParseError::new(0, "a header name and a colon"));
    }
    let rest = &line[full.len() + 1..];
    let params_end = if rest.starts_with(';') { rest.find(' ').unwrap_or(rest.len()) } else { 0 };
    let (params, value) = rest.split_at(params_end);
    Ok(RawHeader { prefix, name, params, value: value.trim_ascii() })
}

/// A value of NS: the prefix, empty for the default namespace, and the URI. The space between them is often left out.
pub(crate) fn declaration(value: &str) -> Option<(&str, &str)> {
    let (prefix, rest) = value.split_once('<')?;
    let uri = rest.strip_suffix('>')?;
    let prefix = prefix.trim_ascii();
    let is_prefix = prefix.bytes().all(|b| b.is_ascii_graphic() && b != b'.' && b != b':');
    (is_prefix && !uri.is_empty() && !uri.contains(['<', '>', ' '])).then_some((prefix, uri))
}
