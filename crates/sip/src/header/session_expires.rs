use std::fmt;

use super::DeltaSeconds;
use crate::scan::Scan;
use crate::{Params, ParseError};

/// Who refreshes the session (RFC 4028 §4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refresher {
    /// The UAC of the request that carries, or whose answer carries, the header field.
    Uac,
    /// The UAS.
    Uas,
}

/// Session-Expires (RFC 4028 §4): how long the session lives unrefreshed, and who refreshes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionExpires {
    /// Seconds.
    pub interval: u32,
    /// The refresher, once it is known.
    pub refresher: Option<Refresher>,
}

impl SessionExpires {
    /// Reads a Session-Expires value. An unknown refresher is an error: two sides that each take the other for the
    /// refresher lose the session.
    pub fn parse(value: &[u8]) -> Result<SessionExpires, ParseError> {
        let (interval, params, at) = interval(value)?;
        let refresher = match params.get("refresher") {
            None => None,
            Some(who) if who.eq_ignore_ascii_case(b"uac") => Some(Refresher::Uac),
            Some(who) if who.eq_ignore_ascii_case(b"uas") => Some(Refresher::Uas),
            Some(_) => return Err(ParseError::new(at, "uac or uas as refresher")),
        };
        Ok(SessionExpires { interval, refresher })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refresher = match self.refresher {
            None => "",
            Some(Refresher::Uac) => ";refresher=uac",
            Some(Refresher::Uas) => ";refresher=uas",
        };
        write!(f, "{}{refresher}", self.interval)
    }
}

/// Min-SE (RFC 4028 §5): the shortest session interval that somebody on the path accepts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct MinSe(pub u32);

impl MinSe {
    /// What holds without the header field, and the least that may be asked for (RFC 4028 §4).
    pub const DEFAULT: MinSe = MinSe(90);

    /// Reads a Min-SE value.
    pub fn parse(value: &[u8]) -> Result<MinSe, ParseError> {
        Ok(MinSe(interval(value)?.0))
    }
}

impl fmt::Display for MinSe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn interval(value: &[u8]) -> Result<(u32, Params<'_>, usize), ParseError> {
    let mut scan = Scan::new(value);
    scan.skip_space();
    let interval = DeltaSeconds::scan(&mut scan)?.0;
    let at = scan.at();
    let params = Params::parse(scan.rest()).map_err(|e| e.shifted(at))?;
    Ok((interval, params, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_and_refreshers() {
        let cases = [
            ("1800", 1800, None, "1800"),
            ("1800;refresher=uac", 1800, Some(Refresher::Uac), "1800;refresher=uac"),
            ("90 ; Refresher = UAS ;x=y", 90, Some(Refresher::Uas), "90;refresher=uas"),
            ("99999999999", u32::MAX, None, "4294967295"),
        ];
        for (text, interval, refresher, printed) in cases {
            let read = SessionExpires::parse(text.as_bytes());
            assert_eq!(read, Ok(SessionExpires { interval, refresher }), "{text}");
            assert_eq!(SessionExpires { interval, refresher }.to_string(), printed);
        }
        for text in ["", "uac", "1800;refresher", "1800;refresher=proxy", "1800 uac", "-5"] {
            assert!(SessionExpires::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn minimum_intervals() {
        assert_eq!(MinSe::parse(b"90;lr"), Ok(MinSe(90)));
        assert_eq!(MinSe(120).to_string(), "120");
        assert!(MinSe::parse(b"soon").is_err());
        assert!(MinSe(60) < MinSe::DEFAULT);
    }
}
