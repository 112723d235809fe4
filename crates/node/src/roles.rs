//! The roles, from what an operator decides about them to a running engine.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cpm::{MediaPathPolicy, Profile};
use engine::{Gauge, Handle, Journal, JournalError};
use msrp::Listeners;
use role_client::{Client, MsrpUri};
use role_core::{Core, Peer, Registration, Subscriber, Trigger, Trust};
use role_participating::{Intervals, Participating};
use sip_proxy::RouteKey;
use sip_tx::{Hosts, Target};
use wire::Entropy;

use crate::records::{Records, discard_records};
use crate::{Bound, RecordSink, RecordsPlan};

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

/// Sessions of all users of a function at a time, where nobody says otherwise.
pub const MAX_SESSIONS: usize = 100_000;

/// How long the MSRP connection of a session may be gone, where nobody says otherwise.
pub const MEDIA_GRACE: Duration = Duration::from_secs(5);

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The role needs an MSRP listener and has none.
    #[error("node {0} needs an address for MSRP")]
    NoMsrp(String),
    /// Its journal cannot be had.
    #[error("node {0}: {1}")]
    Journal(String, JournalError),
    /// The file for its records cannot be had.
    #[error("node {0}: {1}: {2}")]
    Records(String, PathBuf, io::Error),
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
    /// Who may come over each of the SIP listeners, in their order; those that are left out take everybody.
    pub trust: Vec<Option<Trust>>,
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
    /// The key of the marks in Record-Route; drawn if there is none.
    pub route_key: Option<RouteKey>,
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
    /// Names that next hops may have, with their addresses.
    pub hosts: Hosts,
    /// When a session that says nothing is forgotten.
    pub silent_session: Duration,
    /// How long a session lives without a sign of life.
    pub intervals: Intervals,
    /// The folder of its journal. Without one, what a session needs for its end dies with the process.
    pub journal: Option<PathBuf>,
    /// Where the records of sessions go. Without it they are not written.
    pub records: Option<RecordsPlan>,
    /// How long media may be gone before its session is ended; `None`: it is not watched.
    pub media_grace: Option<Duration>,
    /// Sessions of all users at a time; new ones are refused when four fifths are open.
    pub max_sessions: usize,
    /// The key of the marks in Record-Route; drawn if there is none.
    pub route_key: Option<RouteKey>,
}

/// A participating function that runs. Dropped, it stops, and what it has recorded is written.
pub struct Pf {
    /// Its engine.
    pub handle: Handle<Participating>,
    /// Dropped behind the engine.
    records: Option<Records>,
}

impl Pf {
    /// Ways to see how many of its records wait outside it.
    pub fn record_gauges(&self) -> Vec<Gauge> {
        self.records.iter().flat_map(Records::gauges).collect()
    }
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
    /// The MSRP relay that the client's sessions go through; `None` is the direct way.
    pub relay: Option<MsrpUri>,
    /// Answer without asking.
    pub auto_accept: bool,
    /// Seconds of registration to ask for.
    pub expires: u32,
}

impl CorePlan {
    /// Starts a core on these sockets. With a journal, registrations outlive it.
    pub fn start(self, bound: Bound, seat: Seat<Core>) -> Result<Handle<Core>, StartError> {
        let config = role_core::Config {
            domain: self.domain.to_ascii_lowercase(),
            trust: bound.listeners().iter().cloned().zip(self.trust).filter_map(|(l, t)| Some((l, t?))).collect(),
            listeners: bound.listeners().to_vec(),
            subscribers: self.subscribers,
            numbers: self.numbers,
            trigger: self.trigger,
            peers: self.peers,
            registration: self.registration,
            route_key: self.route_key,
            keeps_registrations: seat.host.journal.is_some(),
        };
        run(bound, Core::new(config, seat.options, seat.entropy), seat.host)
    }
}

impl PfPlan {
    /// Starts a participating function on these sockets. Its records go to `sinks` as well; its journal is that of its seat,
    /// if there is one.
    pub fn start(
        self,
        bound: Bound,
        mut seat: Seat<Participating>,
        sinks: Vec<Box<dyn RecordSink>>,
    ) -> Result<Pf, StartError> {
        let name = bound.name().to_owned();
        if let Some(folder) = &self.journal {
            seat.host.journal = Some(open_journal(&name, folder)?);
        }
        let durable = seat.host.journal.is_some();
        let mut records = None;
        if self.records.is_some() || !sinks.is_empty() {
            let path = self.records.as_ref().map(|plan| plan.path.clone()).unwrap_or_default();
            let opened = Records::open(self.records, sinks);
            records = Some(opened.map_err(|reason| StartError::Records(name.clone(), path, reason))?);
        }
        seat.host.on_idle = Some(records.as_ref().map_or_else(discard_records, Records::taker));
        let config = role_participating::Config {
            name: bound.name().to_owned(),
            listeners: bound.listeners().to_vec(),
            msrp: msrp(&bound)?,
            media_path: self.media_path,
            default_profile: self.default_profile,
            profiles: self.profiles,
            trusted: self.trusted,
            hosts: self.hosts,
            silent_session: self.silent_session,
            intervals: self.intervals,
            durable,
            media_grace: self.media_grace,
            max_sessions: self.max_sessions,
            route_key: self.route_key,
        };
        let handle = run(bound, Participating::new(config, seat.options, seat.entropy), seat.host)?;
        if let Some(records) = &mut records {
            records.start(&name, handle.caller()).map_err(|reason| StartError::Thread { name, reason })?;
        }
        Ok(Pf { handle, records })
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
            relay: self.relay,
            auto_accept: self.auto_accept,
            user_agent: concat!("duologue/", env!("CARGO_PKG_VERSION")).to_owned(),
            expires: self.expires,
            intervals: Intervals::default(),
            max_message: role_client::MAX_MESSAGE,
        };
        run(bound, Client::new(config, seat.options, seat.entropy), seat.host)
    }
}

fn open_journal(name: &str, folder: &Path) -> Result<Journal, StartError> {
    let journal = Journal::open(folder, journal::Options::default())
        .map_err(|reason| StartError::Journal(name.to_owned(), reason))?;
    let damage = journal.damage();
    tracing::info!(node = %name, entries = journal.len(), cut = damage.cut, "journal opened");
    if damage.is_loss() {
        tracing::error!(node = %name, quarantined = ?damage.quarantined, missing = damage.missing, "the journal is damaged");
    }
    Ok(journal)
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
