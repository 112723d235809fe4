use super::DeltaSeconds;
use crate::scan::{Scan, trim};
use crate::{Params, ParseError};

/// Retry-After (RFC 3261 §20.33): when to try again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetryAfter<'a> {
    /// Seconds until then.
    pub seconds: u32,
    /// A comment, as it stands between the outermost parentheses.
    pub comment: Option<&'a [u8]>,
    /// Seconds for which the callee will then be reachable.
    pub duration: Option<u32>,
}

impl<'a> RetryAfter<'a> {
    /// Only a number of seconds.
    pub const fn seconds(seconds: u32) -> RetryAfter<'a> {
        RetryAfter { seconds, comment: None, duration: None }
    }

    /// Reads a Retry-After value.
    pub fn parse(value: &'a [u8]) -> Result<RetryAfter<'a>, ParseError> {
        let mut scan = Scan::new(value);
        scan.skip_space();
        let seconds = DeltaSeconds::scan(&mut scan)?.0;
        scan.skip_space();
        let comment = if scan.peek() == Some(b'(') { Some(trim(comment(&mut scan)?)) } else { None };
        let at = scan.at();
        let params = Params::parse(scan.rest()).map_err(|e| e.shifted(at))?;
        let duration = params.get("duration").map(DeltaSeconds::parse).transpose().map_err(|e| e.shifted(at))?;
        Ok(RetryAfter { seconds, comment, duration: duration.map(|d| d.0) })
    }

    /// Prints the value.
    pub fn print(&self) -> Vec<u8> {
        let mut out = self.seconds.to_string().into_bytes();
        if let Some(comment) = self.comment {
            for part in [b" (", comment, b")"] {
                out.extend_from_slice(part);
            }
        }
        if let Some(duration) = self.duration {
            out.extend_from_slice(format!(";duration={duration}").as_bytes());
        }
        out
    }
}

/// What stands between a `(` and the `)` that closes it; comments nest.
fn comment<'a>(scan: &mut Scan<'a>) -> Result<&'a [u8], ParseError> {
    let text = scan.rest();
    let (mut depth, mut at) = (0usize, 0);
    while let Some(b) = text.get(at) {
        match b {
            b'\\' => at += 1,
            b'(' => depth += 1,
            b')' if depth == 1 => {
                scan.advance(at + 1);
                return Ok(&text[1..at]);
            }
            b')' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    Err(scan.error("the end of a comment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_and_printed() {
        let cases: [(&str, u32, Option<&str>, Option<u32>); 5] = [
            ("18000;duration=3600", 18000, None, Some(3600)),
            ("120 (I'm in a meeting)", 120, Some("I'm in a meeting"), None),
            ("5 (a (nested) one\\) here);duration=1", 5, Some("a (nested) one\\) here"), Some(1)),
            ("0", 0, None, None),
            ("7 ()", 7, Some(""), None),
        ];
        for (text, seconds, comment, duration) in cases {
            let read = RetryAfter::parse(text.as_bytes()).unwrap();
            assert_eq!((read.seconds, read.duration), (seconds, duration), "{text}");
            assert_eq!(read.comment, comment.map(str::as_bytes), "{text}");
            assert_eq!(read.print(), text.as_bytes());
        }
        for text in ["", "soon", "5 (", "5 (a\\)", "5 ) x", "5;duration=x", "5 6"] {
            assert!(RetryAfter::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
