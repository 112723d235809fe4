//! What of a message is nobody's business but its users'.

use bytes::Bytes;
use sip::{Limits, Message, Name};

/// The message without what proves a password and, unless `contents` are wanted, without what people have written: of the bodies
/// only SDP stays. With it its Call-ID. Of what is no SIP at all there is the first line.
pub(super) fn redacted(message: &Bytes, contents: bool) -> (Bytes, Bytes) {
    let message = match Message::parse(message.clone(), &Limits::default()) {
        Ok(message) => message,
        Err(malformed) => match malformed.message {
            Some(message) => *message,
            None => return (first_line(message), Bytes::new()),
        },
    };
    let mut edit = message.edit();
    for secret in [Name::Authorization, Name::ProxyAuthorization] {
        if message.has(secret) {
            edit.set(secret, "(left out)");
        }
    }
    let kind = message.header(Name::ContentType).unwrap_or_default().to_ascii_lowercase();
    if !contents && !message.body().is_empty() && !kind.starts_with(b"application/sdp") {
        edit.body(b"");
    }
    let call_id = message.header(Name::CallId).map(|id| message.share(id)).unwrap_or_default();
    (edit.finish(), call_id)
}

/// Up to where the first line ends.
pub(super) fn first_line(message: &Bytes) -> Bytes {
    message.slice(..message.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(message.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "Via: SIP/2.0/UDP h;branch=z9hG4bK1\nMax-Forwards: 70\nFrom: <sip:a@h>;tag=1\nTo: <sip:a@h>\nCall-Id : x@y\n";

    fn shown(message: &str, contents: bool) -> String {
        let (shown, call_id) = redacted(&message.replace('\n', "\r\n").into(), contents);
        assert_eq!(call_id, "x@y");
        String::from_utf8(shown.to_vec()).unwrap().replace("\r\n", "\n")
    }

    #[test]
    fn what_proves_a_password_is_left_out_with_its_further_lines() {
        let message =
            |proof: &str| format!("REGISTER sip:h SIP/2.0\n{HEAD}CSeq: 1 REGISTER\nAuthorization : {proof}\n\n");
        let secret = message("Digest username=\"a\",\n response=\"1234\"");
        assert_eq!(shown(&secret, true), message("(left out)"));
        // A message that is refused has passed all the same.
        assert_eq!(
            shown(&secret.replace("CSeq: 1", "CSeq: x"), true),
            message("(left out)").replace("CSeq: 1", "CSeq: x")
        );
    }

    #[test]
    fn what_people_write_is_left_out_and_what_machines_agree_on_is_not() {
        let message = |kind: &str, length: usize, body: &str| {
            format!(
                "MESSAGE sip:b SIP/2.0\n{HEAD}CSeq: 1 MESSAGE\nContent-Type: {kind}\nContent-Length: {length}\n\n{body}"
            )
        };
        let text = message("text/plain", 5, "hello");
        assert_eq!(shown(&text, false), message("text/plain", 0, ""));
        assert_eq!(shown(&text, true), text);
        let offer = message("Application/SDP", 3, "v=0");
        assert_eq!(shown(&offer, false), offer);
    }

    #[test]
    fn of_what_is_no_sip_there_is_the_first_line() {
        let (shown, call_id) = redacted(&"hello\n\nAuthorization: Digest x".into(), true);
        assert_eq!((&*shown, &*call_id), (&b"hello"[..], &b""[..]));
    }
}
