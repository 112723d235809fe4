use std::time::Duration;

use sip::header::{Credentials, DigestChallenge, DigestCredentials, Qop};
use sip::{Name, Request};
use wire::{Entropy, Now, Redacted};

use super::hash::{Hash, Inputs};
use super::nonce::{Age, Nonces};
use crate::Reject;

/// The server's end: demands credentials for one realm and checks them (RFC 7616 §3.4.6, RFC 8760).
///
/// SHA-256 is offered first, MD5 behind it for those that know nothing else, `qop="auth"` always.
#[derive(Debug)]
pub struct Authenticator {
    realm: String,
    /// The realm as it stands between quotes.
    quoted_realm: Box<[u8]>,
    nonces: Nonces,
    offered: Vec<Hash>,
}

/// In which capacity credentials are demanded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// By the registrar or user agent that the request is for: 401.
    Server,
    /// By a proxy on the way: 407.
    Proxy,
}

/// What proves a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Secret {
    /// The password.
    Password(Redacted<String>),
    /// H(user:realm:password) in lower-case hexadecimal, for each algorithm that there is one for.
    Hashed {
        /// By MD5.
        md5: Option<Redacted<String>>,
        /// By SHA-256.
        sha256: Option<Redacted<String>>,
    },
}

impl Secret {
    /// What proves a user of this name, so that the password itself need not be kept (RFC 7616 §3.4.2).
    pub fn hashed(user: &str, realm: &str, password: &str) -> Secret {
        let by = |hash: Hash| hash.joined(&[user.as_bytes(), realm.as_bytes(), password.as_bytes()]).text();
        Secret::Hashed { md5: Some(Redacted(by(Hash::Md5))), sha256: Some(Redacted(by(Hash::Sha256))) }
    }
}

impl Secret {
    /// What there is for one algorithm. `None`: nobody can prove this user by it.
    fn by(&self, hash: Hash) -> Option<Proof<'_>> {
        match (self, hash) {
            (Secret::Password(password), Hash::Md5 | Hash::Sha256) => Some(Proof::Password(&password.0)),
            (Secret::Hashed { md5: hashed, .. }, Hash::Md5) | (Secret::Hashed { sha256: hashed, .. }, Hash::Sha256) => {
                hashed.as_ref().map(|hashed| Proof::Hashed(&hashed.0))
            }
        }
    }
}

/// What proves a user by one algorithm.
#[derive(Clone, Copy)]
enum Proof<'s> {
    Password(&'s str),
    /// H(user:realm:password).
    Hashed(&'s str),
}

/// What is to be thought of a request's credentials.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Check {
    /// They are this user's.
    Granted {
        /// The user name.
        username: Redacted<String>,
    },
    /// There are none that we could check, or only their nonce is no good any more: answer with
    /// [`Authenticator::demand`].
    Missing {
        /// Whether the password was right: then the client need not ask its user again.
        stale: bool,
    },
    /// They are wrong: answer 403, or demand again.
    Refused,
}

/// How long a nonce is good for.
const LIFETIME: Duration = Duration::from_secs(3600);
/// Nonces in use whose counts are remembered.
const NONCES: usize = 100_000;
/// Credentials looked at in one request.
const MAX_CREDENTIALS: usize = 8;

impl Side {
    const fn names(self) -> (u16, Name, Name) {
        match self {
            Side::Server => (401, Name::WwwAuthenticate, Name::Authorization),
            Side::Proxy => (407, Name::ProxyAuthenticate, Name::ProxyAuthorization),
        }
    }
}

impl Authenticator {
    /// An authenticator with a secret of its own: nonces of others, and of its own earlier life, are stale to it.
    pub fn new(realm: impl Into<String>, entropy: &mut Entropy) -> Authenticator {
        let (realm, nonces) = (realm.into(), Nonces::new(entropy, LIFETIME, NONCES));
        let quoted_realm = sip::escape(realm.as_bytes()).into();
        Authenticator { realm, quoted_realm, nonces, offered: vec![Hash::Sha256, Hash::Md5] }
    }

    /// Leaves MD5 out: for where every client knows better.
    #[must_use]
    pub fn without_md5(mut self) -> Authenticator {
        self.offered.retain(|hash| *hash != Hash::Md5);
        self
    }

    /// Leaves SHA-256 out: for clients that look at the topmost challenge only, and do not know it.
    #[must_use]
    pub fn without_sha256(mut self) -> Authenticator {
        self.offered.retain(|hash| *hash != Hash::Sha256);
        self
    }

    /// The realm.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The answer that demands credentials: 401 or 407 with a fresh nonce, the strongest algorithm on top (RFC 8760 §2.4).
    pub fn demand(&mut self, side: Side, stale: bool, now: Now) -> Reject {
        let (status, name, _) = side.names();
        let nonce = self.nonces.make(now);
        self.offered.iter().fold(Reject::new(status), |reject, hash| {
            let challenge = DigestChallenge {
                realm: &self.quoted_realm,
                nonce: nonce.as_bytes(),
                opaque: None,
                stale,
                algorithm: Some(hash.algorithm()),
                qop: Some(b"auth"),
                domain: None,
            };
            reject.with(name, challenge.print())
        })
    }

    /// Checks a request's credentials against what proves the user whom they name, `None` for one that nobody knows.
    ///
    /// The outcome does not show, in words or in time, whether the user is known.
    pub fn check<'s>(
        &mut self,
        request: &Request,
        side: Side,
        now: Now,
        secret_of: impl FnOnce(&str) -> Option<&'s Secret>,
    ) -> Check {
        // 1. Credentials that we can check: Digest, our realm, an algorithm that we offered, qop with a count. The first
        //    REGISTER of an IMS client has some with an empty nonce.
        let Some(credentials) = self.credentials(request, side) else { return Check::Missing { stale: false } };
        let Some((hash, session)) = Hash::of(credentials.algorithm()).filter(|(hash, _)| self.offered.contains(hash))
        else {
            return Check::Missing { stale: false };
        };
        let (Some(nc), Some(count), Some(Qop::Auth)) = (credentials.nc, credentials.nonce_count(), credentials.qop)
        else {
            return Check::Missing { stale: false };
        };

        // 2. The digest-uri (RFC 7616 §3.4.6) is hashed as the client wrote it, and not compared with the Request-URI: cores
        //    rewrite that on the way, and clients write the address that they send to. What the comparison is for, that
        //    nobody uses credentials for another request, the nonce count does (step 4).

        // 3. The password.
        let username = name_of(&credentials);
        let secret = secret_of(&username).and_then(|secret| secret.by(hash));
        let is_known = secret.is_some();
        let joined = |password: &[u8]| hash.joined(&[credentials.username, credentials.realm, password]);
        let of_password;
        let secret = match secret {
            Some(Proof::Hashed(digits)) => digits.as_bytes(),
            Some(Proof::Password(password)) => {
                of_password = joined(password.as_bytes());
                &of_password[..]
            }
            // One that nothing is compared with in the end.
            None => {
                of_password = joined(b"");
                &of_password[..]
            }
        };
        let expected = Inputs {
            hash,
            session,
            secret,
            nonce: credentials.nonce,
            cnonce: credentials.cnonce.unwrap_or_default(),
            qop: Some((nc, b"auth")),
            method: request.method_token(),
            uri: credentials.uri,
        }
        .response();
        let is_right = expected.is(credentials.response);
        let age = self.nonces.age(credentials.nonce, now);
        if !is_right || !is_known {
            // Behind a nonce of an earlier life nobody can tell; one more challenge can.
            return if age == Age::Fresh { Check::Refused } else { Check::Missing { stale: false } };
        }

        // 4. The nonce: ours, young, and with a count not seen before (RFC 7616 §5.12).
        if age != Age::Fresh || !self.nonces.count(credentials.nonce, count, now) {
            return Check::Missing { stale: true };
        }
        Check::Granted { username: Redacted(username) }
    }

    fn credentials<'r>(&self, request: &'r Request, side: Side) -> Option<DigestCredentials<'r>> {
        let (_, _, name) = side.names();
        request.headers(name).take(MAX_CREDENTIALS).find_map(|value| match Credentials::parse(value) {
            Ok(Credentials::Digest(credentials)) if *credentials.realm == *self.quoted_realm => Some(credentials),
            Ok(Credentials::Digest(_) | Credentials::Other { .. }) | Err(_) => None,
        })
    }
}

fn name_of(credentials: &DigestCredentials<'_>) -> String {
    let name = sip::unescape(credentials.username).into_owned();
    String::from_utf8(name).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests;
