use bytes::{Buf, Bytes, BytesMut};

use crate::{Frame, Limits, frame};

/// Cuts one direction of a connection, as somebody watches it pass, into messages; with the time `At` of each.
#[derive(Clone, Debug, Default)]
pub struct Cutter<At> {
    buffer: BytesMut,
    /// When the piece with the first octet of the buffer passed.
    since: At,
    /// Octets since the stream could not be followed any more: they are counted, not kept.
    lost: Option<usize>,
}

impl<At: Copy> Cutter<At> {
    /// Takes a piece as long as it happened to be and gives the messages that it completes, each with the time at which
    /// its first octet passed. Keep-alives are left out (RFC 5626 §3.5.1).
    pub fn push(&mut self, at: At, data: &[u8]) -> Vec<(At, Bytes)> {
        if let Some(lost) = &mut self.lost {
            *lost += data.len();
            return Vec::new();
        }
        if self.buffer.is_empty() {
            self.since = at;
        }
        self.buffer.extend_from_slice(data);
        let mut messages = Vec::new();
        while !self.buffer.is_empty() {
            match frame(&self.buffer, &Limits::default()) {
                Ok(Frame::Incomplete) => break,
                Ok(Frame::Blank { len, .. }) => {
                    self.buffer.advance(len);
                    self.since = at;
                }
                Ok(Frame::Message { len }) => {
                    messages.push((self.since, self.buffer.split_to(len).freeze()));
                    self.since = at;
                }
                Err(_) => {
                    self.lost = Some(std::mem::take(&mut self.buffer).len());
                }
            }
        }
        messages
    }

    /// Octets that make no message.
    pub fn rest(&self) -> usize {
        // A lone CR or LF between messages may be half a keep-alive.
        if let Some(lost) = self.lost {
            lost
        } else if self.buffer.iter().all(|b| matches!(b, b'\r' | b'\n')) {
            0
        } else {
            self.buffer.len()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_in_pieces_counts_from_its_first_octet() {
        let mut stream = Cutter::default();
        assert_eq!(stream.push(1, b"A\r\nl: 3\r"), []);
        assert_eq!(stream.push(2, b"\n\r\nab"), []);
        assert_eq!(stream.rest(), 13);
        let text = b"cB\r\nl: 0\r\n\r\n\r\n\r\nC\r\nl: 0\r\n\r\n";
        let expected = [(1, "A\r\nl: 3\r\n\r\nabc"), (3, "B\r\nl: 0\r\n\r\n"), (3, "C\r\nl: 0\r\n\r\n")];
        assert_eq!(stream.push(3, text), expected.map(|(at, text)| (at, Bytes::from_static(text.as_bytes()))));
        assert_eq!(stream.rest(), 0);
    }

    #[test]
    fn what_cannot_be_followed_is_counted_and_not_kept() {
        let mut stream = Cutter::default();
        assert_eq!(stream.push(1, b"A\r\nno length\r\n\r\n"), []);
        assert_eq!(stream.push(2, b"B\r\nl: 0\r\n\r\n"), []);
        assert_eq!((stream.rest(), stream.buffer.capacity()), (27, 0));
    }
}
