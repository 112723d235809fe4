use super::print_quoted_param;
use crate::scan::{Scan, number};
use crate::{Params, ParseError};

/// One Reason (RFC 3326): why a request was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reason<'a> {
    /// `SIP`, `Q.850` or another protocol whose causes these are.
    pub protocol: &'a [u8],
    /// The cause in that protocol.
    pub cause: Option<u16>,
    /// Words for a person, as they stand between the quotes.
    pub text: Option<&'a [u8]>,
}

impl<'a> Reason<'a> {
    /// A reason with a SIP status code as its cause; `text` is escaped already (see [`escape`](crate::escape)).
    pub const fn sip(cause: u16, text: &'a str) -> Reason<'a> {
        Reason { protocol: b"SIP", cause: Some(cause), text: Some(text.as_bytes()) }
    }

    /// Reads one entry of the list.
    pub fn parse(value: &'a [u8]) -> Result<Reason<'a>, ParseError> {
        let mut scan = Scan::new(value);
        scan.skip_space();
        let protocol = scan.token()?;
        let at = scan.at();
        let params = Params::parse(scan.rest()).map_err(|e| e.shifted(at))?;
        let cause = match params.get("cause") {
            None => None,
            Some(cause) => {
                let cause = number(cause).and_then(|n| u16::try_from(n).ok());
                Some(cause.ok_or(ParseError::new(at, "a number as cause"))?)
            }
        };
        Ok(Reason { protocol, cause, text: params.get("text") })
    }

    /// Whether the cause is this SIP status code.
    pub fn is_sip(&self, status: u16) -> bool {
        self.protocol.eq_ignore_ascii_case(b"SIP") && self.cause == Some(status)
    }

    /// Prints the value.
    pub fn print(&self) -> Vec<u8> {
        let mut out = self.protocol.to_vec();
        if let Some(cause) = self.cause {
            out.extend_from_slice(format!(";cause={cause}").as_bytes());
        }
        if let Some(text) = self.text {
            print_quoted_param(&mut out, "text", text);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_read_and_printed() {
        let cases: [(&str, &str, Option<u16>, Option<&str>); 5] = [
            ("SIP;cause=200;text=\"Call completed elsewhere\"", "SIP", Some(200), Some("Call completed elsewhere")),
            ("Q.850;cause=16;text=\"Terminated\"", "Q.850", Some(16), Some("Terminated")),
            ("SIP;cause=487", "SIP", Some(487), None),
            ("preemption", "preemption", None, None),
            ("SIP;text=\"a \\\"b\\\", c; d\"", "SIP", None, Some("a \\\"b\\\", c; d")),
        ];
        for (text, protocol, cause, words) in cases {
            let reason = Reason::parse(text.as_bytes()).unwrap();
            assert_eq!((reason.protocol, reason.cause), (protocol.as_bytes(), cause), "{text}");
            assert_eq!(reason.text, words.map(str::as_bytes), "{text}");
            assert_eq!(reason.print(), text.as_bytes());
        }
        assert!(Reason::parse(b"SIP ;cause=200 ;text=\"x\"").unwrap().is_sip(200));
        assert!(!Reason::parse(b"Q.850;cause=200").unwrap().is_sip(200));
        for text in ["", ";cause=200", "SIP;cause=", "SIP;cause=ok", "SIP;cause=70000", "SIP;text=\"x", "SIP cause=1"] {
            assert!(Reason::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
