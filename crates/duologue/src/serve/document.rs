//! The configuration file as it is written. What the words mean, and whether they fit together, is said in `config`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

#[derive(Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    #[serde(default)]
    pub(super) core: Vec<Core>,
    #[serde(default)]
    pub(super) pf: Vec<Pf>,
    pub(super) admin: Option<Admin>,
    pub(super) store: Option<Store>,
    pub(super) hep: Option<Hep>,
    pub(super) capture: Option<Capture>,
    pub(super) traces: Option<Traces>,
}

/// The database.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Store {
    pub(super) url: String,
    pub(super) take_over: Option<u64>,
}

/// Copies for Homer.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hep {
    pub(super) address: String,
    pub(super) capture_id: Option<u32>,
    pub(super) password: Option<String>,
    #[serde(default)]
    pub(super) contents: bool,
}

/// Copies that are kept for operators.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Capture {
    pub(super) octets: Option<usize>,
    #[serde(default)]
    pub(super) contents: bool,
}

/// Spans for a collector of OpenTelemetry.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Traces {
    pub(super) endpoint: String,
}

/// The admin interface.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Admin {
    pub(super) listen: Option<String>,
    pub(super) metrics: Option<String>,
    pub(super) token_file: Option<PathBuf>,
    #[serde(default)]
    pub(super) tokens: Vec<AdminToken>,
}

#[derive(Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AdminToken {
    pub(super) name: String,
    pub(super) role: admin::Role,
    pub(super) sha256: String,
}

#[derive(Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Core {
    pub(super) name: String,
    pub(super) listen: Vec<Listen>,
    pub(super) udp_path_mtu: Option<usize>,
    pub(super) max_transactions: Option<usize>,
    pub(super) key: Option<String>,
    #[serde(default)]
    pub(super) overload_control: bool,
    pub(super) tls: Option<Tls>,
    pub(super) domain: String,
    #[serde(default)]
    pub(super) subscribers: BTreeMap<String, Subscriber>,
    #[serde(default)]
    pub(super) numbers: BTreeMap<String, String>,
    pub(super) pf: Option<PfUri>,
    #[serde(default)]
    pub(super) peers: Vec<Peer>,
    #[serde(default)]
    pub(super) registration: Registration,
}

/// A listener: its address, or a table with more about it.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(
    untagged,
    expecting = "expected an address such as \"udp:127.0.0.1:5060\", or a table with `address` and `trust`, which is \"core\", \"peer\" or \"access\""
)]
pub(super) enum Listen {
    Address(String),
    Trusting(Trusting),
}

#[derive(Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trusting {
    pub(super) address: String,
    pub(super) trust: Trust,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Trust {
    Core,
    Peer,
    Access,
}

impl Listen {
    pub(super) fn address(&self) -> &str {
        match self {
            Listen::Address(address) => address,
            Listen::Trusting(listen) => &listen.address,
        }
    }

    pub(super) const fn trust(&self) -> Option<Trust> {
        match self {
            Listen::Address(_) => None,
            Listen::Trusting(listen) => Some(listen.trust),
        }
    }
}

/// All of them names of files, but for the last one.
#[derive(Clone, PartialEq, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    pub(super) certificate: Option<String>,
    pub(super) key: Option<String>,
    pub(super) ca: Option<String>,
    #[serde(default)]
    pub(super) client_auth: ClientAuth,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Default)]
#[serde(rename_all = "lowercase")]
pub(super) enum ClientAuth {
    #[default]
    Asked,
    Required,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum MsrpTransport {
    Tcp,
    Tls,
}

#[derive(Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Subscriber {
    pub(super) password: String,
    pub(super) number: Option<String>,
}

#[derive(Clone, PartialEq, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a URI such as \"sip:127.0.0.1:5070\", or a table with the URIs `originating` and `terminating`"
)]
pub(super) enum PfUri {
    Base(String),
    Cases(Cases),
}

#[derive(Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cases {
    pub(super) originating: String,
    pub(super) terminating: String,
}

#[derive(Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Peer {
    pub(super) domain: String,
    pub(super) uri: String,
}

#[derive(Clone, PartialEq, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Registration {
    pub(super) min_expires: Option<u32>,
    pub(super) max_expires: Option<u32>,
    pub(super) default_expires: Option<u32>,
    pub(super) max_contacts: Option<usize>,
    pub(super) digest: Option<Digest>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digest {
    #[serde(rename = "both")]
    Both,
    #[serde(rename = "SHA-256")]
    Sha256,
    #[serde(rename = "MD5")]
    Md5,
}

#[derive(Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pf {
    pub(super) name: String,
    pub(super) listen: Vec<Listen>,
    pub(super) udp_path_mtu: Option<usize>,
    pub(super) max_transactions: Option<usize>,
    pub(super) key: Option<String>,
    pub(super) tls: Option<Tls>,
    pub(super) msrp: Option<String>,
    pub(super) msrp_tls: Option<String>,
    pub(super) msrp_transport: Option<MsrpTransport>,
    pub(super) media_path: MediaPath,
    #[serde(default)]
    pub(super) auto: Vec<String>,
    pub(super) trusted: Vec<String>,
    #[serde(default)]
    pub(super) hosts: BTreeMap<String, String>,
    pub(super) silent_session: Option<u64>,
    pub(super) session_expires: Option<u32>,
    pub(super) min_se: Option<u32>,
    pub(super) journal: Option<PathBuf>,
    pub(super) records: Option<PathBuf>,
    pub(super) records_size: Option<u64>,
    pub(super) records_files: Option<usize>,
    pub(super) media_grace: Option<u64>,
    pub(super) max_sessions: Option<usize>,
    #[serde(default)]
    pub(super) overload_control: bool,
    #[serde(default)]
    pub(super) profile: Profile,
    #[serde(default)]
    pub(super) profiles: BTreeMap<String, Profile>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum MediaPath {
    Off,
    On,
    Auto,
}

#[derive(Clone, PartialEq, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    pub(super) services: Option<Vec<String>>,
    pub(super) max_sessions: Option<usize>,
    pub(super) blocked: Option<Vec<String>>,
    pub(super) records_messages: Option<bool>,
    pub(super) defers_messages: Option<bool>,
    pub(super) devices: Option<usize>,
    pub(super) max_message_size: Option<u64>,
    pub(super) idle_session: Option<u64>,
    pub(super) supervised: Option<bool>,
}
