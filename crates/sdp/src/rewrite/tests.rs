use proptest::prelude::*;

use super::*;
use crate::{Host, samples};

fn change() -> Rewrite {
    Rewrite {
        address: "203.0.113.9".parse().unwrap(),
        port: 7000,
        path: MsrpUri::parse_path("msrp://203.0.113.9:7000/leg2;tcp").unwrap(),
        setup: Some(Setup::Passive),
        fingerprint: None,
        tls: false,
        origin: None,
        cema: None,
        max_size: None,
    }
}

#[test]
fn support_of_cema_and_the_largest_message_are_those_of_whoever_is_connected_to() {
    let change = |cema, max_size| Rewrite { cema: Some(cema), max_size, ..change() };
    for body in [samples::HANDSET, samples::DESKTOP, samples::SECURE] {
        for cema in [true, false] {
            let bytes = rewritten(body, &change(cema, None));
            assert_eq!(samples::msrp(&bytes).cema, cema);
            let count = String::from_utf8_lossy(&bytes).matches("a=msrp-cema").count();
            assert_eq!(count, usize::from(cema));
        }
    }
    for (body, ours, said) in [
        (samples::HANDSET, Some(5000), Some(5000)),
        (samples::SECURE, Some(5000), Some(5000)),
        (samples::SECURE, Some(2 << 20), Some(1 << 20)),
        (samples::SECURE, None, Some(1 << 20)),
    ] {
        assert_eq!(samples::msrp(&rewritten(body, &change(true, ours))).max_size, said);
    }
}

#[test]
fn a_change_knows_how_what_it_prints_reads() {
    let bounds = [None, Some(5000), Some(2 << 20)];
    let fingerprint = Some(Fingerprint::with_fingerprint(sdp_types::HashFunc::Sha256, [0xab, 0x01]));
    for body in [samples::HANDSET, samples::DESKTOP, samples::SLOPPY, samples::SECURE, samples::SOUND_AND_CHAT] {
        let description = samples::parse(body);
        for (max_size, cema) in bounds.into_iter().zip([None, Some(true), Some(false)]) {
            for change in [
                Rewrite { cema, max_size, ..change() },
                Rewrite { cema, max_size, fingerprint: fingerprint.clone(), tls: true, ..change() },
                Rewrite { cema, max_size, path: Vec::new(), setup: None, ..change() },
            ] {
                let printed = samples::parse(&rewrite(&description, &change));
                let reading = description.msrp().map(|media| change.reading(media));
                assert_eq!(printed.msrp(), reading.as_ref(), "{}", body.escape_ascii());
            }
        }
    }
}

fn rewritten(body: &[u8], change: &Rewrite) -> Vec<u8> {
    rewrite(&samples::parse(body), change)
}

/// Replaces each text that stands exactly once in a body.
fn with(body: &[u8], pairs: &[(&str, &str)]) -> Vec<u8> {
    pairs.iter().fold(body.to_vec(), |body, (from, to)| {
        let places: Vec<usize> =
            body.windows(from.len()).enumerate().filter(|(_, w)| *w == from.as_bytes()).map(|p| p.0).collect();
        let &[at] = places.as_slice() else { panic!("{from:?} is found {} times", places.len()) };
        [&body[..at], to.as_bytes(), &body[at + from.len()..]].concat()
    })
}

#[track_caller]
fn assert_bytes(found: &[u8], expected: &[u8]) {
    assert_eq!(found.escape_ascii().to_string(), expected.escape_ascii().to_string());
}

#[test]
fn only_the_lines_concerned_change() {
    let expected = with(
        samples::HANDSET,
        &[
            ("o=- 1700000001 1700000001 IN IP4 192.0.2.10", "o=- 1700000001 1700000001 IN IP4 203.0.113.9"),
            ("c=IN IP4 192.0.2.10", "c=IN IP4 203.0.113.9"),
            ("m=message 40002 ", "m=message 7000 "),
            ("a=path:msrp://192.0.2.10:40002/h4nd5et;tcp", "a=path:msrp://203.0.113.9:7000/leg2;tcp"),
            ("a=setup:actpass", "a=setup:passive"),
        ],
    );
    assert_bytes(&rewritten(samples::HANDSET, &change()), &expected);
}

#[test]
fn line_ends_and_blank_lines_stay_as_they_are() {
    let expected = with(
        samples::SLOPPY,
        &[
            ("o=- 7 7 IN IP4 192.0.2.20", "o=- 8 9 IN IP4 203.0.113.9"),
            ("\nc=IN IP4 192.0.2.20", "\nc=IN IP4 203.0.113.9"),
            ("m=message 9 ", "m=message 7000 "),
            ("a=path:msrp://0.0.0.0:9/sl0ppy;tcp", "a=path:msrp://203.0.113.9:7000/leg2;tcp"),
            ("a=setup:active", "a=setup:passive"),
        ],
    );
    let change = Rewrite { origin: Some(OriginId { session_id: 8, version: 9 }), ..change() };
    assert_bytes(&rewritten(samples::SLOPPY, &change), &expected);
}

#[test]
fn what_the_session_shares_with_other_media_is_left_to_them() {
    // The c= of the session also serves the sound, so the chat gets its own, where the grammar has it.
    let text = "m=message 2855 TCP/MSRP *\r\n";
    let tls = Rewrite {
        tls: true,
        path: MsrpUri::parse_path("msrps://203.0.113.9:7000/leg2;tcp").unwrap(),
        fingerprint: Some("sha-256 01:02".parse().unwrap()),
        ..change()
    };
    let mut expected = with(
        samples::SOUND_AND_CHAT,
        &[
            ("o=- 5 6 IN IP4 192.0.2.30", "o=- 5 6 IN IP4 203.0.113.9"),
            (text, "m=message 7000 TCP/TLS/MSRP *\r\nc=IN IP4 203.0.113.9\r\n"),
            ("a=path:msrp://192.0.2.30:2855/two;tcp", "a=path:msrps://203.0.113.9:7000/leg2;tcp"),
            ("a=setup:active", "a=setup:passive"),
        ],
    );
    expected.extend_from_slice(b"a=fingerprint:sha-256 01:02\r\n");
    assert_bytes(&rewritten(samples::SOUND_AND_CHAT, &tls), &expected);
}

#[test]
fn what_the_session_says_for_the_chat_alone_is_changed_there() {
    let expected = with(
        samples::SECURE,
        &[
            ("o=bob 21 22 IN IP6 2001:db8::5", "o=bob 21 22 IN IP4 203.0.113.9"),
            ("c=IN IP6 2001:db8::5", "c=IN IP4 203.0.113.9"),
            ("a=fingerprint:sha-256 0a:0b:0c:0d:ff\r\n", ""),
            ("m=message 2856 tcp/tls/msrp *", "m=message 7000 TCP/MSRP *"),
            ("a=path:msrps://[2001:db8::5]:2856/s3cure;tcp", "a=path:msrp://203.0.113.9:7000/leg2;tcp"),
        ],
    );
    assert_bytes(&rewritten(samples::SECURE, &change()), &expected);
}

#[test]
fn the_media_that_is_rejected_is_not_touched() {
    let expected = with(
        samples::FILE_THEN_CHAT,
        &[
            ("o=- 5 6 IN IP4 192.0.2.40", "o=- 5 6 IN IP4 203.0.113.9"),
            ("m=message 2855 TCP/MSRP *\r\n", "m=message 7000 TCP/MSRP *\r\nc=IN IP4 203.0.113.9\r\n"),
            ("a=path:msrp://192.0.2.40:2855/chat;tcp", "a=path:msrp://203.0.113.9:7000/leg2;tcp"),
        ],
    );
    assert_bytes(&rewritten(samples::FILE_THEN_CHAT, &Rewrite { setup: None, ..change() }), &expected);
}

#[test]
fn without_an_accepted_msrp_media_only_the_origin_changes() {
    let body = b"v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\nm=message 0 TCP/MSRP *\r\n";
    let expected = with(body, &[("o=- 1 2 IN IP4 192.0.2.1", "o=- 1 2 IN IP4 203.0.113.9")]);
    assert_bytes(&rewritten(body, &change()), &expected);
}

#[test]
fn missing_lines_are_put_in_even_behind_a_last_line_without_an_end() {
    let body = b"v=0\no=odd\nm=message 5 TCP/MSRP *\ni=title\na=x";
    let expected = b"v=0\no=odd\nm=message 7000 TCP/MSRP *\ni=title\nc=IN IP4 203.0.113.9\na=x\n\
a=path:msrp://203.0.113.9:7000/leg2;tcp\na=setup:passive\n";
    assert_bytes(&rewritten(body, &change()), expected);
}

#[test]
fn an_attribute_that_stands_twice_is_left_once() {
    let body =
        b"v=0\r\nm=message 5 TCP/MSRP *\r\na=path:msrp://a:1/x;tcp\r\na=Path:msrp://b:1/y;tcp\r\na=pathology:1\r\n";
    let expected = b"v=0\r\nm=message 7000 TCP/MSRP *\r\nc=IN IP4 203.0.113.9\r\n\
a=path:msrp://203.0.113.9:7000/leg2;tcp\r\na=pathology:1\r\n";
    assert_bytes(&rewritten(body, &Rewrite { setup: None, ..change() }), expected);
}

#[test]
fn with_cema_the_path_of_the_peer_may_stay() {
    let change = Rewrite { path: Vec::new(), ..change() };
    let media = samples::msrp(&rewritten(samples::HANDSET, &change));
    assert_eq!(media.path, samples::msrp(samples::HANDSET).path);
    assert_eq!((media.port, media.address), (7000, Some(Host::Ip(change.address))));
    assert!(media.cema);
}

#[test]
fn a_rewritten_description_reads_as_the_change_says() {
    let change = Rewrite {
        address: "2001:db8::9".parse().unwrap(),
        path: MsrpUri::parse_path("msrps://[2001:db8::9]:7000/leg2;tcp").unwrap(),
        fingerprint: Some("sha-256 01:02".parse().unwrap()),
        tls: true,
        origin: Some(OriginId { session_id: 1, version: 2 }),
        ..change()
    };
    for sample in samples::ALL {
        let before = samples::msrp(sample);
        let after = samples::parse(&rewritten(sample, &change));
        assert_eq!(after.origin_id(), change.origin);
        let expected = MsrpMedia {
            port: change.port,
            protocol: Protocol::Tls,
            address: Some(Host::Ip(change.address)),
            path: change.path.clone(),
            setup: change.setup,
            fingerprints: change.fingerprint.iter().cloned().collect(),
            ..before
        };
        assert_eq!(after.msrp(), Some(&expected));
    }
}

/// Whether a rewrite may touch, remove or add a line.
fn is_concerned(line: &[u8]) -> bool {
    [&b"o="[..], b"m=", b"c=", b"a=path", b"a=setup", b"a=fingerprint"].iter().any(|start| line.starts_with(start))
}

fn unconcerned(body: &[u8]) -> Vec<&[u8]> {
    body.split_inclusive(|&byte| byte == b'\n').filter(|line| !is_concerned(line)).collect()
}

proptest! {
    #[test]
    fn lines_that_are_not_concerned_keep_their_bytes_and_their_order(
        sample in 0..samples::ALL.len(),
        junk in proptest::collection::vec((any::<proptest::sample::Index>(), proptest::collection::vec(any::<u8>(), 0..40)), 0..8),
    ) {
        let mut lines: Vec<Vec<u8>> = samples::ALL[sample].split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
        for (place, mut line) in junk {
            line.push(b'\n');
            lines.insert(1 + place.index(lines.len()), line);
        }
        let body = lines.concat();
        let after = rewritten(&body, &change());
        prop_assert_eq!(unconcerned(&after), unconcerned(&body));
    }
}
