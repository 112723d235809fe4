//! What of a message is nobody's business but its users'.

/// The message without what proves a password and, unless `contents` are wanted, without what people have written: of the bodies
/// only SDP stays. Content-Length stays as it was: who looks at it sees that something was there.
pub(super) fn redacted(message: &[u8], contents: bool) -> Vec<u8> {
    let end = message.windows(4).position(|window| window == b"\r\n\r\n").map_or(message.len(), |at| at + 4);
    let (head, body) = message.split_at(end);
    let (mut out, mut is_sdp) = (Vec::with_capacity(message.len()), false);
    let mut is_secret = false;
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        let is_continued = line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t'));
        if is_continued && is_secret {
            continue;
        }
        let (name, value) = line.split_at(line.iter().position(|byte| *byte == b':').map_or(0, |colon| colon + 1));
        let is =
            |names: &[&str]| names.iter().any(|known| name.trim_ascii_end().eq_ignore_ascii_case(known.as_bytes()));
        is_secret = is(&["Authorization:", "Proxy-Authorization:"]);
        if is(&["Content-Type:", "c:"]) {
            is_sdp = value.trim_ascii().to_ascii_lowercase().starts_with(b"application/sdp");
        }
        if is_secret {
            out.extend_from_slice(name);
            out.extend_from_slice(b" (left out)\r\n");
        } else {
            out.extend_from_slice(line);
        }
    }
    if contents || is_sdp {
        out.extend_from_slice(body);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(message: &str, contents: bool) -> String {
        String::from_utf8(redacted(message.replace('\n', "\r\n").as_bytes(), contents)).unwrap().replace("\r\n", "\n")
    }

    #[test]
    fn what_proves_a_password_is_left_out_with_its_further_lines() {
        let message =
            "REGISTER sip:h SIP/2.0\nAuthorization: Digest username=\"a\",\n response=\"1234\"\nCSeq: 1 REGISTER\n\n";
        let expected = "REGISTER sip:h SIP/2.0\nAuthorization: (left out)\nCSeq: 1 REGISTER\n\n";
        assert_eq!(shown(message, true), expected);
    }

    #[test]
    fn what_people_write_is_left_out_and_what_machines_agree_on_is_not() {
        let text = "MESSAGE sip:b SIP/2.0\nContent-Type: text/plain\nContent-Length: 5\n\nhello";
        assert_eq!(shown(text, false), text.strip_suffix("hello").unwrap());
        assert_eq!(shown(text, true), text);
        let offer = "INVITE sip:b SIP/2.0\nc: Application/SDP\n\nv=0\n";
        assert_eq!(shown(offer, false), offer);
    }
}
