//! `[[core]]`.

use std::collections::BTreeMap;
use std::time::Duration;

use node::{CorePlan, UriError};
use role_core::{DigestOffer, Registration, Subscriber, Trigger, Trust};

use super::{Common, ConfigError, NodePlan};
use crate::serve::document;
use crate::tls::Files;

pub(super) fn read(key: &str, core: document::Core, files: Files<'_>) -> Result<NodePlan<CorePlan>, ConfigError> {
    let role = CorePlan {
        domain: domain(&format!("{key}.domain"), &core.domain)?,
        trust: trust(key, &core.listen)?,
        subscribers: subscribers(key, core.subscribers)?,
        numbers: numbers(key, core.numbers)?,
        trigger: core.pf.map(|uri| trigger(&format!("{key}.pf"), uri)).transpose()?,
        peers: core
            .peers
            .iter()
            .enumerate()
            .map(|(i, p)| peer(&format!("{key}.peers[{i}]"), p))
            .collect::<Result<_, _>>()?,
        route_key: super::route_key(key, core.key.as_deref())?,
        registration: registration(&format!("{key}.registration"), &core.registration)?,
    };
    let document::Core { name, listen, udp_path_mtu, max_transactions, overload_control, tls, .. } = core;
    let (msrp, offers_overload_control) = (Vec::new(), overload_control);
    super::node(
        key,
        Common { name, listen, msrp, udp_path_mtu, max_transactions, offers_overload_control, tls },
        files,
        role,
    )
}

/// Who may come over each listener. A node names one address for each transport, so what comes over one transport is told apart
/// by address, or all of it is of one class.
fn trust(key: &str, listen: &[document::Listen]) -> Result<Vec<Option<Trust>>, ConfigError> {
    // What cannot be read is refused where addresses are.
    let kind = |listen: &document::Listen| {
        let (transport, addr) = super::listener("", listen.address()).ok()?;
        Some((transport, addr.is_ipv4()))
    };
    for (i, one) in listen.iter().enumerate() {
        let other = listen[..i].iter().find(|other| kind(other) == kind(one) && other.trust() != one.trust());
        if let Some(other) = other {
            let problem = format!("is not that of `{}`, over the same transport", other.address());
            let cure = "give all listeners over one transport the same trust";
            return Err(ConfigError::new(format!("{key}.listen[{i}].trust"), &problem, cure));
        }
    }
    let class = |trust: document::Trust| match trust {
        document::Trust::Core => Trust::Core,
        document::Trust::Peer => Trust::Peer,
        document::Trust::Access => Trust::Access,
    };
    Ok(listen.iter().map(|listen| listen.trust().map(class)).collect())
}

fn domain(key: &str, text: &str) -> Result<String, ConfigError> {
    let is_domain = |b: u8| b.is_ascii_alphanumeric() || b"-.".contains(&b);
    if text.is_empty() || !text.bytes().all(is_domain) {
        return Err(ConfigError::new(key, &format!("is `{text}`"), "write a domain name such as \"home1.test\""));
    }
    Ok(text.to_ascii_lowercase())
}

fn subscribers(
    key: &str,
    entries: BTreeMap<String, document::Subscriber>,
) -> Result<BTreeMap<String, Subscriber>, ConfigError> {
    let mut subscribers = BTreeMap::new();
    for (user, entry) in entries {
        let key = format!("{key}.subscribers.{user}");
        if user.is_empty() || user.contains(['@', ':', ' ']) {
            return Err(ConfigError::new(
                key,
                "is no user name",
                "write what stands before the @ of the user's address",
            ));
        }
        if entry.password.is_empty() {
            return Err(ConfigError::new(format!("{key}.password"), "is empty", "give every user a password"));
        }
        if let Some(number) = &entry.number {
            check_number(&format!("{key}.number"), number)?;
        }
        subscribers.insert(user, Subscriber { number: entry.number, ..Subscriber::new(entry.password) });
    }
    Ok(subscribers)
}

fn numbers(key: &str, entries: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut numbers = BTreeMap::new();
    for (number, uri) in entries {
        let key = format!("{key}.numbers.\"{number}\"");
        check_number(&key, &number)?;
        numbers.insert(number, super::aor(&key, &uri)?);
    }
    Ok(numbers)
}

pub(in crate::serve) fn check_number(key: &str, text: &str) -> Result<(), ConfigError> {
    let digits = text.strip_prefix('+').unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        let cure = "write a number in global form without separators, such as \"+15550001\"";
        return Err(ConfigError::new(key, &format!("is `{text}`"), cure));
    }
    Ok(())
}

fn trigger(key: &str, uri: document::PfUri) -> Result<Trigger, ConfigError> {
    let cases = match uri {
        document::PfUri::Base(base) => return node::trigger(&base).map_err(|reason| wrong_uri(key, &base, reason)),
        document::PfUri::Cases(cases) => cases,
    };
    for (case, uri) in [("originating", &cases.originating), ("terminating", &cases.terminating)] {
        node::check_uri(uri).map_err(|reason| wrong_uri(&format!("{key}.{case}"), uri, reason))?;
    }
    Ok(Trigger { originating: cases.originating, terminating: cases.terminating })
}

fn peer(key: &str, peer: &document::Peer) -> Result<role_core::Peer, ConfigError> {
    let domain = domain(&format!("{key}.domain"), &peer.domain)?;
    node::peer(&domain, &peer.uri).map_err(|reason| wrong_uri(&format!("{key}.uri"), &peer.uri, reason))
}

fn wrong_uri(key: &str, uri: &str, reason: UriError) -> ConfigError {
    ConfigError::new(key, &format!("is `{uri}`, {}", reason.problem()), reason.cure())
}

fn digest(entry: document::Digest) -> DigestOffer {
    match entry {
        document::Digest::Both => DigestOffer::Both,
        document::Digest::Sha256 => DigestOffer::Sha256,
        document::Digest::Md5 => DigestOffer::Md5,
    }
}

fn registration(key: &str, entry: &document::Registration) -> Result<Registration, ConfigError> {
    let usual = Registration::default();
    let seconds = |value: Option<u32>, usual: Duration| value.map_or(usual, |s| Duration::from_secs(s.into()));
    let registration = Registration {
        min_expires: seconds(entry.min_expires, usual.min_expires),
        max_expires: seconds(entry.max_expires, usual.max_expires),
        default_expires: seconds(entry.default_expires, usual.default_expires),
        max_contacts: entry.max_contacts.unwrap_or(usual.max_contacts),
        digest: entry.digest.map_or(usual.digest, digest),
    };
    let (min, max) = (registration.min_expires, registration.max_expires);
    if min > max || !(min..=max).contains(&registration.default_expires) {
        let cure = "let min_expires be at most default_expires, and that at most max_expires";
        return Err(ConfigError::new(key, "contradicts itself", cure));
    }
    if registration.max_contacts == 0 {
        return Err(ConfigError::new(format!("{key}.max_contacts"), "is 0", "allow at least one contact"));
    }
    Ok(registration)
}
