use std::ops::Deref;

use md5::Md5;
use sha2::{Digest, Sha256};
use sip::header::Algorithm;
use smallvec::SmallVec;
use subtle::{Choice, ConstantTimeEq as _};

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
    pub(super) secret: &'a [u8],
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

    /// The hash of the parts joined by colons.
    pub(super) fn joined(self, parts: &[&[u8]]) -> Hex {
        // In one piece: to hash many small ones costs more than to put them together.
        let mut text: SmallVec<[u8; USUAL]> = SmallVec::new();
        for (i, part) in parts.iter().enumerate() {
            if i > 0 {
                text.push(b':');
            }
            text.extend_from_slice(part);
        }
        match self {
            Hash::Md5 => Hex::of(&Md5::digest(&text)),
            Hash::Sha256 => Hex::of(&Sha256::digest(&text)),
        }
    }
}

/// Octets of nearly everything that is hashed.
const USUAL: usize = 256;

/// A hash in lower-case hexadecimal.
#[derive(Clone, Copy)]
pub(super) struct Hex {
    digits: [u8; Hex::MAX],
    len: usize,
}

impl Hex {
    /// Digits of the longest hash.
    const MAX: usize = 64;

    fn of(hash: &[u8]) -> Hex {
        let mut digits = [0; Hex::MAX];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(hash) {
            pair.copy_from_slice(&[byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]));
        }
        Hex { digits, len: 2 * hash.len() }
    }

    /// The digits as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(self).into_owned()
    }

    /// Whether these are the digits, in any case. The time that it takes does not tell where they differ.
    pub(super) fn is(&self, given: &[u8]) -> bool {
        let mut lower = [0; Hex::MAX];
        if given.len() != self.len {
            return false;
        }
        lower[..self.len].copy_from_slice(given);
        lower.make_ascii_lowercase();
        // Eight at once: there is nothing behind the last one in either.
        let words = self.digits.chunks_exact(8).zip(lower.chunks_exact(8));
        words.fold(Choice::from(1), |same, (ours, theirs)| same & word(ours).ct_eq(&word(theirs))).into()
    }
}

/// Eight digits as a number.
fn word(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |word, digit| word << 8 | u64::from(*digit))
}

impl Deref for Hex {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.digits[..self.len]
    }
}

impl Inputs<'_> {
    /// The `response` of credentials.
    pub(super) fn response(&self) -> Hex {
        let (hash, secret) = (self.hash, self.secret);
        let bound = self.session.then(|| hash.joined(&[secret, self.nonce, self.cnonce]));
        let secret = bound.as_deref().unwrap_or(secret);
        let request = hash.joined(&[self.method, self.uri]);
        match self.qop {
            // RFC 2069, for servers that offer no qop.
            None => hash.joined(&[secret, self.nonce, &request]),
            Some((nc, qop)) => hash.joined(&[secret, self.nonce, nc, self.cnonce, qop, &request]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example<'a>(hash: Hash, secret: &'a [u8], nonce: &'a [u8], cnonce: &'a [u8]) -> Inputs<'a> {
        let qop = Some((&b"00000001"[..], &b"auth"[..]));
        let (method, uri) = (&b"GET"[..], &b"/dir/index.html"[..]);
        Inputs { hash, session: false, secret, nonce, cnonce, qop, method, uri }
    }

    #[test]
    fn the_example_of_rfc_2617_3_5() {
        let secret = Hash::Md5.joined(&[b"Mufasa", b"testrealm@host.com", b"Circle Of Life"]);
        let inputs = example(Hash::Md5, &secret, b"dcd98b7102dd2f0e8b11d0f600bfb0c093", b"0a4f113b");
        assert_eq!(inputs.response().text(), "6629fae49393a05397450978507c4ef1");
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
            assert_eq!(example(hash, &secret, nonce, cnonce).response().text(), response);
        }
    }

    #[test]
    fn digits_are_compared_to_their_last_in_any_case() {
        for hash in [Hash::Md5, Hash::Sha256] {
            let hex = hash.joined(&[b"a", b"b"]);
            let text = hex.text();
            assert!(hex.is(text.as_bytes()) && hex.is(text.to_uppercase().as_bytes()));
            for at in 0..text.len() {
                let mut other = text.clone().into_bytes();
                other[at] = if other[at] == b'0' { b'1' } else { b'0' };
                assert!(!hex.is(&other) && !hex.is(&text.as_bytes()[..at]), "{at}");
            }
            assert!(!hex.is(format!("{text}0").as_bytes()) && !hex.is(b""));
        }
        assert_eq!(
            Hash::Md5.joined(&[&[b'x'; 300], b""]).text(),
            Hash::Md5.joined(&[&[&[b'x'; 300], &b":"[..]].concat()]).text()
        );
    }

    #[test]
    fn a_session_key_is_bound_to_both_nonces() {
        let secret = Hash::Md5.joined(&[b"u", b"r", b"p"]);
        let plain = example(Hash::Md5, &secret, b"n", b"c");
        let bound = Inputs { session: true, ..plain };
        let other = Inputs { cnonce: b"d", ..bound };
        assert_ne!(plain.response().text(), bound.response().text());
        assert_ne!(bound.response().text(), other.response().text());
        assert_eq!(Hash::of(Algorithm::AkaV1Md5), None);
        assert_eq!(Hash::of(Algorithm::Sha256Sess), Some((Hash::Sha256, true)));
    }
}
