use sip::header::{Algorithm, Challenge, DigestCredentials, Qop};
use sip::{Name, Response};
use wire::Redacted;

use super::hash::{Hash, Inputs};
use crate::dialog::own;

/// A user's name and password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// The user name, as the operator gave it.
    pub username: Redacted<String>,
    /// The password.
    pub password: Redacted<String>,
}

impl Account {
    /// A user's name and password.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Account {
        Account { username: Redacted(username.into()), password: Redacted(password.into()) }
    }
}

/// The client's end: remembers what it was challenged with and makes credentials of it.
#[derive(Clone, Debug)]
pub struct Client {
    account: Account,
    known: Vec<Known>,
}

/// The challenge of one realm, and how often it was answered.
#[derive(Clone, Debug)]
struct Known {
    /// Where the credentials go.
    name: Name,
    realm: bytes::Bytes,
    nonce: bytes::Bytes,
    opaque: Option<bytes::Bytes>,
    hash: Hash,
    session: bool,
    /// Whether the challenge names an algorithm and a quality of protection (RFC 2617 made both optional).
    names_algorithm: bool,
    qop: bool,
    count: u32,
    /// Whether a request with credentials for this nonce was let through.
    accepted: bool,
}

/// Realms in one response, or on one path: each proxy may have its own.
const MAX_REALMS: usize = 8;

impl Client {
    /// No challenge seen yet.
    pub const fn new(account: Account) -> Client {
        Client { account, known: Vec::new() }
    }

    /// Takes the challenges of a 401 or 407. `false` when sending credentials again is of no use: there is no challenge
    /// that we can answer, or the credentials were refused (and not only their nonce).
    pub fn learn(&mut self, response: &Response) -> bool {
        let (from, name) = match response.status() {
            401 => (Name::WwwAuthenticate, Name::Authorization),
            407 => (Name::ProxyAuthenticate, Name::ProxyAuthorization),
            _ => return false,
        };
        self.challenged(response.headers(from), name)
    }

    /// Takes the challenges of another protocol with the authentication of SIP, such as MSRP with its relays, as
    /// [`Client::learn`] does. `name` is the header field that the credentials are for.
    pub fn challenged<'a>(&mut self, challenges: impl IntoIterator<Item = &'a [u8]>, name: Name) -> bool {
        let mut offered: Vec<(Known, bool)> = Vec::new();
        for value in challenges {
            let Some((known, stale)) = read(value, name) else { continue };
            // RFC 8760 §2.4: of several for one realm the strongest, and of equals the topmost.
            match offered.iter_mut().find(|(other, _)| other.realm == known.realm) {
                Some(other) if other.0.hash < known.hash => *other = (known, stale),
                Some(_) => {}
                None => offered.push((known, stale)),
            }
        }
        let any = !offered.is_empty();
        any && offered.into_iter().all(|(known, stale)| self.take(known, stale))
    }

    fn take(&mut self, challenge: Known, stale: bool) -> bool {
        let same = |known: &&mut Known| known.name == challenge.name && known.realm == challenge.realm;
        if let Some(known) = self.known.iter_mut().find(same) {
            let is_new = known.nonce != challenge.nonce;
            let may_retry = is_new && (stale || known.accepted || known.count == 0);
            *known = challenge;
            return may_retry;
        }
        let has_room = self.known.len() < MAX_REALMS;
        if has_room {
            self.known.push(challenge);
        }
        has_room
    }

    /// A request was let through: a later challenge is about the nonce's age, not about the password.
    pub fn accepted(&mut self) {
        self.known.iter_mut().for_each(|known| known.accepted |= known.count > 0);
    }

    /// The credentials of a request, for every realm that has challenged: header field and value.
    pub fn authorize(&mut self, method: &str, uri: &[u8], cnonce: &str) -> Vec<(Name, Vec<u8>)> {
        let account = &self.account;
        self.known.iter_mut().map(|known| (known.name, known.credentials(account, method, uri, cnonce))).collect()
    }
}

/// A challenge that we can answer, and whether it says that only the nonce was too old.
fn read(value: &[u8], name: Name) -> Option<(Known, bool)> {
    let Ok(Challenge::Digest(challenge)) = Challenge::parse(value) else { return None };
    let (hash, session) = Hash::of(challenge.algorithm())?;
    // auth-int alone is not for us: proxies may change bodies.
    if challenge.qop.is_some() && !challenge.offers(Qop::Auth) {
        return None;
    }
    let known = Known {
        name,
        realm: own(challenge.realm),
        nonce: own(challenge.nonce),
        opaque: challenge.opaque.map(own),
        hash,
        session,
        names_algorithm: challenge.algorithm.is_some(),
        qop: challenge.qop.is_some(),
        count: 0,
        accepted: false,
    };
    Some((known, challenge.stale))
}

impl Known {
    fn credentials(&mut self, account: &Account, method: &str, uri: &[u8], cnonce: &str) -> Vec<u8> {
        self.count += 1;
        let nc = format!("{:08x}", self.count);
        let username = sip::escape(account.username.0.as_bytes());
        let secret = self.hash.joined(&[&username, &self.realm, account.password.0.as_bytes()]);
        let response = Inputs {
            hash: self.hash,
            session: self.session,
            secret: &secret,
            nonce: &self.nonce,
            cnonce: cnonce.as_bytes(),
            qop: self.qop.then_some((nc.as_bytes(), b"auth")),
            method: method.as_bytes(),
            uri,
        }
        .response();
        let algorithm = match (self.hash, self.session) {
            (Hash::Md5, true) => Algorithm::Md5Sess,
            (Hash::Sha256, true) => Algorithm::Sha256Sess,
            (hash, false) => hash.algorithm(),
        };
        DigestCredentials {
            username: &username,
            realm: &self.realm,
            nonce: &self.nonce,
            uri,
            response: &response,
            algorithm: self.names_algorithm.then_some(algorithm),
            cnonce: (self.qop || self.session).then_some(cnonce.as_bytes()),
            opaque: self.opaque.as_deref(),
            qop: self.qop.then_some(Qop::Auth),
            nc: self.qop.then_some(nc.as_bytes()),
        }
        .print()
    }
}

#[cfg(test)]
mod tests;
