use crate::ParseError;
use crate::scan::{Scan, is_value_byte};

/// What a parameter that occurs twice offends.
pub(crate) const ONCE: &str = "each parameter once";

/// Header field parameters: `;name`, `;name=value`, `;name="value"`, in order (RFC 3261 §25.1 generic-param).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Params<'a> {
    text: &'a [u8],
}

impl<'a> Params<'a> {
    /// Checks the grammar of `text`, which is empty or begins with `;`.
    pub fn parse(text: &'a [u8]) -> Result<Params<'a>, ParseError> {
        Self::read(text, |_, _| Ok(()))
    }

    /// [`Params::parse`] that shows names and values on the way: what is looked for in every message needs no second look.
    pub(crate) fn read(
        text: &'a [u8],
        mut each: impl FnMut(&'a [u8], &'a [u8]) -> Result<(), ParseError>,
    ) -> Result<Params<'a>, ParseError> {
        let mut scan = Scan::new(text);
        while scan.eat_separator(b';') {
            let name = scan.token()?;
            let mut value = &b""[..];
            if scan.eat_separator(b'=') {
                value = match scan.peek() {
                    Some(b'"') => scan.quoted()?,
                    Some(b) if is_value_byte(b) => scan.take_while(is_value_byte),
                    Some(_) | None => return Err(scan.error("a parameter value")),
                };
            }
            each(name, value)?;
        }
        scan.end()?;
        Ok(Params { text })
    }

    /// Takes text that [`Params::parse`] has already checked.
    pub(crate) const fn trusted(text: &'a [u8]) -> Params<'a> {
        Params { text }
    }

    /// The parameter's value; `Some(b"")` for one without a value. Names are compared without case (RFC 3261 §7.3.1);
    /// a quoted value comes without its quotes.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, v)| v)
    }

    /// Whether the parameter is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut scan = Scan::new(self.text);
        std::iter::from_fn(move || {
            if !scan.eat_separator(b';') {
                return None;
            }
            let name = scan.token().ok()?;
            if !scan.eat_separator(b'=') {
                return Some((name, &b""[..]));
            }
            let value = match scan.peek() {
                Some(b'"') => scan.quoted().ok()?,
                Some(_) | None => scan.take_while(is_value_byte),
            };
            Some((name, value))
        })
    }

    /// As it stood, from the first `;`.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.text
    }
}
