use super::*;
use crate::samples;

pub(crate) const ID: OriginId = OriginId { session_id: 77, version: 78 };

/// Our side, over TCP and IPv4.
pub(crate) fn local() -> LocalMedia {
    LocalMedia {
        address: "192.0.2.50".parse().unwrap(),
        port: 2855,
        session_id: "0ur5".into(),
        tls: false,
        setup: Setup::Passive,
        accept_types: MediaTypes::parse("message/cpim application/im-iscomposing+xml"),
        accept_wrapped_types: MediaTypes::parse("text/plain message/imdn+xml"),
        cema: true,
        fingerprint: Some("SHA-256 AB:CD".parse().unwrap()),
        direction: Direction::SendRecv,
        max_size: None,
        relays: Vec::new(),
    }
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

fn answered(offer: &[u8], local: &LocalMedia) -> SessionDescription {
    samples::parse(&answer(&samples::parse(offer), local, ID).unwrap())
}

#[test]
fn an_offer_is_printed_as_the_profiles_have_it() {
    let expected = "v=0\r\no=- 77 78 IN IP4 192.0.2.50\r\ns=-\r\nc=IN IP4 192.0.2.50\r\nt=0 0\r\n\
m=message 2855 TCP/MSRP *\r\na=accept-types:message/cpim application/im-iscomposing+xml\r\n\
a=accept-wrapped-types:text/plain message/imdn+xml\r\na=setup:actpass\r\na=connection:new\r\n\
a=path:msrp://192.0.2.50:2855/0ur5;tcp\r\na=msrp-cema\r\na=sendrecv\r\n";
    assert_eq!(text(&offer(&LocalMedia { setup: Setup::ActPass, ..local() }, ID)), expected);
}

#[test]
fn relays_stand_before_us_in_the_path_and_the_first_is_where_others_connect() {
    let relay = |text: &str| MsrpUri::parse(text).unwrap();
    for (first, address, port) in [
        ("msrp://192.0.2.9:9000/r1;tcp", "192.0.2.9", 9000),
        ("msrp://192.0.2.9/r1;tcp", "192.0.2.9", 2855),
        ("msrp://relay.example.org:9000/r1;tcp", "192.0.2.50", 2855),
    ] {
        let relays = vec![relay(first), relay("msrp://192.0.2.8:1/r2;tcp")];
        let local = LocalMedia { relays: relays.clone(), cema: false, ..local() };
        let description = samples::parse(&offer(&local, ID));
        let media = description.msrp().unwrap();
        assert_eq!(media.path, [&relays[..], &[local.uri()]].concat());
        assert_eq!((&media.address, media.port), (&Some(Host::Ip(address.parse().unwrap())), port), "{first}");
    }
}

#[test]
fn what_we_offer_is_what_is_read() {
    let local = LocalMedia {
        address: "2001:db8::50".parse().unwrap(),
        tls: true,
        setup: Setup::Active,
        direction: Direction::SendOnly,
        max_size: Some(5000),
        cema: false,
        ..local()
    };
    let description = samples::parse(&offer(&local, ID));
    let media = description.msrp().unwrap();
    assert_eq!(description.origin_id(), Some(ID));
    assert_eq!((media.port, media.protocol, &media.path), (2855, Protocol::Tls, &vec![local.uri()]));
    assert_eq!(media.address, Some(Host::Ip(local.address)));
    assert_eq!((media.setup, media.direction), (Some(Setup::Active), Direction::SendOnly));
    assert_eq!(
        (media.max_size, media.cema, &media.fingerprints),
        (Some(5000), false, &vec![local.fingerprint.unwrap()])
    );
    assert_eq!((&media.accept_types, &media.accept_wrapped_types), (&local.accept_types, &local.accept_wrapped_types));
}

#[test]
fn an_answer_has_the_m_lines_of_the_offer_and_takes_the_first_that_fits() {
    let bytes = answer(&samples::parse(samples::SOUND_AND_CHAT), &local(), ID).unwrap();
    let expected = "v=0\r\no=- 77 78 IN IP4 192.0.2.50\r\ns=-\r\nc=IN IP4 192.0.2.50\r\nt=3900000000 3900003600\r\n\
m=audio 0 RTP/AVP 0 8\r\nm=message 2855 TCP/MSRP *\r\na=accept-types:message/cpim application/im-iscomposing+xml\r\n\
a=accept-wrapped-types:text/plain message/imdn+xml\r\na=setup:passive\r\na=connection:new\r\n\
a=path:msrp://192.0.2.50:2855/0ur5;tcp\r\na=sendrecv\r\n";
    assert_eq!(text(&bytes), expected);
}

#[test]
fn of_several_msrp_media_only_one_is_taken() {
    let offered = [samples::FILE_THEN_CHAT, b"m=message 9 TCP/MSRP *\r\na=path:msrp://h:9/x;tcp\r\n"].concat();
    let ports = |description: &SessionDescription| description.msrp_media().iter().map(|m| m.port).collect::<Vec<_>>();
    assert_eq!(ports(&answered(&offered, &local())), [0, 2855, 0]);
}

#[test]
fn misspelt_and_missing_types_are_no_reason_to_refuse() {
    assert_eq!(answered(samples::SLOPPY, &local()).msrp().unwrap().setup, Some(Setup::Passive));
    let without_types = b"v=0\r\nm=message 9 TCP/MSRP *\r\na=path:msrp://h:9/x;tcp\r\n";
    assert!(answered(without_types, &local()).msrp().is_some());
}

#[test]
fn cema_is_answered_only_where_it_was_offered() {
    for (offered, ours, answer) in [
        (samples::HANDSET, true, true),
        (samples::HANDSET, false, false),
        (samples::DESKTOP, true, false),
        (samples::DESKTOP, false, false),
    ] {
        assert_eq!(answered(offered, &LocalMedia { cema: ours, ..local() }).msrp().unwrap().cema, answer);
    }
}

#[test]
fn a_secure_offer_is_answered_securely() {
    let local = LocalMedia { tls: true, ..local() };
    let answer = answered(samples::SECURE, &local);
    let media = answer.msrp().unwrap();
    assert_eq!(media.protocol, Protocol::Tls);
    assert_eq!(media.setup, Some(Setup::Active), "the offerer waits");
    assert_eq!(media.fingerprints, [local.fingerprint.unwrap()]);
    assert_eq!(media.direction, Direction::SendOnly, "the offerer only receives");
}

#[test]
fn directions_are_mirrored_within_what_we_want() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    for (offered, ours, expected) in [
        (SendRecv, SendRecv, SendRecv),
        (SendOnly, SendRecv, RecvOnly),
        (RecvOnly, SendRecv, SendOnly),
        (Inactive, SendRecv, Inactive),
        (SendRecv, RecvOnly, RecvOnly),
        (SendOnly, SendOnly, Inactive),
        (RecvOnly, SendOnly, SendOnly),
    ] {
        let offered = offer(&LocalMedia { direction: offered, ..local() }, ID);
        let answer = answered(&offered, &LocalMedia { direction: ours, ..local() });
        assert_eq!(answer.msrp().unwrap().direction, expected);
    }
}

#[test]
fn an_offer_that_does_not_fit_is_refused_with_the_reason() {
    let tls = LocalMedia { tls: true, ..local() };
    let pictures = b"v=0\r\nm=message 9 TCP/MSRP *\r\na=path:msrp://h:9/x;tcp\r\na=accept-types:image/*\r\n";
    for (offered, local, refusal) in [
        (&b"v=0\r\n"[..], &local(), Refusal::NoMsrpMedia),
        (b"v=0\r\nm=audio 5004 RTP/AVP 0\r\n", &local(), Refusal::NoMsrpMedia),
        (b"v=0\r\nm=message 0 TCP/MSRP *\r\na=path:msrp://h:9/x;tcp\r\n", &local(), Refusal::NoMsrpMedia),
        (b"v=0\r\nm=message 9 TCP/MSRP *\r\na=path:nowhere\r\n", &local(), Refusal::NoMsrpMedia),
        (samples::SECURE, &local(), Refusal::OtherProtocol),
        (samples::HANDSET, &tls, Refusal::OtherProtocol),
        (pictures, &local(), Refusal::NoCommonType),
    ] {
        assert_eq!(answer(&samples::parse(offered), local, ID), Err(refusal));
    }
}
