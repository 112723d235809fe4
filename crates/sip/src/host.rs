use std::net::{IpAddr, Ipv6Addr};
use std::str::from_utf8;

/// The address that a host is, unless it is a name. IPv6 is read with its brackets and without, since `received` comes
/// either way (RFC 5118 §4.5).
pub fn ip(host: &[u8]) -> Option<IpAddr> {
    match host {
        [b'[', inner @ .., b']'] => ipv6(inner).map(IpAddr::V6),
        _ if host.contains(&b':') => ipv6(host).map(IpAddr::V6),
        _ => from_utf8(host).ok()?.parse().ok().map(IpAddr::V4),
    }
}

fn ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    let text = from_utf8(text).ok()?;
    // RFC 5118 §4.10: the grammar of RFC 3261 lets a third colon stand before an embedded IPv4 address.
    match text.split_once(":::") {
        Some((before, ipv4)) if ipv4.contains('.') && !ipv4.contains(':') => format!("{before}::{ipv4}").parse().ok(),
        _ => text.parse().ok(),
    }
}

/// Whether two hosts are the same: addresses by value (RFC 5954 §4.2), names without case.
pub(crate) fn same_host(a: &[u8], b: &[u8]) -> bool {
    a.eq_ignore_ascii_case(b)
        || (a.first() == Some(&b'[') && b.first() == Some(&b'[') && ip(a).is_some_and(|a| Some(a) == ip(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_are_addresses() {
        let cases = [
            ("192.0.2.1", "192.0.2.1"),
            ("[2001:DB8::1]", "2001:db8::1"),
            ("2001:db8:0::1", "2001:db8::1"),
            ("[2001:db8:::192.0.2.1]", "2001:db8::192.0.2.1"),
            ("[:::192.0.2.1]", "::192.0.2.1"),
        ];
        for (text, address) in cases {
            assert_eq!(ip(text.as_bytes()), address.parse().ok(), "{text}");
        }
        for text in ["", "example.com", "[192.0.2.1]", "[]", "[2001:db8:::1]", "[::1", "192.0.2.1:5060", "256.1.1.1"] {
            assert_eq!(ip(text.as_bytes()), None, "{text}");
        }
        assert!(same_host(b"[2001:db8::0:1]", b"[2001:DB8::1]") && same_host(b"A.example", b"a.Example"));
        assert!(!same_host(b"[2001:db8::2]", b"[2001:db8::1]") && !same_host(b"[x]", b"[y]"));
    }
}
