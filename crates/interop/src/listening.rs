//! Who listens where, as the kernel says: a look that sends no packet.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use crate::Transport;

/// Whether somebody listens at exactly this IPv4 address and port (`/proc/net/udp`, `/proc/net/tcp`).
pub fn is_listening(address: SocketAddr, transport: Transport) -> bool {
    // The states LISTEN of TCP and CLOSE, which unconnected UDP sockets show (include/net/tcp_states.h of Linux).
    let (table, state) = match transport {
        Transport::Udp => ("/proc/net/udp", "07"),
        Transport::Tcp => ("/proc/net/tcp", "0A"),
    };
    let text = fs::read_to_string(table).unwrap_or_else(|e| panic!("{table}: {e}"));
    text.lines().skip(1).filter_map(row).any(|(local, its_state)| local == address && its_state == state)
}

/// `0: 0100007F:13C4 00000000:0000 0A …` → 127.0.0.1:5060, "0A".
fn row(line: &str) -> Option<(SocketAddr, &str)> {
    let mut columns = line.split_whitespace().skip(1);
    let (ip, port) = columns.next()?.split_once(':')?;
    let state = columns.nth(1)?;
    // The address is printed as one number in the order of the machine.
    let ip = Ipv4Addr::from(u32::from_str_radix(ip, 16).ok()?.to_ne_bytes());
    Some((SocketAddr::from((ip, u16::from_str_radix(port, 16).ok()?)), state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Loopback;

    #[test]
    fn a_bound_socket_is_seen_and_only_on_its_transport() {
        let lease = Loopback::lease();
        let [udp, tcp] = lease.ports();
        let _udp = std::net::UdpSocket::bind(udp).unwrap();
        let _tcp = std::net::TcpListener::bind(tcp).unwrap();
        assert!(is_listening(udp, Transport::Udp) && is_listening(tcp, Transport::Tcp));
        assert!(!is_listening(udp, Transport::Tcp) && !is_listening(tcp, Transport::Udp));
    }
}
