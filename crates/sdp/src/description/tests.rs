use proptest::prelude::*;

use super::*;
use crate::{MAX_BYTES, MAX_LINES, Rewrite, rewrite, samples};

#[test]
fn the_bytes_are_kept_as_they_came() {
    for sample in samples::ALL {
        assert_eq!(samples::parse(sample).as_bytes(), sample);
    }
}

#[test]
fn every_sample_has_one_msrp_media_to_talk_about() {
    for (sample, media_count, msrp, index) in [
        (samples::HANDSET, 1, 1, 0),
        (samples::DESKTOP, 1, 1, 0),
        (samples::SLOPPY, 1, 1, 0),
        (samples::SECURE, 1, 1, 0),
        (samples::SOUND_AND_CHAT, 2, 1, 1),
        (samples::FILE_THEN_CHAT, 2, 2, 1),
        (samples::ANCHORED, 1, 1, 0),
    ] {
        let description = samples::parse(sample);
        assert_eq!(description.media_count(), media_count);
        assert_eq!(description.msrp_media().len(), msrp);
        assert_eq!(description.msrp().unwrap().index, index);
        assert!(description.msrp().unwrap().unreadable.is_empty());
    }
}

#[test]
fn the_numbers_of_the_origin_are_read_where_they_are_numbers() {
    let id =
        |origin: &str| SessionDescription::parse(format!("v=0\r\n{origin}s=-\r\n").as_bytes()).unwrap().origin_id();
    assert_eq!(id("o=- 12 34 IN IP4 192.0.2.1\r\n"), Some(OriginId { session_id: 12, version: 34 }));
    assert_eq!(id("o=- 12ab 34 IN IP4 192.0.2.1\r\n"), None);
    assert_eq!(id(""), None);
}

#[test]
fn what_is_no_session_description_is_refused() {
    for body in [&b""[..], b"\r\n\r\n", b"hello", b"v=1\r\n", b"s=-\r\nv=0\r\n", b"{\"v\":0}"] {
        assert_eq!(SessionDescription::parse(body).unwrap_err().expected, "v=0");
    }
}

#[test]
fn a_body_beyond_the_bounds_is_refused() {
    let long = [b"v=0\r\ns=".to_vec(), vec![b'x'; MAX_BYTES]].concat();
    assert_eq!(SessionDescription::parse(&long).unwrap_err().at, MAX_BYTES);

    let lines = |count: usize| [&b"v=0\n"[..], &b"a=x\n".repeat(count - 1)].concat();
    assert!(SessionDescription::parse(&lines(MAX_LINES)).is_ok());
    assert_eq!(SessionDescription::parse(&lines(MAX_LINES + 1)).unwrap_err().at, 4 * MAX_LINES);
}

#[test]
fn lines_that_do_not_concern_us_may_be_as_odd_as_they_like() {
    let odd: [&[u8]; 9] = [
        b"no equals sign",
        b"xy=long key",
        b"=",
        b"s=second name",
        b"i=caf\xe9",
        b"a=\xff\xfe",
        b"b=nonsense",
        b"r=7d 1h 0",
        b"a=with\0nul",
    ];
    for line in odd {
        let session_level = [b"v=0\r\ns=-\r\n", line, b"\r\n", &samples::HANDSET[5..]].concat();
        let media_level = [samples::HANDSET, line, b"\r\n"].concat();
        for body in [session_level, media_level] {
            let description = samples::parse(&body);
            assert_eq!(description.msrp(), samples::parse(samples::HANDSET).msrp(), "{}", line.escape_ascii());
            assert_eq!(description.as_bytes(), body);
        }
    }
}

#[test]
fn an_unreadable_m_line_still_counts() {
    for line in ["m=", "m=audio", "m=audio 70000 RTP/AVP 0", "m=message x TCP/MSRP *", "m=message  5 TCP/MSRP *"] {
        let body =
            [samples::HANDSET, line.as_bytes(), b"\r\n", b"m=message 7 TCP/MSRP *\r\na=path:msrp://h:7/x;tcp\r\n"];
        let description = samples::parse(&body.concat());
        assert_eq!(description.media_count(), 3, "{line}");
        let ports: Vec<(usize, u16)> = description.msrp_media().iter().map(|m| (m.index, m.port)).collect();
        assert_eq!((ports[0], *ports.last().unwrap()), ((0, 40002), (2, 7)), "{line}");
        assert!(ports[1..ports.len() - 1].iter().all(|&(_, port)| port == 0), "{line}");
    }
}

#[test]
fn the_first_of_two_session_level_connections_counts() {
    let body = b"v=0\no=- 1 1 IN IP4 192.0.2.1\no=- 2 2 IN IP4 192.0.2.2\nc=IN IP4 192.0.2.3\nc=IN IP4 192.0.2.4\n\
m=message 7 TCP/MSRP *\na=path:msrp://h:7/x;tcp\n";
    let description = samples::parse(body);
    assert_eq!(description.origin_id().unwrap().session_id, 1);
    assert_eq!(description.msrp().unwrap().address, Some(crate::Host::Ip("192.0.2.3".parse().unwrap())));
}

/// Reads, and does with what was read everything that can be done.
fn exercise(body: &[u8]) {
    let Ok(description) = SessionDescription::parse(body) else { return };
    assert_eq!(description.as_bytes(), body);
    let change = Rewrite {
        address: "192.0.2.99".parse().unwrap(),
        port: 2855,
        path: crate::MsrpUri::parse_path("msrp://192.0.2.99:2855/b2b;tcp").unwrap(),
        setup: Some(crate::Setup::Passive),
        fingerprint: None,
        tls: false,
        origin: None,
        cema: Some(true),
        max_size: Some(1000),
    };
    let once = rewrite(&description, &change);
    let again = SessionDescription::parse(&once).unwrap();
    assert_eq!(again.media_count(), description.media_count());
    assert_eq!(rewrite(&again, &change), once, "{}", body.escape_ascii());
    if let Some(media) = again.msrp() {
        assert_eq!((media.port, &media.path, media.setup), (2855, &change.path, change.setup));
        assert_eq!(media.address, Some(crate::Host::Ip(change.address)));
    }
    if let Ok(answer) = crate::answer(&description, &crate::negotiate::tests::local(), crate::negotiate::tests::ID) {
        assert_eq!(samples::parse(&answer).media_count(), description.media_count());
    }
}

#[test]
fn a_body_cut_off_anywhere_does_no_harm() {
    for sample in samples::ALL {
        (0..sample.len()).for_each(|end| exercise(&sample[..end]));
    }
}

#[test]
fn a_body_with_any_byte_changed_does_no_harm() {
    for sample in samples::ALL {
        for at in 0..sample.len() {
            for byte in [0, b'\n', b'\r', b' ', b'=', b'm', 0xff, sample[at] ^ 1, sample[at] ^ 0x80] {
                let mut body = sample.to_vec();
                body[at] = byte;
                exercise(&body);
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_begins_with_a_version_is_read(rest in proptest::collection::vec(any::<u8>(), 0..400)) {
        let body = [b"v=0\n", rest.as_slice()].concat();
        prop_assert!(SessionDescription::parse(&body).is_ok());
        exercise(&body);
    }

    #[test]
    fn any_mixture_of_lines_is_read(picks in proptest::collection::vec((0..LINES.len(), 0..3_usize), 0..24)) {
        let mut body = b"v=0\r\n".to_vec();
        for (line, end) in picks {
            body.extend_from_slice(LINES[line]);
            body.extend_from_slice([&b"\r\n"[..], b"\n", b"\r\n\r\n"][end]);
        }
        prop_assert!(SessionDescription::parse(&body).is_ok());
        exercise(&body);
        exercise(body.trim_ascii_end());
    }
}

const LINES: [&[u8]; 22] = [
    b"o=- 1 2 IN IP4 192.0.2.1",
    b"o=broken",
    b"s=-",
    b"s=\xe9",
    b"c=IN IP4 192.0.2.2",
    b"c=IN IP6 2001:db8::2",
    b"c=",
    b"t=0 0",
    b"i=title",
    b"m=message 2855 TCP/MSRP *",
    b"m=message 0 TCP/MSRP *",
    b"m=message 2856 TCP/TLS/MSRP *",
    b"m=audio 5004 RTP/AVP 0",
    b"m=\xff",
    b"a=path:msrp://192.0.2.2:2855/x;tcp",
    b"a=path:broken",
    b"a=setup:active",
    b"a=setup:sideways",
    b"a=fingerprint:sha-1 00:11",
    b"a=fingerprint:sha-1",
    b"a=inactive",
    b"garbage",
];
