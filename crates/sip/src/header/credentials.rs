use smallvec::SmallVec;

use super::auth::{self, Algorithm, Qop};
use crate::ParseError;

/// Authorization or Proxy-Authorization (RFC 3261 §20.7, §20.28). One line holds one set of credentials.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Credentials<'a> {
    /// Digest credentials.
    Digest(DigestCredentials<'a>),
    /// Another scheme: not ours to check, and not an error of the message.
    Other {
        /// The scheme.
        scheme: &'a [u8],
    },
}

/// Digest credentials (RFC 7616 §3.4). Texts are as they stand between quotes, escapes untouched: so Digest hashes them;
/// [`unescape`](crate::unescape) gives the user name to look up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DigestCredentials<'a> {
    /// The user.
    pub username: &'a [u8],
    /// The realm.
    pub realm: &'a [u8],
    /// The nonce of the challenge; empty in the first REGISTER of an IMS client.
    pub nonce: &'a [u8],
    /// The digest-uri.
    pub uri: &'a [u8],
    /// The response in hexadecimal; empty in the first REGISTER of an IMS client.
    pub response: &'a [u8],
    /// The algorithm, if named.
    pub algorithm: Option<Algorithm<'a>>,
    /// The client's nonce.
    pub cnonce: Option<&'a [u8]>,
    /// The server's opaque text.
    pub opaque: Option<&'a [u8]>,
    /// The quality of protection chosen.
    pub qop: Option<Qop>,
    /// The nonce count as written: eight hexadecimal digits.
    pub nc: Option<&'a [u8]>,
}

impl<'a> Credentials<'a> {
    /// Reads credentials.
    pub fn parse(value: &'a [u8]) -> Result<Credentials<'a>, ParseError> {
        let (scheme, rest, at) = auth::scheme(value)?;
        if !scheme.eq_ignore_ascii_case(b"Digest") {
            return Ok(Credentials::Other { scheme });
        }
        DigestCredentials::parse(rest).map(Credentials::Digest).map_err(|e| e.shifted(at))
    }
}

/// The parameters that mean something here, each put where it belongs as it is read: credentials are in every REGISTER.
#[derive(Default)]
struct Fields<'a> {
    username: Option<&'a [u8]>,
    realm: Option<&'a [u8]>,
    nonce: Option<&'a [u8]>,
    uri: Option<&'a [u8]>,
    response: Option<&'a [u8]>,
    algorithm: Option<&'a [u8]>,
    cnonce: Option<&'a [u8]>,
    opaque: Option<&'a [u8]>,
    qop: Option<&'a [u8]>,
    nc: Option<&'a [u8]>,
    /// The names of all others.
    others: SmallVec<[&'a [u8]; 4]>,
}

impl<'a> Fields<'a> {
    fn read(text: &'a [u8]) -> Result<Fields<'a>, ParseError> {
        let mut fields = Fields::default();
        auth::each(text, |name, value| fields.take(name, value))?;
        Ok(fields)
    }

    /// Whether the name is new.
    fn take(&mut self, name: &'a [u8], value: &'a [u8]) -> bool {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        let field = match name.len() {
            2 if is("nc") => &mut self.nc,
            3 if is("uri") => &mut self.uri,
            3 if is("qop") => &mut self.qop,
            5 if is("realm") => &mut self.realm,
            5 if is("nonce") => &mut self.nonce,
            6 if is("cnonce") => &mut self.cnonce,
            6 if is("opaque") => &mut self.opaque,
            8 if is("username") => &mut self.username,
            8 if is("response") => &mut self.response,
            9 if is("algorithm") => &mut self.algorithm,
            _ => {
                let is_new = !self.others.iter().any(|other| other.eq_ignore_ascii_case(name));
                self.others.push(name);
                return is_new;
            }
        };
        field.replace(value).is_none()
    }
}

impl<'a> DigestCredentials<'a> {
    fn parse(text: &'a [u8]) -> Result<DigestCredentials<'a>, ParseError> {
        let fields = Fields::read(text)?;
        let required = |field: Option<&'a [u8]>, missing| field.ok_or(ParseError::new(text.len(), missing));
        let nc = fields.nc;
        if nc.is_some_and(|n| n.len() != 8 || !n.iter().all(u8::is_ascii_hexdigit)) {
            return Err(ParseError::new(0, "eight hexadecimal digits as nc"));
        }
        Ok(DigestCredentials {
            username: required(fields.username, "a username")?,
            realm: required(fields.realm, "a realm")?,
            nonce: required(fields.nonce, "a nonce")?,
            uri: required(fields.uri, "a digest-uri")?,
            response: required(fields.response, "a response")?,
            algorithm: fields.algorithm.map(Algorithm::from_bytes),
            cnonce: fields.cnonce,
            opaque: fields.opaque,
            qop: fields.qop.map(Qop::from_bytes),
            nc,
        })
    }

    /// The algorithm of the response.
    pub fn algorithm(&self) -> Algorithm<'a> {
        self.algorithm.unwrap_or(Algorithm::Md5)
    }

    /// The nonce count as a number.
    pub fn nonce_count(&self) -> Option<u32> {
        self.nc.map(|n| n.iter().fold(0, |sum, b| sum << 4 | u32::from(hex(*b))))
    }

    /// Prints the value, scheme included.
    pub fn print(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        auth::print(&mut out, "username", Some(self.username), true);
        auth::print(&mut out, "realm", Some(self.realm), true);
        auth::print(&mut out, "nonce", Some(self.nonce), true);
        auth::print(&mut out, "uri", Some(self.uri), true);
        auth::print(&mut out, "response", Some(self.response), true);
        auth::print(&mut out, "algorithm", self.algorithm.map(|a| a.as_bytes()), false);
        auth::print(&mut out, "cnonce", self.cnonce, true);
        auth::print(&mut out, "opaque", self.opaque, true);
        auth::print(&mut out, "qop", self.qop.map(|q| q.as_str().as_bytes()), false);
        auth::print(&mut out, "nc", self.nc, false);
        out
    }
}

impl std::fmt::Debug for DigestCredentials<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Who the user is and what proves it stays out of logs.
        f.debug_struct("DigestCredentials").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

const fn hex(b: u8) -> u8 {
    match b {
        b'0'..=b'9' => b - b'0',
        b'a'..=b'f' => b - b'a' + 10,
        b'A'..=b'F' => b - b'A' + 10,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> DigestCredentials<'_> {
        match Credentials::parse(text.as_bytes()) {
            Ok(Credentials::Digest(credentials)) => credentials,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn digest_credentials_are_read_and_printed() {
        let text = "Digest username=\"bob\", realm=\"biloxi.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
                    uri=\"sip:bob@biloxi.com\", response=\"6629fae49393a05397450978507c4ef1\", algorithm=SHA-256, \
                    cnonce=\"0a4f113b\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\", qop=auth, nc=0000001F";
        let c = digest(text);
        assert_eq!((c.username, c.uri), (&b"bob"[..], &b"sip:bob@biloxi.com"[..]));
        assert_eq!((c.qop, c.nonce_count(), c.algorithm()), (Some(Qop::Auth), Some(31), Algorithm::Sha256));
        assert_eq!(c.print(), text.as_bytes());
    }

    #[test]
    fn what_clients_write_is_read() {
        let ims = digest(
            "Digest username=\"1@ims.example\",realm=\"ims.example\",uri=\"sip:ims.example\",nonce=\"\",response=\"\",\
             integrity-protected=no,algorithm=AKAv1-MD5",
        );
        assert_eq!((ims.nonce, ims.response, ims.algorithm()), (&b""[..], &b""[..], Algorithm::AkaV1Md5));
        let quoted =
            digest("Digest username=\"a\\\\b\",realm=r,nonce=n,uri=sip:r,response=0f,qop=\"auth\",nc=\"00000001\"");
        assert_eq!(&*crate::unescape(quoted.username), b"a\\b");
        assert_eq!((quoted.uri, quoted.qop, quoted.nonce_count()), (&b"sip:r"[..], Some(Qop::Auth), Some(1)));
    }

    #[test]
    fn other_schemes_are_no_error_and_half_credentials_are_one() {
        assert_eq!(Credentials::parse(b"Bearer abc.def"), Ok(Credentials::Other { scheme: b"Bearer" }));
        let whole = "Digest username=\"u\",realm=\"r\",nonce=\"n\",uri=\"sip:r\",response=\"0\"";
        for field in ["username=\"u\"", "realm=\"r\"", "nonce=\"n\"", "uri=\"sip:r\"", "response=\"0\""] {
            assert!(Credentials::parse(whole.replace(field, "").as_bytes()).is_err(), "without {field}");
        }
        for twice in ["REALM=\"r\"", "nc=00000001,nc=00000001", "x=1,X=2", "x=1,y=2,x=1"] {
            assert!(Credentials::parse(format!("{whole},{twice}").as_bytes()).is_err(), "{twice}");
        }
        assert!(Credentials::parse(format!("{whole},x=1,y=2").as_bytes()).is_ok());
        for nc in ["nc=1", "nc=0000000g", "nc=000000001"] {
            assert!(Credentials::parse(format!("{whole},{nc}").as_bytes()).is_err(), "{nc}");
        }
    }

    #[test]
    fn credentials_do_not_show_themselves_in_logs() {
        let text = format!("{:?}", digest("Digest username=bob,realm=r,nonce=n,uri=u,response=feed"));
        assert!(!text.contains("bob") && !text.contains("feed"));
    }
}
