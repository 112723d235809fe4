use crate::line::{check_length, check_start, lines_of};
use crate::{ParseError, Protocol, Setup};

/// What decides on a session before anybody needs its whole description: of the first MSRP media that is not rejected, the
/// one that [`SessionDescription::msrp`](crate::SessionDescription::msrp) gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Glance {
    /// TCP or TLS.
    pub protocol: Protocol,
    /// `a=setup`, of the media or else of the session.
    pub setup: Option<Setup>,
    /// Whether the media is a file transfer and not a chat (RFC 5547 §6).
    pub is_file_transfer: bool,
}

/// Looks through a body of type `application/sdp` once and keeps nothing of it: for who only passes it on. It refuses what
/// [`SessionDescription::parse`](crate::SessionDescription::parse) refuses, and finds the same media. `None`: no MSRP.
pub fn glance(bytes: &[u8]) -> Result<Option<Glance>, ParseError> {
    check_length(bytes)?;
    check_start(bytes)?;
    let (mut session_setup, mut own_setup) = (None, None);
    let (mut found, mut in_session) = (None::<Glance>, true);
    for (content, _) in lines_of(bytes) {
        if content.starts_with(b"m=") {
            if found.is_some() {
                break;
            }
            in_session = false;
            found = msrp(content).map(|protocol| Glance { protocol, setup: None, is_file_transfer: false });
        } else if in_session || found.is_some() {
            let Some((attribute, value)) = attribute(content) else { continue };
            match (attribute, &mut found) {
                // The first one counts, readable or not.
                (Attribute::Setup, None) => _ = session_setup.get_or_insert_with(|| Setup::parse(value)),
                (Attribute::Setup, Some(_)) => _ = own_setup.get_or_insert_with(|| Setup::parse(value)),
                (Attribute::File, Some(found)) => found.is_file_transfer = true,
                (Attribute::File, None) => {}
            }
        }
    }
    Ok(found.map(|found| Glance { setup: own_setup.or(session_setup).flatten(), ..found }))
}

/// The protocol of an m-line of MSRP that is not rejected: `m=message PORT[/COUNT] PROTOCOL FORMAT…`.
fn msrp(content: &[u8]) -> Option<Protocol> {
    let mut fields = std::str::from_utf8(&content[2..]).ok()?.splitn(4, ' ');
    let media = fields.next()?;
    let (port, count) = fields.next().map(|text| text.split_once('/').unwrap_or((text, "1")))?;
    let (port, _) = (port.parse::<u16>().ok()?, count.parse::<u16>().ok()?);
    let protocol = fields.next()?;
    // An m-line without a format cannot be read, and stands for one that is rejected.
    fields.next()?;
    (media.eq_ignore_ascii_case("message") && port != 0).then(|| Protocol::parse(protocol.trim()))?
}

/// The attributes that a glance is after.
enum Attribute {
    Setup,
    File,
}

/// Which of them a line is, with its value. A line that is not UTF-8 is left out of every reading.
fn attribute(content: &[u8]) -> Option<(Attribute, &str)> {
    let text = content.strip_prefix(b"a=")?;
    let name = &text[..text.iter().position(|byte| *byte == b':').unwrap_or(text.len())];
    let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
    let attribute = match name.len() {
        5 if is("setup") => Attribute::Setup,
        13 if is("file-selector") => Attribute::File,
        16 if is("file-transfer-id") => Attribute::File,
        _ => return None,
    };
    let value = std::str::from_utf8(text).ok()?.get(name.len() + 1..).unwrap_or_default();
    Some((attribute, value.trim()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{MAX_BYTES, MAX_LINES, SessionDescription, samples};

    fn read_whole(bytes: &[u8]) -> Result<Option<Glance>, ParseError> {
        let description = SessionDescription::parse(bytes)?;
        Ok(description.msrp().map(|msrp| Glance {
            protocol: msrp.protocol,
            setup: msrp.setup,
            is_file_transfer: msrp.is_file_transfer,
        }))
    }

    #[test]
    fn a_glance_sees_what_a_whole_reading_sees() {
        for sample in samples::ALL {
            assert_eq!(glance(sample), read_whole(sample));
        }
        let long = [b"v=0\r\ns=".to_vec(), vec![b'x'; MAX_BYTES]].concat();
        let many = b"v=0\n".repeat(MAX_LINES + 1);
        for refused in [&b""[..], b"\r\n\r\n", b"hello", b"v=1\r\n", &long, &many] {
            assert_eq!(glance(refused), read_whole(refused));
            assert!(glance(refused).is_err());
        }
    }

    proptest! {
        #[test]
        fn also_of_descriptions_that_are_put_together_at_random(
            picks in proptest::collection::vec(0..LINES.len(), 0..14)
        ) {
            let text: String = std::iter::once("v=0\r\n").chain(picks.into_iter().map(|n| LINES[n])).collect();
            prop_assert_eq!(glance(text.as_bytes()), read_whole(text.as_bytes()), "{}", text);
        }
    }

    const LINES: [&str; 20] = [
        "o=- 1 1 IN IP4 192.0.2.1\r\n",
        "s=-\r\n",
        "c=IN IP4 192.0.2.1\n",
        "t=0 0\r\n",
        "\r\n",
        "m=audio 5004 RTP/AVP 0\r\n",
        "m=message 2855 TCP/MSRP *\r\n",
        "m=message 2855/2 tcp/tls/msrp *\n",
        "m=message 0 TCP/MSRP *\r\n",
        "m=message 99999 TCP/MSRP *\r\n",
        "m=message 2855 TCP/MSRP\r\n",
        "m=message x TCP/MSRP *\r\n",
        "m=message  2855 TCP/MSRP *\r\n",
        "m=message 2855/x TCP/MSRP *\r\n",
        "a=setup:active\r\n",
        "a=Setup: passive\n",
        "a=setup:sideways\r\n",
        "a=file-selector:name:\"x\"\r\n",
        "a=sendrecv\r\n",
        "not a line\r\n",
    ];
}
