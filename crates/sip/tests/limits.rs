//! What is too much is refused with its own status, just above the limit and not below, and costs no more than its size.
#![expect(clippy::disallowed_methods, reason = "that work is linear in the input shows in time only")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use sip::{Address, Limits, Message, Name, frame};

const START: &str = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n\
    Call-ID: 1\r\nCSeq: 1 OPTIONS\r\n";

/// The status code of the refusal, 200 without one.
fn status(text: &str, limits: &Limits) -> u16 {
    Message::parse(Bytes::copy_from_slice(text.as_bytes()), limits).map_or_else(|m| m.error.status, |_| 200)
}

#[test]
fn a_head_may_be_as_long_as_the_limit() {
    let limits = Limits { head: 1000, ..Limits::default() };
    for (length, expected) in [(999, 200), (1000, 200), (1001, 513)] {
        let padding = "x".repeat(length - START.len() - "X: \r\n\r\n".len());
        let text = format!("{START}X: {padding}\r\n\r\n");
        assert_eq!((text.len(), status(&text, &limits)), (length, expected));
    }
    // The body does not count, and a head too long is answered as far as it is legible.
    assert_eq!(status(&format!("{START}\r\n{}", "x".repeat(2000)), &limits), 200);
    let text = format!("{START}X: {}\r\n\r\n", "x".repeat(2000));
    let malformed = Message::parse(Bytes::from(text), &limits).unwrap_err();
    assert!(
        malformed.answer("t").unwrap().finish().starts_with(b"SIP/2.0 513 Message Too Large\r\nVia: SIP/2.0/UDP h")
    );
}

#[test]
fn header_fields_may_be_as_many_as_the_limit() {
    for limit in [10, 200, 254, 255, 256, 400] {
        let limits = Limits { headers: limit, ..Limits::default() };
        for (count, expected) in [(limit - 1, 200), (limit, 200), (limit + 1, 513)] {
            let text = format!("{START}{}\r\n", "X: y\r\n".repeat(count - 5));
            assert_eq!(status(&text, &limits), expected, "{count} of {limit}");
        }
    }
}

#[test]
fn a_header_field_beyond_the_first_table_is_found() {
    let limits = Limits { headers: 400, ..Limits::default() };
    let text = format!("{START}{}Expires: 7\r\nRoute: <sip:r>\r\n\r\n", "X: y\r\n".repeat(300));
    let message = Message::parse(Bytes::from(text), &limits).unwrap();
    assert_eq!((message.header(Name::Expires), message.headers(Name::Route).count()), (Some(&b"7"[..]), 1));
    let twice = format!("{START}{}Expires: 7\r\nExpires: 8\r\n\r\n", "X: y\r\n".repeat(300));
    assert_eq!(status(&twice, &limits), 400);
}

#[test]
fn a_body_may_be_as_long_as_the_limit() {
    let limits = Limits { body: 100, ..Limits::default() };
    for (length, expected) in [(99, 200), (100, 200), (101, 413)] {
        let body = "x".repeat(length);
        assert_eq!(status(&format!("{START}l: {length}\r\n\r\n{body}"), &limits), expected, "said");
        assert_eq!(status(&format!("{START}\r\n{body}"), &limits), expected, "filling the datagram");
        assert_eq!(frame(format!("A\r\nl: {length}\r\n\r\n").as_bytes(), &limits).is_ok(), expected == 200);
    }
    assert_eq!(status(&format!("{START}l: 101\r\n\r\n"), &limits), 413, "too long, however little has come");
    assert_eq!(status(&format!("{START}l: 50\r\n\r\nx"), &limits), 400);
}

#[test]
fn a_stream_may_hold_a_head_as_long_as_the_limit() {
    let limits = Limits { head: 100, ..Limits::default() };
    for (length, ok) in [(99, true), (100, true), (101, false)] {
        let whole = format!("A\r\nl: 0\r\nX: {}\r\n\r\n", "x".repeat(length - 16));
        assert_eq!((whole.len(), frame(whole.as_bytes(), &limits).is_ok()), (length, ok));
        let unfinished = "x".repeat(length);
        assert_eq!(frame(unfinished.as_bytes(), &limits).map_err(|e| e.status).is_ok(), ok);
    }
}

#[test]
fn a_uri_has_at_most_64_parameters() {
    for (count, ok) in [(63, true), (64, true), (65, false)] {
        let text = format!("<sip:a@b{}>", ";p".repeat(count));
        assert_eq!(Address::parse(text.as_bytes()).is_ok(), ok, "{count}");
    }
}

#[test]
fn work_grows_with_the_octets_and_not_with_their_square() {
    let limits = Limits { head: 65_535, headers: 20_000, body: 0 };
    let room = 60_000;
    let fill = |piece: &str| piece.repeat(room / piece.len());
    let folded = format!("{START}X: y\r\n{}\r\n", fill(" \r\n"));
    let hostile = [
        format!("{START}Via: SIP/2.0/UDP h{}\r\n\r\n", fill(",SIP/2.0/UDP h")),
        format!("{}{}\r\n\r\n", START.replace("branch=z9hG4bK1", "x=y"), fill(";branch")),
        format!("{START}Route: {}\r\n\r\n", fill("\",\",")),
        format!("{START}Route: {}\r\n\r\n", fill("<,")),
        format!("{START}Route: {}\r\n\r\n", fill(",")),
        format!("{START}Supported: {}\r\n\r\n", fill("timer,")),
        format!("{START}Contact: <sip:a@b>{}\r\n\r\n", fill(";a=\"b\\\"\"")),
        format!("{START}Contact: <sip:a@b{}>\r\n\r\n", fill(";%41=%42")),
        format!("{START}Authorization: Digest {}\r\n\r\n", fill("a=b,")),
        format!("{START}Retry-After: 1 {}\r\n\r\n", fill("(")),
        format!("{START}P-Asserted-Identity: <{}>\r\n\r\n", fill("tel:1,")),
        format!("{START}{}\r\n", fill("a:\r\n")),
        format!("{START}{}", fill("a")),
        format!("{START}X: {}", fill("\\\0")),
        folded,
    ];
    for text in &hostile {
        assert!(text.len() > room / 2);
        let start = Instant::now();
        let parsed = Message::parse(Bytes::copy_from_slice(text.as_bytes()), &limits);
        if let Ok(message) = &parsed {
            read_once(message);
            message.edit().remove_top(Name::Route, 100_000).set(Name::Supported, "x").finish();
        }
        // Linear work takes well under a millisecond; the square of 60,000 octets takes seconds.
        assert!(start.elapsed() < Duration::from_millis(500), "{} {:?}", &text[START.len()..][..40], start.elapsed());
    }
}

fn read_once(message: &Message) {
    for name in [Name::Via, Name::Route, Name::Contact, Name::Supported, Name::PAssertedIdentity] {
        assert!(message.values(name).count() <= 65_536);
        assert!(message.addresses(name).count() <= 65_536);
        assert!(message.identities(name).count() <= 65_536);
    }
    for value in message.headers(Name::Authorization) {
        assert!(sip::header::Credentials::parse(value).is_err());
    }
}
