use super::*;

const FEATURES: &str = "+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session,urn%3Aurn-7%3A3gpp-service.\
    ims.icsi.oma.cpm.msg\"";

fn at(seconds: u64) -> Now {
    Now { at: Instant::ZERO + Duration::from_secs(seconds), ..Now::default() }
}

/// As Kamailio's S-CSCF writes it, its slip in P-Associated-URI included.
fn told(cseq: u32, expires: u32, body: &str) -> Request {
    let kind = if body.is_empty() { "" } else { "Content-Type: message/sip\r\n" };
    let text = format!(
        "REGISTER sip:10.0.0.3:5060 SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.2:6060;branch=z9hG4bK1\r\nTo: <sip:a@x>\r\n\
         From: <sip:10.0.0.2:6060>;tag=1\r\nCSeq: {cseq} REGISTER\r\nCall-ID: c\r\nEvent: registration\r\n\
         Max-Forwards: 10\r\nExpires: {expires}\r\nContact: <sip:10.0.0.2:6060>\r\n\
         P-Associated-URI: <sip:a@x, tel:+15550001>, <sip:001@x>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    Message::parse_request(text.into()).expect("a REGISTER")
}

fn register(contact: &str) -> String {
    format!(
        "REGISTER sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK2\r\nTo: <sip:a@x>\r\nFrom: <sip:a@x>;tag=2\r\n\
         CSeq: 2 REGISTER\r\nCall-ID: d\r\nContact: {contact}\r\nContent-Length: 0\r\n\r\n"
    )
}

fn phone(name: &str, expires: u32) -> String {
    register(&format!("<sip:a@10.0.0.{name}>;+sip.instance=\"<urn:uuid:{name}>\";{FEATURES};expires={expires}"))
}

fn instances(known: &Registrations, now: Now) -> Vec<String> {
    known.devices("sip:a@x", now.at).into_iter().flatten().filter_map(|device| device.instance.clone()).collect()
}

#[test]
fn devices_come_and_go_by_what_is_enclosed_and_the_user_goes_with_the_last() {
    let mut known = Registrations::default();
    assert_eq!(known.told(&told(1, 3120, &phone("1", 3000)), at(0)), Told::Registered);
    assert_eq!(known.told(&told(2, 3120, &phone("2", 3000)), at(1)), Told::Registered);
    assert_eq!(instances(&known, at(1)), ["urn:uuid:1", "urn:uuid:2"]);
    let services: Vec<_> = known.devices("sip:a@x", at(1).at).unwrap().map(|device| device.services.clone()).collect();
    assert_eq!(services, [[Service::Session, Service::PagerMessage], [Service::Session, Service::PagerMessage]]);
    assert_eq!(known.told(&told(3, 0, &phone("1", 0)), at(2)), Told::Registered, "one is left");
    assert_eq!(instances(&known, at(2)), ["urn:uuid:2"]);
    let names = ["sip:a@x", "tel:+15550001", "sip:001@x"].map(str::to_owned).to_vec();
    assert_eq!(known.told(&told(4, 0, &phone("2", 0)), at(3)), Told::Gone(names));
    assert_eq!((known.len(), known.next_timeout()), (0, None));
    assert_eq!(known.told(&told(5, 0, ""), at(4)), Told::Unknown);
}

#[test]
fn a_register_says_for_its_contacts_how_long_they_last() {
    let mut known = Registrations::default();
    known.told(&told(1, 720, &phone("1", 600)), at(0));
    let second = register("<sip:a@10.0.0.2>").replacen("Call-ID: d", "Call-ID: d\r\nExpires: 60", 1);
    known.told(&told(2, 720, &second), at(1));
    assert_eq!(known.devices("sip:a@x", at(60).at).unwrap().count(), 2);
    let gone = second.replacen("Expires: 60", "Expires: 0", 1);
    assert_eq!(known.told(&told(3, 720, &gone), at(2)), Told::Registered, "another device is left");
    assert_eq!(instances(&known, at(2)), ["urn:uuid:1"]);
    assert_eq!(known.devices("sip:a@x", at(2).at).unwrap().count(), 1);
}

#[test]
fn an_answer_that_is_enclosed_names_all_devices() {
    let mut known = Registrations::default();
    known.told(&told(1, 600, &phone("1", 600)), at(0));
    let contacts = "<sip:a@10.0.0.7>;expires=500\r\nContact: <sip:a@10.0.0.8>;expires=20";
    let answer = register(contacts).replacen("REGISTER sip:x SIP/2.0", "SIP/2.0 200 OK", 1);
    assert_eq!(known.told(&told(2, 600, &answer), at(1)), Told::Registered);
    let contacts = |now: Now| known.devices("sip:a@x", now.at).unwrap().map(|d| d.contact.clone()).collect::<Vec<_>>();
    assert_eq!(contacts(at(1)), ["sip:a@10.0.0.7", "sip:a@10.0.0.8"]);
    assert_eq!(contacts(at(22)), ["sip:a@10.0.0.7"], "each has its own time");
}

#[test]
fn a_registration_that_is_not_refreshed_ends_after_its_grace() {
    let mut known = Registrations::default();
    known.told(&told(1, 100, ""), at(0));
    assert_eq!(known.pop_expired(at(131).at), None);
    known.told(&told(2, 100, ""), at(100));
    assert_eq!(known.pop_expired(at(231).at), None, "it was refreshed");
    assert_eq!(known.pop_expired(at(232).at).map(|names| names.len()), Some(3));
    assert_eq!(known.len(), 0);
}

#[test]
fn what_was_overtaken_changes_nothing_and_junk_inside_does_no_harm() {
    let mut known = Registrations::default();
    known.told(&told(5, 600, &phone("1", 600)), at(0));
    assert_eq!(known.told(&told(4, 0, ""), at(1)), Told::Late);
    assert_eq!(known.told(&told(6, 600, "junk"), at(1)), Told::Registered);
    assert_eq!(instances(&known, at(1)), ["urn:uuid:1"]);
    for n in 0..100 {
        known.told(&told(7 + n, 600, &register(&format!("<sip:a@10.0.1.{n}>"))), at(1));
    }
    assert_eq!(known.devices("sip:a@x", at(1).at).unwrap().count(), MAX_PER_USER);
}
