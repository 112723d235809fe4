//! Digest authentication as a client does it (RFC 2617), by MD5, which every registrar measured here takes.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};

use crate::scan;

/// What a registrar wants to see proven, and how often it was.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Challenge {
    realm: String,
    nonce: String,
    has_qop: bool,
    count: u32,
}

/// The password of every user.
pub(crate) const PASSWORD: &str = "secret";

impl Challenge {
    /// Reads the first challenge of a 401 that MD5 answers.
    pub fn read(response: &[u8]) -> Option<Challenge> {
        let mut all = scan::lines(response).filter(|line| line.is("WWW-Authenticate"));
        let text = all.find_map(|line| {
            let text = std::str::from_utf8(line.value).ok()?;
            (text.starts_with("Digest ") && parameter(text, "algorithm").is_none_or(|name| name == "MD5"))
                .then_some(text)
        })?;
        Some(Challenge {
            realm: parameter(text, "realm")?.to_owned(),
            nonce: parameter(text, "nonce")?.to_owned(),
            has_qop: parameter(text, "qop").is_some(),
            count: 0,
        })
    }

    /// The value of Authorization for the next request with this nonce.
    pub(crate) fn credentials(&mut self, user: &str, method: &str, uri: &str) -> String {
        self.count += 1;
        let Challenge { realm, nonce, has_qop, count } = self;
        let a1 = hash(&[user, realm, PASSWORD]);
        let a2 = hash(&[method, uri]);
        let mut value =
            format!("Digest username=\"{user}\",realm=\"{realm}\",nonce=\"{nonce}\",uri=\"{uri}\",algorithm=MD5");
        let count = format!("{count:08x}");
        let response = if *has_qop {
            // Writing to a String cannot fail.
            let _ok = write!(value, ",qop=auth,nc={count},cnonce=\"{CNONCE}\"");
            hash(&[&a1, nonce, &count, CNONCE, "auth", &a2])
        } else {
            hash(&[&a1, nonce, &a2])
        };
        let _ok = write!(value, ",response=\"{response}\"");
        value
    }
}

/// The client's part of what is hashed: it protects the client, and nobody here needs protection.
const CNONCE: &str = "0a4f113b";

fn hash(parts: &[&str]) -> String {
    let digest = Md5::digest(parts.join(":"));
    digest.iter().fold(String::with_capacity(32), |mut text, octet| {
        let _ok = write!(text, "{octet:02x}");
        text
    })
}

fn parameter<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut parts = text.split([',', ' ']).map(str::trim);
    let value = parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_2617_comes_out() {
        let a1 = hash(&["Mufasa", "testrealm@host.com", "Circle Of Life"]);
        let a2 = hash(&["GET", "/dir/index.html"]);
        let nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093";
        assert_eq!(hash(&[&a1, nonce, "00000001", CNONCE, "auth", &a2]), "6629fae49393a05397450978507c4ef1");
    }

    #[test]
    fn the_challenge_by_md5_is_found_among_others() {
        let response = b"SIP/2.0 401 Unauthorized\r\n\
            WWW-Authenticate: Digest realm=\"x\", nonce=\"1\", algorithm=SHA-256, qop=\"auth\"\r\n\
            WWW-Authenticate: Digest realm=\"x\", nonce=\"2\", algorithm=MD5, qop=\"auth\"\r\n\r\n";
        let mut challenge = Challenge::read(response).unwrap();
        assert_eq!((challenge.nonce.as_str(), challenge.has_qop), ("2", true));
        assert!(challenge.credentials("u", "REGISTER", "sip:x").contains("nc=00000001"));
        assert!(challenge.credentials("u", "REGISTER", "sip:x").contains("nc=00000002"));
        assert_eq!(Challenge::read(b"SIP/2.0 401 Unauthorized\r\n\r\n"), None);
    }
}
