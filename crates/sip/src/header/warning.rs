use crate::ParseError;
use crate::scan::Scan;

/// One Warning (RFC 3261 §20.43): what a server wants to add to its status code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Warning<'a> {
    /// Three digits; 3xx are SIP's.
    pub code: u16,
    /// Who warns: a host, or a name for it.
    pub agent: &'a [u8],
    /// Words for a person, as they stand between the quotes.
    pub text: &'a [u8],
}

impl<'a> Warning<'a> {
    /// Reads one entry of the list.
    pub fn parse(value: &'a [u8]) -> Result<Warning<'a>, ParseError> {
        let mut scan = Scan::new(value);
        scan.skip_space();
        let at = scan.at();
        let code = scan.take_while(|b| b.is_ascii_digit());
        if code.len() != 3 {
            return Err(ParseError::new(at, "a warning code of three digits"));
        }
        let code = code.iter().fold(0, |n, b| n * 10 + u16::from(b - b'0'));
        space(&mut scan)?;
        let agent = scan.take_while(|b| b > b' ' && b != b'"' && b != b',' && b != 0x7f);
        if agent.is_empty() {
            return Err(scan.error("a warning agent"));
        }
        space(&mut scan)?;
        let text = scan.quoted()?;
        scan.end()?;
        Ok(Warning { code, agent, text })
    }

    /// Prints the value.
    pub fn print(&self) -> Vec<u8> {
        let mut out = format!("{:03} ", self.code).into_bytes();
        for part in [self.agent, b" \"", self.text, b"\""] {
            out.extend_from_slice(part);
        }
        out
    }
}

fn space(scan: &mut Scan<'_>) -> Result<(), ParseError> {
    let before = scan.at();
    scan.skip_space();
    if scan.at() == before { Err(scan.error("a space")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_read_and_printed() {
        let cases = [
            ("307 isi.edu \"Session parameter 'foo' not understood\"", 307, "isi.edu"),
            ("301 [2001:db8::1]:5060 \"Incompatible network address type 'E.164'\"", 301, "[2001:db8::1]:5060"),
            ("399 pf-a \"a \\\"quoted\\\" word, and a comma\"", 399, "pf-a"),
        ];
        for (text, code, agent) in cases {
            let warning = Warning::parse(text.as_bytes()).unwrap();
            assert_eq!((warning.code, warning.agent), (code, agent.as_bytes()), "{text}");
            assert_eq!(warning.print(), text.as_bytes());
        }
        for text in ["", "399", "399 pf", "99 pf \"x\"", "3999 pf \"x\"", "399 pf x", "399 pf \"x", "399 \"x\""] {
            assert!(Warning::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
