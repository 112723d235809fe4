use std::io::Write as _;
use std::net::{SocketAddr, UdpSocket};

use anyhow::{Context as _, Result};

use crate::scan::{self, Line};

/// The floor: forwards without state, with a Via and a Record-Route, one system call per datagram in and one out. What a
/// proxy costs beyond this is what it does. Runs until the process is ended.
pub fn null(listen: SocketAddr) -> Result<()> {
    let socket: UdpSocket = crate::socket::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    socket.set_nonblocking(false)?;
    let (mut buffer, mut out, mut count) = (vec![0; 65_536], Vec::with_capacity(4096), 0);
    loop {
        let (len, sender) = socket.recv_from(&mut buffer)?;
        let message = &buffer[..len];
        count += 1;
        let next = if scan::status(message).is_some() {
            response(&mut out, message)
        } else if scan::method(message) == b"REGISTER" {
            answer(&mut out, message);
            Some(sender)
        } else {
            request(&mut out, message, listen, count)
        };
        if let Some(next) = next {
            socket.send_to(&out, next)?;
        }
    }
}

fn request(out: &mut Vec<u8>, message: &[u8], listen: SocketAddr, count: u64) -> Option<SocketAddr> {
    out.clear();
    let first = scan::first_line(message);
    out.extend_from_slice(first);
    write!(out, "\r\nVia: SIP/2.0/UDP {listen};branch=z9hG4bK{count:x}\r\n").ok()?;
    if scan::method(message) == b"INVITE" {
        write!(out, "Record-Route: <sip:{listen};lr>\r\n").ok()?;
    }
    without_first(out, message, |line| line.is("Route"));
    let mut routes = scan::lines(message).filter(|line| line.is("Route")).skip(1);
    let target = first.split(|b| *b == b' ').nth(1)?;
    routes.next().map_or_else(|| scan::address(target), |line| scan::address(scan::uri(line.value)))
}

/// The floor of a registrar: 200 to everything.
fn answer(out: &mut Vec<u8>, message: &[u8]) {
    out.clear();
    out.extend_from_slice(b"SIP/2.0 200 OK\r\n");
    let copied = ["Via", "From", "To", "Call-ID", "CSeq"];
    for line in scan::lines(message).filter(|line| copied.iter().any(|name| line.is(name))) {
        out.extend_from_slice(line.whole);
    }
    out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
}

fn response(out: &mut Vec<u8>, message: &[u8]) -> Option<SocketAddr> {
    out.clear();
    out.extend_from_slice(scan::first_line(message));
    out.extend_from_slice(b"\r\n");
    without_first(out, message, |line| line.is("Via"));
    let via = scan::lines(message).filter(|line| line.is("Via")).nth(1)?.value;
    let sent_by = via.strip_prefix(b"SIP/2.0/UDP ")?;
    scan::host_port(sent_by.split(|b| *b == b';').next()?)
}

/// Everything after the first line, but for the first header field of a kind.
fn without_first(out: &mut Vec<u8>, message: &[u8], is_it: impl Fn(&Line<'_>) -> bool) {
    let after = |part: &[u8]| part.as_ptr().addr() - message.as_ptr().addr() + part.len();
    let start = memchr::memchr(b'\n', message).map_or(message.len(), |end| end + 1);
    match scan::lines(message).find(is_it) {
        Some(line) => {
            let end = after(line.whole);
            out.extend_from_slice(&message[start..end - line.whole.len()]);
            out.extend_from_slice(&message[end..]);
        }
        None => out.extend_from_slice(&message[start..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_loses_its_route_and_its_response_comes_back() {
        let invite = b"INVITE sip:b@127.0.0.4:7 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.3:9;branch=z9hG4bK1\r\n\
            Route: <sip:orig@127.0.0.2;lr>\r\nCall-ID: 1\r\n\r\nbody";
        let mut out = Vec::new();
        assert_eq!(request(&mut out, invite, "127.0.0.2:5060".parse().unwrap(), 10), "127.0.0.4:7".parse().ok());
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "INVITE sip:b@127.0.0.4:7 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bKa\r\n\
             Record-Route: <sip:127.0.0.2:5060;lr>\r\nVia: SIP/2.0/UDP 127.0.0.3:9;branch=z9hG4bK1\r\n\
             Call-ID: 1\r\n\r\nbody"
        );
        let ok = text.replace("INVITE sip:b@127.0.0.4:7 SIP/2.0", "SIP/2.0 200 OK");
        let mut out = Vec::new();
        assert_eq!(response(&mut out, ok.as_bytes()), "127.0.0.3:9".parse().ok());
        assert!(out.starts_with(b"SIP/2.0 200 OK\r\nRecord-Route"));
    }
}
