//! A cursor over the bytes of a header field value, with the terminals of RFC 3261 §25.1.

use crate::ParseError;

const TOKEN: u8 = 1;
const SPACE: u8 = 2;
const HOST: u8 = 4;
const URI_MARK: u8 = 8;
const VALUE: u8 = 16;
const NO_URI: u8 = 32;

/// Character classes: token characters, linear white space (a folded line's CR and LF count), host characters, and
/// characters that mean something in a URI or may not occur there.
static CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut c = 0;
    while c < 256 {
        let b = c as u8;
        if b.is_ascii_alphanumeric() {
            class[c] = TOKEN | HOST;
        }
        match b {
            b'-' | b'.' | b'_' => class[c] = TOKEN | HOST,
            b'!' | b'%' | b'*' | b'+' | b'`' | b'\'' | b'~' => class[c] = TOKEN,
            b' ' | b'\t' | b'\r' | b'\n' => class[c] = SPACE,
            _ => {}
        }
        // gen-value may be a host, so brackets and colons occur; the field also writes raw URIs and more.
        if class[c] & TOKEN != 0 || b >= 0x80 || is_loose_value_byte(b) {
            class[c] |= VALUE;
        }
        if b <= b' ' || matches!(b, b'<' | b'>' | b'"' | 0x7f) {
            class[c] |= URI_MARK | NO_URI;
        }
        if matches!(b, b'@' | b'%' | b':' | b';' | b'?') {
            class[c] |= URI_MARK;
        }
        c += 1;
    }
    class
};

const fn is_loose_value_byte(b: u8) -> bool {
    matches!(b, b'[' | b']' | b':' | b'/' | b'@' | b'$' | b'&' | b'?' | b'#' | b'|' | b'{' | b'}' | b'^' | b'(' | b')')
}

pub(crate) fn is_token_byte(b: u8) -> bool {
    CLASS[usize::from(b)] & TOKEN != 0
}

pub(crate) fn is_space(b: u8) -> bool {
    CLASS[usize::from(b)] & SPACE != 0
}

pub(crate) fn is_host_byte(b: u8) -> bool {
    CLASS[usize::from(b)] & HOST != 0
}

/// What a parameter's value may hold without quotes.
pub(crate) fn is_value_byte(b: u8) -> bool {
    CLASS[usize::from(b)] & VALUE != 0
}

pub(crate) fn is_uri_mark(b: u8) -> bool {
    CLASS[usize::from(b)] & URI_MARK != 0
}

pub(crate) fn is_forbidden_in_uri(b: u8) -> bool {
    CLASS[usize::from(b)] & NO_URI != 0
}

/// Whether `text` is a non-empty token.
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|b| is_token_byte(*b))
}

/// `text` without linear white space at both ends.
pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [b, rest @ ..] = text
        && is_space(*b)
    {
        text = rest;
    }
    while let [rest @ .., b] = text
        && is_space(*b)
    {
        text = rest;
    }
    text
}

/// A decimal number that fits; `None` for anything else, signs and blanks included.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 20 {
        return None;
    }
    text.iter().try_fold(0u64, |n, b| {
        if !b.is_ascii_digit() {
            return None;
        }
        n.checked_mul(10)?.checked_add(u64::from(b - b'0'))
    })
}

#[derive(Clone, Copy)]
pub(crate) struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    pub(crate) const fn new(text: &'a [u8]) -> Scan<'a> {
        Scan { text, at: 0 }
    }

    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(crate) const fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    pub(crate) const fn error(&self, expected: &'static str) -> ParseError {
        ParseError::new(self.at, expected)
    }

    pub(crate) fn skip_space(&mut self) {
        self.take_while(is_space);
    }

    pub(crate) fn advance(&mut self, n: usize) {
        self.at = (self.at + n).min(self.text.len());
    }

    /// Takes `byte` if it comes next.
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let hit = self.peek() == Some(byte);
        self.at += usize::from(hit);
        hit
    }

    /// Takes `byte` with linear white space around it, if it comes next; else stays where it was.
    pub(crate) fn eat_separator(&mut self, byte: u8) -> bool {
        let before = self.at;
        // White space around separators is rare, and the separator itself often is not there.
        match self.peek() {
            Some(next) if next == byte => self.at += 1,
            Some(next) if is_space(next) => {
                self.skip_space();
                if !self.eat(byte) {
                    self.at = before;
                    return false;
                }
            }
            Some(_) | None => return false,
        }
        if self.peek().is_some_and(is_space) {
            self.skip_space();
        }
        true
    }

    pub(crate) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), ParseError> {
        if self.eat(byte) { Ok(()) } else { Err(self.error(expected)) }
    }

    pub(crate) fn take_while(&mut self, mut wanted: impl FnMut(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let len = rest.iter().position(|b| !wanted(*b)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    pub(crate) fn token(&mut self) -> Result<&'a [u8], ParseError> {
        let token = self.take_while(is_token_byte);
        if token.is_empty() { Err(self.error("a token")) } else { Ok(token) }
    }

    /// A quoted string; returns what stands between the quotes, escapes untouched.
    pub(crate) fn quoted(&mut self) -> Result<&'a [u8], ParseError> {
        if self.peek() != Some(b'"') {
            return Err(self.error("a quoted string"));
        }
        let start = self.at + 1;
        self.skip_quoted().ok_or(self.error("the end of a quoted string"))?;
        Ok(&self.text[start..self.at - 1])
    }

    /// Goes behind the quoted string that begins here; `None` if it does not end.
    fn skip_quoted(&mut self) -> Option<()> {
        let mut at = self.at + 1;
        loop {
            at += memchr::memchr2(b'"', b'\\', self.text.get(at..)?)?;
            if self.text[at] == b'"' {
                self.at = at + 1;
                return Some(());
            }
            at += 2;
        }
    }

    pub(crate) fn number(&mut self, expected: &'static str) -> Result<u64, ParseError> {
        let start = self.at;
        number(self.take_while(|b| b.is_ascii_digit())).ok_or(ParseError::new(start, expected))
    }

    /// A host: name, IPv4 address or bracketed IPv6 reference.
    pub(crate) fn host(&mut self) -> Result<&'a [u8], ParseError> {
        let start = self.at;
        if self.eat(b'[') {
            self.take_while(|b| b.is_ascii_hexdigit() || b == b':' || b == b'.');
            self.expect(b']', "the ] of an IPv6 reference")?;
        } else {
            self.take_while(is_host_byte);
        }
        if self.at == start { Err(self.error("a host")) } else { Ok(&self.text[start..self.at]) }
    }

    /// `:port` if it comes next.
    pub(crate) fn port(&mut self) -> Result<Option<u16>, ParseError> {
        if !self.eat(b':') {
            return Ok(None);
        }
        let at = self.at;
        let port = self.number("a port")?;
        u16::try_from(port).map(Some).map_err(|_| ParseError::new(at, "a port below 65536"))
    }

    pub(crate) fn end(&mut self) -> Result<(), ParseError> {
        self.skip_space();
        if self.is_at_end() { Ok(()) } else { Err(self.error("the end of the value")) }
    }
}

/// Splits a header field value at its top-level commas: not in quotes, not in angle brackets.
#[derive(Clone)]
pub(crate) struct Commas<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Commas<'a> {
    pub(crate) const fn new(value: &'a [u8]) -> Commas<'a> {
        Commas { rest: Some(value) }
    }

    /// What the iterator has not handed out yet.
    pub(crate) const fn rest(&self) -> Option<&'a [u8]> {
        self.rest
    }
}

impl<'a> Iterator for Commas<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let comma = top_level_comma(rest);
        match comma {
            Some(i) => {
                self.rest = Some(&rest[i + 1..]);
                Some(trim(&rest[..i]))
            }
            None => {
                self.rest = None;
                Some(trim(rest))
            }
        }
    }
}

fn top_level_comma(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr3(b',', b'<', b'"', &text[at..])?;
        at += match text[at] {
            b',' => return Some(at),
            b'<' => memchr::memchr(b'>', &text[at..])? + 1,
            _ => {
                let mut quoted = Scan::new(&text[at..]);
                quoted.skip_quoted()?;
                quoted.at()
            }
        };
    }
}
