//! Third-party registration (3GPP TS 24.229 §5.4.1.7, §5.7.1.1): the cores tell the participating functions who is
//! registered, and with the last device a user's sessions go.

use std::time::Duration;

use cpm::{Closing, Release, Service};
use flow::MediaPath;
use role_client::{Client, Event};
use scenarios::{ALICE, Ask, BOB, Phone, Setup, Site, System, Topology, header};
use sip::{Message, Name};
use sip_tx::Target;
use wire::{Instant, Transport};

fn topology(pf_a: MediaPath, transport: Transport) -> Topology {
    Topology { pf_a, pf_b: MediaPath::Off, transport }
}

fn registered(setup: Setup) -> System {
    let mut system = setup.build();
    system.register();
    system.settle();
    system
}

/// The instances and services of a user's devices, as PF A knows them.
fn devices(system: &System, aor: &str) -> Option<Vec<(String, Vec<Service>)>> {
    let devices = system.net[system.pf_a].get().devices(aor, system.net.now())?;
    Some(devices.into_iter().map(|device| (device.contact, device.services)).collect())
}

#[test]
fn the_core_tells_who_is_registered_with_the_register_enclosed_and_the_flow_conforms() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let system = registered(Setup::new(81, topology(MediaPath::On, transport)));
        for (flow, core) in flow::registration().into_iter().zip(["core-a", "core-b"]) {
            let seen = system.observed_since(Instant::ZERO).into_iter();
            let seen: Vec<_> = seen.filter(|o| o.from == core || o.to == core).collect();
            assert_eq!(seen.len(), 6, "{}", system.net.ladder());
            let verdict = flow.check(&seen);
            assert!(verdict.conforms(), "{}: {:#?}\n{}", flow.id, verdict.violations, system.net.ladder());
        }
        let told = system.net.arrows().iter().find(|arrow| arrow.label == "REGISTER" && &*arrow.to == "pf-a");
        let told = Message::parse_request(told.expect("a third-party REGISTER").data.clone()).expect("a REGISTER");
        assert_eq!(header(&told, Name::To), format!("<{ALICE}>"));
        assert_eq!((header(&told, Name::Event), header(&told, Name::Expires)), ("registration".into(), "720".into()));
        assert_eq!(header(&told, Name::PAssociatedUri), format!("<{ALICE}>, <tel:+15550001>"));
        let body = scenarios::body(&told);
        assert!(body.starts_with("REGISTER ") && !body.contains("Authorization"), "no proof of identity: {body}");
        let known = devices(&system, ALICE).expect("Alice is known");
        let [(contact, services)] = known.as_slice() else { panic!("one device: {known:?}") };
        assert!(contact.contains("@10.0.0.1:5060") && services.contains(&Service::Session), "{known:?}");
        assert_eq!(devices(&system, BOB), None, "Bob is PF B's");
    }
}

#[test]
fn when_the_last_device_leaves_the_far_side_is_told_480_and_the_user_nothing() {
    let mut system = registered(Setup::new(82, topology(MediaPath::On, Transport::Udp)));
    let (a, b) = system.establish();
    let since = system.net.now();
    system.net.node_mut(system.client_a, Client::deregister);
    system.run_for(Duration::from_secs(4));
    let byes = system.net.arrows().iter().filter(|arrow| arrow.label == "BYE" && arrow.sent_at >= since);
    let byes: Vec<_> = byes.map(|arrow| (arrow.from.to_string(), arrow.to.to_string())).collect();
    let way =
        [("pf-a", "core-a"), ("core-a", "core-b"), ("core-b", "pf-b"), ("pf-b", "core-b"), ("core-b", "client-b")];
    assert_eq!(byes, way.map(|(from, to)| (from.to_owned(), to.to_owned())), "{}", system.net.ladder());
    let bye = system.net.arrows().iter().find(|arrow| arrow.label == "BYE").expect("a BYE");
    let bye = Message::parse_request(bye.data.clone()).expect("a BYE");
    assert_eq!(header(&bye, Name::Reason), "SIP;cause=480;text=\"User deregistered\"");
    assert!(system.told_by("client-b").any(|event| matches!(event, Event::Closed { session, .. } if *session == b)));
    assert_eq!(devices(&system, ALICE), None);

    // Should Alice be there after all, her BYE finds no session.
    system.net.node_mut(system.client_a, |client: &mut Client, now| client.close(a, now));
    system.run_for(Duration::from_secs(1));
    assert!(system.net.arrows().iter().any(|arrow| arrow.label.starts_with("481") && &*arrow.to == "client-a"));
    system.run_for(Duration::from_secs(70));
    assert_eq!(system.open(), [], "{}", system.net.ladder());
    let [(Site::PfA, of_a), ..] = system.records.as_slice() else { panic!("a record: {:?}", system.records) };
    assert_eq!(of_a.closing, Closing::Released(Release::Deregistered));
}

#[test]
fn one_of_two_devices_may_leave_and_the_session_stays() {
    let mut setup = Setup::new(83, topology(MediaPath::On, Transport::Udp));
    setup.pf_a.default_profile.idle_session = None;
    let mut system = registered(setup);
    let second = system.phone("second", Site::ClientA, 5070);
    system.net.node_mut(second, Phone::register);
    let sessions = system.establish();
    assert_eq!(devices(&system, ALICE).map(|known| known.len()), Some(2));
    system.net.node_mut(second, |phone, now| phone.ask(phone.registration().with("Expires", "0"), now));
    system.settle();
    assert_eq!(devices(&system, ALICE).map(|known| known.len()), Some(1));
    assert_eq!(system.up("client-a"), [sessions.0]);
}

#[test]
fn a_registration_that_nobody_refreshes_ends_the_sessions_too() {
    let mut setup = Setup::new(84, topology(MediaPath::On, Transport::Udp));
    setup.pf_a.default_profile.idle_session = None;
    setup.client_a.expires = 100;
    let mut system = registered(setup);
    system.establish();
    system.net.isolate(system.client_a);
    // 100 s registered; the core notices by itself and says so.
    system.run_for(Duration::from_secs(90));
    let bye = |system: &System| system.net.arrows().iter().any(|arrow| arrow.label == "BYE");
    assert!(!bye(&system), "{}", system.net.ladder());
    system.run_for(Duration::from_secs(20));
    assert!(bye(&system), "{}", system.net.ladder());
    assert_eq!(devices(&system, ALICE), None);
}

#[test]
fn nobody_but_a_trusted_core_is_believed() {
    let mut system = registered(Setup::new(85, topology(MediaPath::On, Transport::Udp)));
    let sessions = system.establish();
    let stranger = system.phone("stranger", Site::ClientB, 5070);
    let pf = Target::new(Transport::Udp, Site::PfA.sip());
    let forged = Ask::new("REGISTER", "sip:10.0.0.3:5060")
        .with("From", "<sip:10.0.0.2:5060>;tag=1")
        .with("To", &format!("<{ALICE}>"))
        .with("Call-ID", "forged")
        .with("CSeq", "99 REGISTER")
        .with("Max-Forwards", "10")
        .with("Event", "registration")
        .with("Expires", "0");
    system.net.node_mut(stranger, |phone, now| phone.send(forged, &pf, now));
    system.settle();
    assert_eq!(system.net[stranger].statuses(), [403]);
    assert_eq!(system.up("client-a"), [sessions.0]);
    assert!(devices(&system, ALICE).is_some());
}
