use md5::Md5;
use sha2::{Digest, Sha256};
use sip::header::Algorithm;

/// The algorithms that we use, the stronger one last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Hash {
    Md5,
    Sha256,
}

/// What the response to a challenge is computed from (RFC 7616 §3.4.1).
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub(super) hash: Hash,
    /// `…-sess`: A1 is bound to the nonces.
    pub(super) session: bool,
    /// H(user:realm:password).
    pub(super) secret: &'a str,
    pub(super) nonce: &'a [u8],
    pub(super) cnonce: &'a [u8],
    /// The nonce count as written and the word of the quality of protection, if there is one.
    pub(super) qop: Option<(&'a [u8], &'a [u8])>,
    pub(super) method: &'a [u8],
    pub(super) uri: &'a [u8],
}

impl Hash {
    /// The hash of an algorithm and whether it is a `-sess` one; `None` for those that we do not speak.
    pub(super) const fn of(algorithm: Algorithm<'_>) -> Option<(Hash, bool)> {
        match algorithm {
            Algorithm::Md5 => Some((Hash::Md5, false)),
            Algorithm::Md5Sess => Some((Hash::Md5, true)),
            Algorithm::Sha256 => Some((Hash::Sha256, false)),
            Algorithm::Sha256Sess => Some((Hash::Sha256, true)),
            Algorithm::Sha512Trunc256 | Algorithm::Sha512Trunc256Sess | Algorithm::AkaV1Md5 | Algorithm::Other(_) => {
                None
            }
        }
    }

    pub(super) const fn algorithm(self) -> Algorithm<'static> {
        match self {
            Hash::Md5 => Algorithm::Md5,
            Hash::Sha256 => Algorithm::Sha256,
        }
    }

    /// The hash of the parts joined by colons, in lower-case hexadecimal.
    pub(super) fn joined(self, parts: &[&[u8]]) -> String {
        match self {
            Hash::Md5 => hash::<Md5>(parts),
            Hash::Sha256 => hash::<Sha256>(parts),
        }
    }
}

fn hash<D: Digest>(parts: &[&[u8]]) -> String {
    let mut digest = D::new();
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            digest.update(b":");
        }
        digest.update(part);
    }
    hex(&digest.finalize())
}

impl Inputs<'_> {
    /// The `response` of credentials.
    pub(super) fn response(&self) -> String {
        let hash = self.hash;
        let secret = self.secret.as_bytes();
        let bound = self.session.then(|| hash.joined(&[secret, self.nonce, self.cnonce]));
        let secret = bound.as_ref().map_or(secret, |bound| bound.as_bytes());
        let request = hash.joined(&[self.method, self.uri]);
        match self.qop {
            // RFC 2069, for servers that offer no qop.
            None => hash.joined(&[secret, self.nonce, request.as_bytes()]),
            Some((nc, qop)) => hash.joined(&[secret, self.nonce, nc, self.cnonce, qop, request.as_bytes()]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            digits.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example<'a>(hash: Hash, secret: &'a str, nonce: &'a [u8], cnonce: &'a [u8]) -> Inputs<'a> {
        let qop = Some((&b"00000001"[..], &b"auth"[..]));
        let (method, uri) = (&b"GET"[..], &b"/dir/index.html"[..]);
        Inputs { hash, session: false, secret, nonce, cnonce, qop, method, uri }
    }

    #[test]
    fn the_example_of_rfc_2617_3_5() {
        let secret = Hash::Md5.joined(&[b"Mufasa", b"testrealm@host.com", b"Circle Of Life"]);
        let inputs = example(Hash::Md5, &secret, b"dcd98b7102dd2f0e8b11d0f600bfb0c093", b"0a4f113b");
        assert_eq!(inputs.response(), "6629fae49393a05397450978507c4ef1");
    }

    #[test]
    fn the_examples_of_rfc_7616_3_9_1() {
        let nonce = b"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let cnonce = b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (hash, response) in [
            (Hash::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (Hash::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let secret = hash.joined(&[b"Mufasa", b"http-auth@example.org", b"Circle of Life"]);
            assert_eq!(example(hash, &secret, nonce, cnonce).response(), response);
        }
    }

    #[test]
    fn a_session_key_is_bound_to_both_nonces() {
        let secret = Hash::Md5.joined(&[b"u", b"r", b"p"]);
        let plain = example(Hash::Md5, &secret, b"n", b"c");
        let bound = Inputs { session: true, ..plain };
        let other = Inputs { cnonce: b"d", ..bound };
        assert_ne!(plain.response(), bound.response());
        assert_ne!(bound.response(), other.response());
        assert_eq!(Hash::of(Algorithm::AkaV1Md5), None);
        assert_eq!(Hash::of(Algorithm::Sha256Sess), Some((Hash::Sha256, true)));
    }
}
