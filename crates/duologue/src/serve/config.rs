//! From the file to what the nodes are started with. Every error names the key and the cure.

mod admin;
mod capture;
mod core;
mod hep;
mod pf;
mod store;
mod traces;

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use engine::{ClientAuth, Tls};
use node::{Addresses, CorePlan, PfPlan, RouteKey};
use serde::Deserialize as _;
use toml::de::{DeTable, Deserializer};
use wire::{Redacted, Transport};

pub(crate) use self::admin::AdminPlan;
pub(super) use self::core::check_number;
pub(super) use self::pf::profile;
pub(crate) use self::store::StorePlan;
use super::copies::{CapturePlan, HepPlan};
use super::document::{self, Document};
use super::expand::{self, Variables};
use super::traces::TracesPlan;
use crate::tls::{self, Files, Names};

/// What stands for the store where a folder is expected.
const IN_STORE: &str = "store";

/// Why a configuration is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A value is wrong.
    #[error("{key} {problem}; {cure}")]
    Value { key: String, problem: String, cure: String },
    /// The file is no TOML, or has a key that is unknown, missing or of the wrong kind; says where.
    #[error("{0}")]
    Document(String),
}

impl ConfigError {
    pub(crate) fn new(key: impl fmt::Display, problem: &str, cure: &str) -> ConfigError {
        ConfigError::Value { key: key.to_string(), problem: problem.to_owned(), cure: cure.to_owned() }
    }
}

/// The nodes to start.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) cores: Vec<NodePlan<CorePlan>>,
    pub(crate) pfs: Vec<NodePlan<PfPlan>>,
    pub(crate) admin: AdminPlan,
    pub(crate) store: Option<StorePlan>,
    pub(crate) hep: Option<HepPlan>,
    pub(crate) capture: Option<CapturePlan>,
    pub(crate) traces: Option<TracesPlan>,
    /// The participating functions that keep their sessions in the store.
    pub(crate) stored: BTreeSet<String>,
    /// What is written of everything that stays as it is while the nodes run: by it changes are found.
    pub(crate) fixed: Redacted<Document>,
}

/// A node of one role.
#[derive(Clone, Debug)]
pub(crate) struct NodePlan<R> {
    pub(crate) name: String,
    pub(crate) addresses: Addresses,
    pub(crate) tls: Option<Tls>,
    pub(crate) options: sip_tx::Options,
    pub(crate) role: R,
}

impl Plan {
    /// Reads a configuration file.
    pub(crate) fn read(text: &str, variables: Variables<'_>, files: Files<'_>) -> Result<Plan, ConfigError> {
        let mut document = parse(text, variables)?;
        let fixed = fixed(document.clone());
        let store = store::read(document.store.take(), files)?;
        let mut stored = BTreeSet::new();
        for (i, pf) in document.pf.iter_mut().enumerate() {
            if pf.journal.as_deref().is_some_and(|folder| folder == Path::new(IN_STORE)) {
                if store.is_none() {
                    let cure = "add a [store] section, or name a folder";
                    return Err(ConfigError::new(format!("pf[{i}].journal"), "is the store, and there is none", cure));
                }
                pf.journal = None;
                stored.insert(pf.name.clone());
            }
        }
        let cores = each("core", document.core, |key, core| core::read(key, core, files))?;
        let pfs = each("pf", document.pf, |key, pf| pf::read(key, pf, files))?;
        let admin = admin::read(document.admin)?;
        let hep = hep::read(document.hep)?;
        let capture = capture::read(document.capture)?;
        let traces = traces::read(document.traces)?;
        let plan = Plan { cores, pfs, admin, store, hep, capture, traces, stored, fixed };
        plan.check()?;
        Ok(plan)
    }

    /// `1 core, 2 participating functions`.
    pub(crate) fn summary(&self) -> String {
        let count = |n: usize, noun: &str| (n > 0).then(|| format!("{n} {noun}{}", if n == 1 { "" } else { "s" }));
        let parts = [count(self.cores.len(), "core"), count(self.pfs.len(), "participating function")];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// What no node can see alone.
    fn check(&self) -> Result<(), ConfigError> {
        let cores = self.cores.iter().enumerate().map(|(i, n)| (format!("core[{i}]"), &n.name, &n.addresses));
        let pfs = self.pfs.iter().enumerate().map(|(i, n)| (format!("pf[{i}]"), &n.name, &n.addresses));
        let nodes: Vec<_> = cores.chain(pfs).collect();
        if nodes.is_empty() {
            return Err(ConfigError::new("the file", "names no node", "add a [[core]] or a [[pf]]"));
        }
        let (mut names, mut taken) = (BTreeSet::new(), BTreeSet::new());
        for (key, name, addresses) in nodes {
            if !names.insert(name) {
                let problem = format!("is `{name}`, as that of another node");
                return Err(ConfigError::new(format!("{key}.name"), &problem, "give every node a name of its own"));
            }
            let all = addresses.sip.iter().chain(&addresses.msrp).copied();
            for (transport, addr) in all.filter(|(_, addr)| addr.port() != 0) {
                // TLS listens on TCP.
                if !taken.insert((transport == Transport::Udp, addr)) {
                    let cure = "give every listener a port of its own";
                    return Err(ConfigError::new(key, &format!("listens on {transport} {addr}, which is taken"), cure));
                }
            }
        }
        let mut paths = BTreeSet::new();
        for (i, pf) in self.pfs.iter().enumerate() {
            let records = pf.role.records.as_ref().map(|records| &records.path);
            for (name, path) in [("journal", pf.role.journal.as_ref()), ("records", records)] {
                if path.is_some_and(|path| !paths.insert(path)) {
                    let cure = "give every participating function a folder and a file of its own";
                    return Err(ConfigError::new(format!("pf[{i}].{name}"), "is taken", cure));
                }
            }
        }
        Ok(())
    }
}

fn parse(text: &str, variables: Variables<'_>) -> Result<Document, ConfigError> {
    let document = |mut error: toml::de::Error| {
        error.set_input(Some(text));
        ConfigError::Document(error.to_string().trim_end().to_owned())
    };
    let mut table = DeTable::parse(text).map_err(document)?;
    expand::table(table.get_mut(), "", variables)?;
    Document::deserialize(Deserializer::from(table)).map_err(document)
}

/// A file without what is applied while the nodes run.
fn fixed(mut document: Document) -> Redacted<Document> {
    for core in &mut document.core {
        core.subscribers.clear();
        core.numbers.clear();
    }
    for pf in &mut document.pf {
        pf.profile = document::Profile::default();
        pf.profiles.clear();
    }
    if let Some(admin) = &mut document.admin {
        admin.tokens.clear();
    }
    Redacted(document)
}

fn each<D, R>(
    key: &str,
    documents: Vec<D>,
    read: impl Fn(&str, D) -> Result<NodePlan<R>, ConfigError>,
) -> Result<Vec<NodePlan<R>>, ConfigError> {
    documents.into_iter().enumerate().map(|(i, document)| read(&format!("{key}[{i}]"), document)).collect()
}

/// What nodes of all roles have in the file.
struct Common {
    name: String,
    listen: Vec<document::Listen>,
    /// Where it listens for MSRP, read already.
    msrp: Vec<(Transport, SocketAddr)>,
    udp_path_mtu: Option<usize>,
    max_transactions: Option<usize>,
    offers_overload_control: bool,
    tls: Option<document::Tls>,
}

fn node<R>(key: &str, common: Common, files: Files<'_>, role: R) -> Result<NodePlan<R>, ConfigError> {
    let Common { name, listen, msrp, udp_path_mtu, max_transactions, offers_overload_control, tls } = common;
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    if name.is_empty() || !name.bytes().all(is_name) {
        let cure = "use letters, digits, `-`, `.` and `_`";
        return Err(ConfigError::new(format!("{key}.name"), &format!("is `{name}`"), cure));
    }
    if listen.is_empty() {
        return Err(ConfigError::new(
            format!("{key}.listen"),
            "is empty",
            "add an address such as \"udp:127.0.0.1:5060\"",
        ));
    }
    let listener = |(i, listen): (usize, &document::Listen)| {
        let key = format!("{key}.listen[{i}]");
        // Where it is written in a table, the key says so.
        let key = if listen.trust().is_some() { format!("{key}.address") } else { key };
        listener(&key, listen.address())
    };
    let sip = listen.iter().enumerate().map(listener).collect::<Result<Vec<_>, _>>()?;
    // RFC 791: every path takes 576 octets; a datagram holds at most 65,535.
    if udp_path_mtu.is_some_and(|mtu| !(576..=65_535).contains(&mtu)) {
        let cure = "write a number from 576 to 65535, or leave it out";
        return Err(ConfigError::new(format!("{key}.udp_path_mtu"), "is no MTU", cure));
    }
    let usual = sip_tx::Options::default();
    let max_transactions = max_transactions.unwrap_or(usual.max_transactions);
    if max_transactions == 0 {
        let cure = "allow at least one transaction";
        return Err(ConfigError::new(format!("{key}.max_transactions"), "is 0", cure));
    }
    let options = sip_tx::Options { path_mtu: udp_path_mtu, max_transactions, offers_overload_control, ..usual };
    let client_auth = match tls.as_ref().map(|tls| tls.client_auth).unwrap_or_default() {
        document::ClientAuth::Asked => ClientAuth::Asked,
        document::ClientAuth::Required => ClientAuth::Required,
    };
    let addresses = Addresses { sip, msrp, client_auth };
    let tls = secure(key, tls, &addresses, files)?;
    Ok(NodePlan { name, addresses, tls, options, role })
}

/// What the node needs for TLS, if it has any.
fn secure(
    key: &str,
    tls: Option<document::Tls>,
    addresses: &Addresses,
    files: Files<'_>,
) -> Result<Option<Tls>, ConfigError> {
    let is_tls = |(transport, _): &(Transport, SocketAddr)| *transport == Transport::Tls;
    let sip = addresses.sip.iter().position(is_tls);
    if tls.is_none() && sip.is_none() && !addresses.msrp.iter().any(is_tls) {
        return Ok(None);
    }
    let tls = tls.unwrap_or_default();
    // Those who connect for SIP know names and no fingerprints.
    if let (Some(i), None) = (sip, &tls.certificate) {
        let cure = format!("write `certificate` and `key` of {key}.tls");
        return Err(ConfigError::new(format!("{key}.listen[{i}]"), "asks for TLS without a certificate", &cure));
    }
    if tls.client_auth == document::ClientAuth::Required && tls.ca.is_none() {
        let cure = "write `ca` as well, or set it to \"asked\"";
        return Err(ConfigError::new(
            format!("{key}.tls.client_auth"),
            "would refuse everybody, as nobody is trusted",
            cure,
        ));
    }
    let names = Names { certificate: tls.certificate.as_deref(), key: tls.key.as_deref(), ca: tls.ca.as_deref() };
    let wrong = |wrong: tls::Wrong| ConfigError::new(format!("{key}.tls.{}", wrong.which), &wrong.problem, wrong.cure);
    tls::read(names, files).map(Some).map_err(wrong)
}

fn listener(key: &str, text: &str) -> Result<(Transport, SocketAddr), ConfigError> {
    let cure = "write a transport, an IP address and a port, such as \"udp:127.0.0.1:5060\" or \"tcp:[::1]:5060\"";
    let wrong = |problem: &str| ConfigError::new(key, &format!("is `{text}`, {problem}"), cure);
    let (transport, addr) = text.split_once(':').ok_or_else(|| wrong("which has no transport"))?;
    let transport = match transport {
        "udp" => Transport::Udp,
        "tcp" => Transport::Tcp,
        "tls" => Transport::Tls,
        _ => return Err(wrong("whose transport is none of udp, tcp and tls")),
    };
    let addr = addr.parse().map_err(|_| wrong("whose address cannot be read"))?;
    Ok((transport, addr))
}

/// Characters of the shortest key. One that can be guessed would be none.
pub(crate) const SHORTEST_KEY: usize = 16;

/// The key of a node's marks.
fn route_key(key: &str, secret: Option<&str>) -> Result<Option<RouteKey>, ConfigError> {
    let secret = secret.filter(|secret| !secret.is_empty());
    if secret.is_some_and(|secret| secret.len() < SHORTEST_KEY) {
        let cure = format!("write at least {SHORTEST_KEY} characters, drawn at random, or leave it out");
        return Err(ConfigError::new(format!("{key}.key"), "is too short", &cure));
    }
    Ok(secret.map(|secret| RouteKey::from_secret(secret.as_bytes())))
}

/// An address-of-record: `sip:user@domain`.
pub(super) fn aor(key: &str, text: &str) -> Result<String, ConfigError> {
    let uri = sip::Uri::parse(text.as_bytes()).ok().filter(|uri| uri.is_sip() && uri.user().is_some());
    let cure = "write an address-of-record such as \"sip:bob@home2.test\"";
    uri.map(|uri| cpm::aor(&uri)).ok_or_else(|| ConfigError::new(key, &format!("is `{text}`"), cure))
}

#[cfg(test)]
mod tests;
