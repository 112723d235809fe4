//! The roles, from what an operator decides about them to a running engine.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use cpm::{MediaPathPolicy, Profile};
use engine::Handle;
use msrp::Listeners;
use role_client::Client;
use role_core::{Core, Peer, Registration, Subscriber, Trigger};
use role_participating::Participating;
use sip_tx::Target;
use wire::Entropy;

use crate::Bound;

/// What a node of any role is given besides its sockets and its plan.
pub struct Seat<N> {
    /// Its transactions.
    pub options: sip_tx::Options,
    /// Its dice.
    pub entropy: Entropy,
    /// Its engine.
    pub host: engine::Options<N>,
}

/// How long a session off the media path may be silent before it is forgotten, where nobody says otherwise: a day.
pub const SILENT_SESSION: Duration = Duration::from_secs(24 * 3600);

/// How long the MSRP connection of a session may be gone, where nobody says otherwise.
pub const MEDIA_GRACE: Duration = Duration::from_secs(5);

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The role needs an MSRP listener and has none.
    #[error("node {0} needs an address for MSRP")]
    NoMsrp(String),
    /// The operating system gave no thread.
    #[error("node {name} cannot start: {reason}")]
    Thread {
        /// The node.
        name: String,
        /// What the operating system said.
        reason: io::Error,
    },
}

/// A SIP/IP core, but for its sockets.
#[derive(Clone, Debug)]
pub struct CorePlan {
    /// The home domain.
    pub domain: String,
    /// Users by name.
    pub subscribers: BTreeMap<String, Subscriber>,
    /// Telephone numbers and the addresses-of-record they stand for.
    pub numbers: BTreeMap<String, String>,
    /// The participating function, if any; see [`crate::trigger`].
    pub trigger: Option<Trigger>,
    /// Other domains; see [`crate::peer`].
    pub peers: Vec<Peer>,
    /// Bounds on registrations.
    pub registration: Registration,
}

/// A participating function, but for its sockets.
#[derive(Clone, Debug)]
pub struct PfPlan {
    /// On or off the media path.
    pub media_path: MediaPathPolicy,
    /// The profile of users without one of their own.
    pub default_profile: Profile,
    /// Profiles by address-of-record.
    pub profiles: BTreeMap<String, Profile>,
    /// The cores' addresses.
    pub trusted: Vec<IpAddr>,
    /// When a session that says nothing is forgotten.
    pub silent_session: Duration,
    /// How long media may be gone before its session is ended; `None`: it is not watched.
    pub media_grace: Option<Duration>,
}

/// A client, but for its sockets.
#[derive(Clone, Debug)]
pub struct ClientPlan {
    /// The user's address-of-record.
    pub aor: String,
    /// The user's password.
    pub password: String,
    /// The core.
    pub core: Target,
    /// Answer without asking.
    pub auto_accept: bool,
    /// Seconds of registration to ask for.
    pub expires: u32,
}

impl CorePlan {
    /// Starts a core on these sockets.
    pub fn start(self, bound: Bound, seat: Seat<Core>) -> Result<Handle<Core>, StartError> {
        let config = role_core::Config {
            domain: self.domain.to_ascii_lowercase(),
            listeners: bound.listeners().to_vec(),
            subscribers: self.subscribers,
            numbers: self.numbers,
            trigger: self.trigger,
            peers: self.peers,
            registration: self.registration,
        };
        run(bound, Core::new(config, seat.options, seat.entropy), seat.host)
    }
}

impl PfPlan {
    /// Starts a participating function on these sockets.
    pub fn start(self, bound: Bound, seat: Seat<Participating>) -> Result<Handle<Participating>, StartError> {
        let config = role_participating::Config {
            name: bound.name().to_owned(),
            listeners: bound.listeners().to_vec(),
            msrp: msrp(&bound)?,
            media_path: self.media_path,
            default_profile: self.default_profile,
            profiles: self.profiles,
            trusted: self.trusted,
            silent_session: self.silent_session,
            media_grace: self.media_grace,
        };
        run(bound, Participating::new(config, seat.options, seat.entropy), seat.host)
    }
}

impl ClientPlan {
    /// Starts a client on these sockets.
    pub fn start(self, bound: Bound, seat: Seat<Client>) -> Result<Handle<Client>, StartError> {
        let config = role_client::Config {
            aor: self.aor,
            password: self.password,
            core: self.core,
            listeners: bound.listeners().to_vec(),
            msrp: msrp(&bound)?,
            auto_accept: self.auto_accept,
            user_agent: concat!("duologue/", env!("CARGO_PKG_VERSION")).to_owned(),
            expires: self.expires,
            max_message: role_client::MAX_MESSAGE,
        };
        run(bound, Client::new(config, seat.options, seat.entropy), seat.host)
    }
}

fn msrp(bound: &Bound) -> Result<Listeners, StartError> {
    bound.msrp().cloned().ok_or_else(|| StartError::NoMsrp(bound.name().to_owned()))
}

fn run<N: wire::Node + Send + 'static>(
    bound: Bound,
    node: N,
    host: engine::Options<N>,
) -> Result<Handle<N>, StartError> {
    let name = bound.name().to_owned();
    bound.start(node, host).map_err(|reason| StartError::Thread { name, reason })
}
