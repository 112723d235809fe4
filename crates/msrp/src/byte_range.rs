use std::fmt;

use crate::ParseError;
use crate::grammar::number;

/// The value of `Byte-Range` (RFC 4975 §7.1.1): which octets of the message a chunk holds, counted from 1.
///
/// An empty chunk ends one before it starts, as in `1-0/0`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ByteRange {
    /// The first octet.
    pub start: u64,
    /// The last octet; `None` is `*`: the chunk may be interrupted anywhere.
    pub end: Option<u64>,
    /// Octets of the whole message; `None` is `*`: not known yet.
    pub total: Option<u64>,
}

impl ByteRange {
    /// What a request without the header field means: the message from its start, of unknown size.
    pub const WHOLE: ByteRange = ByteRange { start: 1, end: None, total: None };

    /// Reads a value. A range that cannot be (zero start, end before start, more than the total) is refused.
    pub fn parse(text: &str) -> Result<ByteRange, ParseError> {
        let error = |expected| ParseError::new(0, expected);
        let (start, rest) = text.split_once('-').ok_or(error("start-end/total"))?;
        let (end, total) = rest.split_once('/').ok_or(error("start-end/total"))?;
        let start = number(start).filter(|start| *start > 0).ok_or(error("a first octet from 1 on"))?;
        let end = star_or_number(end).ok_or(error("a last octet or `*`"))?;
        let total = star_or_number(total).ok_or(error("a total or `*`"))?;
        if end.is_some_and(|end| end < start - 1) {
            return Err(error("an end that is not before the start"));
        }
        if total.is_some_and(|total| start - 1 > total || end.is_some_and(|end| end > total)) {
            return Err(error("a range within the total"));
        }
        Ok(ByteRange { start, end, total })
    }
}

fn star_or_number(text: &str) -> Option<Option<u64>> {
    if text == "*" { Some(None) } else { number(text).map(Some) }
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = |f: &mut fmt::Formatter<'_>, number: Option<u64>| match number {
            Some(number) => number.fmt(f),
            None => f.write_str("*"),
        };
        self.start.fmt(f)?;
        f.write_str("-")?;
        star(f, self.end)?;
        f.write_str("/")?;
        star(f, self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_legal_form_reads_and_prints() {
        for text in ["1-*/*", "1-0/0", "1-5/5", "1-5/*", "1-*/5", "6-5/5", "3-4/9", "2-1/5", "1-18446744073709551615/*"]
        {
            assert_eq!(ByteRange::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_no_chunk_can_be_is_refused() {
        for text in [
            "",
            "1",
            "1-5",
            "0-0/0",
            "0-*/*",
            "*-*/*",
            "3-1/5",
            "1-6/5",
            "7-*/5",
            "1-5/4",
            "-1-5/5",
            "1--5/5",
            "1-5/-5",
            "1-5/5/5",
            "+1-5/5",
            " 1-5/5",
            "1 - 5 / 5",
            "1-18446744073709551616/*",
            "99999999999999999999999-*/*",
            "a-b/c",
            "1-5/",
            "1-/5",
        ] {
            assert!(ByteRange::parse(text).is_err(), "{text}");
        }
    }
}
