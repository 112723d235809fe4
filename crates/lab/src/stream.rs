//! SIP messages out of the pieces of one direction of a connection.

use bytes::{Buf, Bytes, BytesMut};
use sip::{Frame, Limits};
use wire::Now;

/// One direction of a connection, as one of its ends saw it.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    buffer: BytesMut,
    /// When the piece with the first octet of the buffer passed.
    since: Now,
    broken: bool,
}

impl Stream {
    /// Takes a piece as long as it happened to be and gives the messages that it completes, each with the time at which
    /// its first octet passed. Keep-alives are left out (RFC 5626 §3.5.1).
    pub(crate) fn push(&mut self, at: Now, data: &[u8]) -> Vec<(Now, Bytes)> {
        if self.buffer.is_empty() {
            self.since = at;
        }
        self.buffer.extend_from_slice(data);
        let mut messages = Vec::new();
        while !self.broken && !self.buffer.is_empty() {
            match sip::frame(&self.buffer, &Limits::default()) {
                Ok(Frame::Incomplete) => break,
                Ok(Frame::Blank { len, .. }) => {
                    self.buffer.advance(len);
                    self.since = at;
                }
                Ok(Frame::Message { len }) => {
                    messages.push((self.since, self.buffer.split_to(len).freeze()));
                    self.since = at;
                }
                Err(_) => self.broken = true,
            }
        }
        messages
    }

    /// Octets that make no message.
    pub(crate) fn rest(&self) -> usize {
        // A lone CR or LF between messages may be half a keep-alive.
        if self.buffer.iter().all(|b| matches!(b, b'\r' | b'\n')) { 0 } else { self.buffer.len() }
    }
}

#[cfg(test)]
mod tests {
    use wire::Instant;

    use super::*;

    fn at(nanos: u64) -> Now {
        Now { at: Instant::from_nanos(nanos), ..Now::default() }
    }

    #[test]
    fn a_message_in_pieces_counts_from_its_first_octet() {
        let mut stream = Stream::default();
        assert_eq!(stream.push(at(1), b"A\r\nl: 3\r"), []);
        assert_eq!(stream.push(at(2), b"\n\r\nab"), []);
        assert_eq!(stream.rest(), 13);
        let text = b"cB\r\nl: 0\r\n\r\n\r\n\r\nC\r\nl: 0\r\n\r\n";
        let expected = [(at(1), "A\r\nl: 3\r\n\r\nabc"), (at(3), "B\r\nl: 0\r\n\r\n"), (at(3), "C\r\nl: 0\r\n\r\n")];
        assert_eq!(stream.push(at(3), text), expected.map(|(at, text)| (at, Bytes::from_static(text.as_bytes()))));
        assert_eq!(stream.rest(), 0);
    }

    #[test]
    fn what_cannot_be_followed_stays_as_a_rest() {
        let mut stream = Stream::default();
        assert_eq!(stream.push(at(1), b"A\r\nno length\r\n\r\n"), []);
        assert_eq!(stream.push(at(2), b"B\r\nl: 0\r\n\r\n"), []);
        assert_eq!(stream.rest(), 27);
    }
}
