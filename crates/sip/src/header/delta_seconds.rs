use std::fmt;

use crate::ParseError;
use crate::scan::Scan;

/// A duration in whole seconds: Expires, Min-Expires (RFC 3261 §20.19, §20.23) and the `expires` parameters.
///
/// A number above 2^32-1 reads as 2^32-1, as RFC 3261 §10.2 allows: every receiver shortens long durations to its own
/// maximum anyway.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DeltaSeconds(pub u32);

impl DeltaSeconds {
    /// What a malformed `expires` is taken for (RFC 3261 §10.2).
    pub const MALFORMED: DeltaSeconds = DeltaSeconds(3600);

    /// Reads a number of seconds.
    pub fn parse(value: &[u8]) -> Result<DeltaSeconds, ParseError> {
        let mut scan = Scan::new(value);
        scan.skip_space();
        let seconds = DeltaSeconds::scan(&mut scan)?;
        scan.end()?;
        Ok(seconds)
    }

    pub(super) fn scan(scan: &mut Scan<'_>) -> Result<DeltaSeconds, ParseError> {
        let digits = scan.take_while(|b| b.is_ascii_digit());
        if digits.is_empty() {
            return Err(scan.error("a number of seconds"));
        }
        let add = |n: u32, b: &u8| n.saturating_mul(10).saturating_add(u32::from(b - b'0'));
        Ok(DeltaSeconds(digits.iter().fold(0, add)))
    }
}

impl fmt::Display for DeltaSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_seconds() {
        let cases = [("0", 0), ("3600", 3600), (" 007 ", 7), ("4294967295", u32::MAX), ("99999999999999999", u32::MAX)];
        for (text, seconds) in cases {
            assert_eq!(DeltaSeconds::parse(text.as_bytes()), Ok(DeltaSeconds(seconds)), "{text}");
        }
        for text in ["", "-1", "+1", "1.5", "1 2", "Thu, 01 Dec 1994 16:00:00 GMT", "0x10"] {
            assert!(DeltaSeconds::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
