use super::auth::{self, Algorithm, AuthParams, Qop};
use crate::ParseError;
use crate::scan::trim;

/// WWW-Authenticate or Proxy-Authenticate (RFC 3261 §20.44, §20.27). One line holds one challenge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Challenge<'a> {
    /// A Digest challenge.
    Digest(DigestChallenge<'a>),
    /// Another scheme: not ours to answer, and not an error.
    Other {
        /// The scheme.
        scheme: &'a [u8],
    },
}

/// A Digest challenge (RFC 7616 §3.3). Texts are as they stand between quotes, escapes untouched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DigestChallenge<'a> {
    /// The realm.
    pub realm: &'a [u8],
    /// The nonce.
    pub nonce: &'a [u8],
    /// What the client sends back unseen.
    pub opaque: Option<&'a [u8]>,
    /// Whether only the nonce was too old.
    pub stale: bool,
    /// The algorithm, if named.
    pub algorithm: Option<Algorithm<'a>>,
    /// The qualities of protection on offer, as listed.
    pub qop: Option<&'a [u8]>,
    /// Where else the credentials hold.
    pub domain: Option<&'a [u8]>,
}

impl<'a> Challenge<'a> {
    /// Reads a challenge.
    pub fn parse(value: &'a [u8]) -> Result<Challenge<'a>, ParseError> {
        let (scheme, rest, at) = auth::scheme(value)?;
        if !scheme.eq_ignore_ascii_case(b"Digest") {
            return Ok(Challenge::Other { scheme });
        }
        DigestChallenge::parse(rest).map(Challenge::Digest).map_err(|e| e.shifted(at))
    }
}

impl<'a> DigestChallenge<'a> {
    fn parse(text: &'a [u8]) -> Result<DigestChallenge<'a>, ParseError> {
        let params = AuthParams::parse(text)?;
        Ok(DigestChallenge {
            realm: params.require("realm", "a realm")?,
            nonce: params.require("nonce", "a nonce")?,
            opaque: params.get("opaque"),
            stale: params.get("stale").is_some_and(|s| s.eq_ignore_ascii_case(b"true")),
            algorithm: params.get("algorithm").map(Algorithm::from_bytes),
            qop: params.get("qop"),
            domain: params.get("domain"),
        })
    }

    /// The algorithm to answer with.
    pub fn algorithm(&self) -> Algorithm<'a> {
        self.algorithm.unwrap_or(Algorithm::Md5)
    }

    /// Whether `qop` is on offer.
    pub fn offers(&self, qop: Qop) -> bool {
        self.qop.unwrap_or_default().split(|b| *b == b',').any(|word| Qop::from_bytes(trim(word)) == qop)
    }

    /// Prints the value, scheme included.
    pub fn print(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(160);
        auth::print(&mut out, "realm", Some(self.realm), true);
        auth::print(&mut out, "domain", self.domain, true);
        auth::print(&mut out, "nonce", Some(self.nonce), true);
        auth::print(&mut out, "opaque", self.opaque, true);
        auth::print(&mut out, "stale", self.stale.then_some(b"true"), false);
        auth::print(&mut out, "algorithm", self.algorithm.map(|a| a.as_bytes()), false);
        auth::print(&mut out, "qop", self.qop, true);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> DigestChallenge<'_> {
        match Challenge::parse(text.as_bytes()) {
            Ok(Challenge::Digest(challenge)) => challenge,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn digest_challenges_are_read_and_printed() {
        let text = "Digest realm=\"atlanta.com\", domain=\"sip:boxesbybob.com\", nonce=\"f84f1cec41e6cbe5aea9c8e88d359\", \
                    opaque=\"\", stale=true, algorithm=MD5, qop=\"auth,auth-int\"";
        let c = digest(text);
        assert_eq!((c.realm, c.nonce), (&b"atlanta.com"[..], &b"f84f1cec41e6cbe5aea9c8e88d359"[..]));
        assert_eq!((c.opaque, c.stale, c.algorithm()), (Some(&b""[..]), true, Algorithm::Md5));
        assert!(c.offers(Qop::Auth) && c.offers(Qop::AuthInt) && !c.offers(Qop::Other));
        assert_eq!(c.print(), text.as_bytes());
    }

    #[test]
    fn what_servers_write_against_the_grammar_is_read() {
        let c = digest("DIGEST\trealm=home, nonce=abc, qop=auth, algorithm=\"sha-256\", stale=\"FALSE\",");
        assert_eq!((c.realm, c.stale, c.algorithm()), (&b"home"[..], false, Algorithm::Sha256));
        assert!(c.offers(Qop::Auth) && !c.offers(Qop::AuthInt));
        assert_eq!(digest("Digest realm=\"a\\\"b\", nonce=\"\"").realm, b"a\\\"b");
        assert!(!digest("Digest realm=\"x\", nonce=\"y\"").offers(Qop::Auth));
    }

    #[test]
    fn other_schemes_are_no_error_and_half_a_digest_is_one() {
        assert_eq!(Challenge::parse(b"NTLM abc=="), Ok(Challenge::Other { scheme: b"NTLM" }));
        assert_eq!(Challenge::parse(b"Negotiate"), Ok(Challenge::Other { scheme: b"Negotiate" }));
        for text in ["", "Digest", "Digest realm=\"x\"", "Digest nonce=\"x\"", "Digest realm=\"x, nonce=\"y\""] {
            assert!(Challenge::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
