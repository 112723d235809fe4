//! What of a message is nobody's business but its users'.

use bytes::{Bytes, BytesMut};
use msrp::Cut;
use sip::{Limits, Message, Name};
use wire::Timestamp;

/// What stands in place of a value that is nobody's business.
const LEFT_OUT: &str = "(left out)";

/// A message of SIP, even one that should be refused; nothing if it is none at all.
pub(super) fn read(message: &Bytes) -> Option<Box<Message>> {
    match Message::parse(message.clone(), &Limits::default()) {
        Ok(message) => Some(Box::new(message)),
        Err(malformed) => malformed.message,
    }
}

/// The message without what proves a password and, unless `contents` are wanted, without what people have written: of the bodies
/// only SDP stays.
pub(super) fn sip(message: &Message, contents: bool) -> Bytes {
    let mut edit = message.edit();
    for secret in [Name::Authorization, Name::ProxyAuthorization] {
        if message.has(secret) {
            edit.set(secret, LEFT_OUT);
        }
    }
    let kind = message.header(Name::ContentType).unwrap_or_default().to_ascii_lowercase();
    if !contents && !message.body().is_empty() && !kind.starts_with(b"application/sdp") {
        edit.body(b"");
    }
    edit.finish()
}

/// The same of MSRP. What is left has the form of a message whose body, or the rest of it, is empty. Header fields that are not
/// known to be about the transport may hold what people have written, as names do: unless `contents` are wanted they are left
/// out, too, and so are parameters of a media type, among which are names of files.
pub(super) fn msrp(cut: &Cut<Timestamp>, contents: bool) -> Bytes {
    let mut out = BytesMut::from(cut.head.start_line());
    out.extend_from_slice(b"\r\n");
    for (name, value) in cut.head.fields() {
        for part in [name, b": ", shown(name, value, contents), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    if cut.head.has_body() {
        out.extend_from_slice(b"\r\n");
    }
    if contents && !cut.body.is_empty() {
        out.extend_from_slice(&cut.body);
        out.extend_from_slice(b"\r\n");
    }
    msrp::end_line(&mut out, cut.head.transaction_id(), cut.flag);
    out.freeze()
}

/// The value of a header field of MSRP, as far as it is shown.
fn shown<'v>(name: &[u8], value: &'v [u8], contents: bool) -> &'v [u8] {
    match msrp::Name::from_bytes(name) {
        msrp::Name::Authorization => LEFT_OUT.as_bytes(),
        msrp::Name::Other if !contents => LEFT_OUT.as_bytes(),
        msrp::Name::ContentType if !contents => value.split(|byte| *byte == b';').next().unwrap_or_default(),
        msrp::Name::Other
        | msrp::Name::ContentType
        | msrp::Name::ToPath
        | msrp::Name::FromPath
        | msrp::Name::MessageId
        | msrp::Name::ByteRange
        | msrp::Name::SuccessReport
        | msrp::Name::FailureReport
        | msrp::Name::Status
        | msrp::Name::Expires
        | msrp::Name::MinExpires
        | msrp::Name::MaxExpires
        | msrp::Name::UsePath
        | msrp::Name::WwwAuthenticate
        | msrp::Name::AuthenticationInfo => value,
    }
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
        let message = read(&message.replace('\n', "\r\n").into()).unwrap();
        String::from_utf8(sip(&message, contents).to_vec()).unwrap().replace("\r\n", "\n")
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
        let message: Bytes = "hello\n\nAuthorization: Digest x".into();
        assert!(read(&message).is_none());
        assert_eq!(first_line(&message), "hello");
    }

    /// What is shown of the only frame in a stream of MSRP of whose bodies 5 octets are kept.
    fn shown_msrp(stream: &str, contents: bool) -> String {
        let cut = msrp::Cutter::new(5).push(Timestamp::default(), stream.replace('\n', "\r\n").into());
        String::from_utf8(msrp(&cut[0], contents).to_vec()).unwrap().replace("\r\n", "\n")
    }

    #[test]
    fn of_msrp_there_are_start_line_transport_and_end_line() {
        let frame = |disposition: &str, kind: &str, body: &str| {
            format!(
                "MSRP abcd SEND\nTo-Path: msrp://b:1/s;tcp\nFrom-Path: msrp://a:1/t;tcp\nMessage-ID: m1\nByte-Range: 1-9/9\n\
                 Content-Disposition: {disposition}\nContent-Type: {kind}\n\n{body}-------abcd+\n"
            )
        };
        let (disposition, kind) = ("attachment; filename=\"ruin.jpg\"", "image/jpeg;name=\"ruin.jpg\"");
        let sent = frame(disposition, kind, "see you at\n");
        assert_eq!(shown_msrp(&sent, false), frame("(left out)", "image/jpeg", ""));
        assert_eq!(shown_msrp(&sent, true), frame(disposition, kind, "see y\n"));
        let answer = "MSRP abcd 200 OK\nTo-Path: msrp://a:1/t;tcp\nFrom-Path: msrp://b:1/s;tcp\n-------abcd$\n";
        assert_eq!(shown_msrp(answer, false), answer);
        let proof = |proof: &str| {
            format!(
                "MSRP abcd AUTH\nTo-Path: msrps://r;tcp\nFrom-Path: msrps://a:1/t;tcp\nAuthorization: {proof}\n-------abcd$\n"
            )
        };
        assert_eq!(shown_msrp(&proof("Digest response=\"1\""), true), proof("(left out)"));
    }
}
