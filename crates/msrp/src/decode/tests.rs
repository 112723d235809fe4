use proptest::prelude::*;

use super::*;
use crate::head::{Head, Method, Name, Start};
use crate::{FailureReport, Status};

/// What a stream holds, with neighbouring pieces of a body joined.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Seen {
    Head(String, Vec<(String, String)>, Option<usize>),
    Body(Vec<u8>),
    End(Flag),
    Broken,
}

fn push(seen: &mut Vec<Seen>, frame: Frame) {
    match frame {
        Frame::Head(head) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let fields = head.fields().map(|(name, value)| (text(name), text(value))).collect();
            let start = format!("{} {:?}", text(head.transaction_id()), head.start());
            seen.push(Seen::Head(start, fields, head.fault().map(|fault| fault.at)));
        }
        Frame::Body { data: piece, plain } => {
            assert!(!piece.is_empty());
            assert!(!plain || hyphens::rows(&piece).next().is_none(), "hyphens in {piece:?}");
            if let Some(Seen::Body(body)) = seen.last_mut() {
                body.extend_from_slice(&piece);
            } else {
                seen.push(Seen::Body(piece.to_vec()));
            }
        }
        Frame::End(flag) => seen.push(Seen::End(flag)),
    }
}

fn decode_in(pieces: &[&[u8]]) -> (Vec<Seen>, Decoder) {
    let mut decoder = Decoder::new(HeadLimits::default());
    let mut seen = Vec::new();
    for piece in pieces {
        let mut input = Bytes::copy_from_slice(piece);
        loop {
            match decoder.next(&mut input) {
                Ok(Some(frame)) => push(&mut seen, frame),
                Ok(None) => break,
                Err(_) => {
                    seen.push(Seen::Broken);
                    return (seen, decoder);
                }
            }
        }
        assert!(input.is_empty());
    }
    (seen, decoder)
}

fn decode(stream: &[u8]) -> Vec<Seen> {
    decode_in(&[stream]).0
}

fn only_head(stream: &str) -> Head {
    let mut input = Bytes::copy_from_slice(stream.as_bytes());
    match Decoder::new(HeadLimits::default()).next(&mut input) {
        Ok(Some(Frame::Head(head))) => *head,
        other => panic!("no head but {other:?}"),
    }
}

const PATHS: &str = "To-Path: msrp://127.0.0.1:1/a;tcp\r\nFrom-Path: msrp://127.0.0.1:2/b;tcp\r\n";

fn send(body: &[u8]) -> Vec<u8> {
    let head = format!("MSRP d93kswow SEND\r\n{PATHS}Message-ID: 12339sdqwer\r\nContent-Type: text/plain\r\n\r\n");
    [head.as_bytes(), body, b"\r\n-------d93kswow$\r\n"].concat()
}

#[test]
fn a_request_with_a_body_comes_as_head_body_and_end() {
    let seen = decode(&send(b"Hi"));
    assert_eq!(seen.len(), 3);
    assert!(matches!(&seen[0], Seen::Head(start, fields, None)
        if start == "d93kswow Request(Send)" && fields.len() == 4 && fields[3].1 == "text/plain"));
    assert_eq!(seen[1..], [Seen::Body(b"Hi".to_vec()), Seen::End(Flag::Complete)]);
}

#[test]
fn a_request_without_a_body_and_a_response_end_with_their_head() {
    let stream = format!("MSRP abcd SEND\r\n{PATHS}-------abcd$\r\nMSRP abcd 200 OK\r\n{PATHS}-------abcd$\r\n");
    let seen = decode(stream.as_bytes());
    assert!(matches!(&seen[2], Seen::Head(start, _, None) if start == "abcd Response(Status(200))"));
    assert_eq!((&seen[1], &seen[3]), (&Seen::End(Flag::Complete), &Seen::End(Flag::Complete)));
}

#[test]
fn an_empty_body_may_or_may_not_have_its_own_line_break() {
    for gap in ["\r\n", ""] {
        let stream = format!("MSRP abcd SEND\r\n{PATHS}\r\n{gap}-------abcd+\r\n");
        assert_eq!(decode(stream.as_bytes())[1..], [Seen::End(Flag::Continued)], "{gap:?}");
    }
}

#[test]
fn what_only_looks_like_an_end_line_is_body() {
    for body in [
        "-------d93kswow$\r\nx",
        "x-------d93kswow$\r\n",
        "\r\n-------d93kswowx$\r\n",
        "\r\n-------d93kswow!\r\n",
        "\r\n-------d93kswow$\n",
        "\r\n-------D93KSWOW$\r\n",
        "\r\n------d93kswow$\r\n",
        "\r\n--------d93kswow$\r\n",
        "\r\r\n\r\n-------d93ksw",
        "\r\n",
        "\r",
        "\n-------d93kswow$\r\n",
    ] {
        let stream = send(body.as_bytes());
        // A body that starts like an end-line stands directly behind the blank line, where an end-line ends it.
        let expected = if body.starts_with("-------d93kswow$\r\n") { None } else { Some(body) };
        let (seen, _) = decode_in(&[&stream]);
        match expected {
            Some(body) => {
                assert_eq!(seen[1..], [Seen::Body(body.as_bytes().to_vec()), Seen::End(Flag::Complete)], "{body:?}")
            }
            None => assert_eq!(seen[1], Seen::End(Flag::Complete)),
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(decode_in(&bytes).0, seen, "{body:?}");
    }
}

#[test]
fn faults_that_leave_the_frame_readable_are_kept_in_the_head() {
    for (head, at) in [
        ("MSRP abc SEND\r\n", Some(5)),
        ("MSRP -abcd SEND\r\n", Some(5)),
        ("MSRP ab/cd SEND\r\n", Some(5)),
        ("MSRP a23456789012345678901234567890123 SEND\r\n", Some(5)),
        ("MSRP abcd send\r\n", Some(10)),
        ("MSRP abcd SEND \r\n", Some(10)),
        ("MSRP abcd 20 OK\r\n", Some(10)),
        ("MSRP abcd 2000 OK\r\n", Some(10)),
        ("MSRP abcd SEND\r\n: x\r\n", Some(16)),
        ("MSRP abcd SEND\r\nX y\r\n", Some(17)),
        ("MSRP abcd SEND\r\nX : y\r\n", Some(17)),
        ("MSRP abcd SEND\r\nX: y\r\n z\r\n", Some(22)),
        ("MSRP abcd SEND\r\nX: \u{1}\r\n", Some(18)),
        ("MSRP abcd SEND\r\nX: a\nb\r\n", Some(18)),
        ("MSRP abcd SEND\r\nX: a\rb\r\n", Some(18)),
        ("MSRP abcd SEND\r\nMessage-ID: abcd\r\nmessage-id: abcd\r\n", Some(34)),
        ("MSRP abcd SEND\r\nX: y\r\nX: z\r\n", None),
        ("MSRP abcd SEND\r\nX:\r\n", None),
        ("MSRP abcd 200 \u{e9}t\u{e9}\r\n", None),
        ("MSRP abcd 200\r\n", None),
    ] {
        let stream = format!("{head}\r\n");
        assert_eq!(only_head(&stream).fault().map(|fault| fault.at), at, "{head:?}");
    }
    let many = format!("MSRP abcd SEND\r\n{}\r\n", "X: y\r\n".repeat(65));
    assert!(only_head(&many).fault().is_some());
}

#[test]
fn a_stream_that_cannot_be_followed_is_broken() {
    for stream in [
        "msrp abcd SEND\r\n",
        "MSRPabcd SEND\r\n",
        "GET / HTTP/1.1\r\n",
        "MSRP abcd\r\n",
        "MSRP abcd \r\n",
        "MSRP  SEND\r\n",
        "MSRP ab\u{1}cd SEND\r\n",
        "MSRP abcd SEND\nX: y\n",
        "\u{16}\u{3}\u{1}",
        "MSRQ",
    ] {
        assert_eq!(decode(stream.as_bytes()), [Seen::Broken], "{stream:?}");
    }
    let long = format!("MSRP {} SEND\r\n", "a".repeat(65));
    assert_eq!(decode(long.as_bytes()), [Seen::Broken]);
    for endless in ["MSRP abcd SEND\r\nX: ".to_owned() + &"y".repeat(20_000), "MSRP ".to_owned() + &"a".repeat(20_000)]
    {
        assert_eq!(decode(endless.as_bytes()), [Seen::Broken]);
        let bytes: Vec<&[u8]> = endless.as_bytes().chunks(7).collect();
        let (seen, decoder) = decode_in(&bytes);
        assert_eq!(seen, [Seen::Broken]);
        assert!(decoder.partial.capacity() == 0, "a broken stream holds nothing");
    }
}

#[test]
fn the_values_of_a_head_are_typed() {
    let head = only_head(&format!(
        "MSRP abcd SEND\r\n{PATHS}byte-range: 1-*/5\r\nSuccess-Report: Yes\r\nFailure-Report: partial\r\nX-Own: 1\r\n\
         Content-Disposition: render\r\nContent-Type: text/plain\r\n\r\n"
    ));
    assert_eq!(head.start(), Start::Request(Method::Send));
    assert_eq!(head.byte_range().unwrap().to_string(), "1-*/5");
    assert_eq!((head.success_report(), head.failure_report()), (Ok(true), Ok(FailureReport::Partial)));
    assert_eq!(head.mime(), b"Content-Disposition: render\r\nContent-Type: text/plain\r\n");
    assert_eq!((head.message_id(), head.value(Name::FromPath)), (None, Some("msrp://127.0.0.1:2/b;tcp")));
    let plain = only_head("MSRP abcd REPORT\r\n\r\n");
    assert_eq!(plain.byte_range(), Ok(crate::ByteRange::WHOLE));
    assert_eq!((plain.success_report(), plain.failure_report()), (Ok(false), Ok(FailureReport::Yes)));
}

#[test]
fn a_send_is_answered_to_the_next_hop_and_other_requests_all_the_way() {
    let paths = "To-Path: msrp://r:1/x;tcp msrp://a:1/a;tcp\r\nFrom-Path: msrp://q:2/y;tcp msrp://b:2/b;tcp\r\n";
    for (method, back) in [("SEND", "msrp://q:2/y;tcp"), ("NICKNAME", "msrp://q:2/y;tcp msrp://b:2/b;tcp")] {
        let head = only_head(&format!("MSRP abcd {method}\r\n{paths}\r\n"));
        let expected =
            format!("MSRP abcd 200 OK\r\nTo-Path: {back}\r\nFrom-Path: msrp://r:1/x;tcp\r\n-------abcd$\r\n");
        assert_eq!(crate::response(&head, Status::OK, &HeadLimits::default()).unwrap(), expected);
    }
    for silent in ["REPORT", "200 OK"] {
        let head = only_head(&format!("MSRP abcd {silent}\r\n{paths}\r\n"));
        assert_eq!(crate::response(&head, Status::OK, &HeadLimits::default()), None);
    }
}

#[test]
fn a_whole_head_and_its_body_are_not_copied() {
    let stream = Bytes::from(send(&[b'x'; 5000]));
    let within = |part: &[u8]| stream.as_ptr_range().contains(&part.as_ptr());
    let mut input = stream.clone();
    let mut decoder = Decoder::new(HeadLimits::default());
    while let Ok(Some(frame)) = decoder.next(&mut input) {
        match frame {
            Frame::Head(head) => assert!(within(head.transaction_id())),
            Frame::Body { data: piece, .. } => assert!(within(&piece)),
            Frame::End(_) => {}
        }
    }
}

#[test]
fn a_body_without_seven_hyphens_in_a_row_is_known_to_be_plain_and_another_is_not() {
    for (body, expected) in [("a\r\n------b", true), ("a------- b", false), ("-------", false)] {
        let mut input = Bytes::from(send(body.as_bytes()));
        let mut decoder = Decoder::new(HeadLimits::default());
        let frames = std::iter::from_fn(|| decoder.next(&mut input).unwrap());
        let plain: Vec<_> = frames
            .filter_map(|frame| match frame {
                Frame::Body { plain, .. } => Some(plain),
                Frame::Head(_) | Frame::End(_) => None,
            })
            .collect();
        assert_eq!(plain, [expected], "{body}");
    }
}

#[test]
fn time_is_linear_in_the_length_however_it_comes() {
    let evil = [
        send(&b"\r\n-------d93kswow".repeat(4000)),
        send(&b"\r".repeat(60_000)),
        send(&b"\r\n-------d93kswow$\r".repeat(4000)),
        format!("MSRP abcd SEND\r\n{}", "X: y\r\n".repeat(2600)).into_bytes(),
    ];
    for stream in evil {
        for size in [1, 7, 1000, usize::MAX] {
            let pieces: Vec<&[u8]> = stream.chunks(size.min(stream.len())).collect();
            let (_, decoder) = decode_in(&pieces);
            assert!(
                decoder.steps <= 30 * stream.len(),
                "{} steps for {} octets in {size}s",
                decoder.steps,
                stream.len()
            );
        }
    }
}

#[test]
fn every_cut_and_every_flipped_bit_is_survived() {
    let stream = [send(b"one\r\n-------d93kswo"), send(b"two")].concat();
    for cut in 0..stream.len() {
        decode(&stream[..cut]);
        for bit in 0..8 {
            let mut flipped = stream.clone();
            flipped[cut] ^= 1 << bit;
            decode(&flipped);
        }
    }
}

/// Octets that are fond of line breaks, hyphens and the transaction identifier.
fn tricky_body() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(b"\r\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"-------".to_vec()),
        Just(b"d93kswow".to_vec()),
        Just(b"\r\n-------d93kswow".to_vec()),
        Just(b"$+#".to_vec()),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(part, 0..20).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_segmentation_gives_the_same_frames(
        bodies in prop::collection::vec(tricky_body(), 1..4),
        sizes in prop::collection::vec(1_usize..50, 1..40),
    ) {
        let stream: Vec<u8> = bodies.iter().flat_map(|body| send(body)).collect();
        let mut pieces = Vec::new();
        let (mut rest, mut sizes) = (stream.as_slice(), sizes.iter().cycle());
        while !rest.is_empty() {
            let (piece, more) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            pieces.push(piece);
            rest = more;
        }
        prop_assert_eq!(decode_in(&pieces).0, decode(&stream));
    }

    #[test]
    fn any_bytes_are_survived(stream in prop::collection::vec(any::<u8>(), 0..400)) {
        decode(&stream);
        decode(&[b"MSRP abcd SEND\r\n".as_slice(), &stream].concat());
    }
}
