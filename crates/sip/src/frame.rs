use crate::header_value::content_length;
use crate::{Limits, ParseError};

/// What the start of a byte stream holds (RFC 3261 §18.3: on streams Content-Length is mandatory).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Frame {
    /// Not a whole message yet.
    Incomplete,
    /// CRLFs between messages: `len` octets to skip. `ping` says that they are a keep-alive (RFC 5626 §3.5.1) to answer
    /// with one CRLF.
    Blank {
        /// Octets to skip.
        len: usize,
        /// Whether it was a double CRLF.
        ping: bool,
    },
    /// A message of `len` octets.
    Message {
        /// Octets of the message.
        len: usize,
    },
}

/// Finds the first message in `stream`. An error means that the stream cannot be followed any further: answer if possible
/// (the octets up to the error may hold a whole head) and close.
pub fn frame(stream: &[u8], limits: &Limits) -> Result<Frame, ParseError> {
    if stream.starts_with(b"\r\n") {
        let ping = stream.starts_with(b"\r\n\r\n");
        return Ok(Frame::Blank { len: if ping { 4 } else { 2 }, ping });
    }
    let Some(head) = memchr::memmem::find(stream, b"\r\n\r\n") else {
        if stream.len() > limits.head {
            return Err(ParseError::new(limits.head, "a smaller head").with_status(513));
        }
        return Ok(Frame::Incomplete);
    };
    let head = head + 4;
    if head > limits.head {
        return Err(ParseError::new(limits.head, "a smaller head").with_status(513));
    }
    let length = content_length(&stream[..head])?;
    if length > limits.body as u64 {
        return Err(ParseError::new(head, "a smaller body").with_status(413));
    }
    let len = head + length as usize;
    Ok(if stream.len() < len { Frame::Incomplete } else { Frame::Message { len } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stream: &str) -> Result<Frame, ParseError> {
        frame(stream.as_bytes(), &Limits { head: 64, body: 100, headers: 10 })
    }

    #[test]
    fn messages_are_cut_by_content_length() {
        assert_eq!(check("A\r\nl: 3\r\n\r\nabcX"), Ok(Frame::Message { len: 14 }));
        assert_eq!(check("A\r\nContent-Length : 3\r\n\r\nab"), Ok(Frame::Incomplete));
        assert_eq!(check("A\r\nl"), Ok(Frame::Incomplete));
        assert_eq!(check("\r\n\r\nA"), Ok(Frame::Blank { len: 4, ping: true }));
        assert_eq!(check("\r\nA"), Ok(Frame::Blank { len: 2, ping: false }));
    }

    #[test]
    fn a_stream_that_cannot_be_followed_is_an_error() {
        assert_eq!(check("A\r\nf: x\r\n\r\n").unwrap_err().status, 0);
        assert_eq!(check("A\r\nl: -1\r\n\r\n").unwrap_err().status, 400);
        assert_eq!(check("A\r\nl: 1\r\nl: 2\r\n\r\n").unwrap_err().status, 400);
        assert_eq!(check("A\r\nl: 101\r\n\r\n").unwrap_err().status, 413);
        assert_eq!(check("A\r\nl: 36893488147419103232\r\n\r\n").unwrap_err().status, 400);
        assert_eq!(check(&"A".repeat(65)).unwrap_err().status, 513);
    }
}
