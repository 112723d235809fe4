//! The messages of RFC 4475 and RFC 5118, held to the verdicts of `torture/verdicts.toml`.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its data has failed")]

use std::fs;
use std::path::Path;

use bytes::Bytes;
use sip::header::{Challenge, Contact, ContentType, Credentials, DeltaSeconds};
use sip::{Address, Limits, Malformed, Message, Method, Name, Scheme, Uri, unescape};

struct Case {
    name: String,
    bytes: Bytes,
    /// The status code of the parser's refusal; `None` when it accepts.
    refusal: Option<u16>,
    answers: Vec<String>,
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/torture"))
}

fn cases() -> Vec<Case> {
    let table: toml::Table = fs::read_to_string(folder().join("verdicts.toml")).unwrap().parse().unwrap();
    let read = |case: &toml::Value| {
        let text = |key: &str| case[key].as_str().unwrap().to_owned();
        let list = |key: &str| -> Option<Vec<String>> {
            Some(case.get(key)?.as_array().unwrap().iter().map(|a| a.as_str().unwrap().to_owned()).collect())
        };
        assert!(list("answers").is_some() != list("never").is_some(), "{}: answers or never", text("name"));
        Case {
            name: text("name"),
            bytes: Bytes::from(fs::read(folder().join(text("file"))).unwrap()),
            refusal: case["message"].as_integer().map(|status| u16::try_from(status).unwrap()),
            answers: list("answers").unwrap_or_default(),
        }
    };
    table["case"].as_array().unwrap().iter().map(read).collect()
}

fn parse(bytes: &Bytes) -> Result<Message, Malformed> {
    Message::parse(bytes.clone(), &Limits::default())
}

fn load(name: &str) -> Message {
    let case = cases().into_iter().find(|c| c.name == name).unwrap();
    parse(&case.bytes).unwrap_or_else(|m| panic!("{name}: {}", m.error))
}

#[test]
fn every_torture_message_gets_the_verdict_of_its_rfc() {
    for case in cases() {
        let status = parse(&case.bytes).err().map(|m| m.error.status);
        assert_eq!(status, case.refusal, "{}", case.name);
    }
}

#[test]
fn the_table_names_every_stored_message() {
    let stored = |dir: &str| fs::read_dir(folder().join(dir)).unwrap().count();
    assert_eq!((stored("rfc4475"), stored("rfc5118"), cases().len()), (49, 12, 61));
}

#[test]
fn an_untouched_message_is_forwarded_byte_for_byte() {
    for case in cases() {
        let Ok(message) = parse(&case.bytes) else { continue };
        let forwarded = message.edit().finish();
        // Octets after the body are not the message's (RFC 3261 §18.3).
        assert!(case.bytes.starts_with(&forwarded), "{}", case.name);
        let tail = case.bytes.len() - forwarded.len();
        assert!(tail == 0 || ["dblreq", "ipv6-in-sdp", "mult-ip-in-sdp", "ipv4-mapped-ipv6"].contains(&&*case.name));
    }
}

#[test]
fn a_refused_request_is_answered_and_a_refused_response_dropped() {
    for case in cases() {
        let Err(malformed) = parse(&case.bytes) else { continue };
        let answer = malformed.answer("t").map(|builder| builder.finish());
        match answer {
            Some(answer) => {
                let expected = format!("SIP/2.0 {} ", malformed.error.status);
                assert!(answer.starts_with(expected.as_bytes()), "{}", case.name);
                let is_request = !case.bytes.starts_with(b"SIP/");
                assert!(is_request && case.answers.contains(&malformed.error.status.to_string()), "{}", case.name);
            }
            None => assert!(case.answers.contains(&"none".to_owned()), "{} is not answered", case.name),
        }
    }
}

#[test]
fn a_short_tortuous_invite() {
    let m = load("wsinv");
    assert_eq!((m.from_tag(), m.to_tag()), (&b"98asjd8"[..], &b"1918181833n"[..]));
    assert_eq!(&*unescape(&m.from().display()[1..m.from().display().len() - 1]), b"J Rosenberg \\\"");
    assert_eq!((m.max_forwards(), m.cseq().number, m.cseq().method), (Some(68), 9, Method::Invite));
    assert_eq!((m.via().transport, m.via().host, m.via().branch), (&b"UDP"[..], &b"192.0.2.2"[..], &b"390skdjuw"[..]));
    let hosts: Vec<_> = m.values(Name::Via).map(|v| sip::header::Via::parse(v).unwrap().host).collect();
    assert_eq!(hosts, [&b"192.0.2.2"[..], b"spindle.example.com", b"192.168.255.111"]);
    assert_eq!(m.header(Name::Subject), Some(&b""[..]));
    assert_eq!(m.other_header("UnknownHeaderWithUnusualValue"), Some(&b";;,,;;,;"[..]));
    let contacts: Vec<_> = m.addresses(Name::Contact).map(Result::unwrap).collect();
    assert_eq!(contacts.len(), 1);
    let Some(Ok(Contact::Address(contact))) = m.values(Name::Contact).next().map(Contact::parse) else {
        panic!("no contact")
    };
    assert_eq!(contact.q().map(|q| q.thousandths()), Some(330));
}

#[test]
fn a_wide_range_of_valid_characters() {
    let m = load("intmeth");
    assert_eq!(m.cseq().method, Method::Extension);
    assert_eq!(m.cseq_method(), b"!interesting-Method0123456789_*+`.%indeed'~");
    assert_eq!(m.via().branch, b"z9hG4bK-.!%66*_+`'~");
    assert_eq!(m.max_forwards(), Some(255));
    assert_eq!(m.to().uri().host(), b"example.com");
    assert_eq!(m.from_tag(), b"_token~1'+`*%!-.");
    assert_eq!(m.call_id(), b"intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{");
    assert_eq!(m.other_header("extensionheader-!.%*+_`'~").unwrap(), "\u{feff}大停電".as_bytes());
}

#[test]
fn escapes_are_read_where_they_are_escapes() {
    let m = load("esc01");
    let sip::Either::Request(request) = m.split() else { panic!("a request") };
    assert_eq!(request.uri().user(), Some(&b"sips%3Auser%40example.com"[..]));
    let to = request.to();
    assert!(to.uri().matches(&Uri::parse(b"sip:user@example.com").unwrap()));
    let contact = Address::parse(request.header(Name::Contact).unwrap()).unwrap();
    assert_eq!(contact.uri().params().count(), 2);

    let m = load("esc02");
    assert_eq!(m.cseq().method, Method::Extension);
    assert_eq!(m.headers(Name::Contact).count(), 2, "C%6Fntact is not Contact");

    let users: Vec<_> =
        load("escnull").addresses(Name::Contact).map(|c| c.unwrap().uri().user().unwrap().to_vec()).collect();
    assert_eq!(users, [b"%00".to_vec(), b"%00%00".to_vec()]);
}

#[test]
fn addresses_and_routes_of_the_valid_messages() {
    assert_eq!(load("lwsdisp").from().display(), b"caller");
    assert_eq!(load("lwsdisp").from_tag(), b"323");

    let sip::Either::Request(request) = load("semiuri").split() else { panic!("a request") };
    assert_eq!(request.uri().user(), Some(&b"user;par=u%40example.net"[..]));
    assert_eq!(request.uri().params().count(), 0);
    assert!(request.lists(Name::Accept, "multipart/signed"));

    let transports: Vec<_> = load("transports")
        .values(Name::Via)
        .map(|v| String::from_utf8_lossy(sip::header::Via::parse(v).unwrap().transport).into_owned())
        .collect();
    assert_eq!(transports, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]);

    assert_eq!(load("longreq").values(Name::Via).count(), 34);
    assert!(load("badbranch").via().branch == b"z9hG4bK" && !load("badbranch").via().has_cookie());
    assert!(load("inv2543").via().branch.is_empty() && load("inv2543").max_forwards().is_none());
    assert_eq!(load("inv2543").from_tag(), b"");
}

#[test]
fn bodies_of_the_valid_messages() {
    let m = load("mpart01");
    let kind = m.typed::<ContentType<'_>>().unwrap().unwrap();
    assert_eq!((m.body().len(), kind.boundary()), (553, Some(&b"7a9cbec02ceef655"[..])));
    assert_eq!(load("dblreq").body(), b"");
    assert!(load("invut").typed::<ContentType<'_>>().unwrap().unwrap().is("application/unknownformat"));
}

#[test]
fn responses_of_the_valid_messages() {
    let sip::Either::Response(response) = load("unreason").split() else { panic!("a response") };
    assert!(response.is_success() && String::from_utf8_lossy(response.reason_phrase()).starts_with("= 2**3"));
    let sip::Either::Response(response) = load("noreason").split() else { panic!("a response") };
    assert!(response.is_provisional() && response.reason_phrase().is_empty());
    assert_eq!(load("bcast").values(Name::Via).count(), 2);
}

#[test]
fn what_only_a_role_can_judge_is_there_to_be_judged() {
    let sip::Either::Request(request) = load("unkscm").split() else { panic!("a request") };
    assert_eq!(request.uri().scheme(), Scheme::Other);
    let sip::Either::Request(request) = load("novelsc").split() else { panic!("a request") };
    assert_eq!(request.uri().as_bytes(), b"soap.beep://192.0.2.103:3002");
    assert!(!load("unksm2").to().uri().is_sip());
    let m = load("bext01");
    assert!(m.lists(Name::Require, "nothingsupportsthiseither") && m.values(Name::ProxyRequire).count() == 2);
    assert!(matches!(
        Credentials::parse(load("regaut01").header(Name::Authorization).unwrap()),
        Ok(Credentials::Other { scheme: b"NoOneKnowsThisScheme" })
    ));
    assert!(Challenge::parse(b"NoOneKnowsThisScheme opaque-data=here").is_ok());
    assert_eq!(load("zeromf").max_forwards(), Some(0));
    assert!(Contact::parse(load("regbadct").header(Name::Contact).unwrap()).is_err());
    let m = load("regescrt");
    let contact = Contact::parse(m.header(Name::Contact).unwrap()).unwrap();
    assert_eq!(contact.address().unwrap().uri().headers(), Some(&b"Route=%3Csip:sip.example.com%3E"[..]));
    assert!(load("cparam01").addresses(Name::Contact).next().unwrap().unwrap().params().has("unknownparam"));
    assert!(load("cparam02").addresses(Name::Contact).next().unwrap().unwrap().uri().has_param("unknownparam"));
    assert!(!load("sdp01").lists(Name::Accept, "application/sdp"));
}

#[test]
fn what_is_left_of_a_refused_message_is_legible() {
    let case = cases().into_iter().find(|c| c.name == "baddn").unwrap();
    let message = parse(&case.bytes).unwrap_err().message.unwrap();
    assert_eq!((message.via().branch, message.cseq().number), (&b"z9hG4bKkdjuw"[..], 3_923_239));
    assert_eq!(message.header(Name::ContentLength), Some(&b"0"[..]));
    let case = cases().into_iter().find(|c| c.name == "scalar02").unwrap();
    let message = parse(&case.bytes).unwrap_err().message.unwrap();
    assert_eq!(DeltaSeconds::parse(message.header(Name::Expires).unwrap()), Ok(DeltaSeconds(u32::MAX)));
}

#[test]
fn ipv6_references_are_hosts_and_their_ports_stand_outside() {
    let uri = |name: &str| {
        let sip::Either::Request(request) = load(name).split() else { panic!("a request") };
        (String::from_utf8_lossy(request.uri().host()).into_owned(), request.uri().port())
    };
    assert_eq!(uri("port-ambiguous"), ("[2001:db8::10:5070]".to_owned(), None));
    assert_eq!(uri("port-unambiguous"), ("[2001:db8::10]".to_owned(), Some(5070)));
    let three_colons = load("ipv6-bug-abnf-3-colons");
    let two_colons = load("ipv6-correct-abnf-2-colons");
    assert_eq!(three_colons.to().uri().ip(), two_colons.to().uri().ip());
    assert!(three_colons.to().uri().matches(&two_colons.to().uri()));
    let ip = "2001:db8::9:255".parse().unwrap();
    assert_eq!(sip::ip(load("via-received-param-with-delim").via().received().unwrap()), Some(ip));
    assert_eq!(sip::ip(load("via-received-param-no-delim").via().received().unwrap()), Some(ip));
    assert_eq!(sip::ip(load("ipv4-mapped-ipv6").via().host), Some("::ffff:192.0.2.10".parse().unwrap()));
    assert_eq!(load("mult-ip-in-header").values(Name::Via).count(), 3);
}
