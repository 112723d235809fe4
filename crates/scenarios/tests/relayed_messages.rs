//! Messages in a session with one or both participating functions on the media path: each relays between its two legs.

use std::time::Duration;

use flow::{CloseBy, MediaPath};
use role_client::{Client, Event};
use scenarios::{Site, System, Topology};
use sim::for_each_seed;
use wire::{Entropy, Transport};

/// The topologies with at least one function on the media path.
fn relayed() -> Vec<Topology> {
    Topology::all().into_iter().filter(|t| t.pf_a == MediaPath::On || t.pf_b == MediaPath::On).collect()
}

fn texts(system: &System, name: &str) -> Vec<String> {
    let text = |event: &Event| {
        if let Event::Message { content, .. } = event {
            Some(String::from_utf8_lossy(content).into_owned())
        } else {
            None
        }
    };
    system.told_by(name).filter_map(text).collect()
}

fn delivered(system: &System, name: &str) -> Vec<String> {
    let id =
        |event: &Event| if let Event::Delivered { message_id, .. } = event { Some(message_id.clone()) } else { None };
    system.told_by(name).filter_map(id).collect()
}

fn registered(seed: u64, topology: Topology) -> System {
    let mut system = System::new(seed, topology);
    system.register();
    system.settle();
    system
}

#[test]
fn messages_pass_each_way_once_and_the_close_is_as_drawn() {
    for topology in relayed() {
        let mut system = registered(1, topology);
        let start = system.net.now();
        let sessions = system.establish();
        let (_, dialogs) = system.check_set_up(start);
        let mut sent = [Vec::new(), Vec::new()];
        for n in 0..3 {
            let text = format!("message {n} äöü");
            let a = system.net.node_mut(system.client_a, |c: &mut Client, now| c.send(sessions.0, &text, now));
            let b = system.net.node_mut(system.client_b, |c: &mut Client, now| c.send(sessions.1, &text, now));
            sent[0].extend(a);
            sent[1].extend(b);
        }
        system.settle();
        for (name, sent) in ["client-a", "client-b"].into_iter().zip(&sent) {
            assert_eq!(texts(&system, name), ["message 0 äöü", "message 1 äöü", "message 2 äöü"], "{topology:?}");
            assert_eq!(delivered(&system, name), *sent, "{topology:?}");
        }
        let closing = system.net.now();
        system.close(CloseBy::A, sessions);
        system.settle();
        let verdict = system.check_close(CloseBy::A, &dialogs, closing);
        assert!(verdict.conforms(), "{topology:?}: {:#?}\n{}", verdict.violations, system.net.ladder());
        system.run_for(Duration::from_secs(70));
        assert_eq!(system.open(), [], "{topology:?}");
        for (site, record) in &system.records {
            let is_on = [(Site::PfA, topology.pf_a), (Site::PfB, topology.pf_b)].contains(&(*site, MediaPath::On));
            // Three messages, and a receipt for each that came.
            let count = if is_on { 6 } else { 0 };
            assert_eq!([record.sent.messages, record.received.messages], [count; 2], "{topology:?} {site:?}");
        }
    }
}

#[test]
fn a_close_with_messages_under_way_leaves_no_half_and_no_double() {
    for_each_seed(50, |seed| {
        for topology in relayed().into_iter().filter(|topology| topology.transport == Transport::Udp) {
            let mut dice = Entropy::from_seed(seed);
            let mut system = registered(seed, topology);
            let sessions = system.establish();
            let mut sent = Vec::new();
            for n in 0..4 {
                let text = format!("{n} {}", "x".repeat([10, 5_000, 200_000][dice.below(3) as usize]));
                let from_a = dice.below(2) == 0;
                let (client, session) =
                    if from_a { (system.client_a, sessions.0) } else { (system.client_b, sessions.1) };
                let id = system.net.node_mut(client, |c: &mut Client, now| c.send(session, &text, now));
                sent.push((from_a, id.expect("a session that is up takes messages"), text));
                system.run_for(Duration::from_millis(dice.below(40)));
            }
            let by = [CloseBy::A, CloseBy::B, CloseBy::Both][dice.below(3) as usize];
            system.close(by, sessions);
            system.run_for(Duration::from_secs(100));
            assert_eq!(system.open(), [], "{topology:?}\n{}", system.net.ladder());
            for (from_a, id, text) in sent {
                let (from, to) = if from_a { ("client-a", "client-b") } else { ("client-b", "client-a") };
                let came = texts(&system, to).iter().filter(|got| **got == text).count();
                let is = |event: &&Event| matches!(event, Event::Sent { message_id, .. } | Event::NotSent { message_id, .. } if *message_id == id);
                let told: Vec<_> = system.told_by(from).filter(is).collect();
                assert!(came <= 1, "a double");
                assert!(matches!(told.as_slice(), [_]), "{topology:?} the sender is told once: {told:?}");
                assert!(came == 1 || matches!(told[0], Event::NotSent { .. }), "{topology:?} taken and not come");
            }
            let all = texts(&system, "client-a").len() + texts(&system, "client-b").len();
            assert!(all <= 4, "nothing but what was sent");
        }
    });
}
