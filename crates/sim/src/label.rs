/// What a stream's buffered bytes begin with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Frame {
    /// Not yet a whole message.
    Incomplete,
    /// This many bytes that no ladder shows: a keep-alive.
    Skip(usize),
    /// A message of this many bytes.
    Message(usize),
}

/// Cuts streams into messages and names them for the ladder.
pub trait Labeller {
    /// What `buffer` begins with; it is not empty. A frame of 0 bytes counts as incomplete.
    fn frame(&self, buffer: &[u8]) -> Frame;

    /// What the ladder calls a message; `None` leaves it out, as befits a keep-alive.
    fn label(&self, message: &[u8]) -> Option<String>;
}

/// Knows just enough of SIP and MSRP to draw a ladder: `INVITE`, `200 OK`, `MSRP SEND`, `MSRP 200 OK`. Anything else is
/// treated like SIP and called by its first line.
///
/// Deliberately not our parser: the ladder must also show what our parser would refuse.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextLabeller;

impl Labeller for TextLabeller {
    fn frame(&self, buffer: &[u8]) -> Frame {
        // RFC 5626 §3.5.1: a keep-alive is CRLF CRLF, its answer CRLF. RFC 3261 §7.5: CRLF before a start-line is skipped.
        let blank = buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        if blank > 0 {
            return Frame::Skip(blank);
        }
        let length = if is_msrp(buffer) { msrp_length(buffer) } else { sip_length(buffer) };
        match length {
            Some(length) if length <= buffer.len() => Frame::Message(length),
            Some(_) | None => Frame::Incomplete,
        }
    }

    fn label(&self, message: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(message);
        let line = text.trim_start().lines().next()?.trim_end();
        if let Some(status) = line.strip_prefix("SIP/2.0 ") {
            return Some(status.to_owned());
        }
        if let Some(rest) = line.strip_prefix("MSRP ") {
            let what = rest.split_once(' ').map_or("", |(_transaction, what)| what);
            return Some(format!("MSRP {what}").trim_end().to_owned());
        }
        if line.ends_with("SIP/2.0") {
            return line.split(' ').next().map(str::to_owned);
        }
        Some(line.chars().map(|c| if c.is_control() { '.' } else { c }).take(40).collect())
    }
}

fn is_msrp(buffer: &[u8]) -> bool {
    buffer.starts_with(b"MSRP ")
}

/// RFC 3261 §18.3: on a stream, Content-Length says where a message ends.
fn sip_length(buffer: &[u8]) -> Option<usize> {
    let head = find(buffer, b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&buffer[..head]).into_owned();
    let body = text.lines().filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        let name = name.trim();
        let is_length = name.eq_ignore_ascii_case("Content-Length") || name.eq_ignore_ascii_case("l");
        is_length.then(|| value.trim().parse::<usize>().unwrap_or(0))
    });
    head.checked_add(body.unwrap_or(0))
}

/// RFC 4975 §7.1: the end-line is seven hyphens, the transaction identifier and a continuation flag.
fn msrp_length(buffer: &[u8]) -> Option<usize> {
    let line = &buffer[..find(buffer, b"\r\n")?];
    let transaction = line.split(|byte| *byte == b' ').nth(1)?;
    let end_line = [b"\r\n-------", transaction].concat();
    let mut from = line.len();
    loop {
        let at = from + find(&buffer[from..], &end_line)? + end_line.len();
        match buffer.get(at..at + 3)? {
            [b'$' | b'#' | b'+', b'\r', b'\n'] => return Some(at + 3),
            [..] => from = at,
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_called_by_method_or_status() {
        for (message, label) in [
            ("INVITE sip:bob@b.example SIP/2.0\r\nl: 0\r\n\r\n", Some("INVITE")),
            ("SIP/2.0 481 Call/Transaction Does Not Exist\r\n\r\n", Some("481 Call/Transaction Does Not Exist")),
            ("MSRP a1 SEND\r\nTo-Path: x\r\n-------a1$\r\n", Some("MSRP SEND")),
            ("MSRP a1 200 OK\r\n-------a1$\r\n", Some("MSRP 200 OK")),
            ("MSRP a1 200\r\n-------a1$\r\n", Some("MSRP 200")),
            ("junk\u{1}\r\nmore", Some("junk.")),
            ("\r\n\r\n", None),
            ("", None),
        ] {
            assert_eq!(TextLabeller.label(message.as_bytes()).as_deref(), label, "{message:?}");
        }
    }

    #[test]
    fn content_length_ends_a_sip_message() {
        let one = b"MESSAGE sip:b SIP/2.0\r\nContent-length : 5\r\n\r\nhello";
        let mut stream = one.to_vec();
        stream.extend_from_slice(b"BYE");
        assert_eq!(TextLabeller.frame(&stream), Frame::Message(one.len()));
        for cut in 1..one.len() {
            assert_eq!(TextLabeller.frame(&one[..cut]), Frame::Incomplete, "cut at {cut}");
        }
    }

    #[test]
    fn the_end_line_ends_an_msrp_message() {
        let one = b"MSRP ab SEND\r\nA: b\r\n\r\nbody\r\n-------abc$\r\n-------ab+\r\n";
        let stream = [one.as_slice(), b"MSRP"].concat();
        assert_eq!(TextLabeller.frame(&stream), Frame::Message(one.len()));
        for cut in 1..one.len() {
            assert_eq!(TextLabeller.frame(&one[..cut]), Frame::Incomplete, "cut at {cut}");
        }
    }

    #[test]
    fn keep_alives_are_skipped() {
        assert_eq!(TextLabeller.frame(b"\r\n\r\nBYE"), Frame::Skip(4));
    }

    #[test]
    fn an_absurd_length_is_never_complete() {
        let message = format!("BYE sip:b SIP/2.0\r\nl: {}\r\n\r\n", usize::MAX);
        assert_eq!(TextLabeller.frame(message.as_bytes()), Frame::Incomplete);
    }
}
