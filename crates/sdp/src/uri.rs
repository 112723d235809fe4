use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;
use std::sync::Arc;

use crate::ParseError;

/// Where a peer is: an address, or a name that somebody must look up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Host {
    /// An address literal.
    Ip(IpAddr),
    /// A domain name, in the letters it came in.
    Name(String),
}

impl Host {
    /// Whether it is the same host; names are compared without regard to case.
    pub fn matches(&self, other: &Host) -> bool {
        match (self, other) {
            (Host::Ip(ours), Host::Ip(theirs)) => ours == theirs,
            (Host::Name(ours), Host::Name(theirs)) => ours.eq_ignore_ascii_case(theirs),
            (Host::Ip(_), Host::Name(_)) | (Host::Name(_), Host::Ip(_)) => false,
        }
    }

    /// Whether nobody can connect to it: `0.0.0.0` and `::` are seen in paths of clients that only dial out.
    pub fn is_unspecified(&self) -> bool {
        matches!(self, Host::Ip(ip) if ip.is_unspecified())
    }
}

/// An MSRP URI (RFC 4975 §6), one element of a path. It prints as it came.
///
/// `==` is the comparison of RFC 4975 §6.1, so two URIs may be equal and print differently.
#[derive(Clone, Debug)]
pub struct MsrpUri(Arc<Parts>);

/// What a URI is made of. Many hold the same one: a session, its descriptions, and what is under way in it.
#[derive(Debug)]
struct Parts {
    text: String,
    tls: bool,
    host: Host,
    port: Option<u16>,
    userinfo: Option<Range<usize>>,
    session_id: Option<Range<usize>>,
    transport: Range<usize>,
}

const TRANSPORT: &str = "tcp";

impl MsrpUri {
    /// A URI of our own, over TCP or over TLS. The session-id is drawn by the caller from letters, digits, `-` `.` `_` `~`
    /// `+` `=` `/`; it is the secret of the session, so it should be hard to guess (RFC 4975 §14.1).
    pub fn new(tls: bool, address: IpAddr, port: u16, session_id: &str) -> MsrpUri {
        debug_assert!(session_id.bytes().all(is_session_id), "a session-id of ours keeps to the grammar");
        let scheme = if tls { "msrps://" } else { "msrp://" };
        let (open, close) = if address.is_ipv6() { ("[", "]:") } else { ("", ":") };
        let (host, digits) = (address.to_string(), port.to_string());
        let text = [scheme, open, &host, close, &digits, "/", session_id, ";", TRANSPORT].concat();
        let transport = text.len() - TRANSPORT.len()..text.len();
        let session_end = transport.start - 1;
        MsrpUri(Arc::new(Parts {
            tls,
            host: Host::Ip(address),
            port: Some(port),
            userinfo: None,
            session_id: Some(session_end - session_id.len()..session_end),
            transport,
            text,
        }))
    }

    /// Reads one URI, nothing around it.
    pub fn parse(text: &str) -> Result<MsrpUri, ParseError> {
        if let Some(at) = text.bytes().position(|byte| !byte.is_ascii_graphic()) {
            return Err(ParseError { at, expected: "a visible ASCII character" });
        }
        let error = |part: &str, expected| ParseError { at: offset(text, part), expected };

        let (scheme, rest) = text.split_once("://").ok_or(error(text, "msrp:// or msrps://"))?;
        let tls = scheme.eq_ignore_ascii_case("msrps");
        if !tls && !scheme.eq_ignore_ascii_case("msrp") {
            return Err(error(scheme, "the scheme msrp or msrps"));
        }
        let (location, params) = rest.split_once(';').ok_or(ParseError { at: text.len(), expected: ";tcp" })?;
        let transport = params.split(';').next().unwrap_or_default();
        if transport.is_empty() || !transport.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(error(transport, "a transport"));
        }

        let (authority, session_id) = match location.split_once('/') {
            Some((_, "")) => return Err(error(rest, "a session-id after the slash")),
            Some((authority, id)) => (authority, Some(id)),
            None => (location, None),
        };
        let (userinfo, place) = match authority.rsplit_once('@') {
            Some((userinfo, place)) => (Some(userinfo), place),
            None => (None, authority),
        };
        let (host, port) = host_and_port(place).ok_or(error(place, "a host, and a port"))?;

        let range = |part: &str| offset(text, part)..offset(text, part) + part.len();
        Ok(MsrpUri(Arc::new(Parts {
            tls,
            host,
            port,
            userinfo: userinfo.map(range),
            session_id: session_id.map(range),
            transport: range(transport),
            text: text.to_owned(),
        })))
    }

    /// Reads the value of `a=path`: URIs with spaces between them, the next hop first (RFC 4975 §8.2).
    pub fn parse_path(text: &str) -> Result<Vec<MsrpUri>, ParseError> {
        let path = text
            .split_ascii_whitespace()
            .map(|uri| MsrpUri::parse(uri).map_err(|e| ParseError { at: offset(text, uri) + e.at, ..e }))
            .collect::<Result<Vec<_>, _>>()?;
        if path.is_empty() { Err(ParseError { at: 0, expected: "at least one MSRP URI" }) } else { Ok(path) }
    }

    /// Whether the scheme is `msrps`: the hop is made over TLS.
    pub fn is_tls(&self) -> bool {
        self.0.tls
    }

    /// The part before `@`, which takes no part in comparison.
    pub fn userinfo(&self) -> Option<&str> {
        self.0.userinfo.clone().map(|part| &self.0.text[part])
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.0.host
    }

    /// The address, when the host is one.
    pub fn host_ip(&self) -> Option<IpAddr> {
        match self.0.host {
            Host::Ip(ip) => Some(ip),
            Host::Name(_) => None,
        }
    }

    /// The port, when it is written.
    pub fn port(&self) -> Option<u16> {
        self.0.port
    }

    /// The session-id: a URI of a session has one, a URI of a relay may have none.
    pub fn session_id(&self) -> Option<&str> {
        self.0.session_id.clone().map(|part| &self.0.text[part])
    }

    /// The transport, `tcp` in practice.
    pub fn transport(&self) -> &str {
        &self.0.text[self.0.transport.clone()]
    }

    /// What follows the transport, each as it was written.
    pub fn params(&self) -> impl Iterator<Item = &str> {
        self.0.text[self.0.transport.end..].split(';').skip(1)
    }

    /// The URI as it came.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }
}

impl PartialEq for MsrpUri {
    /// RFC 4975 §6.1: scheme, host and transport without regard to case, the port only as written (a missing one equals no
    /// port), the session-id letter by letter; userinfo and further parameters do not count.
    fn eq(&self, other: &MsrpUri) -> bool {
        self.0.tls == other.0.tls
            && self.0.host.matches(&other.0.host)
            && self.0.port == other.0.port
            && self.session_id() == other.session_id()
            && self.transport().eq_ignore_ascii_case(other.transport())
    }
}

impl Eq for MsrpUri {}

impl fmt::Display for MsrpUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl std::str::FromStr for MsrpUri {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<MsrpUri, ParseError> {
        MsrpUri::parse(text)
    }
}

/// An IPv6 address stands in brackets, as in every URI (RFC 3986 §3.2.2).
fn host_and_port(place: &str) -> Option<(Host, Option<u16>)> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            (Host::Ip(IpAddr::V6(address.parse::<Ipv6Addr>().ok()?)), port)
        }
        None => {
            let end = place.find(':').unwrap_or(place.len());
            let (name, port) = place.split_at(end);
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
            if name.is_empty() || !name.bytes().all(is_name) {
                return None;
            }
            (name.parse().map_or_else(|_| Host::Name(name.to_owned()), Host::Ip), port)
        }
    };
    if port.is_empty() {
        return Some((host, None));
    }
    let digits = port.strip_prefix(':').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some((host, Some(digits.parse().ok()?)))
}

fn is_session_id(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'=' | b'/')
}

/// Where `part`, a slice of `text`, begins in it.
fn offset(text: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_prints_as_it_came() {
        for text in [
            "msrp://192.0.2.1:2855/kjh3;tcp",
            "msrps://alice@chat.example.org:9000/a+b=c/d;TCP;x=1;y",
            "MSRP://[2001:DB8::1]:02855/x;tcp",
            "msrp://relay.example.org;tcp",
        ] {
            assert_eq!(MsrpUri::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn the_parts_of_a_uri_are_told_apart() {
        let uri = MsrpUri::parse("msrps://alice@[2001:db8::1]:9000/s/1;tcp;a=b;c").unwrap();
        assert!(uri.is_tls());
        assert_eq!(uri.userinfo(), Some("alice"));
        assert_eq!(uri.host(), &Host::Ip("2001:db8::1".parse().unwrap()));
        assert_eq!(uri.port(), Some(9000));
        assert_eq!(uri.session_id(), Some("s/1"));
        assert_eq!(uri.transport(), "tcp");
        assert_eq!(uri.params().collect::<Vec<_>>(), ["a=b", "c"]);
    }

    #[test]
    fn what_is_no_msrp_uri_is_refused_with_its_place() {
        for (text, at) in [
            ("", 0),
            ("sip://192.0.2.1:1/x;tcp", 0),
            ("msrp:192.0.2.1:1/x;tcp", 0),
            ("msrp://192.0.2.1:1/x", 20),
            ("msrp://192.0.2.1:1/x;", 21),
            ("msrp://192.0.2.1:1/;tcp", 7),
            ("msrp://192.0.2.1:70000/x;tcp", 7),
            ("msrp://192.0.2.1:+5/x;tcp", 7),
            ("msrp://2001:db8::1:9/x;tcp", 7),
            ("msrp://[2001:db8::1/x;tcp", 7),
            ("msrp://u@/x;tcp", 9),
            ("msrp://a b/x;tcp", 8),
            ("msrp://h\u{e9}te/x;tcp", 8),
        ] {
            assert_eq!(MsrpUri::parse(text).map(|uri| uri.0.text.clone()).map_err(|e| e.at), Err(at), "{text}");
        }
    }

    #[test]
    fn uris_are_compared_as_the_rfc_says() {
        let base = MsrpUri::parse("msrp://Chat.example.org:2855/abc;tcp").unwrap();
        for (text, equal) in [
            ("MSRP://chat.EXAMPLE.org:2855/abc;TCP", true),
            ("msrp://someone@chat.example.org:2855/abc;tcp;more=1", true),
            ("msrps://chat.example.org:2855/abc;tcp", false),
            ("msrp://chat.example.org/abc;tcp", false),
            ("msrp://chat.example.org:2856/abc;tcp", false),
            ("msrp://chat.example.org:2855/ABC;tcp", false),
            ("msrp://chat.example.org:2855;tcp", false),
            ("msrp://chat.example.org:2855/abc;sctp", false),
        ] {
            assert_eq!(base == MsrpUri::parse(text).unwrap(), equal, "{text}");
        }
        let short = MsrpUri::parse("msrp://[2001:db8::1]:1/x;tcp").unwrap();
        assert_eq!(short, MsrpUri::parse("msrp://[2001:0DB8:0:0::1]:1/x;tcp").unwrap());
    }

    #[test]
    fn a_uri_of_our_own_parses_back() {
        for (tls, address) in [(false, "192.0.2.7"), (true, "2001:db8::7")] {
            let uri = MsrpUri::new(tls, address.parse().unwrap(), 2855, "s1");
            let again = MsrpUri::parse(uri.as_str()).unwrap();
            assert_eq!((again.is_tls(), &again), (tls, &uri));
        }
    }

    #[test]
    fn a_path_lists_its_hops_in_order() {
        let path = MsrpUri::parse_path("msrps://relay.example.org:9000/r;tcp  msrp://192.0.2.1:7/x;tcp").unwrap();
        assert_eq!(path.iter().map(MsrpUri::port).collect::<Vec<_>>(), [Some(9000), Some(7)]);
        assert_eq!(MsrpUri::parse_path(" ").unwrap_err().at, 0);
        assert_eq!(MsrpUri::parse_path("msrp://a/x;tcp nonsense").unwrap_err().at, 15);
    }
}
