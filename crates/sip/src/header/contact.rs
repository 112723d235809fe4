use std::fmt;

use super::{DeltaSeconds, FeatureSet};
use crate::scan::{number, trim};
use crate::{Address, ParseError, Uri};

/// One entry of Contact (RFC 3261 §20.10).
#[derive(Clone, Copy, Debug)]
pub enum Contact<'a> {
    /// `*`: every binding, in a REGISTER that removes them.
    Star,
    /// An address.
    Address(ContactAddress<'a>),
}

/// An address in Contact, with the parameters that mean something there.
#[derive(Clone, Copy, Debug)]
pub struct ContactAddress<'a> {
    address: Address<'a>,
    q: Option<Qvalue>,
    known: Known<'a>,
}

/// The parameters that a registrar looks at, as they stand.
#[derive(Clone, Copy, Debug, Default)]
struct Known<'a> {
    q: Option<&'a [u8]>,
    expires: Option<&'a [u8]>,
    reg_id: Option<&'a [u8]>,
    instance: Option<&'a [u8]>,
}

impl<'a> Contact<'a> {
    /// Reads one entry.
    pub fn parse(value: &'a [u8]) -> Result<Contact<'a>, ParseError> {
        if trim(value) == b"*" {
            return Ok(Contact::Star);
        }
        let mut known = Known::default();
        let address = Address::read(value, |name, value| {
            known.note(name, value);
            Ok(())
        })?;
        let q = known.q.map(Qvalue::parse).transpose()?;
        Ok(Contact::Address(ContactAddress { address, q, known }))
    }

    /// The address, unless it is `*`.
    pub const fn address(&self) -> Option<ContactAddress<'a>> {
        match self {
            Contact::Star => None,
            Contact::Address(address) => Some(*address),
        }
    }
}

impl<'a> Known<'a> {
    /// Of a parameter that occurs twice the first one counts.
    fn note(&mut self, name: &[u8], value: &'a [u8]) {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        let field = match name.len() {
            1 if is("q") => &mut self.q,
            6 if is("reg-id") => &mut self.reg_id,
            7 if is("expires") => &mut self.expires,
            13 if is("+sip.instance") => &mut self.instance,
            _ => return,
        };
        field.get_or_insert(value);
    }
}

impl<'a> ContactAddress<'a> {
    /// Display name, URI and parameters.
    pub const fn address(&self) -> Address<'a> {
        self.address
    }

    /// The URI.
    pub const fn uri(&self) -> Uri<'a> {
        self.address.uri()
    }

    /// The preference among several.
    pub const fn q(&self) -> Option<Qvalue> {
        self.q
    }

    /// Seconds that the binding shall last. A malformed number counts as 3600 (RFC 3261 §10.2).
    pub fn expires(&self) -> Option<u32> {
        let value = self.known.expires?;
        Some(DeltaSeconds::parse(value).unwrap_or(DeltaSeconds::MALFORMED).0)
    }

    /// The device (`+sip.instance`, RFC 5626 §4.1), without its angle brackets.
    pub fn instance(&self) -> Option<&'a [u8]> {
        let value = trim(self.known.instance?);
        Some(value.strip_prefix(b"<").and_then(|v| v.strip_suffix(b">")).unwrap_or(value))
    }

    /// Which of the device's connections this is (`reg-id`, RFC 5626 §4.2), from 1.
    pub fn reg_id(&self) -> Option<u32> {
        number(self.known.reg_id?).and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0)
    }

    /// What the device can do (RFC 3840).
    pub const fn features(&self) -> FeatureSet<'a> {
        FeatureSet::new(self.address.params())
    }
}

/// A preference from 0 to 1 with three decimals, kept in thousandths (RFC 3261 §25.1 qvalue).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Qvalue(u16);

impl Qvalue {
    /// What holds when no preference is stated (RFC 3261 §16.6 step 1 sorts it first).
    pub const ONE: Qvalue = Qvalue(1000);

    /// Reads a preference.
    pub fn parse(text: &[u8]) -> Result<Qvalue, ParseError> {
        let error = ParseError::new(0, "a number from 0 to 1 with at most three decimals");
        let (whole, decimals) = match text {
            [whole @ b'0'..=b'1'] => (whole, &b""[..]),
            [whole @ b'0'..=b'1', b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
            _ => return Err(error),
        };
        let mut thousandths = u16::from(whole - b'0') * 1000;
        for (b, unit) in decimals.iter().zip([100, 10, 1]) {
            if !b.is_ascii_digit() {
                return Err(error);
            }
            thousandths += u16::from(b - b'0') * unit;
        }
        if thousandths > 1000 { Err(error) } else { Ok(Qvalue(thousandths)) }
    }

    /// In thousandths.
    pub const fn thousandths(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Qvalue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ContactAddress<'_> {
        Contact::parse(text.as_bytes()).ok().and_then(|c| c.address()).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn contacts_of_registrations() {
        assert!(matches!(Contact::parse(b" * "), Ok(Contact::Star)));
        let c = read(
            "<sip:1@192.0.2.4:5070;transport=tcp>;+sip.instance=\"<urn:gsma:imei:35-1>\";reg-id=2;q=0.7;expires=60;\
             +g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session\"",
        );
        assert_eq!(c.uri().host(), b"192.0.2.4");
        assert_eq!((c.q().map(Qvalue::thousandths), c.expires(), c.reg_id()), (Some(700), Some(60), Some(2)));
        assert_eq!(c.instance(), Some(&b"urn:gsma:imei:35-1"[..]));
        assert!(c.features().has_icsi("urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session"));
        // Without brackets the parameters are Contact's, not the URI's.
        assert_eq!(read("sip:a@h;expires=5").expires(), Some(5));
        assert_eq!(read("<sip:a@h;expires=5>").expires(), None);
        assert_eq!(read("<sip:a@h>;expires=never").expires(), Some(3600));
        assert_eq!(read("<sip:a@h>;expires=99999999999").expires(), Some(u32::MAX));
        assert_eq!(read("<sip:a@h>;reg-id=0").reg_id(), None);
        assert_eq!(read("<sip:a@h>;Expires=5;expires=6").expires(), Some(5));
    }

    #[test]
    fn preferences() {
        for (text, thousandths) in [("0", 0), ("1", 1000), ("0.", 0), ("0.5", 500), ("0.999", 999), ("1.000", 1000)] {
            assert_eq!(Qvalue::parse(text.as_bytes()).map(Qvalue::thousandths), Ok(thousandths), "{text}");
        }
        for text in ["", "2", "1.001", "0.1234", "-1", ".5", "0,5", "0.x", "1.5"] {
            assert!(Qvalue::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(Qvalue(250).to_string(), "0.250");
        assert!(Contact::parse(b"<sip:a@h>;q=2").is_err());
        assert!(Contact::parse(b"**").is_err());
    }
}
