//! `[[pf]]`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use cpm::{MediaPathPolicy, Profile, Reason, Service};
use node::{Intervals, MAX_SESSIONS, MEDIA_GRACE, PfPlan, RecordsPlan, SILENT_SESSION};
use sip_tx::Hosts;
use wire::Transport;

use super::{Common, ConfigError, NodePlan};
use crate::serve::document::{self, MediaPath, MsrpTransport};
use crate::tls::Files;

/// The words for services.
const SERVICES: [(Service, &str); 7] = [
    (Service::Session, "session"),
    (Service::GroupSession, "group-session"),
    (Service::PagerMessage, "pager-message"),
    (Service::LargeMessage, "large-message"),
    (Service::Deferred, "deferred"),
    (Service::FileTransfer, "file-transfer"),
    (Service::SystemMessage, "system-message"),
];

pub(super) fn read(key: &str, pf: document::Pf, files: Files<'_>) -> Result<NodePlan<PfPlan>, ConfigError> {
    let default_profile = profile(&format!("{key}.profile"), &pf.profile, &Profile::default())?;
    let mut profiles = std::collections::BTreeMap::new();
    for (user, entry) in &pf.profiles {
        let key = format!("{key}.profiles.\"{user}\"");
        profiles.insert(super::aor(&key, user)?, profile(&key, entry, &default_profile)?);
    }
    only_cores(key, &pf.listen)?;
    let intervals = intervals(key, pf.session_expires, pf.min_se)?;
    let msrp = msrp(key, &pf)?;
    let role = PfPlan {
        media_path: media_path(key, pf.media_path, &pf.auto)?,
        default_profile,
        profiles,
        trusted: trusted(&format!("{key}.trusted"), &pf.trusted)?,
        hosts: hosts(key, &pf.hosts)?,
        silent_session: silent_session(key, pf.silent_session)?,
        max_sessions: max_sessions(key, pf.max_sessions)?,
        route_key: super::route_key(key, pf.key.as_deref())?,
        intervals,
        journal: pf.journal,
        records: records(key, pf.records, pf.records_size, pf.records_files)?,
        media_grace: pf.media_grace.map_or(Some(MEDIA_GRACE), seconds),
    };
    let document::Pf {
        name,
        listen,
        udp_path_mtu,
        max_transactions,
        overload_control: offers_overload_control,
        tls,
        ..
    } = pf;
    super::node(
        key,
        Common { name, listen, msrp, udp_path_mtu, max_transactions, offers_overload_control, tls },
        files,
        role,
    )
}

/// A participating function has no other neighbours.
fn only_cores(key: &str, listen: &[document::Listen]) -> Result<(), ConfigError> {
    let is_wrong = |listen: &document::Listen| match listen.trust() {
        None | Some(document::Trust::Core) => false,
        Some(document::Trust::Peer | document::Trust::Access) => true,
    };
    listen.iter().position(is_wrong).map_or(Ok(()), |i| {
        let problem = "lets in whom a participating function refuses in any case";
        let cure = "write \"core\", or leave it out, and name the cores in `trusted`";
        Err(ConfigError::new(format!("{key}.listen[{i}].trust"), problem, cure))
    })
}

/// Session intervals that RFC 4028 allows.
fn intervals(key: &str, session_expires: Option<u32>, min_se: Option<u32>) -> Result<Intervals, ConfigError> {
    let usual = Intervals::default();
    let min_se = min_se.unwrap_or(usual.min_se);
    if min_se < usual.min_se {
        return Err(ConfigError::new(
            format!("{key}.min_se"),
            &format!("is {min_se} s, less than RFC 4028 §5 allows"),
            &format!("write {} or more", usual.min_se),
        ));
    }
    let session_expires = session_expires.unwrap_or(usual.session_expires.max(min_se));
    if session_expires < min_se {
        let what = format!("is {session_expires} s, and the least that is taken is {min_se} s");
        return Err(ConfigError::new(format!("{key}.session_expires"), &what, "let it be at least min_se"));
    }
    Ok(Intervals { session_expires, min_se })
}

/// Where it listens for MSRP: first what it offers.
fn msrp(key: &str, pf: &document::Pf) -> Result<Vec<(Transport, SocketAddr)>, ConfigError> {
    let place = |name: &str, text: &Option<String>| {
        let Some(text) = text else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            let cure = "write an IP address and a port, such as \"127.0.0.1:2855\"";
            ConfigError::new(format!("{key}.{name}"), &format!("is `{text}`"), cure)
        })
    };
    let (tcp, tls) = (place("msrp", &pf.msrp)?, place("msrp_tls", &pf.msrp_tls)?);
    let (tcp, tls) = (tcp.map(|addr| (Transport::Tcp, addr)), tls.map(|addr| (Transport::Tls, addr)));
    let (offered, other) = match pf.msrp_transport {
        Some(MsrpTransport::Tls) if tls.is_none() => return Err(no_listener(key, "tls", "msrp_tls")),
        Some(MsrpTransport::Tcp) if tcp.is_none() => return Err(no_listener(key, "tcp", "msrp")),
        Some(MsrpTransport::Tls) => (tls, tcp),
        Some(MsrpTransport::Tcp) | None => (tcp, tls),
    };
    let all: Vec<_> = offered.into_iter().chain(other).collect();
    if all.is_empty() {
        let cure = "write an IP address and a port, such as \"127.0.0.1:2855\", there or for `msrp_tls`";
        return Err(ConfigError::new(format!("{key}.msrp"), "is missing", cure));
    }
    Ok(all)
}

fn no_listener(key: &str, transport: &str, listener: &str) -> ConfigError {
    let cure = format!("write `{listener}` as well");
    ConfigError::new(format!("{key}.msrp_transport"), &format!("is `{transport}`, for which nothing listens"), &cure)
}

fn media_path(key: &str, place: MediaPath, reasons: &[String]) -> Result<MediaPathPolicy, ConfigError> {
    let auto = format!("{key}.auto");
    let reasons = words(&auto, reasons, &Reason::ALL)?;
    match place {
        MediaPath::Auto if reasons.is_empty() => {
            let cure = "name a reason such as \"recording\", or set media_path to \"off\"";
            Err(ConfigError::new(auto, "names no reason to be on the media path", cure))
        }
        MediaPath::Auto => Ok(MediaPathPolicy::Auto(reasons)),
        MediaPath::Off | MediaPath::On if !reasons.is_empty() => {
            let cure = "set media_path to \"auto\", or take the reasons out";
            Err(ConfigError::new(auto, "has reasons that are never asked for", cure))
        }
        MediaPath::Off => Ok(MediaPathPolicy::Off),
        MediaPath::On => Ok(MediaPathPolicy::On),
    }
}

/// How large a file of records grows, where nobody says otherwise.
const RECORDS_SIZE: u64 = 64 << 20;
/// How many files of records there are.
const RECORDS_FILES: usize = 10;

fn records(
    key: &str,
    path: Option<PathBuf>,
    size: Option<u64>,
    files: Option<usize>,
) -> Result<Option<RecordsPlan>, ConfigError> {
    let given = [("records_size", size.is_some()), ("records_files", files.is_some())];
    let Some(path) = path else {
        let idle = given.iter().find(|(_, given)| *given);
        return idle.map_or(Ok(None), |(name, _)| {
            let cure = "name a file with `records`, or take this out";
            Err(ConfigError::new(format!("{key}.{name}"), "is of no use without a file", cure))
        });
    };
    let (max_octets, files) = (size.unwrap_or(RECORDS_SIZE), files.unwrap_or(RECORDS_FILES));
    for (name, is_none) in [("records_size", max_octets == 0), ("records_files", files == 0)] {
        if is_none {
            return Err(ConfigError::new(format!("{key}.{name}"), "is 0", "write at least 1"));
        }
    }
    Ok(Some(RecordsPlan { path, max_octets, files }))
}

fn trusted(key: &str, entries: &[String]) -> Result<Vec<IpAddr>, ConfigError> {
    if entries.is_empty() {
        return Err(ConfigError::new(
            key,
            "is empty, so every request would be refused",
            "name the addresses of your cores",
        ));
    }
    let parse = |(i, text): (usize, &String)| {
        let wrong =
            |_| ConfigError::new(format!("{key}[{i}]"), &format!("is `{text}`"), "write an IP address without port");
        text.parse().map_err(wrong)
    };
    entries.iter().enumerate().map(parse).collect()
}

/// A profile whose missing keys are those of `usual`.
pub(in crate::serve) fn profile(key: &str, entry: &document::Profile, usual: &Profile) -> Result<Profile, ConfigError> {
    let usual = usual.clone();
    for (name, is_zero) in
        [("devices", entry.devices == Some(0)), ("max_message_size", entry.max_message_size == Some(0))]
    {
        if is_zero {
            return Err(ConfigError::new(format!("{key}.{name}"), "is 0", "write at least 1, or leave it out"));
        }
    }
    let services =
        entry.services.as_deref().map(|list| words(&format!("{key}.services"), list, &SERVICES)).transpose()?;
    let aor = |(i, text): (usize, &String)| super::aor(&format!("{key}.blocked[{i}]"), text);
    let blocked =
        entry.blocked.as_ref().map(|list| list.iter().enumerate().map(aor).collect::<Result<_, _>>()).transpose()?;
    Ok(Profile {
        services: services.unwrap_or(usual.services),
        max_sessions: entry.max_sessions.unwrap_or(usual.max_sessions),
        blocked: blocked.unwrap_or(usual.blocked),
        records_messages: entry.records_messages.unwrap_or(usual.records_messages),
        defers_messages: entry.defers_messages.unwrap_or(usual.defers_messages),
        devices: entry.devices.unwrap_or(usual.devices),
        max_message_size: entry.max_message_size.or(usual.max_message_size),
        idle_session: entry.idle_session.map_or(usual.idle_session, seconds),
        supervised: entry.supervised.unwrap_or(usual.supervised),
    })
}

fn max_sessions(key: &str, number: Option<usize>) -> Result<usize, ConfigError> {
    match number {
        Some(0) => Err(ConfigError::new(format!("{key}.max_sessions"), "is 0", "allow at least one session")),
        number => Ok(number.unwrap_or(MAX_SESSIONS)),
    }
}

/// Names that next hops have, and their addresses.
fn hosts(key: &str, entries: &std::collections::BTreeMap<String, String>) -> Result<Hosts, ConfigError> {
    let read = |(name, addr): (&String, &String)| {
        let key = format!("{key}.hosts.\"{name}\"");
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if !is_name || name.parse::<IpAddr>().is_ok() {
            return Err(ConfigError::new(key, "is no name of a host", "write a name such as scscf.ims.home1.test"));
        }
        let with_port = || addr.parse().ok().map(|place: SocketAddr| (place.ip(), Some(place.port())));
        let place = addr.parse().ok().map(|ip: IpAddr| (ip, None)).or_else(with_port);
        let cure = "write an IP address, or one with the port for URIs that have none";
        let place = place.ok_or_else(|| ConfigError::new(&key, &format!("is `{addr}`"), cure))?;
        Ok((name.clone(), place))
    };
    Ok(Hosts::new(entries.iter().map(read).collect::<Result<Vec<_>, _>>()?))
}

fn silent_session(key: &str, seconds: Option<u64>) -> Result<Duration, ConfigError> {
    if seconds == Some(0) {
        let cure = "write after how many seconds a session off the media path is forgotten";
        return Err(ConfigError::new(format!("{key}.silent_session"), "is 0", cure));
    }
    Ok(seconds.map_or(SILENT_SESSION, Duration::from_secs))
}

/// A time that 0 turns off.
const fn seconds(number: u64) -> Option<Duration> {
    if number == 0 { None } else { Some(Duration::from_secs(number)) }
}

/// The things that a list of words stands for.
fn words<T: Copy>(key: &str, list: &[String], known: &[(T, &str)]) -> Result<Vec<T>, ConfigError> {
    let find = |(i, word): (usize, &String)| {
        known.iter().find(|(_, name)| name == word).map(|(thing, _)| *thing).ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|(_, name)| *name).collect();
            let cure = format!("use {}", names.join(", "));
            ConfigError::new(format!("{key}[{i}]"), &format!("is `{word}`, which is unknown"), &cure)
        })
    };
    list.iter().enumerate().map(find).collect()
}
