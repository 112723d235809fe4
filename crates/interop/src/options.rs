//! Is a SIP node alive?

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::Transport;

/// Sends one OPTIONS from the given address and returns the status of the final answer (RFC 3261 §11), or `None` when
/// none comes in time. Over UDP the request is repeated every 500 ms (timer T1).
pub fn options(node: SocketAddr, transport: Transport, from: Ipv4Addr, within: Duration) -> Option<u16> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mark = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    match transport {
        Transport::Udp => over_udp(node, from, &mark, within),
        Transport::Tcp => over_tcp(node, from, &mark, within),
    }
}

fn over_udp(node: SocketAddr, from: Ipv4Addr, mark: &str, within: Duration) -> Option<u16> {
    let socket = UdpSocket::bind((from, 0)).ok()?;
    let request = request(node, Transport::Udp, socket.local_addr().ok()?, mark);
    let deadline = Instant::now() + within;
    let mut buffer = vec![0; 65_535];
    while Instant::now() < deadline {
        // A closed port shows as an error of a later call; the next round asks again.
        let _ = socket.send_to(request.as_bytes(), node);
        let round = (Instant::now() + Duration::from_millis(500)).min(deadline);
        while let Some(left) = round.checked_duration_since(Instant::now()).filter(|d| !d.is_zero()) {
            socket.set_read_timeout(Some(left)).ok()?;
            let Ok(length) = socket.recv(&mut buffer) else { continue };
            if let Some(status) = statuses(&buffer[..length]).into_iter().find(|s| *s >= 200) {
                return Some(status);
            }
        }
    }
    None
}

fn over_tcp(node: SocketAddr, from: Ipv4Addr, mark: &str, within: Duration) -> Option<u16> {
    // The address that answers would come to if the connection were lost; a client that cannot listen names it too.
    let listener = TcpListener::bind((from, 0)).ok()?;
    let mut stream = TcpStream::connect_timeout(&node, within).ok()?;
    stream.write_all(request(node, Transport::Tcp, listener.local_addr().ok()?, mark).as_bytes()).ok()?;
    let deadline = Instant::now() + within;
    let (mut got, mut buffer) = (Vec::new(), [0; 4096]);
    while let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|d| !d.is_zero()) {
        stream.set_read_timeout(Some(left)).ok()?;
        let length = stream.read(&mut buffer).ok().filter(|n| *n > 0)?;
        got.extend_from_slice(&buffer[..length]);
        if let Some(status) = statuses(&got).into_iter().find(|s| *s >= 200) {
            return Some(status);
        }
    }
    None
}

fn request(node: SocketAddr, transport: Transport, local: SocketAddr, mark: &str) -> String {
    let via = transport.name().to_uppercase();
    let host = local.ip();
    [
        format!("OPTIONS sip:{node} SIP/2.0"),
        format!("Via: SIP/2.0/{via} {local};branch=z9hG4bKprobe{mark};rport"),
        "Max-Forwards: 70".to_owned(),
        format!("From: <sip:probe@{host}>;tag=probe{mark}"),
        format!("To: <sip:{node}>"),
        format!("Call-ID: probe{mark}@{host}"),
        "CSeq: 1 OPTIONS".to_owned(),
        "Content-Length: 0\r\n\r\n".to_owned(),
    ]
    .join("\r\n")
}

/// The status codes of all status lines in the bytes.
pub(crate) fn statuses(bytes: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(bytes);
    let code = |line: &str| line.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok();
    text.lines().filter_map(code).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Loopback;

    #[test]
    fn nobody_there_is_none_and_not_an_error() {
        let lease = Loopback::lease();
        for transport in [Transport::Udp, Transport::Tcp] {
            assert_eq!(options(lease.port(), transport, lease.ip(), Duration::from_millis(50)), None);
        }
    }

    #[test]
    fn status_lines_are_found_in_a_stream() {
        let stream = b"SIP/2.0 100 Trying\r\n\r\nSIP/2.0 200 OK\r\nX: SIP/2.0 300\r\n\r\n";
        assert_eq!(statuses(stream), [100, 200]);
    }
}
