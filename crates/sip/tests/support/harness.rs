//! Entry points that any octets may be thrown at: nothing panics, and what was read is consistent.
//!
//! Shared by the fuzz targets in `fuzz/` and by the tests here, through `#[path]`.

use std::hint::black_box;

use bytes::Bytes;
use sip::header::{
    AcceptContact, CSeq, Challenge, Contact, ContentType, CorrelationId, Credentials, DeltaSeconds, Identities, MinSe,
    PServedUser, Privacy, RAck, RSeq, Reason, RetryAfter, SessionExpires, SubscriptionState, Urn, Via, Warning,
};
use sip::{Address, Either, Frame, Limits, Message, Name, Params, Uri};

/// One way to throw octets at the crate.
pub type Target = fn(&[u8]);

/// Every way, by the name of its fuzz target.
pub const TARGETS: [(&str, Target); 8] = [
    ("message", message),
    ("uri", uri),
    ("address", address),
    ("frame", frame),
    ("edit", edit),
    ("headers_auth", headers_auth),
    ("headers_ims", headers_ims),
    ("headers_core", headers_core),
];

/// A whole message: read, used, forwarded, answered.
pub fn message(data: &[u8]) {
    match Message::parse(Bytes::copy_from_slice(data), &Limits::default()) {
        Ok(message) => {
            use_all(&message);
            let forwarded = message.edit().finish();
            let mut start = data;
            while let Some(rest) = start.strip_prefix(b"\r\n") {
                start = rest;
            }
            assert!(start.starts_with(&forwarded), "an untouched message keeps its octets");
            let again = Message::parse(forwarded, &Limits::default()).expect("what was read once can be read again");
            assert_eq!(again.all_headers().count(), message.all_headers().count());
            if let Either::Request(request) = message.split() {
                black_box((request.uri(), request.uri_text(), request.method(), request.size()));
                let answer = request.respond(200, "tag").finish();
                assert!(Message::parse_response(answer).is_ok(), "a request that was read can be answered");
            }
        }
        Err(malformed) => {
            assert!((400..=513).contains(&malformed.error.status));
            black_box(malformed.answer("tag").map(|builder| builder.finish()));
            if let Some(message) = malformed.message {
                use_all(&message);
                black_box(message.edit().set(Name::Via, "x").remove(Name::To).finish());
                if let Either::Request(request) = message.split() {
                    black_box((request.uri(), request.uri_text(), request.method()));
                }
            }
        }
    }
}

fn use_all(message: &Message) {
    let via = message.via();
    black_box((via.has_cookie(), via.received(), via.rport(), via.maddr(), via.params.iter().count()));
    for address in [message.from(), message.to()] {
        use_address(&address);
    }
    black_box((message.from_tag(), message.to_tag(), message.call_id(), message.cseq(), message.cseq_method()));
    black_box((message.max_forwards(), message.body(), message.body_bytes(), message.is_request()));
    black_box(format!("{message:?}"));
    for (name, text, value) in message.all_headers() {
        black_box((message.header(name), message.has(name), message.share(value), message.headers(name).count()));
        black_box(message.other_header(&String::from_utf8_lossy(text)));
        black_box(message.lists(name, "timer"));
        headers_auth(value);
        headers_ims(value);
        headers_core(value);
        address_list(message, name);
    }
    black_box(message.typed::<ContentType<'_>>().is_ok());
    black_box(message.typed::<PServedUser<'_>>().is_ok());
    black_box(message.typed_list::<Reason<'_>>().count());
    black_box(message.typed_list::<AcceptContact<'_>>().count());
}

fn address_list(message: &Message, name: Name) {
    // Names that are not here repeat one list per line of theirs; the work must not grow with the square of the lines.
    if name != Name::Other {
        message.addresses(name).take(64).flatten().for_each(|a| use_address(&a));
        black_box(message.identities(name).take(64).count());
    }
}

/// A URI.
pub fn uri(data: &[u8]) {
    let Ok(uri) = Uri::parse(data) else { return };
    use_uri(&uri);
    assert_eq!(uri.as_bytes(), data);
    // Percent-escapes and parameters can be spelled in ways that equal nothing, themselves included only if well-formed.
    black_box(uri.matches(&Uri::parse(b"sip:bob@example.com;transport=tcp?a=b").expect("a URI")));
}

fn use_uri(uri: &Uri<'_>) {
    black_box((uri.scheme(), uri.is_sip(), uri.user(), uri.password(), uri.host(), uri.port(), uri.ip()));
    black_box((uri.params().count(), uri.headers(), uri.is_loose(), uri.has_param("lr"), uri.to_string()));
    assert!(uri.as_bytes().starts_with(uri.without_params()));
    // RFC 3261 §19.1.1 forbids to repeat a parameter; one that is repeated with another value equals nothing.
    let name = |i: usize| uri.params().nth(i).map(|(name, _)| name.to_ascii_lowercase());
    let once = (1..uri.params().count()).all(|i| (0..i).all(|j| name(i) != name(j)));
    assert!(!once || uri.matches(uri), "a URI equals itself: {uri}");
}

/// An address.
pub fn address(data: &[u8]) {
    if let Ok(address) = Address::parse(data) {
        use_address(&address);
    }
}

fn use_address(address: &Address<'_>) {
    black_box((address.display(), address.tag(), sip::unescape(address.display())));
    use_uri(&address.uri());
    for (name, value) in address.params().iter() {
        let name = String::from_utf8_lossy(name).into_owned();
        assert!(address.params().has(&name));
        black_box((address.params().get(&name), sip::escape(value)));
    }
}

/// The start of a stream. What is cut out fits its octets, and more of the stream changes nothing.
pub fn frame(data: &[u8]) {
    let limits = Limits { head: 512, headers: 20, body: 1000 };
    match sip::frame(data, &limits) {
        Ok(Frame::Message { len }) => {
            assert!(len <= data.len());
            let longer = [data, b"INVITE sip:x SIP/2.0\r\n"].concat();
            assert_eq!(sip::frame(&longer, &limits), Ok(Frame::Message { len }));
            black_box(Message::parse(Bytes::copy_from_slice(&data[..len]), &limits).is_ok());
        }
        Ok(Frame::Blank { len, .. }) => assert!(len <= data.len() && data[..len].iter().all(|b| b"\r\n".contains(b))),
        Ok(Frame::Incomplete) => {}
        Err(error) => assert!(error.status == 0 || error.status >= 400),
    }
}

/// Changes to a message, drawn from the octets: the result is a message again.
pub fn edit(data: &[u8]) {
    const MESSAGE: &[u8] = b"INVITE sip:a@b SIP/2.0\r\nv: SIP/2.0/TCP h;branch=z9hG4bK1 , SIP/2.0/UDP i\r\nf: <sip:a@b>;tag=1\r\n\
        t: <sip:c@d>\r\ni: 1\r\nCSeq: 1 INVITE\r\nRoute: <sip:r1;lr>, <sip:r2;lr>\r\nX: \xff\r\nRoute:\r\n <sip:r3>\r\nl: 4\r\n\r\nbody";
    let message = Message::parse(Bytes::from_static(MESSAGE), &Limits::default()).expect("a message");
    let mut edit = message.edit();
    for op in data.chunks(2).take(64) {
        let [what, how] = [op[0], *op.last().unwrap_or(&0)];
        let names = [Name::Route, Name::RecordRoute, Name::Expires, Name::Supported, Name::MaxForwards];
        let name = names[usize::from(how) % names.len()];
        let value = how.to_string();
        _ = match what % 9 {
            0 => edit.prepend(name, &value),
            1 => edit.append(name, &value),
            2 => edit.remove(name),
            3 => edit.set(name, &value),
            4 => edit.remove_top(Name::Route, usize::from(how % 5)),
            5 => edit.replace_top(Name::Via, "SIP/2.0/UDP new;branch=z9hG4bK2"),
            6 => edit.uri(b"sip:x@y"),
            7 => edit.append_named("X-New", &value),
            _ => edit.body(&data[..usize::from(how).min(data.len())]),
        };
    }
    let printed = edit.finish();
    match Message::parse(printed.clone(), &Limits::default()) {
        Ok(changed) => {
            assert_eq!((changed.call_id(), changed.from_tag()), (&b"1"[..], &b"1"[..]));
            assert_eq!(changed.other_header("x"), Some(&b"\xff"[..]));
        }
        // The operations may well say Expires or Max-Forwards twice, or more than it can hold.
        Err(malformed) => assert!(malformed.message.is_some(), "{}", String::from_utf8_lossy(&printed)),
    }
}

/// Digest.
pub fn headers_auth(data: &[u8]) {
    match Challenge::parse(data) {
        Ok(Challenge::Digest(digest)) => {
            black_box(digest.algorithm().as_bytes());
            let printed = digest.print();
            let Ok(Challenge::Digest(again)) = Challenge::parse(&printed) else { panic!("a challenge is read again") };
            assert_eq!((again.realm, again.nonce, again.qop), (digest.realm, digest.nonce, digest.qop));
        }
        Ok(Challenge::Other { .. }) | Err(_) => {}
    }
    match Credentials::parse(data) {
        Ok(Credentials::Digest(digest)) => {
            black_box((digest.algorithm(), digest.nonce_count(), format!("{digest:?}")));
            let printed = digest.print();
            let Ok(Credentials::Digest(again)) = Credentials::parse(&printed) else { panic!("credentials, again") };
            assert_eq!((again.username, again.response, again.nc), (digest.username, digest.response, digest.nc));
        }
        Ok(Credentials::Other { .. }) | Err(_) => {}
    }
}

/// What IMS and CPM add.
pub fn headers_ims(data: &[u8]) {
    if let Ok(Contact::Address(contact)) = Contact::parse(data) {
        black_box((contact.q(), contact.expires(), contact.instance(), contact.reg_id(), contact.features().has("+x")));
        contact.features().icsis().for_each(|urn| drop(black_box(urn.to_string())));
    }
    if let Ok(accept) = AcceptContact::parse(data) {
        black_box((accept.features.has_icsi("urn:x"), accept.features.iaris().count()));
        assert!(accept.features.iter().all(|(name, _)| !name.is_empty()));
    }
    if let Ok(user) = PServedUser::parse(data) {
        let printed = user.print();
        let again = PServedUser::parse(&printed).expect("a served user is read again");
        assert_eq!((again.case, again.registration, again.diverted), (user.case, user.registration, user.diverted));
    }
    Identities::new(data).flatten().for_each(|identity| use_uri(&identity.uri));
    if let Ok(privacy) = Privacy::parse(data) {
        black_box((privacy.hides_identity(), privacy.kinds().count()));
    }
    if let Ok(id) = CorrelationId::parse(data) {
        assert!(!id.as_str().is_empty());
    }
    let urn = Urn::new(data);
    black_box((urn.escaped(), sip::ip(data)));
}

/// The rest.
pub fn headers_core(data: &[u8]) {
    if let Ok(via) = Via::parse(data) {
        black_box((via.has_cookie(), via.received(), via.rport(), via.maddr()));
    }
    if let Ok(read) = SessionExpires::parse(data) {
        assert_eq!(SessionExpires::parse(read.to_string().as_bytes()), Ok(read));
    }
    if let Ok(reason) = Reason::parse(data) {
        assert_eq!(Reason::parse(&reason.print()), Ok(reason));
    }
    if let Ok(warning) = Warning::parse(data) {
        assert_eq!(Warning::parse(&warning.print()), Ok(warning));
    }
    if let Ok(retry) = RetryAfter::parse(data) {
        assert_eq!(RetryAfter::parse(&retry.print()), Ok(retry));
    }
    if let Ok(kind) = ContentType::parse(data) {
        black_box((kind.is("message/cpim"), kind.boundary(), kind.is_multipart(), kind.covers(&kind)));
    }
    if let Ok(rack) = RAck::parse(data) {
        assert_eq!(RAck::parse(rack.to_string().as_bytes()), Ok(rack));
    }
    if let Ok(params) = Params::parse(data) {
        black_box(params.iter().count());
    }
    black_box((CSeq::parse(data).is_ok(), MinSe::parse(data).is_ok(), DeltaSeconds::parse(data).is_ok()));
    black_box((RSeq::parse(data).is_ok(), SubscriptionState::parse(data).is_ok()));
}
