use std::fmt;

use super::CSeq;
use crate::ParseError;
use crate::scan::Scan;

/// RSeq (RFC 3262 §7.1): the number of a reliable provisional response, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RSeq(pub u32);

impl RSeq {
    /// Reads an RSeq value.
    pub fn parse(value: &[u8]) -> Result<RSeq, ParseError> {
        let mut scan = Scan::new(value);
        scan.skip_space();
        let rseq = RSeq::scan(&mut scan)?;
        scan.end()?;
        Ok(rseq)
    }

    fn scan(scan: &mut Scan<'_>) -> Result<RSeq, ParseError> {
        let at = scan.at();
        let number = scan.number("a response number")?;
        let number = u32::try_from(number).ok().filter(|n| *n > 0);
        number.map(RSeq).ok_or(ParseError::new(at, "a response number from 1 to 2^32-1"))
    }
}

impl fmt::Display for RSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// RAck (RFC 3262 §7.2): which provisional response a PRACK acknowledges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RAck<'a> {
    /// The number of the response.
    pub rseq: RSeq,
    /// The CSeq of the response.
    pub cseq: CSeq,
    /// The method of that CSeq as written.
    pub method: &'a [u8],
}

impl<'a> RAck<'a> {
    /// Reads an RAck value.
    pub fn parse(value: &'a [u8]) -> Result<RAck<'a>, ParseError> {
        let mut scan = Scan::new(value);
        scan.skip_space();
        let rseq = RSeq::scan(&mut scan)?;
        let before = scan.at();
        scan.skip_space();
        if scan.at() == before {
            return Err(scan.error("a space after the response number"));
        }
        let at = scan.at();
        let (cseq, method) = CSeq::parse_with_token(scan.rest()).map_err(|e| e.shifted(at))?;
        Ok(RAck { rseq, cseq, method })
    }
}

impl fmt::Display for RAck<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.rseq, self.cseq.number, String::from_utf8_lossy(self.method))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Method;

    #[test]
    fn acknowledgements_of_provisional_responses() {
        let rack = RAck::parse(b"776656  1 INVITE").unwrap();
        assert_eq!((rack.rseq, rack.cseq), (RSeq(776656), CSeq { number: 1, method: Method::Invite }));
        assert_eq!(rack.to_string(), "776656 1 INVITE");
        assert_eq!(RSeq::parse(b"988789"), Ok(RSeq(988789)));
        for text in ["", "1", "1 2", "0 1 INVITE", "4294967296 1 INVITE", "1 2147483648 INVITE", "1 1 INVITE x", "1 1"]
        {
            assert!(RAck::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(RSeq::parse(b"0").is_err() && RSeq::parse(b"1 INVITE").is_err());
    }
}
