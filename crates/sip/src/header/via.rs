use crate::params::ONCE;
use crate::scan::Scan;
use crate::{Params, ParseError};

/// One Via entry (RFC 3261 §20.42).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Via<'a> {
    /// The transport token as written: `UDP`, `TCP`, `TLS`, or one that we do not know.
    pub transport: &'a [u8],
    /// The host of sent-by as written.
    pub host: &'a [u8],
    /// The port of sent-by, if written.
    pub port: Option<u16>,
    /// The branch; empty when there is none (RFC 2543).
    pub branch: &'a [u8],
    /// All parameters.
    pub params: Params<'a>,
    /// Some of them apart.
    pub(crate) known: Known<'a>,
}

/// The parameters that every hop looks at: where a response goes, and whether the sender wants to hear of overload.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Known<'a> {
    pub(crate) received: Option<&'a [u8]>,
    /// With an empty value where it has none.
    pub(crate) rport: Option<&'a [u8]>,
    pub(crate) maddr: Option<&'a [u8]>,
    pub(crate) oc: bool,
}

/// The start of a branch made by RFC 3261 (§8.1.1.7).
pub(super) const MAGIC_COOKIE: &[u8] = b"z9hG4bK";

impl<'a> Via<'a> {
    /// Reads one Via entry.
    pub fn parse(value: &'a [u8]) -> Result<Via<'a>, ParseError> {
        let mut scan = Scan::new(value);
        if value.starts_with(USUAL) {
            scan.advance(USUAL.len());
        } else {
            protocol(&mut scan)?;
        }
        let transport = scan.token()?;
        let before = scan.at();
        scan.skip_space();
        if scan.at() == before {
            return Err(scan.error("a space before sent-by"));
        }
        let host = scan.host()?;
        scan.skip_space();
        let port = if scan.peek() == Some(b':') {
            scan.advance(1);
            scan.skip_space();
            let at = scan.at();
            Some(u16::try_from(scan.number("a port")?).map_err(|_| ParseError::new(at, "a port below 65536"))?)
        } else {
            None
        };
        scan.skip_space();
        let at = scan.at();
        let (mut branch, mut known) = (None, Known::default());
        let params = Params::read(scan.rest(), |name, value| {
            let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
            match name.len() {
                6 if is("branch") && branch.replace(value).is_some() => return Err(ParseError::new(0, ONCE)),
                2 if is("oc") => known.oc = true,
                5 if is("rport") => _ = known.rport.get_or_insert(value),
                5 if is("maddr") => _ = known.maddr.get_or_insert(value),
                8 if is("received") => _ = known.received.get_or_insert(value),
                _ => {}
            }
            Ok(())
        })
        .map_err(|e| e.shifted(at))?;
        Ok(Via { transport, host, port, branch: branch.unwrap_or_default(), params, known })
    }

    /// Host and port of sent-by, of an entry that may be no Via otherwise.
    pub fn sent_by(value: &'a [u8]) -> Option<(&'a [u8], Option<u16>)> {
        let end = memchr::memchr2(b';', b',', value).unwrap_or(value.len());
        let text = value[..end].trim_ascii();
        let start = text.iter().rposition(u8::is_ascii_whitespace).map_or(0, |at| at + 1);
        let mut scan = Scan::new(&text[start..]);
        let host = scan.host().ok()?;
        let port = scan.port().ok()?;
        scan.is_at_end().then_some((host, port))
    }

    /// Whether the branch identifies the transaction by itself (RFC 3261 §17.2.3): it has the magic cookie and more.
    pub fn has_cookie(&self) -> bool {
        self.branch.len() > MAGIC_COOKIE.len() && self.branch[..MAGIC_COOKIE.len()].eq_ignore_ascii_case(MAGIC_COOKIE)
    }

    /// The `received` parameter: where the request really came from (RFC 3261 §18.2.1).
    pub fn received(&self) -> Option<&'a [u8]> {
        self.known.received
    }

    /// The `rport` parameter (RFC 3581): `None` when absent, `Some(None)` when asked for, `Some(Some(port))` when filled in.
    pub fn rport(&self) -> Option<Option<u16>> {
        let value = self.known.rport?;
        Some(std::str::from_utf8(value).ok().and_then(|v| v.parse().ok()))
    }

    /// The `maddr` parameter.
    pub fn maddr(&self) -> Option<&'a [u8]> {
        self.known.maddr
    }

    /// Whether the `oc` parameter is there, with or without a value (RFC 7339 §4.1).
    pub const fn has_oc(&self) -> bool {
        self.known.oc
    }
}

/// The sent-protocol of nearly every Via, up to the transport.
const USUAL: &[u8] = b"SIP/2.0/";

/// The sent-protocol in any case, and with white space.
fn protocol(scan: &mut Scan<'_>) -> Result<(), ParseError> {
    for (part, expected) in [(&b"SIP"[..], "SIP"), (b"2.0", "version 2.0")] {
        let at = scan.at();
        if !scan.token()?.eq_ignore_ascii_case(part) {
            return Err(ParseError::new(at, expected));
        }
        if !scan.eat_separator(b'/') {
            return Err(scan.error("/ in the sent-protocol"));
        }
    }
    Ok(())
}
