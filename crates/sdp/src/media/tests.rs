use sdp_types::HashFunc;

use super::*;
use crate::samples::{self, msrp};

fn ip(text: &str) -> Option<Host> {
    Some(Host::Ip(text.parse().unwrap()))
}

#[test]
fn a_handset_offer_is_read_in_full() {
    assert_eq!(
        msrp(samples::HANDSET),
        MsrpMedia {
            index: 0,
            port: 40002,
            protocol: Protocol::Tcp,
            address: ip("192.0.2.10"),
            path: MsrpUri::parse_path("msrp://192.0.2.10:40002/h4nd5et;tcp").unwrap(),
            accept_types: MediaTypes::parse("message/cpim application/im-iscomposing+xml"),
            accept_wrapped_types: MediaTypes::parse("text/plain message/imdn+xml"),
            setup: Some(Setup::ActPass),
            connection: Connection::New,
            cema: true,
            fingerprints: Vec::new(),
            direction: Direction::SendRecv,
            max_size: None,
            is_file_transfer: false,
            unreadable: Vec::new(),
        }
    );
    assert!(msrp(samples::HANDSET).path_agrees_with_connection());
}

#[test]
fn a_desktop_offer_has_its_address_at_media_level_and_accepts_anything_wrapped() {
    let media = msrp(samples::DESKTOP);
    assert_eq!(media.address, ip("198.51.100.4"));
    assert!(media.accept_types.accepts("text/html") && !media.accept_types.accepts("image/png"));
    assert!(media.accept_wrapped_types.accepts("image/png"));
    assert!(!media.cema);
}

#[test]
fn a_sloppy_offer_is_read_with_its_misspelling() {
    let media = msrp(samples::SLOPPY);
    assert_eq!(media.accept_types.to_string(), "message/cpim application/im-iscomposing+xm");
    assert_eq!((media.setup, media.port), (Some(Setup::Active), 9));
    assert!(media.path[0].host().is_unspecified());
}

#[test]
fn a_secure_offer_takes_fingerprint_and_direction_from_the_session() {
    let media = msrp(samples::SECURE);
    assert_eq!(media.protocol, Protocol::Tls);
    assert_eq!(media.address, ip("2001:db8::5"));
    assert_eq!(media.fingerprints, [Fingerprint::with_fingerprint(HashFunc::Sha256, [10, 11, 12, 13, 255])]);
    assert_eq!(media.fingerprints, ["SHA-256 0A:0B:0C:0D:FF".parse().unwrap()], "case does not matter");
    assert_eq!((media.direction, media.connection), (Direction::RecvOnly, Connection::Existing));
    assert_eq!(media.max_size, Some(1_048_576));
    assert!(media.path[0].is_tls() && media.path_agrees_with_connection());
}

#[test]
fn an_attribute_of_the_media_wins_over_that_of_the_session() {
    assert_eq!(msrp(samples::SOUND_AND_CHAT).setup, Some(Setup::Active));

    let body = [samples::SECURE, b"a=sendonly\r\na=fingerprint:sha-1 77\r\n"].concat();
    let media = msrp(&body);
    assert_eq!(media.direction, Direction::SendOnly);
    assert_eq!(media.fingerprints, [Fingerprint::with_fingerprint(HashFunc::Sha1, [0x77])]);
}

#[test]
fn a_file_transfer_is_told_from_a_chat() {
    let description = samples::parse(samples::FILE_THEN_CHAT);
    let is_file: Vec<_> = description.msrp_media().iter().map(|media| (media.port, media.is_file_transfer)).collect();
    assert_eq!(is_file, [(0, true), (2855, false)]);
}

#[test]
fn an_attribute_that_cannot_be_read_is_reported() {
    let body = b"v=0\r\nm=message 7 TCP/MSRP *\r\nc=IN IP4 chat.example.org\r\na=path:sip:x\r\na=setup:sideways\r\n\
a=connection:old\r\na=fingerprint:sha-1 XY\r\na=fingerprint:sha-1 \r\na=fingerprint:sha-1 AB\r\na=max-size:many\r\n";
    let media = msrp(body);
    assert_eq!(media.unreadable, ["path", "setup", "connection", "fingerprint", "fingerprint", "max-size"]);
    assert_eq!((media.path.len(), media.setup, media.fingerprints.len(), media.max_size), (0, None, 1, None));
    assert_eq!(media.address, Some(Host::Name("chat.example.org".into())));
}

#[test]
fn other_media_and_other_protocols_are_no_msrp() {
    for line in ["m=audio 5 TCP/MSRP *", "m=message 5 TCP/WSS/MSRP *", "m=message 5 RTP/AVP *", "m=application 5 TCP *"]
    {
        let description = samples::parse(format!("v=0\r\n{line}\r\n").as_bytes());
        assert_eq!((description.media_count(), description.msrp_media().len()), (1, 0), "{line}");
    }
}
