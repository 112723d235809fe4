use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use sip::header::Via;
use sip::push_addr;
use wire::{ConnId, Transport};

/// A socket on which the node receives SIP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listener {
    /// Transport.
    pub transport: Transport,
    /// The bound address.
    pub addr: SocketAddr,
}

/// The way a message came: answers go back on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flow {
    /// Transport.
    pub transport: Transport,
    /// Our address: the listener for datagrams and accepted connections, the kernel's choice for opened ones.
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
    /// The connection, unless the transport is UDP.
    pub conn: Option<ConnId>,
}

/// Where a request goes next: an address, and the connection to it if the sender knows one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// Transport. UDP may become TCP when the request is large.
    pub transport: Transport,
    /// The peer's address.
    pub addr: SocketAddr,
    /// A connection to use while it lasts: how requests reach a client that can only be reached on the connection it
    /// opened itself.
    pub conn: Option<ConnId>,
}

impl Target {
    /// An address.
    pub const fn new(transport: Transport, addr: SocketAddr) -> Target {
        Target { transport, addr, conn: None }
    }

    /// Back to where a message came from.
    pub const fn from_flow(flow: &Flow) -> Target {
        Target { transport: flow.transport, addr: flow.remote, conn: flow.conn }
    }

    /// Whether a request for this Request-URI may go there: one for a `sips:` URI goes over TLS and nothing else (RFC 3261
    /// §26.2.2), whatever leads it there.
    pub fn is_fit_for(&self, request_uri: &[u8]) -> bool {
        let is_sips = request_uri.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"sips:"));
        !is_sips || self.transport == Transport::Tls
    }

    /// The address in a `sip:` or `sips:` URI whose host is an IP address (RFC 3263 §4 without DNS): `transport` parameter,
    /// else TLS for `sips:` and UDP; port, else 5060 or 5061; `maddr` before host. `None` for names.
    pub fn from_uri(uri: &sip::Uri<'_>) -> Option<Target> {
        Target::with_host(uri, |host| parse_ip(host).map(|ip| (ip, None)))
    }

    fn with_host(uri: &sip::Uri<'_>, find: impl Fn(&[u8]) -> Option<(IpAddr, Option<u16>)>) -> Option<Target> {
        if !uri.is_sip() {
            return None;
        }
        let named = uri.param("transport").map(|t| transport_from_token(t).ok_or(())).transpose().ok()?;
        let transport = match (uri.scheme(), named) {
            // RFC 3261 §26.2.2: `transport=tcp` in a SIPS URI means TLS over TCP; over UDP there is no TLS.
            (sip::Scheme::Sips, None | Some(Transport::Tcp | Transport::Tls)) => Transport::Tls,
            (sip::Scheme::Sips, Some(Transport::Udp)) => return None,
            (_, named) => named.unwrap_or(Transport::Udp),
        };
        let (host, usual_port) = find(uri.param("maddr").unwrap_or(uri.host()))?;
        let port = uri.port().or(usual_port).unwrap_or(default_port(transport));
        Some(Target::new(transport, SocketAddr::new(host, port)))
    }
}

/// Names of hosts with what DNS would say of them: the address (A, AAAA) and, for URIs that have no port, the port (SRV). Cloning
/// is cheap.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hosts(Arc<BTreeMap<String, (IpAddr, Option<u16>)>>);

impl Hosts {
    /// These, in any case and with or without a dot at the end.
    pub fn new(names: impl IntoIterator<Item = (String, (IpAddr, Option<u16>))>) -> Hosts {
        Hosts(Arc::new(names.into_iter().map(|(name, place)| (canonical(&name), place)).collect()))
    }

    /// As [`Target::from_uri`], also for a URI whose host is one of these. The transport is that of the URI: there are no NAPTR
    /// records.
    pub fn target(&self, uri: &sip::Uri<'_>) -> Option<Target> {
        Target::with_host(uri, |host| {
            let named = || self.0.get(&canonical(std::str::from_utf8(host).ok()?)).copied();
            parse_ip(host).map(|ip| (ip, None)).or_else(named)
        })
    }
}

fn canonical(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// A transport token of a URI or a Via, in any case.
pub(crate) fn transport_from_token(token: &[u8]) -> Option<Transport> {
    [Transport::Udp, Transport::Tcp, Transport::Tls]
        .into_iter()
        .find(|t| t.via_token().as_bytes().eq_ignore_ascii_case(token))
}

/// An IP address, an IPv6 one with or without brackets.
pub(crate) fn parse_ip(host: &[u8]) -> Option<IpAddr> {
    let host = std::str::from_utf8(host).ok()?;
    host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host).parse().ok()
}

pub(crate) const fn default_port(transport: Transport) -> u16 {
    match transport {
        Transport::Udp | Transport::Tcp => 5060,
        Transport::Tls => 5061,
    }
}

/// Where the sender of a Via can be reached: `received` and `rport` before sent-by (RFC 3261 §18.2.2, RFC 3581 §4).
pub(crate) fn via_addr(via: &Via<'_>) -> Option<(Transport, SocketAddr)> {
    let transport = transport_from_token(via.transport)?;
    let sent_by_port = via.port.unwrap_or(default_port(transport));
    // RFC 3261 §18.2.2: maddr is a rule for datagrams, and goes with the port of sent-by.
    if let Some(maddr) = via.maddr().filter(|_| !transport.is_reliable()) {
        return Some((transport, SocketAddr::new(parse_ip(maddr)?, sent_by_port)));
    }
    let port = via.rport().flatten().unwrap_or(sent_by_port);
    Some((transport, SocketAddr::new(parse_ip(via.received().unwrap_or(via.host))?, port)))
}

/// The way chosen for one request: made by [`crate::Transports::hop`], used once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hop {
    /// Transport, after the decision on size.
    pub transport: Transport,
    /// The address of ours that sent-by names and datagrams leave from.
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
    /// The connection, unless the transport is UDP.
    pub conn: Option<ConnId>,
    /// The branch of the Via.
    pub branch: String,
    /// Whether the request went to TCP only because of its size, so that UDP may be tried if TCP is refused.
    pub was_udp: bool,
    /// Whether the connection was up before and may turn out stale, so that the request may go once more on a fresh one.
    pub is_reused: bool,
    /// Whether the next hop is asked to say when it is overloaded (RFC 7339 §5.1).
    pub offers_oc: bool,
}

/// The longest Via of ours without its branch: an IPv6 address, a port, all parameters.
const VIA_WITHOUT_BRANCH: usize = 116;

impl Hop {
    /// The value of the Via header field that the request must carry on top.
    pub fn via(&self) -> String {
        // RFC 5923 §4: on streams the peer may send its own requests back on this connection.
        let alias = if self.transport.is_reliable() { ";alias" } else { "" };
        let mut via = String::with_capacity(VIA_WITHOUT_BRANCH + self.branch.len());
        for part in ["SIP/2.0/", self.transport.via_token(), " "] {
            via.push_str(part);
        }
        push_addr(&mut via, self.local);
        let oc = if self.offers_oc { ";oc;oc-algo=\"loss\"" } else { "" };
        for part in [";rport;branch=", &self.branch, alias, oc] {
            via.push_str(part);
        }
        via
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} <- {}", self.transport, self.local, self.remote)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sips_request_goes_over_tls_and_nothing_else() {
        let fit =
            |transport| Target::new(transport, "127.0.0.1:5061".parse().unwrap()).is_fit_for(b"SIPS:b@home2.test");
        assert_eq!([Transport::Udp, Transport::Tcp, Transport::Tls].map(fit), [false, false, true]);
        assert!(Target::new(Transport::Udp, "127.0.0.1:5060".parse().unwrap()).is_fit_for(b"sip:b@home2.test"));
    }

    #[test]
    fn uris_with_addresses_are_targets() {
        let target = |text: &str| {
            let uri = sip::Uri::parse(text.as_bytes()).unwrap();
            Target::from_uri(&uri).map(|t| format!("{} {}", t.transport, t.addr))
        };
        assert_eq!(target("sip:a@127.0.0.1").as_deref(), Some("udp 127.0.0.1:5060"));
        assert_eq!(target("sip:a@[::1]:99;transport=TCP").as_deref(), Some("tcp [::1]:99"));
        assert_eq!(target("sips:127.0.0.1").as_deref(), Some("tls 127.0.0.1:5061"));
        assert_eq!(target("sips:127.0.0.1;transport=tcp").as_deref(), Some("tls 127.0.0.1:5061"));
        assert_eq!(target("sips:127.0.0.1;transport=udp"), None);
        assert_eq!(target("sip:a@h;maddr=10.1.1.1").as_deref(), Some("udp 10.1.1.1:5060"));
        assert_eq!(target("sip:a@example.com"), None);
        assert_eq!(target("sip:a@127.0.0.1;transport=sctp"), None);
        assert_eq!(target("tel:+1"), None);
    }

    #[test]
    fn a_name_is_a_target_if_its_address_is_known() {
        let addr = "10.0.0.7".parse().unwrap();
        let hosts =
            Hosts::new([("scscf.IMS.test".to_owned(), (addr, None)), ("as.test".to_owned(), (addr, Some(7060)))]);
        let target = |text: &str| {
            let uri = sip::Uri::parse(text.as_bytes()).unwrap();
            hosts.target(&uri).map(|t| format!("{} {}", t.transport, t.addr))
        };
        assert_eq!(target("sip:iscmark@Scscf.ims.test.:6060;lr;transport=tcp").as_deref(), Some("tcp 10.0.0.7:6060"));
        assert_eq!(target("sips:scscf.ims.test").as_deref(), Some("tls 10.0.0.7:5061"));
        assert_eq!(target("sip:as.test").as_deref(), Some("udp 10.0.0.7:7060"));
        assert_eq!(target("sip:as.test:5060").as_deref(), Some("udp 10.0.0.7:5060"));
        assert_eq!(target("sip:[::1]").as_deref(), Some("udp [::1]:5060"));
        assert_eq!(target("sip:icscf.ims.test"), None);
    }
}
