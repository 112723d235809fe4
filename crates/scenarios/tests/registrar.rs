//! The registrar and location of a core, as devices of one user see them.

use std::time::Duration;

use role_core::{Core, Secret, Subscriber};
use scenarios::{ALICE, Ask, BOB, Phone, Setup, Site, System, Topology, audit, header};
use sim::NodeId;
use sip::{Method, Name};
use wire::Transport;

use flow::MediaPath;

const FIGURE_9: Topology = Topology { pf_a: MediaPath::Off, pf_b: MediaPath::Off, transport: Transport::Udp };
const FIGURE_10: Topology = Topology { pf_a: MediaPath::On, pf_b: MediaPath::On, transport: Transport::Udp };

fn core_b(seed: u64) -> (System, NodeId<Phone>) {
    let mut system = System::new(seed, FIGURE_9);
    let phone = system.phone("phone", Site::ClientB, 5060);
    (system, phone)
}

fn register(system: &mut System, phone: NodeId<Phone>, change: impl FnOnce(Ask) -> Ask) -> sip::Response {
    system.net.node_mut(phone, |phone, now| {
        let ask = change(phone.registration());
        phone.ask(ask, now);
    });
    system.settle();
    system.net[phone].responses.last().expect("an answer").clone()
}

fn contacts(system: &mut System, aor: &str) -> usize {
    let core = if aor == ALICE { system.core_a } else { system.core_b };
    system.net.node_mut(core, |core: &mut Core, now| core.contacts(aor, now))
}

#[test]
fn a_registration_is_answered_with_all_that_a_client_needs() {
    let (mut system, phone) = core_b(41);
    let answer = register(&mut system, phone, |ask| {
        ask.with("Contact", "<sip:bob@10.0.1.9:5060>;+sip.instance=\"<urn:uuid:1>\"").with("Supported", "path")
    });
    assert_eq!(answer.status(), 200);
    assert_eq!(header(&answer, Name::Contact), "<sip:bob@10.0.1.9:5060>;expires=600;+sip.instance=\"<urn:uuid:1>\"");
    assert_eq!(header(&answer, Name::ServiceRoute), "<sip:10.0.1.2:5060;lr;orig>");
    assert_eq!(header(&answer, Name::PAssociatedUri), "<sip:bob@home2.test>, <tel:+15550002>");
    // Without a Contact it is a question.
    let answer = register(&mut system, phone, |ask| ask.without("Contact").without("Expires"));
    assert!(header(&answer, Name::Contact).starts_with("<sip:bob@10.0.1.9:5060>;expires="), "{answer:?}");
}

#[test]
fn how_long_a_binding_lasts_is_agreed_on() {
    // Contact, Expires; status, and what is granted.
    let cases: [(&str, Option<&str>, u16, &str); 9] = [
        ("<sip:bob@10.0.1.9:5060>", Some("120"), 200, "expires=120"),
        ("<sip:bob@10.0.1.9:5060>;expires=90", Some("120"), 200, "expires=90"),
        ("<sip:bob@10.0.1.9:5060>", None, 200, "expires=600"),
        ("<sip:bob@10.0.1.9:5060>", Some("600000"), 200, "expires=3600"),
        ("<sip:bob@10.0.1.9:5060>", Some("soon"), 200, "expires=3600"),
        ("<sip:bob@10.0.1.9:5060>", Some("29"), 423, ""),
        ("<sip:bob@10.0.1.9:5060>;expires=1", Some("600"), 423, ""),
        ("<sip:bob@10.0.1.9:5060>", Some("0"), 200, ""),
        ("sip:bob@10.0.1.9:5060", Some("99999999999999999999"), 200, "expires=3600"),
    ];
    for (contact, expires, status, granted) in cases {
        let (mut system, phone) = core_b(42);
        let answer = register(&mut system, phone, |ask| {
            let ask = ask.with("Contact", contact).without("Expires");
            expires.into_iter().fold(ask, |ask, expires| ask.with("Expires", expires))
        });
        assert_eq!(answer.status(), status, "{contact} {expires:?}");
        assert!(header(&answer, Name::Contact).ends_with(granted), "{contact} {expires:?}: {answer:?}");
        assert_eq!(contacts(&mut system, BOB), usize::from(!granted.is_empty()), "{contact} {expires:?}");
        let least = header(&answer, Name::MinExpires);
        assert_eq!(least, if status == 423 { "30" } else { "" });
    }
}

#[test]
fn what_cannot_be_bound_changes_nothing() {
    let cases: [(&str, &str, &str, u16); 5] = [
        ("a star that does not remove", "*", "600", 400),
        ("a star in company", "*, <sip:bob@10.0.1.9:5070>", "0", 400),
        ("a contact that is none", "<<", "600", 400),
        ("more than a user may have", "<sip:b@10.0.1.9:1>, <sip:b@10.0.1.9:2>, <sip:b@10.0.1.9:3>", "600", 403),
        ("one of several too short", "<sip:b@10.0.1.9:1>, <sip:b@10.0.1.9:2>;expires=3", "600", 423),
    ];
    for (title, contact, expires, status) in cases {
        let mut setup = Setup::new(43, FIGURE_9);
        setup.core_b.registration.max_contacts = 3;
        let mut system = setup.build();
        let phone = system.phone("phone", Site::ClientB, 5060);
        assert_eq!(register(&mut system, phone, |ask| ask).status(), 200);
        let answer = register(&mut system, phone, |ask| ask.with("Contact", contact).with("Expires", expires));
        assert_eq!(answer.status(), status, "{title}");
        assert_eq!(contacts(&mut system, BOB), 1, "{title}");
    }
}

#[test]
fn bindings_come_and_go() {
    let (mut system, phone) = core_b(44);
    let (one, two) = ("<sip:bob@10.0.1.9:5060>", "<sip:bob@10.0.1.9:5070>");
    register(&mut system, phone, |ask| ask.with("Contact", one).and("Contact", two));
    assert_eq!(contacts(&mut system, BOB), 2);
    register(&mut system, phone, |ask| ask.with("Contact", &format!("{one};expires=0")));
    assert_eq!(contacts(&mut system, BOB), 1);
    let answer = register(&mut system, phone, |ask| ask.with("Contact", "*").with("Expires", "0"));
    assert_eq!((answer.status(), contacts(&mut system, BOB)), (200, 0));

    // The same device at another address takes the place of the old one; another device does not.
    let device = |n: u8, port: u16| format!("<sip:bob@10.0.1.9:{port}>;+sip.instance=\"<urn:uuid:{n}>\"");
    register(&mut system, phone, |ask| ask.with("Contact", &device(1, 5060)));
    register(&mut system, phone, |ask| ask.with("Contact", &device(1, 5061)));
    register(&mut system, phone, |ask| ask.with("Contact", &device(2, 5062)));
    assert_eq!(contacts(&mut system, BOB), 2);

    // Time passes.
    system.run_for(Duration::from_secs(601));
    assert_eq!(contacts(&mut system, BOB), 0);
}

#[test]
fn a_register_that_was_overtaken_changes_nothing() {
    let (mut system, phone) = core_b(45);
    for change in [("<sip:bob@10.0.1.9:5060>", "600"), ("<sip:bob@10.0.1.9:5060>", "0"), ("*", "0")] {
        assert_eq!(register(&mut system, phone, |ask| ask).status(), 200);
        let last = system.net[phone].cseq;
        // One for the challenge, one with credentials, which then has the number of the last.
        system.net[phone].cseq -= 2;
        let answer = register(&mut system, phone, |ask| ask.with("Contact", change.0).with("Expires", change.1));
        assert_eq!((answer.status(), contacts(&mut system, BOB)), (500, 1), "{change:?}");
        system.net[phone].cseq = last;
    }
}

#[test]
fn only_the_user_with_the_password_registers() {
    type Change = fn(&mut Phone);
    let cases: [(&str, Change, u16); 4] = [
        ("the wrong password", |phone| phone.set_password("bob", "guess"), 403),
        ("somebody else's credentials", |phone| phone.set_password("alice", "alicepw"), 403),
        ("the private identity of an IMS client", |phone| phone.set_password("bob@home2.test", "bobpw"), 200),
        ("a user that there is not", |phone| phone.aor = "sip:nobody@home2.test".to_owned(), 403),
    ];
    for (title, change, status) in cases {
        let (mut system, phone) = core_b(46);
        change(&mut system.net[phone]);
        let answer = register(&mut system, phone, |ask| ask);
        assert_eq!(answer.status(), status, "{title}");
        assert_eq!(contacts(&mut system, BOB), usize::from(status == 200), "{title}");
        let challenged = system.net.arrows().iter().filter(|a| a.label.starts_with("401")).count();
        assert_eq!(challenged, 1, "{title}: nobody is told which users there are");
    }
}

#[test]
fn a_user_whose_password_is_kept_as_hashes_logs_in_under_each_name_that_there_is_one_for() {
    let hashed = |name| Secret::hashed(name, "home2.test", "bobpw");
    for (private, name, status) in [
        (Some(hashed("bob@home2.test")), "bob", 200),
        (Some(hashed("bob@home2.test")), "bob@home2.test", 200),
        (Some(hashed("bob@home2.test")), "bob@home1.test", 403),
        (None, "bob", 200),
        (None, "bob@home2.test", 403),
    ] {
        let (mut system, phone) = core_b(46);
        let core = system.core_b;
        let bob = Subscriber { secret: hashed("bob"), private: private.clone(), number: None };
        let users = [("bob".to_owned(), bob)].into();
        system.net.node_mut(core, |core, _| core.set_subscribers(users, std::collections::BTreeMap::new()));
        system.net[phone].set_password(name, "bobpw");
        let answer = register(&mut system, phone, |ask| ask);
        assert_eq!(answer.status(), status, "{name} {}", private.is_some());
    }
}

#[test]
fn nobody_registers_for_somebody_else() {
    let (mut system, phone) = core_b(47);
    let answer = register(&mut system, phone, |ask| ask.with("To", "<sip:carol@home2.test>"));
    assert_eq!(answer.status(), 403);
    assert_eq!(contacts(&mut system, BOB), 0);
}

#[test]
fn an_option_that_the_registrar_does_not_know_is_named() {
    let (mut system, phone) = core_b(48);
    let answer = register(&mut system, phone, |ask| ask.with("Require", "path, teleport"));
    assert_eq!((answer.status(), header(&answer, Name::Unsupported)), (420, "teleport".to_owned()));
}

#[test]
fn a_client_that_leaves_cannot_be_called_any_more() {
    let mut system = System::new(49, FIGURE_9);
    system.register();
    system.settle();
    assert_eq!(contacts(&mut system, BOB), 1);
    system.net.node_mut(system.client_b, role_client::Client::deregister);
    system.settle();
    assert_eq!(contacts(&mut system, BOB), 0);
    assert!(system.told_by("client-b").any(|event| *event == role_client::Event::Unregistered));
    let session = system.call();
    system.settle();
    let failed = role_client::Event::Failed { session, status: 480 };
    assert_eq!(system.told_by("client-a").last(), Some(&failed));
}

#[test]
fn a_registration_is_kept_up() {
    let mut system = System::new(50, FIGURE_9);
    system.register();
    system.run_for(Duration::from_secs(3_000));
    assert_eq!((contacts(&mut system, ALICE), contacts(&mut system, BOB)), (1, 1));
    system.establish();
}

/// Bob with two devices, Alice who calls.
fn two_devices(seed: u64, topology: Topology, q: [&str; 2]) -> (System, NodeId<Phone>, [NodeId<Phone>; 2]) {
    let mut system = System::new(seed, topology);
    let caller = system.phone("caller", Site::ClientA, 5060);
    let devices = [("one", 5060), ("two", 5070)].map(|(name, port)| system.phone(name, Site::ClientB, port));
    for (device, q) in devices.into_iter().zip(q) {
        let phone = &mut system.net[device];
        phone.contact = format!("{};+sip.instance=\"<urn:uuid:{}>\"{q}", phone.contact, phone.address.port());
        phone.script = vec![(Duration::from_millis(1), 180)];
    }
    for phone in [caller, devices[0], devices[1]] {
        system.net.node_mut(phone, Phone::register);
    }
    system.settle();
    system.net[caller].responses.clear();
    (system, caller, devices)
}

#[test]
fn all_devices_ring_and_the_first_that_answers_has_the_session() {
    for topology in [FIGURE_9, FIGURE_10] {
        let (mut system, caller, [one, two]) = two_devices(51, topology, ["", ""]);
        system.net[two].script.push((Duration::from_secs(1), 200));
        system.net.node_mut(caller, |phone, now| phone.ask(Ask::invite(BOB), now));
        system.settle();
        let ladder = system.net.ladder();
        assert_eq!(system.net[caller].statuses().last(), Some(&200), "{ladder}");
        let cancels: Vec<_> = system.net[one].received(Method::Cancel).into_iter().cloned().collect();
        assert_eq!(cancels.len(), 1, "{ladder}");
        assert!(header(&cancels[0], Name::Reason).contains("Call completed elsewhere"), "{ladder}");
        assert_eq!(system.net[two].received(Method::Ack).len(), 1, "{ladder}");
        system.net.node_mut(caller, Phone::bye);
        system.settle();
        assert_eq!(system.net[two].received(Method::Bye).len(), 1);
        assert_eq!(system.net[one].received(Method::Bye).len(), 0);
        system.run_for(Duration::from_secs(70));
        audit(&system, &[]);
        assert_eq!((system.open(), system.records.len()), (vec![], 2), "{topology:?}");
    }
}

#[test]
fn devices_ring_in_the_order_of_preference() {
    let (mut system, caller, [one, two]) = two_devices(52, FIGURE_9, [";q=0.3", ";q=0.9"]);
    system.net[two].script.push((Duration::from_secs(1), 486));
    system.net[one].script = vec![(Duration::ZERO, 200)];
    system.net.node_mut(caller, |phone, now| phone.ask(Ask::invite(BOB), now));
    system.run_for(Duration::from_millis(500));
    assert_eq!((system.net[one].requests.len(), system.net[two].requests.len()), (0, 1));
    system.settle();
    assert_eq!(system.net[caller].statuses(), [180, 200], "{}", system.net.ladder());
    assert_eq!(system.net[one].received(Method::Invite).len(), 1);
}

#[test]
fn only_devices_with_the_service_ring() {
    let (mut system, caller, [one, two]) = two_devices(53, FIGURE_9, ["", ""]);
    let plain = system.net[one].contact.replace("oma.cpm.session", "oma.cpm.msg");
    register(&mut system, one, |ask| ask.with("Contact", &plain));
    system.net[two].script = vec![(Duration::ZERO, 200)];
    system.net.node_mut(caller, |phone, now| phone.ask(Ask::invite(BOB), now));
    system.settle();
    assert_eq!(system.net[caller].statuses(), [200]);
    assert_eq!(system.net[one].requests.len(), 0);
}

#[test]
fn requests_follow_the_path_of_the_registration() {
    let (mut system, phone) = core_b(54);
    let caller = system.phone("caller", Site::ClientA, 5060);
    let edge = system.phone("edge", Site::ClientB, 5080);
    system.net.node_mut(caller, Phone::register);
    let answer =
        register(&mut system, phone, |ask| ask.with("Path", "<sip:10.0.1.9:5080;lr>").with("Supported", "path"));
    assert_eq!(header(&answer, Name::Path), "<sip:10.0.1.9:5080;lr>");
    system.net.node_mut(caller, |phone, now| phone.ask(Ask::invite(BOB), now));
    system.settle();
    let came = system.net[edge].received(Method::Invite).into_iter().cloned().collect::<Vec<_>>();
    assert_eq!((came.len(), system.net[phone].requests.len()), (1, 0), "{}", system.net.ladder());
    assert_eq!(header(&came[0], Name::Route), "<sip:10.0.1.9:5080;lr>");
    assert_eq!(came[0].uri().to_string(), "sip:bob@10.0.1.9:5060");
}

/// RCS clients register over a connection of their own that nobody can open towards them, with a Contact that says nothing
/// about it, and name the bare address-of-record as Contact of their dialogs; others name a GRUU there.
#[test]
fn a_device_behind_its_connection_is_reached_whatever_it_calls_itself() {
    let contacts = [
        ("<sip:bob@home2.test>", "<sip:bob@home2.test>"),
        ("<sip:bob@192.168.1.7:5060>;+sip.instance=\"<urn:uuid:7>\"", "<sip:bob@home2.test>"),
        ("<sip:bob@192.168.1.7:5060>;+sip.instance=\"<urn:uuid:7>\"", "<sip:bob@home2.test;gr=urn:uuid:7>"),
        ("<sip:bob@192.168.1.7:5060>", "<sip:bob@192.168.1.7:5060>"),
    ];
    for topology in Topology::all().into_iter().filter(|topology| topology.transport == Transport::Tcp) {
        for (registered, in_dialog) in contacts {
            let mut system = System::new(55, topology);
            let caller = system.phone("caller", Site::ClientA, 5060);
            let callee = system.phone("callee", Site::ClientB, 5060);
            let other = system.phone("other", Site::ClientB, 5070);
            system.net.node_mut(caller, Phone::register);
            assert_eq!(register(&mut system, callee, |ask| ask.with("Contact", registered)).status(), 200);
            // Another device of the same user, without the service: it must not be the one that the BYE ends at.
            let plain = "<sip:bob@10.0.1.9:5070;transport=tcp>;+sip.instance=\"<urn:uuid:9>\"";
            assert_eq!(register(&mut system, other, |ask| ask.with("Contact", plain)).status(), 200);
            system.net[other].answer = 481;
            system.net[callee].contact = in_dialog.to_owned();
            let ask = Ask::invite(BOB).without("Accept-Contact");
            system.net[other].script = vec![(Duration::ZERO, 486)];
            system.net.node_mut(caller, |phone, now| phone.ask(ask, now));
            system.settle();
            let what = format!("{topology:?} {registered} {in_dialog}\n{}", system.net.ladder());
            assert_eq!(system.net[caller].statuses().last(), Some(&200), "{what}");
            assert_eq!(system.net[callee].received(Method::Ack).len(), 1, "{what}");
            system.net.node_mut(caller, Phone::bye);
            system.settle();
            let what = format!("{topology:?} {registered} {in_dialog}\n{}", system.net.ladder());
            assert_eq!(system.net[callee].received(Method::Bye).len(), 1, "{what}");
            assert_eq!(system.net[caller].statuses().last(), Some(&200), "{what}");
        }
    }
}

#[test]
fn a_contact_that_somebody_else_claims_draws_nothing_away() {
    let mut setup = Setup::new(56, FIGURE_9);
    let thief = Subscriber::new("pw");
    setup.core_b.subscribers.insert("aaron".to_owned(), thief);
    let mut system = setup.build();
    let caller = system.phone("caller", Site::ClientA, 5060);
    let callee = system.phone("callee", Site::ClientB, 5060);
    let aaron = system.phone("aaron", Site::ClientB, 5099);
    system.net.node_mut(caller, Phone::register);
    system.net.node_mut(callee, Phone::register);
    system.net[aaron].aor = "sip:aaron@home2.test".to_owned();
    system.net[aaron].set_password("aaron", "pw");
    let claimed = system.net[callee].contact.clone();
    let forged = "<sip:bob@192.168.9.9:5060>".to_owned();
    for contact in [claimed.replace("bob@10.0.1.9:5060", "bob@home2.test"), forged] {
        assert_eq!(register(&mut system, aaron, |ask| ask.with("Contact", &contact)).status(), 200);
    }
    system.net[callee].contact = "<sip:bob@home2.test>".to_owned();
    system.net.node_mut(caller, |phone, now| phone.ask(Ask::invite(BOB), now));
    system.settle();
    system.net.node_mut(caller, Phone::bye);
    system.settle();
    assert_eq!(system.net[callee].received(Method::Bye).len(), 1, "{}", system.net.ladder());
    assert_eq!(system.net[aaron].requests.len(), 0);
}

#[test]
fn a_registration_outlives_the_core_until_it_expires_or_is_taken_back() {
    let mut system = Setup::new(57, FIGURE_9).keeping_registrations().build();
    let phone = system.phone("phone", Site::ClientB, 5060);
    let (caller, other) = (system.phone("caller", Site::ClientA, 5060), system.phone("other", Site::ClientB, 5099));
    system.net.node_mut(caller, Phone::register);
    let contact = format!("{};+sip.instance=\"<urn:uuid:1>\"", system.net[phone].contact);
    let long = register(&mut system, phone, |ask| ask.without("Contact").with("Contact", &contact));
    let short = register(&mut system, other, |ask| ask.without("Expires").with("Expires", "60"));
    assert_eq!((long.status(), short.status(), contacts(&mut system, BOB)), (200, 200, 2));

    // 1. The core dies, and comes back when one of them has expired: the other one is called.
    for site in [Site::CoreB, Site::CoreA] {
        system.crash(site);
    }
    system.run_for(Duration::from_secs(90));
    for site in [Site::CoreA, Site::CoreB] {
        system.restart(site);
    }
    assert_eq!((contacts(&mut system, BOB), contacts(&mut system, ALICE)), (1, 1));
    system.net.node_mut(caller, |phone, now| phone.ask(Ask::invite(BOB), now));
    system.settle();
    assert_eq!(system.net[phone].received(Method::Invite).len(), 1, "{}", system.net.ladder());

    // 2. One that is taken back is not there in the next life, and nothing is left to be known of the user.
    let gone = register(&mut system, phone, |ask| ask.with("Contact", "*").with("Expires", "0"));
    assert_eq!((gone.status(), system.net.kept(system.core_b)), (200, 0));
    system.crash(Site::CoreB);
    system.restart(Site::CoreB);
    assert_eq!((contacts(&mut system, BOB), contacts(&mut system, ALICE)), (0, 1));
}
