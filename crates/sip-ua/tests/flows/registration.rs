use sim::{Link, Net, NodeId, Packet, for_each_seed};
use sip::Name;
use sip_ua::Reject;
use sip_ua::digest::Account;

use crate::phone::{Phone, SECOND, phones};
use crate::registrar::Registrar;

const UDP: &str = "sip:10.0.0.3";
const TCP: &str = "sip:10.0.0.3;transport=tcp";
const REGISTERED: &str = "Registered { expires: 600, service_route: [b\"<sip:orig@10.0.0.3;lr>\"], \
                          associated: [b\"<sip:alice@home.example>\", b\"<tel:+15550001>\"] }";

fn with_registrar(seed: u64, registrar: &str, word: &str) -> (Net, NodeId<Phone>, NodeId<Registrar>) {
    let (mut net, alice, _bob) = phones(seed);
    let at = Registrar::add(&mut net);
    let account = Account::new("alice", word);
    net.node_mut(alice, |phone, _| {
        phone.ua.set_account(Some(account));
        phone.plan_registration(registrar, 600);
    });
    (net, alice, at)
}

fn register(net: &mut Net, alice: NodeId<Phone>) {
    net.node_mut(alice, |phone, now| phone.register(now));
    net.run_for(SECOND);
}

fn count(net: &Net, label: &str) -> usize {
    net.arrows().iter().filter(|arrow| arrow.label == label).count()
}

#[test]
fn a_challenged_registration_is_answered_over_udp_and_tcp() {
    for (seed, registrar) in [(1, UDP), (2, TCP)] {
        let (mut net, alice, at) = with_registrar(seed, registrar, "open");
        register(&mut net, alice);
        net.assert_ladder_untimed(
            "
            alice     -> registrar  REGISTER
            registrar -> alice      401 Unauthorized
            alice     -> registrar  REGISTER
            registrar -> alice      200 OK
        ",
        );
        assert_eq!(net[alice].log, [REGISTERED]);
        assert!(net[at].binding.is_some());
        let first = net.arrows()[0].text();
        let second = net.arrows()[2].text();
        assert!(first.contains("CSeq: 1 REGISTER") && second.contains("CSeq: 2 REGISTER"));
        assert!(!first.contains("Authorization") && second.contains("Authorization: Digest username=\"alice\""));
        assert!(second.contains("Supported: path\r\n") && !second.contains("Max-Forwards: 70\r\nMax"));
    }
}

#[test]
fn a_binding_is_refreshed_at_half_time_with_the_known_nonce() {
    let (mut net, alice, _at) = with_registrar(3, UDP, "open");
    register(&mut net, alice);
    net.clear_ladder();
    net.run_for(1000 * SECOND);
    net.assert_ladder_untimed(
        "
        alice     -> registrar  REGISTER
        registrar -> alice      200 OK
        alice     -> registrar  REGISTER
        registrar -> alice      200 OK
        alice     -> registrar  REGISTER
        registrar -> alice      200 OK
    ",
    );
    // The nonce grows old in time: challenged once more, as stale.
    net.run_for(4000 * SECOND);
    assert_eq!(count(&net, "401 Unauthorized"), 1);
    assert!(net[alice].log.iter().all(|line| line == REGISTERED), "{:?}", net[alice].log);
}

#[test]
fn a_binding_is_taken_away() {
    let (mut net, alice, at) = with_registrar(4, UDP, "open");
    register(&mut net, alice);
    net.node_mut(alice, |phone, now| phone.unregister(now));
    net.run_for(SECOND);
    assert_eq!(net[alice].log, [REGISTERED, "Unregistered"]);
    assert_eq!(net[at].binding, None);
    net.clear_ladder();
    net.run_for(1000 * SECOND);
    net.assert_ladder("");
}

#[test]
fn a_change_of_mind_waits_for_the_register_under_way() {
    let (mut net, alice, at) = with_registrar(5, UDP, "open");
    net.node_mut(alice, |phone, now| {
        phone.register(now);
        phone.unregister(now);
    });
    net.run_for(SECOND);
    assert_eq!((net[alice].log.last().unwrap().as_str(), &net[at].binding), ("Unregistered", &None));
    register(&mut net, alice);
    net.node_mut(alice, |phone, now| {
        phone.unregister(now);
        phone.register(now);
    });
    net.run_for(SECOND);
    assert_eq!(net[alice].log.last().unwrap(), REGISTERED);
    assert!(net[at].binding.is_some());
}

#[test]
fn a_wrong_password_is_not_tried_again() {
    let (mut net, alice, _at) = with_registrar(6, UDP, "guess");
    register(&mut net, alice);
    net.run_for(1000 * SECOND);
    assert_eq!(net[alice].log, ["Failed { status: 403, retry: None }"]);
    assert_eq!(count(&net, "REGISTER"), 2);
}

#[test]
fn a_binding_that_is_too_brief_is_made_longer() {
    let (mut net, alice, at) = with_registrar(7, UDP, "open");
    net[at].min_expires = 1800;
    register(&mut net, alice);
    assert!(net[alice].log[0].starts_with("Registered { expires: 1800"), "{:?}", net[alice].log);
    assert_eq!(count(&net, "423 Interval Too Brief"), 1);
}

#[test]
fn a_registrar_that_is_busy_or_away_is_tried_again_later() {
    let (mut net, alice, at) = with_registrar(8, UDP, "open");
    net[at].refusals = vec![Reject::new(503), Reject::new(503).with(Name::RetryAfter, "7")];
    register(&mut net, alice);
    assert_eq!(net[alice].log, ["Failed { status: 503, retry: Some(7s) }"]);
    net.run_for(7 * SECOND);
    assert_eq!(net[alice].log.len(), 2);
    net.run_for(60 * SECOND);
    assert_eq!(net[alice].log.last().unwrap(), REGISTERED);
    net.isolate(at);
    net.run_for(400 * SECOND);
    assert!(net[alice].log.last().unwrap().starts_with("Failed { status: 408, retry: Some("));
    net.heal();
    net.run_for(2000 * SECOND);
    assert_eq!(net[alice].log.last().unwrap(), REGISTERED);
}

#[test]
fn a_lost_register_is_repeated() {
    let (mut net, alice, _at) = with_registrar(9, UDP, "open");
    net.lose_next_matching(|packet: &Packet<'_>| packet.label == "REGISTER", 1);
    net.node_mut(alice, |phone, now| phone.register(now));
    net.run_for(3 * SECOND);
    assert_eq!(net[alice].log, [REGISTERED]);
}

#[test]
fn registrations_come_through_a_bad_network() {
    for_each_seed(50, |seed| {
        let (mut net, alice, at) = with_registrar(seed, UDP, "open");
        net.set_link(Link::bad(0.2));
        net.node_mut(alice, |phone, now| phone.register(now));
        net.run_for(120 * SECOND);
        assert_eq!(net[alice].log.last().unwrap(), REGISTERED);
        assert!(net[at].binding.is_some());
    });
}
