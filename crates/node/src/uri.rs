//! The SIP URIs by which nodes know each other.

use std::net::SocketAddr;

use role_core::{Peer, Trigger};
use sip_tx::Target;
use wire::Transport;

/// Why a URI cannot be that of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}; {}", self.problem(), self.cure())]
pub enum UriError {
    /// It cannot be read at all.
    NotSip,
    /// Its host is a name.
    NoAddress,
    /// It has a user part already.
    HasUser,
}

impl UriError {
    /// What is wrong.
    pub const fn problem(self) -> &'static str {
        match self {
            UriError::NotSip => "which is no SIP URI",
            UriError::NoAddress => "whose host is a name, and names are not looked up yet",
            UriError::HasUser => "which has a user part",
        }
    }

    /// What to do about it.
    pub const fn cure(self) -> &'static str {
        match self {
            UriError::NotSip => "write one such as \"sip:127.0.0.1:5060\" or \"sip:127.0.0.1:5060;transport=tcp\"",
            UriError::NoAddress => "write an IP address",
            UriError::HasUser => "leave it out, since `orig@` and `term@` are put there, or write both URIs yourself",
        }
    }
}

/// The URI of a socket: `sip:127.0.0.1:5060`, with the transport if it is not UDP.
pub fn sip_uri(transport: Transport, addr: SocketAddr) -> String {
    match transport {
        Transport::Udp => format!("sip:{addr}"),
        Transport::Tcp | Transport::Tls => format!("sip:{addr};transport={transport}"),
    }
}

/// The two URIs on which a core triggers the participating function at `base`: `orig@` and `term@`. A user part of its own
/// for each session case works with every core, whether or not it sends P-Served-User.
pub fn trigger(base: &str) -> Result<Trigger, UriError> {
    let uri = sip::Uri::parse(base.as_bytes()).map_err(|_| UriError::NotSip)?;
    target(base)?;
    if uri.user().is_some() {
        return Err(UriError::HasUser);
    }
    let (scheme, rest) = base.split_once(':').ok_or(UriError::NotSip)?;
    let with = |user: &str| format!("{scheme}:{user}@{rest}");
    Ok(Trigger { originating: with("orig"), terminating: with("term") })
}

/// Another domain whose core is at `uri`.
pub fn peer(domain: &str, uri: &str) -> Result<Peer, UriError> {
    Ok(Peer { domain: domain.to_ascii_lowercase(), uri: uri.to_owned(), addr: target(uri)?.addr })
}

/// Whether a URI leads to a node.
pub fn check_uri(uri: &str) -> Result<(), UriError> {
    target(uri).map(|_| ())
}

/// Where a URI leads.
fn target(uri: &str) -> Result<Target, UriError> {
    let uri = sip::Uri::parse(uri.as_bytes()).map_err(|_| UriError::NotSip)?;
    if !uri.is_sip() {
        return Err(UriError::NotSip);
    }
    Target::from_uri(&uri).ok_or(UriError::NoAddress)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_participating_function_is_triggered_by_session_case() {
        let addr = SocketAddr::from(([127, 0, 0, 1], 7060));
        let trigger = trigger(&sip_uri(Transport::Tcp, addr)).unwrap();
        assert_eq!(trigger.originating, "sip:orig@127.0.0.1:7060;transport=tcp");
        assert_eq!(trigger.terminating, "sip:term@127.0.0.1:7060;transport=tcp");
        assert_eq!(sip_uri(Transport::Udp, addr), "sip:127.0.0.1:7060");
    }

    #[test]
    fn a_uri_that_leads_nowhere_is_refused_with_the_reason() {
        assert_eq!(trigger("sip:pf@127.0.0.1"), Err(UriError::HasUser));
        assert_eq!(trigger("sip:pf.home1.test"), Err(UriError::NoAddress));
        assert_eq!(trigger("tel:+1"), Err(UriError::NotSip));
        assert_eq!(peer("Home2.TEST", "127.0.0.1"), Err(UriError::NotSip));
        let peer = peer("Home2.TEST", "sip:127.0.0.1:5062").unwrap();
        assert_eq!((peer.domain.as_str(), peer.addr.port()), ("home2.test", 5062));
    }
}
