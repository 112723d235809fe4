//! HEPv3, the Homer Encapsulation Protocol: "HEP3", the length of it all, then chunks of vendor, type, length and contents
//! (HEP3 specification, revision 12, "Generic chunks").

use std::net::{IpAddr, SocketAddr};

use wire::{Timestamp, Transport};

use super::message::Protocol;

/// Where a copy came from, and whose it is.
pub(super) struct About<'a> {
    pub(super) at: Timestamp,
    pub(super) transport: Transport,
    pub(super) protocol: Protocol,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    /// Call-ID.
    pub(super) correlation: &'a [u8],
    pub(super) capture_id: u32,
    pub(super) password: Option<&'a str>,
    pub(super) node: &'a str,
}

/// The number of a protocol ("Capture protocol types"). Revision 37 of the specification has none for MSRP, nor for text of other
/// kinds. heplify-server calls 100 "log" (its `decoder/hep.go`), and stores it, whatever it is, under its correlation identifier
/// (`database/postgres.go`): here the Call-ID.
const fn number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Sip => 1,
        Protocol::Msrp => 100,
    }
}

/// One packet with a message in it.
pub(super) fn packet(about: &About<'_>, message: &[u8]) -> Vec<u8> {
    let mut out = b"HEP3\0\0".to_vec();
    let mut chunk = |kind: u16, contents: &[u8]| {
        // The vendor of generic chunks is 0. What is longer than a datagram can be does not come here.
        out.extend([0, 0]);
        out.extend(kind.to_be_bytes());
        out.extend(((contents.len() + 6) as u16).to_be_bytes());
        out.extend(contents);
    };
    // Address family and protocol as the kernel numbers them: AF_INET, AF_INET6, IPPROTO_UDP, IPPROTO_TCP.
    chunk(1, &[if about.from.is_ipv4() { 2 } else { 10 }]);
    chunk(2, &[if about.transport == Transport::Udp { 17 } else { 6 }]);
    for (addr, v4, v6) in [(about.from, 3, 5), (about.to, 4, 6)] {
        match addr.ip() {
            IpAddr::V4(ip) => chunk(v4, &ip.octets()),
            IpAddr::V6(ip) => chunk(v6, &ip.octets()),
        }
    }
    chunk(7, &about.from.port().to_be_bytes());
    chunk(8, &about.to.port().to_be_bytes());
    let micros = about.at.as_micros();
    chunk(9, &((micros / 1_000_000) as u32).to_be_bytes());
    chunk(10, &((micros % 1_000_000) as u32).to_be_bytes());
    chunk(11, &[number(about.protocol)]);
    chunk(12, &about.capture_id.to_be_bytes());
    if let Some(password) = about.password {
        chunk(14, password.as_bytes());
    }
    chunk(17, about.correlation);
    chunk(19, about.node.as_bytes());
    chunk(15, message);
    let len = (out.len() as u16).to_be_bytes();
    out[4..6].copy_from_slice(&len);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_says_how_long_it_is_and_so_does_each_chunk() {
        for from in ["127.0.0.1:5060", "[::1]:5060"] {
            let from: SocketAddr = from.parse().unwrap();
            let about = About {
                at: Timestamp::from_micros(1_767_225_600_000_042),
                transport: Transport::Tcp,
                protocol: Protocol::Sip,
                from,
                to: SocketAddr::new(from.ip(), 5070),
                correlation: b"a@b",
                capture_id: 7,
                password: Some("word"),
                node: "pf",
            };
            let packet = packet(&about, b"BYE sip:b SIP/2.0\r\n\r\n");
            assert_eq!(usize::from(u16::from_be_bytes([packet[4], packet[5]])), packet.len());
            let (mut rest, mut kinds) = (&packet[6..], Vec::new());
            while !rest.is_empty() {
                kinds.push(u16::from_be_bytes([rest[2], rest[3]]));
                rest = &rest[usize::from(u16::from_be_bytes([rest[4], rest[5]]))..];
            }
            let (source, destination) = if from.is_ipv4() { (3, 4) } else { (5, 6) };
            assert_eq!(kinds, [1, 2, source, destination, 7, 8, 9, 10, 11, 12, 14, 17, 19, 15]);
        }
    }
}
