use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use sip_proxy::RouteKey;
use sip_tx::Listener;
use sip_ua::digest::Secret;
use wire::Redacted;

/// A SIP/IP core of one domain.
#[derive(Clone, Debug)]
pub struct Config {
    /// The home domain, in lower case.
    pub domain: String,
    /// The sockets that the host has bound.
    pub listeners: Vec<Listener>,
    /// What may come over some of them. Over the others comes whoever wants to, and is told apart by address alone.
    pub trust: Vec<(Listener, Trust)>,
    /// Users by name.
    pub subscribers: BTreeMap<String, Subscriber>,
    /// Telephone numbers (`+…`) of this and other domains, and the SIP address-of-record they stand for.
    pub numbers: BTreeMap<String, String>,
    /// The participating function that serves this domain, if any.
    pub trigger: Option<Trigger>,
    /// Other domains.
    pub peers: Vec<Peer>,
    /// Bounds on registrations.
    pub registration: Registration,
    /// The key of the marks in Record-Route. Without one it is drawn, and requests of dialogs from before a restart are
    /// refused.
    pub route_key: Option<RouteKey>,
    /// Whether the host keeps registrations beyond our life.
    pub keeps_registrations: bool,
}

/// Who may send requests over a listener. Whoever else does is answered 403.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Our own network: the participating function.
    Core,
    /// The cores of other domains; over TLS each must have a certificate for its domain.
    Peer,
    /// Clients. Nobody is anything else here, whatever its address.
    Access,
}

/// A user of the domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// What proves the user (Digest authentication).
    pub secret: Secret,
    /// What proves the user by the private identity `user@domain`, if `secret` does not: a hash is of one name.
    pub private: Option<Secret>,
    /// The telephone number, if the user has one.
    pub number: Option<String>,
}

impl Subscriber {
    /// A user who is known by a password, and has no number.
    pub fn new(password: impl Into<String>) -> Subscriber {
        Subscriber { secret: Secret::Password(Redacted(password.into())), private: None, number: None }
    }
}

/// The participating function that initial requests of CPM are sent through: an initial filter criterion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// Its URI for the originating case.
    pub originating: String,
    /// Its URI for the terminating case.
    pub terminating: String,
}

/// Another domain, reached through its core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The domain, in lower case.
    pub domain: String,
    /// The SIP URI of its core.
    pub uri: String,
    /// The address of its core: requests from there come with identities that can be believed.
    pub addr: SocketAddr,
}

/// Bounds on registrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    /// A shorter interval is answered 423.
    pub min_expires: Duration,
    /// A longer interval is cut to this.
    pub max_expires: Duration,
    /// The interval of a REGISTER that names none.
    pub default_expires: Duration,
    /// Contacts per user.
    pub max_contacts: usize,
    /// What challenges offer.
    pub digest: DigestOffer,
}

/// The algorithms of Digest authentication that challenges offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DigestOffer {
    /// SHA-256, and MD5 for those that know nothing else (RFC 8760 §2.4).
    #[default]
    Both,
    /// SHA-256 alone.
    Sha256,
    /// MD5 alone: for clients that look at the topmost challenge only, and do not know SHA-256.
    Md5,
}

impl Default for Registration {
    fn default() -> Registration {
        Registration {
            min_expires: Duration::from_secs(30),
            max_expires: Duration::from_secs(3600),
            default_expires: Duration::from_secs(600),
            max_contacts: 10,
            digest: DigestOffer::default(),
        }
    }
}
