//! Where lines end and colons stand in a head: found for 64 octets at a time, by a few wide instructions.

use wide::u8x16;

use crate::ParseError;

const BLOCK: usize = 64;
const WIDTH: usize = 16;

/// A window over a text, which moves to where it is asked about.
pub(crate) struct Landmarks<'a> {
    text: &'a [u8],
    /// Where the window begins: a multiple of its size.
    at: usize,
    /// One bit for each octet that may end a line or must not occur: CR, LF, NUL and, as that is one comparison, all between them.
    breaks: u64,
    /// One for each colon.
    colons: u64,
}

impl<'a> Landmarks<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Landmarks<'a> {
        let mut landmarks = Landmarks { text, at: 0, breaks: 0, colons: 0 };
        landmarks.look(0);
        landmarks
    }

    /// All of the text.
    pub(crate) const fn text(&self) -> &'a [u8] {
        self.text
    }

    /// The position of the CRLF that ends the line from `from`; `Err(None)` when the text ends first.
    ///
    /// Two hops that disagree on where a line ends can be played against each other: CRLF, and nothing else, ends one, and
    /// neither CR nor LF occurs alone. NUL, which ends a text for some, occurs only escaped (RFC 3261 §25.1 quoted-pair).
    #[inline]
    pub(crate) fn line_end(&mut self, from: usize) -> Result<usize, Option<ParseError>> {
        let mut at = from;
        loop {
            at = self.next_break(at).ok_or(None)?;
            match (self.text[at], self.text.get(at + 1)) {
                (b'\r', Some(b'\n')) => return Ok(at),
                (b'\r', None) => return Err(None),
                (0, _) if at > from && self.text[at - 1] == b'\\' => at += 1,
                (1..=b'\t' | 0x0b | 0x0c, _) => at += 1,
                (0, _) => return Err(Some(ParseError::new(at, "a character that may occur in a head"))),
                _ => return Err(Some(ParseError::new(at, "CR and LF together, at the end of a line"))),
            }
        }
    }

    /// The first octet up to CR from `from` on.
    fn next_break(&mut self, from: usize) -> Option<usize> {
        self.next(from, |window| window.breaks)
    }

    /// The first colon from `from` on.
    pub(crate) fn next_colon(&mut self, from: usize) -> Option<usize> {
        self.next(from, |window| window.colons)
    }

    #[inline]
    fn next(&mut self, from: usize, which: impl Fn(&Landmarks<'_>) -> u64) -> Option<usize> {
        let offset = from % BLOCK;
        if from - offset != self.at {
            self.look(from - offset);
        }
        let mut found = which(self) & (u64::MAX << offset);
        while found == 0 {
            if self.at + BLOCK >= self.text.len() {
                return None;
            }
            self.look(self.at + BLOCK);
            found = which(self);
        }
        Some(self.at + found.trailing_zeros() as usize)
    }

    #[inline(never)]
    fn look(&mut self, at: usize) {
        let rest = self.text.get(at..).unwrap_or_default();
        let mut padded = [b' '; BLOCK];
        let octets = if let Some(whole) = rest.first_chunk::<BLOCK>() {
            whole
        } else {
            padded[..rest.len()].copy_from_slice(rest);
            &padded
        };
        self.at = at;
        self.breaks = mask(octets, |o| o.simd_eq(o.min(CR)));
        self.colons = mask(octets, |o| o.simd_eq(COLON));
    }
}

const CR: u8x16 = u8x16::new([b'\r'; WIDTH]);
const COLON: u8x16 = u8x16::new([b':'; WIDTH]);

fn mask(octets: &[u8; BLOCK], is_one: impl Fn(u8x16) -> u8x16) -> u64 {
    let (parts, _) = octets.as_chunks::<WIDTH>();
    let bits = |part: &[u8; WIDTH]| u64::from(is_one(u8x16::new(*part)).to_bitmask());
    parts.iter().rev().fold(0, |mask, part| mask << WIDTH | bits(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_landmark_is_found_wherever_it_stands() {
        for len in [1, 15, 16, 17, 63, 64, 65, 127, 128, 200] {
            for at in 0..len {
                for (octet, is_break) in [(b'\r', true), (b'\n', true), (0, true), (b':', false)] {
                    let mut text = vec![b'x'; len];
                    text[at] = octet;
                    for from in 0..=len {
                        let mut landmarks = Landmarks::new(&text);
                        let wanted = (from <= at).then_some(at);
                        assert_eq!(landmarks.next_break(from), wanted.filter(|_| is_break), "{octet} at {at} of {len}");
                        assert_eq!(
                            landmarks.next_colon(from),
                            wanted.filter(|_| !is_break),
                            "{octet} at {at} of {len}"
                        );
                    }
                }
            }
        }
    }
    #[test]
    fn a_line_ends_at_crlf_and_at_no_other_control_character() {
        for octet in (1..b' ').filter(|octet| !matches!(octet, b'\r' | b'\n')) {
            let text = [b"a:b".as_slice(), &[octet], b"c\r\nd"].concat();
            assert_eq!(Landmarks::new(&text).line_end(0), Ok(5), "{octet}");
        }
        assert_eq!(Landmarks::new(b"a:\"\\\0\"\r\n").line_end(0), Ok(6));
        for (text, at) in [(&b"a\0\r\n"[..], 1), (b"a\rb\r\n", 1), (b"ab\n", 2)] {
            assert_eq!(Landmarks::new(text).line_end(0).map_err(|e| e.map(|e| e.at)), Err(Some(at)), "{text:?}");
        }
        assert!(matches!(Landmarks::new(b"abc\r").line_end(0), Err(None)));
    }
}
