//! Who a standalone message says that it is from (RFC 3862 §4.1), which receivers show to people.

use cpim::Envelope;
use cpm::{Refusal, ServedUser, SessionCase, aor};
use memchr::memmem;
use sip::{Name, Request, Uri};

/// Refuses a message that one of our users sends under the name of somebody else. It names the user, by any identity that
/// the core has asserted, or nobody, as CPM clients do.
pub(crate) fn must_be_from(request: &Request, served: &ServedUser) -> Result<(), Refusal> {
    const CPIM: &[u8] = b"message/cpim";
    let kind = request.header(Name::ContentType).unwrap_or_default();
    let is_cpim = kind.get(..CPIM.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(CPIM));
    if served.case == SessionCase::Terminating || !is_cpim {
        return Ok(());
    }
    let envelope;
    let from = match plain_from(request.body()) {
        Some(from) => from,
        None => {
            // Others may read what we cannot.
            envelope = Envelope::parse_start(request.body()).map_err(|_| refusal(400, "CPIM not understood"))?;
            let Some(from) = envelope.from() else { return Ok(()) };
            from.uri().as_bytes()
        }
    };
    // Nearly all: the user is named as the core names him.
    if from == served.aor.as_bytes() {
        return Ok(());
    }
    let from = Uri::parse(from).map_err(|_| refusal(400, "CPIM From not understood"))?;
    let said = aor(&from);
    let is_asserted =
        || request.addresses(Name::PAssertedIdentity).filter_map(Result::ok).any(|one| aor(&one.uri()) == said);
    if said == served.aor || is_nobody(&from) || is_asserted() {
        return Ok(());
    }
    Err(refusal(403, "CPIM From is somebody else"))
}

/// The URI of From where nobody can read it otherwise, as nearly all write it: `From: Name <sip:…>`, once, in a head of plain
/// lines. To read the whole envelope costs half as much as to forward the message.
fn plain_from(body: &[u8]) -> Option<&[u8]> {
    let head = &body[..memmem::find(body, b"\r\n\r\n")?];
    if memchr::memchr(b'\\', head).is_some() {
        return None;
    }
    let mut found = None;
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', head).chain([head.len()]) {
        let line = &head[std::mem::replace(&mut start, end + 1)..end];
        let name = &line[..memchr::memchr(b':', line)?];
        if name.len() < 4 || !name[name.len() - 4..].eq_ignore_ascii_case(b"from") {
            continue;
        }
        let value = line.strip_prefix(b"From: ").filter(|_| found.is_none())?;
        let uri = value.strip_suffix(b"\r").unwrap_or(value).strip_suffix(b">")?;
        let open = memchr::memchr(b'<', uri)?;
        found = Some(&uri[open + 1..]).filter(|uri| memchr::memchr3(b'<', b'>', b'"', uri).is_none());
        found?;
    }
    found
}

const fn refusal(status: u16, warning: &'static str) -> Refusal {
    Refusal { status, warning: Some(warning) }
}

/// RFC 3323 §4.1.1.3: no user is at a host below `invalid`.
fn is_nobody(uri: &Uri<'_>) -> bool {
    let host = uri.host().to_ascii_lowercase();
    uri.is_sip() && (host == b"invalid" || host.ends_with(b".invalid"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_plain_reads_as_the_whole_envelope_does_and_anything_odd_is_left_to_that() {
        let whole = |head: &str| format!("{head}\r\nContent-Type: text/plain\r\n\r\nhi");
        for head in [
            "From: <sip:a@home1.test>\r\nTo: <sip:b@home2.test>\r\n",
            "To: <sip:b@home2.test>\r\nFrom: Alice A. <sip:a@home1.test>\r\nNS: imdn <urn:ietf:params:imdn>\r\n",
        ] {
            let text = whole(head);
            let envelope = Envelope::parse_start(text.as_bytes()).unwrap();
            assert_eq!(plain_from(text.as_bytes()), envelope.from().map(|from| from.uri().as_bytes()), "{head}");
            assert!(plain_from(text.as_bytes()).is_some(), "{head}");
        }
        for head in [
            "To: <sip:b@home2.test>\r\n",
            "From: <sip:a@home1.test>\r\nFrom: <sip:eve@home1.test>\r\n",
            "from: <sip:a@home1.test>\r\nFrom: <sip:eve@home1.test>\r\n",
            "From: <sip:a@home1.test>\r\nx.From: <sip:eve@home1.test>\r\n",
            "From: <sip:a@home1.test> <sip:eve@home1.test>\r\n",
            "From: \"<\" <sip:a@home1.test>\r\n",
            "From: A\\<B <sip:a@home1.test>\r\n",
            "From:<sip:a@home1.test>\r\n",
            "From: <sip:a@home1.test>\r\n folded\r\n",
        ] {
            assert_eq!(plain_from(whole(head).as_bytes()), None, "{head}");
        }
    }
}
