use std::fmt;

use crate::scan::Scan;
use crate::{Method, ParseError};

/// CSeq (RFC 3261 §20.16): a number below 2^31 and the method.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CSeq {
    /// The sequence number.
    pub number: u32,
    /// The method.
    pub method: Method,
}

impl CSeq {
    /// Reads a CSeq value.
    pub fn parse(value: &[u8]) -> Result<CSeq, ParseError> {
        Ok(CSeq::parse_with_token(value)?.0)
    }

    pub(crate) fn parse_with_token(value: &[u8]) -> Result<(CSeq, &[u8]), ParseError> {
        let mut scan = Scan::new(value);
        // RFC 3261 §8.1.1.5: expressible as a 32-bit unsigned integer, less than 2^31.
        let number = scan.number("a CSeq number")?;
        let number = u32::try_from(number)
            .ok()
            .filter(|n| *n < 1 << 31)
            .ok_or(ParseError::new(0, "a CSeq number below 2^31"))?;
        let before = scan.at();
        scan.skip_space();
        if scan.at() == before {
            return Err(scan.error("a space after the CSeq number"));
        }
        let token = scan.token()?;
        scan.end()?;
        Ok((CSeq { number, method: Method::from_bytes(token) }, token))
    }
}

impl Default for CSeq {
    fn default() -> CSeq {
        CSeq { number: 0, method: Method::Extension }
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}
