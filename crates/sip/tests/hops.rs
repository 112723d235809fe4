//! What one hop reads in one way and the next in another: refused, or kept exactly as it came.

use bytes::Bytes;
use sip::{Either, Limits, Message, Method, Name, Request};

const REST: &str =
    "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n";

fn read(text: &[u8]) -> Result<Request, u16> {
    let message = Message::parse(Bytes::copy_from_slice(text), &Limits::default()).map_err(|m| m.error.status)?;
    match message.split() {
        Either::Request(request) => Ok(request),
        Either::Response(_) => Err(0),
    }
}

fn with(line: &str) -> Result<Request, u16> {
    read(format!("OPTIONS sip:a@b SIP/2.0\r\n{REST}{line}\r\n\r\n").as_bytes())
}

#[test]
fn what_hops_might_read_differently_is_refused() {
    for line in [
        // Two of what may be there once.
        "Content-Length: 0\r\nContent-Length: 0",
        "Content-Length: 0\r\nl: 5",
        "From: <sip:x@y>;tag=2",
        "f: <sip:x@y>;tag=2",
        "CSeq: 2 OPTIONS",
        "Max-Forwards: 70\r\nMax-Forwards: 0",
        "Content-Type: text/plain\r\nc: application/sdp",
        "Conversation-ID: a\r\nConversation-ID: b",
        // Numbers that are none.
        "Content-Length: +0",
        "Content-Length: 0x0",
        "Content-Length: 0, 0",
        "Content-Length:",
        "Max-Forwards: 256",
        "Max-Forwards: -1",
        // Ends of lines.
        "X: a\nRoute: <sip:evil>",
        "X: a\rRoute: <sip:evil>",
        "X: a\r\rRoute: <sip:evil>",
        "X: a\n\r\nRoute: <sip:evil>",
        "X: a\0b",
        "X\0: a",
        // Names.
        "X Y: a",
        ": a",
        " : a",
        "X",
        "Content-Length\u{a0}: 0",
    ] {
        assert_eq!(with(line).map(drop), Err(400), "{line:?}");
    }
    for (text, status) in [
        ("OPTIONS sip:a@b SIP/3.0\r\n", 505),
        ("OPTIONS sip:a@b SIP/2.0 \r\n", 400),
        ("OPTIONS\tsip:a@b SIP/2.0\r\n", 400),
        ("OPTIONS  sip:a@b SIP/2.0\r\n", 400),
        ("OPTIONS sip:a@b\r\n", 400),
        ("OPTIONS sip:a@b HTTP/1.1\r\n", 400),
        ("OPT(IONS sip:a@b SIP/2.0\r\n", 400),
        ("OPTIONS sip:a@b?X=y SIP/2.0\r\n", 400),
        ("REGISTER sip:a@b SIP/2.0\r\n", 400),
    ] {
        assert_eq!(read(format!("{text}{REST}\r\n").as_bytes()).map(drop), Err(status), "{text:?}");
    }
    for (from, to) in [
        ("tag=1", "tag=1;tag=2"),
        ("tag=1", "tag"),
        ("tag=1", "tag=\"\""),
        ("branch=z9hG4bK1", "branch=z9hG4bK1;branch=z9hG4bK2"),
    ] {
        let text = format!("OPTIONS sip:a@b SIP/2.0\r\n{}\r\n", REST.replace(from, to));
        assert_eq!(read(text.as_bytes()).map(drop), Err(400), "{to}");
    }
}

#[test]
fn odd_but_legal_spellings_are_read() {
    for (line, name, value) in [
        ("L : 0", Name::ContentLength, "0"),
        ("content-LENGTH\t:\r\n 0", Name::ContentLength, "0"),
        ("MAX-FORWARDS:070", Name::MaxForwards, "070"),
        ("Subject: a: b\r\n\tc", Name::Subject, "a: b\r\n\tc"),
        ("s:", Name::Subject, ""),
        ("Supported:\r\n \r\n timer", Name::Supported, "timer"),
    ] {
        let request = with(line).unwrap_or_else(|status| panic!("{line:?}: {status}"));
        assert_eq!(request.header(name), Some(value.as_bytes()), "{line:?}");
    }
    let request = with("X-Bypass-me : yes").unwrap();
    assert_eq!(request.other_header("x-bypass-me"), Some(&b"yes"[..]));
    // A name that only looks like Route is another name, here and at every hop that keeps to the grammar.
    let request = with("Route_: <sip:x>").unwrap();
    assert!(!request.has(Name::Route) && request.other_header("Route_").is_some());
}

#[test]
fn blank_lines_before_a_message_are_not_the_messages() {
    let text = format!("OPTIONS sip:a@b SIP/2.0\r\n{REST}\r\n");
    let request = read(format!("\r\n\r\n\r\n{text}").as_bytes()).unwrap();
    assert_eq!(request.bytes(), text.as_bytes());
    assert_eq!(request.edit().finish(), text.as_bytes());
    assert_eq!(read(b"\r\n\r\n").map(drop), Err(400));
    assert_eq!(read(format!("\n{text}").as_bytes()).map(drop), Err(400));
}

#[test]
fn octets_that_are_no_text_travel_unchanged() {
    let mut text = format!("OPTIONS sip:a@b SIP/2.0\r\n{REST}X-Name: ").into_bytes();
    text.extend_from_slice(b"caf\xe9 \xff\xfe \x80;q=\"\xc3\"\r\nSubject: gr\xfc\xdf\r\n\r\n");
    let request = read(&text).unwrap();
    assert_eq!(request.other_header("X-Name"), Some(&b"caf\xe9 \xff\xfe \x80;q=\"\xc3\""[..]));
    assert_eq!(request.edit().finish(), text);
    let forwarded = request.edit().prepend(Name::Via, "SIP/2.0/UDP p;branch=z9hG4bK0").finish();
    let tail = text.len() - "OPTIONS sip:a@b SIP/2.0\r\n".len();
    assert_eq!(forwarded[forwarded.len() - tail..], text[text.len() - tail..]);
}

#[test]
fn unknown_methods_keep_their_names() {
    let rest = REST.replace("OPTIONS", "M-x.1");
    let request = read(format!("M-x.1 sip:a@b SIP/2.0\r\n{rest}\r\n").as_bytes()).unwrap();
    assert_eq!((request.method(), request.method_token()), (Method::Extension, &b"M-x.1"[..]));
    assert_eq!((request.cseq().method, request.cseq_method()), (Method::Extension, &b"M-x.1"[..]));
    let answer = request.respond(501, "t").finish();
    let answer = Message::parse_response(answer).unwrap();
    assert_eq!((answer.status(), answer.cseq_method()), (501, &b"M-x.1"[..]));
    // Methods are case-sensitive (RFC 3261 §7.1): this is not OPTIONS, and CSeq does not name it.
    assert_eq!(read(format!("options sip:a@b SIP/2.0\r\n{REST}\r\n").as_bytes()).map(drop), Err(400));
}

#[test]
fn an_old_served_user_below_the_new_one_is_kept_and_not_read() {
    let bytes = Bytes::from_static(include_bytes!("samples/message-cpim.sip"));
    let message = Message::parse(bytes, &Limits::default()).unwrap();
    let user = message.typed::<sip::header::PServedUser<'_>>().unwrap().unwrap();
    assert_eq!(user.case, Some(sip::header::SessionCase::Terminating));
    assert_eq!(message.headers(Name::PServedUser).count(), 2);
    assert_eq!(message.values(Name::Via).count(), 4);
    assert_eq!(message.identities(Name::PPreferredIdentity).filter(Result::is_ok).count(), 1);
}

#[test]
fn several_uris_in_one_pair_of_brackets_are_several_identities() {
    let bytes = Bytes::from_static(include_bytes!("samples/third-party-register.sip"));
    let message = Message::parse(bytes, &Limits::default()).unwrap();
    let uris: Vec<_> = message.identities(Name::PAssociatedUri).map(|i| i.unwrap().uri.to_string()).collect();
    assert_eq!(uris, ["sip:+15550100001@home1.example", "tel:+15550100001", "sip:001010000000001@home1.example"]);
}
