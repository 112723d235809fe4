//! Messages in a session, both participating functions off the media path: the clients' MSRP connection is direct.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test picks the events that it is about")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flow::{CloseBy, MediaPath};
use role_client::{Client, ClosedBy, Event, SessionId};
use scenarios::{Setup, System, Topology, audit};
use sim::{Link, NodeId, for_each_seed};
use wire::{Entropy, Transport};

fn direct(transport: Transport) -> Topology {
    Topology { pf_a: MediaPath::Off, pf_b: MediaPath::Off, transport }
}

/// Both clients, in a session.
fn in_session(seed: u64, topology: Topology) -> (System, [(NodeId<Client>, SessionId); 2]) {
    let mut system = System::new(seed, topology);
    system.register();
    system.settle();
    let (a, b) = system.establish();
    let ends = [(system.client_a, a), (system.client_b, b)];
    (system, ends)
}

fn send(system: &mut System, (client, session): (NodeId<Client>, SessionId), text: &str) -> String {
    system.net.node_mut(client, |c, now| c.send(session, text, now)).expect("a session that is up takes messages")
}

/// The texts that came to a client, in order.
fn texts(system: &System, name: &str) -> Vec<String> {
    let text = |event: &Event| match event {
        Event::Message { content, .. } => Some(String::from_utf8_lossy(content).into_owned()),
        _ => None,
    };
    system.told_by(name).filter_map(text).collect()
}

/// The messages of a client by what it was told of them.
fn ids(system: &System, name: &str, pick: impl Fn(&Event) -> Option<&String>) -> Vec<String> {
    system.told_by(name).filter_map(pick).cloned().collect()
}

fn sent(event: &Event) -> Option<&String> {
    if let Event::Sent { message_id, .. } = event { Some(message_id) } else { None }
}

fn delivered(event: &Event) -> Option<&String> {
    if let Event::Delivered { message_id, .. } = event { Some(message_id) } else { None }
}

fn displayed(event: &Event) -> Option<&String> {
    if let Event::Displayed { message_id, .. } = event { Some(message_id) } else { None }
}

/// Those that surely did not arrive.
fn not_sent(event: &Event) -> Option<&String> {
    if let Event::NotSent { message_id, unknown: false, .. } = event { Some(message_id) } else { None }
}

#[test]
fn three_messages_each_way_arrive_once_and_are_receipted() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let (mut system, ends) = in_session(1, direct(transport));
        let mut expected = [Vec::new(), Vec::new()];
        for n in 0..3 {
            for (end, expected) in ends.into_iter().zip(&mut expected) {
                expected.push(send(&mut system, end, &format!("text {n} äöü")));
            }
        }
        system.settle();
        for ((name, peer), (expected, end)) in
            [("client-a", "client-b"), ("client-b", "client-a")].into_iter().zip(expected.iter().zip(ends))
        {
            assert_eq!(texts(&system, name), ["text 0 äöü", "text 1 äöü", "text 2 äöü"], "{transport}");
            assert_eq!(ids(&system, name, sent), *expected, "{transport}");
            assert_eq!(ids(&system, name, delivered), *expected, "{transport}");
            let from_peer = ids(&system, peer, sent);
            for id in &from_peer {
                assert!(system.net.node_mut(end.0, |c, now| c.displayed(end.1, id, now)));
                assert!(!system.net.node_mut(end.0, |c, now| c.displayed(end.1, id, now)), "told once");
            }
        }
        system.settle();
        for (name, expected) in ["client-a", "client-b"].into_iter().zip(expected) {
            assert_eq!(ids(&system, name, displayed), expected, "{transport}");
        }
        let bound = |name| system.told_by(name).filter(|event| matches!(event, Event::MediaUp { .. })).count();
        assert_eq!([bound("client-a"), bound("client-b")], [1, 1]);
    }
}

#[test]
fn a_large_message_arrives_whole() {
    let (mut system, ends) = in_session(2, direct(Transport::Udp));
    let text = "0123456789".repeat(10_000);
    let id = send(&mut system, ends[1], &text);
    system.settle();
    assert_eq!(texts(&system, "client-a"), [text]);
    assert_eq!(ids(&system, "client-b", delivered), [id]);
}

#[test]
fn a_message_sent_before_the_session_is_up_goes_when_it_is() {
    let mut system = System::new(3, direct(Transport::Udp));
    system.register();
    system.settle();
    let session = system.call();
    let end = (system.client_a, session);
    let id = send(&mut system, end, "early");
    system.settle();
    assert_eq!(texts(&system, "client-b"), ["early"]);
    assert_eq!(ids(&system, "client-a", delivered), [id]);
}

#[test]
fn a_message_sent_again_is_receipted_but_not_shown_again() {
    let (mut system, [a, _]) = in_session(4, direct(Transport::Udp));
    let id = send(&mut system, a, "once");
    system.settle();
    let again = |c: &mut Client, now| c.send_again(a.1, &id, "text/plain", b"once", now);
    assert!(system.net.node_mut(a.0, again));
    system.settle();
    assert_eq!(texts(&system, "client-b"), ["once"]);
    assert_eq!(ids(&system, "client-a", sent), [id.clone(), id.clone()]);
    assert_eq!(ids(&system, "client-a", delivered), [id]);
}

#[test]
fn a_message_above_what_the_peer_takes_is_not_sent_and_the_next_one_is() {
    let mut setup = Setup::new(8, direct(Transport::Udp));
    setup.client_b.max_message = 3_000;
    let mut system = setup.build();
    system.register();
    system.settle();
    let (session, _) = system.establish();
    let a = (system.client_a, session);
    // The peer has said how much it takes (RFC 4975 §8.6); through a function in between, it would be answered 413.
    let large = system.net.node_mut(a.0, |c, now| c.send(a.1, &"x".repeat(10_000), now));
    assert_eq!(large, None);
    let small = send(&mut system, a, "x");
    system.settle();
    assert_eq!(texts(&system, "client-b"), ["x"]);
    assert_eq!(ids(&system, "client-a", sent), [small]);
}

#[test]
fn typing_shows_until_the_message_comes() {
    let (mut system, [a, _]) = in_session(5, direct(Transport::Udp));
    system.net.node_mut(a.0, |c, now| c.typing(a.1, now));
    system.settle();
    send(&mut system, a, "hello");
    system.settle();
    let active = |event: &Event| if let Event::Composing { active, .. } = event { Some(*active) } else { None };
    assert_eq!(system.told_by("client-b").filter_map(active).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_close_waits_for_the_answers_and_every_message_arrives() {
    let (mut system, [a, b]) = in_session(6, direct(Transport::Udp));
    let id = send(&mut system, a, "last words");
    system.close(CloseBy::A, (a.1, b.1));
    let late = system.net.node_mut(a.0, |c, now| c.send(a.1, "too late", now));
    assert_eq!(late, None);
    system.settle();
    assert_eq!(texts(&system, "client-b"), ["last words"]);
    assert_eq!(ids(&system, "client-a", sent), [id]);
    let by = |event: &Event| if let Event::Closed { by, .. } = event { Some(*by) } else { None };
    assert_eq!(system.told_by("client-a").find_map(by), Some(ClosedBy::Us));
    system.run_for(Duration::from_secs(70));
    assert_eq!(system.open(), []);
}

#[test]
fn a_session_outlives_its_connection_and_the_next_message_opens_another() {
    let (mut system, [a, b]) = in_session(7, direct(Transport::Udp));
    assert_eq!(system.net.break_connections(a.0, b.0), 1);
    system.settle();
    send(&mut system, a, "again");
    system.settle();
    assert_eq!(texts(&system, "client-b"), ["again"]);
    assert_eq!((system.up("client-a"), system.up("client-b")), (vec![a.1], vec![b.1]));
}

/// What each message of a client came to, by its text: each has one end.
fn ends(system: &System, name: &str, posted: &BTreeMap<String, String>) -> BTreeMap<String, Option<bool>> {
    let mut ends = BTreeMap::new();
    for event in system.told_by(name) {
        let (id, end) = match event {
            Event::Sent { message_id, .. } => (message_id, None),
            Event::NotSent { message_id, unknown, .. } => (message_id, Some(*unknown)),
            _ => continue,
        };
        assert_eq!(ends.insert(posted[id].clone(), end), None, "one end for each: {:?}", system.net.ladder());
    }
    ends
}

/// Never half, never double, and the sender knows.
fn assert_accounted(system: &System, posted: &[BTreeMap<String, String>; 2], seed: u64) {
    for (n, (name, peer)) in [("client-a", "client-b"), ("client-b", "client-a")].into_iter().enumerate() {
        let came = texts(system, peer);
        let once: BTreeSet<_> = came.iter().cloned().collect();
        assert_eq!(once.len(), came.len(), "seed {seed}: a message came twice");
        let ends = ends(system, name, &posted[n]);
        for text in posted[n].values() {
            match ends.get(text) {
                Some(None) => assert!(once.contains(text), "seed {seed}: sent and did not come"),
                Some(Some(false)) => assert!(!once.contains(text), "seed {seed}: not sent and came"),
                Some(Some(true)) => {}
                None => panic!("seed {seed}: {name} does not know\n{}", system.net.ladder()),
            }
        }
        assert!(once.iter().all(|text| posted[n].values().any(|known| known == text)), "seed {seed}: half a message");
    }
}

#[test]
fn a_close_with_data_in_flight_loses_nothing_unknown() {
    let mut came = 0;
    let mut missed = 0;
    for_each_seed(50, |seed| {
        let transport = if seed % 2 == 0 { Transport::Udp } else { Transport::Tcp };
        let (mut system, sides) = in_session(seed, direct(transport));
        let mut dice = Entropy::from_seed(seed);
        let delay = Duration::from_millis(5 + dice.below(1_200));
        let slow = Link { delay, jitter: Duration::from_millis(dice.below(100)), ..Link::default() };
        system.net.set_link_between(system.client_a, system.client_b, slow);
        let mut posted = [BTreeMap::new(), BTreeMap::new()];
        for n in 0..1 + dice.below(4) {
            for (side, posted) in sides.into_iter().zip(&mut posted) {
                let text = format!("{n} ").repeat(1 + dice.below(60_000) as usize);
                posted.insert(send(&mut system, side, &text), text);
            }
            system.run_for(Duration::from_millis(dice.below(300)));
        }
        let by = [CloseBy::A, CloseBy::B, CloseBy::Both][dice.below(3) as usize];
        system.close(by, (sides[0].1, sides[1].1));
        system.run_for(Duration::from_secs(150));
        assert_accounted(&system, &posted, seed);
        audit(&system, &[]);
        assert_eq!(system.open(), [], "seed {seed}");
        let arrived = texts(&system, "client-a").len() + texts(&system, "client-b").len();
        came += arrived;
        missed += posted[0].len() + posted[1].len() - arrived;
    });
    assert!(came > 0 && missed > 0, "the closes come in the middle: {came} came, {missed} did not");
}

#[test]
fn a_session_that_never_has_a_way_for_messages_ends_and_the_sender_knows() {
    let mut system = System::new(9, direct(Transport::Udp));
    system.register();
    system.settle();
    system.net.partition(system.client_a, system.client_b);
    let (a, _) = system.establish();
    let client = system.client_a;
    let id = send(&mut system, (client, a), "nowhere");
    system.run_for(Duration::from_secs(25));
    assert_eq!((system.up("client-a").len(), system.up("client-b").len()), (1, 1), "the peer may be late");
    system.run_for(Duration::from_secs(80));
    let by = |event: &Event| if let Event::Closed { by, .. } = event { Some(*by) } else { None };
    for name in ["client-a", "client-b"] {
        assert!(system.up(name).is_empty() && system.told_by(name).find_map(by).is_some(), "{name}");
    }
    assert_eq!(ids(&system, "client-a", not_sent), [id]);
    assert_eq!(system.open(), []);
}

/// How many requests of this method were sent since a time, by any node.
fn requests_since(system: &System, from: wire::Instant, name: &str) -> usize {
    let is = |seen: &flow::Observed| matches!(&seen.message, flow::Message::Request { method } if method == name);
    system.observed_since(from).iter().filter(|seen| is(seen)).count()
}

#[test]
fn when_the_connection_cannot_be_opened_again_a_new_path_is_offered_and_then_the_sender_knows() {
    let (mut system, [a, b]) = in_session(10, direct(Transport::Udp));
    let broken = system.net.now();
    system.net.partition(a.0, b.0);
    system.net.break_connections(a.0, b.0);
    let lost = send(&mut system, a, "into the void");
    system.run_for(Duration::from_secs(60));
    assert!(requests_since(&system, broken, "INVITE") > 0);
    assert_eq!(ids(&system, "client-a", not_sent), std::slice::from_ref(&lost));
    assert_eq!((system.up("client-a"), system.up("client-b")), (vec![a.1], vec![b.1]), "the session outlives it");
    system.net.heal();
    assert!(system.net.node_mut(a.0, |c, now| c.send_again(a.1, &lost, "text/plain", b"into the void", now)));
    let back = send(&mut system, b, "and back");
    system.run_for(Duration::from_secs(30));
    assert_eq!(texts(&system, "client-b"), ["into the void"]);
    assert_eq!(ids(&system, "client-a", sent), [lost]);
    assert_eq!((texts(&system, "client-a"), ids(&system, "client-b", sent)), (vec!["and back".to_owned()], vec![back]));
}

#[test]
fn messages_survive_the_loss_of_the_connection_each_once() {
    let mut again = 0;
    for_each_seed(100, |seed| {
        let (mut system, sides) = in_session(seed, direct(Transport::Udp));
        let mut dice = Entropy::from_seed(seed);
        let mut posted = [Vec::new(), Vec::new()];
        for n in 0..6 {
            for (side, posted) in sides.into_iter().zip(&mut posted) {
                let text = format!("{n} ").repeat(1 + dice.below(40_000) as usize);
                send(&mut system, side, &text);
                posted.push(text);
            }
            system.run_for(Duration::from_millis(dice.below(30)));
            if dice.below(2) == 0 {
                again += system.net.break_connections(sides[0].0, sides[1].0);
                system.run_for(Duration::from_millis(dice.below(3_000)));
            }
        }
        system.run_for(Duration::from_secs(60));
        for ((name, peer), posted) in [("client-a", "client-b"), ("client-b", "client-a")].into_iter().zip(&posted) {
            let (mut came, mut posted) = (texts(&system, peer), posted.clone());
            came.sort();
            posted.sort();
            assert_eq!(came, posted, "seed {seed}: each once, and as a whole");
            assert_eq!(ids(&system, name, sent).len(), posted.len(), "seed {seed}");
            assert_eq!(ids(&system, name, not_sent), Vec::<String>::new(), "seed {seed}");
        }
    });
    assert!(again > 50, "{again} connections were broken");
}

#[test]
fn a_receipt_after_the_close_goes_as_a_message_of_its_own() {
    for (transport, by) in [(Transport::Udp, CloseBy::A), (Transport::Tcp, CloseBy::B)] {
        let (mut system, [a, b]) = in_session(11, direct(transport));
        let id = send(&mut system, a, "read me later");
        system.settle();
        system.close(by, (a.1, b.1));
        system.settle();
        assert_eq!(ids(&system, "client-a", displayed), Vec::<String>::new());
        let closed = system.net.now();
        assert!(system.net.node_mut(b.0, |c, now| c.displayed(b.1, &id, now)));
        system.settle();
        assert_eq!(ids(&system, "client-a", displayed), [id]);
        assert!(requests_since(&system, closed, "MESSAGE") > 0, "{}", system.net.ladder());
        assert_eq!(requests_since(&system, closed, "INVITE"), 0, "no session is opened for a receipt");
        system.run_for(Duration::from_secs(70));
        assert_eq!(system.open(), []);
    }
}

#[test]
fn a_receipt_for_a_user_who_is_offline_is_lost_and_whoever_owes_it_is_told() {
    let (mut system, [a, b]) = in_session(13, direct(Transport::Udp));
    let id = send(&mut system, a, "read me much later");
    system.settle();
    system.close(CloseBy::A, (a.1, b.1));
    system.settle();
    system.net.node_mut(a.0, Client::deregister);
    system.settle();
    assert!(system.net.node_mut(b.0, |c, now| c.displayed(b.1, &id, now)));
    system.settle();
    let lost = |event: &Event| {
        if let Event::ReceiptLost { message_id, status, .. } = event {
            Some((message_id.clone(), *status))
        } else {
            None
        }
    };
    assert_eq!(system.told_by("client-b").filter_map(lost).collect::<Vec<_>>(), [(id, 480)]);
}

/// A device that does not know CEMA, behind a box that anchors its media.
const ANCHORED: &str = "v=0\r\no=- 1 1 IN IP4 10.0.1.9\r\ns=-\r\nc=IN IP4 10.0.1.77\r\nt=0 0\r\n\
    m=message 4000 TCP/MSRP *\r\na=accept-types:message/cpim\r\na=setup:passive\r\n\
    a=path:msrp://10.0.1.9:2855/anchored;tcp\r\n";

#[test]
fn where_cema_does_not_work_the_offer_is_made_again_without_it() {
    for pf_b in [MediaPath::Off, MediaPath::On] {
        let mut system = System::new(12, Topology { pf_a: MediaPath::Off, pf_b, transport: Transport::Udp });
        system.net.node_mut(system.client_a, Client::register);
        let phone = system.phone("phone", scenarios::Site::ClientB, 5060);
        system.net.node_mut(phone, scenarios::Phone::register);
        system.settle();
        system.net.node_mut(phone, |phone, _| phone.sdp = ANCHORED.to_owned());
        system.call();
        system.run_for(Duration::from_secs(2));
        let offers: Vec<_> =
            system.net[phone].received(sip::Method::Invite).into_iter().map(|invite| scenarios::body(invite)).collect();
        let [first, second] = offers.as_slice() else { panic!("{pf_b:?} {offers:?}\n{}", system.net.ladder()) };
        assert!(first.contains("a=msrp-cema") && !second.contains("a=msrp-cema"), "{offers:?}");
        let path = |offer: &str| offer.lines().find(|line| line.starts_with("a=path:")).unwrap().to_owned();
        assert_eq!(path(first), path(second));
    }
}
