//! Just enough of SIP to answer and to follow a route: the generator must cost less than what it measures.

use std::net::SocketAddr;

/// One header field line: name and value trimmed, and the line with its CRLF.
pub(crate) struct Line<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) value: &'a [u8],
    pub(crate) whole: &'a [u8],
}

impl Line<'_> {
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// The header fields of a message in order. Folded lines and compact forms do not occur between the programs measured.
pub(crate) fn lines(message: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let mut rest = after_first_line(message);
    std::iter::from_fn(move || {
        let end = memchr::memchr(b'\n', rest)? + 1;
        let (whole, tail) = rest.split_at(end);
        rest = tail;
        let colon = memchr::memchr(b':', whole)?;
        Some(Line { name: whole[..colon].trim_ascii(), value: whole[colon + 1..].trim_ascii(), whole })
    })
}

fn after_first_line(message: &[u8]) -> &[u8] {
    memchr::memchr(b'\n', message).map_or(&[], |end| &message[end + 1..])
}

/// The request line or status line, without CRLF.
pub(crate) fn first_line(message: &[u8]) -> &[u8] {
    message[..message.len() - after_first_line(message).len()].trim_ascii_end()
}

/// The status of a response; `None` for a request.
pub(crate) fn status(message: &[u8]) -> Option<u16> {
    let digits = message.strip_prefix(b"SIP/2.0 ")?.get(..3)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The method of a request.
pub(crate) fn method(message: &[u8]) -> &[u8] {
    &message[..memchr::memchr(b' ', message).unwrap_or(0)]
}

/// The URI in angle brackets, or the value up to its parameters.
pub(crate) fn uri(value: &[u8]) -> &[u8] {
    let inner = memchr::memchr(b'<', value).map(|at| &value[at + 1..]);
    let (text, end) = inner.map_or((value, b';'), |inner| (inner, b'>'));
    &text[..memchr::memchr(end, text).unwrap_or(text.len())]
}

/// The address that a `sip:` URI leads to, whose host is an IPv4 address.
pub(crate) fn address(uri: &[u8]) -> Option<SocketAddr> {
    let text = uri.strip_prefix(b"sip:")?;
    let host = &text[memchr::memchr(b'@', text).map_or(0, |at| at + 1)..];
    host_port(&host[..memchr::memchr2(b';', b'?', host).unwrap_or(host.len())])
}

/// `host:port`, or `host` with the port of SIP.
pub(crate) fn host_port(text: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    text.parse().ok().or_else(|| Some(SocketAddr::new(text.parse().ok()?, 5060)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: &[u8] =
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.3:7\r\nRecord-Route: <sip:orig-1@127.0.0.2;lr>\r\n\r\nv=0\r\n";

    #[test]
    fn a_response_is_read_up_to_its_body() {
        assert_eq!(status(OK), Some(200));
        assert_eq!(status(b"BYE sip:x SIP/2.0\r\n"), None);
        let names: Vec<&[u8]> = lines(OK).map(|line| line.name).collect();
        assert_eq!(names, [&b"Via"[..], b"Record-Route"]);
        assert_eq!(first_line(OK), b"SIP/2.0 200 OK");
    }

    #[test]
    fn a_uri_leads_to_its_address() {
        let of = |text: &str| address(uri(text.as_bytes()));
        assert_eq!(of("<sip:orig-1@127.0.0.2;lr>"), "127.0.0.2:5060".parse().ok());
        assert_eq!(of("\"A\" <sip:127.0.0.2:5070;lr=on>;x=y"), "127.0.0.2:5070".parse().ok());
        assert_eq!(of("<sip:a@example.org>"), None);
    }
}
