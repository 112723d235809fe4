//! Setting a one-to-one session up and closing it, as the founding document draws it (C.2.3.1, Figures 9 and 10), in every
//! topology, from either side and from both at once, over UDP and TCP.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test picks the events that it is about")]

use std::time::Duration;

use flow::{CloseBy, MediaPath};
use role_client::{ClosedBy, Event};
use scenarios::{Fault, Setup, Site, System, Topology};
use wire::Transport;

const TOMBSTONE: Duration = Duration::from_secs(70);

/// Registers, opens, closes; checks every arrow and that nothing is left.
fn play(topology: Topology, by: CloseBy, seed: u64) -> System {
    play_on(Setup::new(seed, topology), by)
}

fn play_on(setup: Setup, by: CloseBy) -> System {
    let topology = setup.topology;
    let mut system = setup.build();
    system.register();
    system.settle();
    let start = system.net.now();
    let sessions = system.establish();
    let (set_up, dialogs) = system.check_set_up(start);
    assert!(set_up.conforms(), "set-up {topology:?}: {:#?}\n{}", set_up.violations, system.net.ladder());
    let closing = system.net.now();
    system.close(by, sessions);
    system.settle();
    let verdict = system.check_close(by, &dialogs, closing);
    assert!(verdict.conforms(), "{topology:?} {by:?}: {:#?}\n{}", verdict.violations, system.net.ladder());
    system.run_for(TOMBSTONE);
    assert_eq!(system.open(), [], "{topology:?} {by:?}");
    system
}

#[test]
fn every_topology_closes_from_a_as_drawn() {
    for topology in Topology::all() {
        let system = play(topology, CloseBy::A, 1);
        let closed: Vec<_> = system
            .told
            .iter()
            .filter_map(|(who, e)| match e {
                Event::Closed { by, .. } => Some((*who, *by)),
                _ => None,
            })
            .collect();
        assert!(
            closed.contains(&("client-a", ClosedBy::Us)) && closed.contains(&("client-b", ClosedBy::Peer)),
            "{closed:?}"
        );
        assert_eq!(closed.len(), 2);
    }
}

#[test]
fn every_topology_closes_from_b_as_the_mirror() {
    for topology in Topology::all() {
        play(topology, CloseBy::B, 2);
    }
}

#[test]
fn every_topology_works_over_ipv6() {
    for topology in Topology::all() {
        let mut system = play_on(Setup::new(7, topology).over_ipv6(), CloseBy::A);
        let text = system.net.arrows().iter().find(|a| a.label == "BYE").map(sim::Arrow::text).unwrap();
        assert!(text.contains("[2001:db8::"), "{text}");
        system.listen();
    }
}

#[test]
fn both_close_at_once_and_every_bye_is_answered() {
    for topology in Topology::all() {
        play(topology, CloseBy::Both, 3);
    }
}

#[test]
fn both_clients_register_with_digest_as_drawn() {
    for topology in Topology::all() {
        let mut system = System::new(6, topology);
        system.register();
        system.settle();
        for (flow, core) in flow::registration().into_iter().zip(["core-a", "core-b"]) {
            let seen: Vec<_> = system
                .observed_since(wire::Instant::ZERO)
                .into_iter()
                .filter(|o| o.from == core || o.to == core)
                .collect();
            let verdict = flow.check(&seen);
            assert!(verdict.conforms(), "{}: {:#?}\n{}", flow.id, verdict.violations, system.net.ladder());
        }
    }
}

#[test]
fn one_record_per_served_user_says_who_closed() {
    for topology in Topology::all() {
        let system = play(topology, CloseBy::B, 4);
        let [(Site::PfA, a), (Site::PfB, b)] = system.records.as_slice() else {
            panic!("one record each: {:?}", system.records)
        };
        assert_eq!((a.served_user.as_str(), a.closing), ("sip:alice@home1.test", cpm::Closing::Peer), "{topology:?}");
        assert_eq!(
            (b.served_user.as_str(), b.closing),
            ("sip:bob@home2.test", cpm::Closing::ServedUser),
            "{topology:?}"
        );
        assert_eq!((a.conversation_id.len(), &a.conversation_id), (36, &b.conversation_id));
        assert!(a.ended > a.started);
    }
}

fn broken(topology: Topology, fault: Fault) -> Vec<String> {
    let mut system = System::with_fault(5, topology, Some(fault));
    system.register();
    system.settle();
    let start = system.net.now();
    let sessions = system.establish();
    let (_, dialogs) = system.check_set_up(start);
    let closing = system.net.now();
    system.close(CloseBy::A, sessions);
    system.run_for(Duration::from_secs(2));
    let verdict = system.check_close(CloseBy::A, &dialogs, closing);
    verdict.violations.iter().map(ToString::to_string).collect()
}

const FIGURE_9: Topology = Topology { pf_a: MediaPath::Off, pf_b: MediaPath::Off, transport: Transport::Udp };
const FIGURE_10: Topology = Topology { pf_a: MediaPath::On, pf_b: MediaPath::On, transport: Transport::Udp };

#[test]
fn a_pf_that_drops_the_bye_is_found_out_at_the_first_missing_arrow() {
    let found = broken(FIGURE_9, Fault::DropsBye);
    assert!(found[0].contains("step 3") && found[0].contains("pf-a"), "{found:#?}");
    let found = broken(FIGURE_10, Fault::DropsBye);
    assert!(found[0].contains("step 5") && found[0].contains("pf-a"), "{found:#?}");
}

#[test]
fn a_pf_that_never_answers_is_found_out() {
    let found = broken(FIGURE_10, Fault::NeverAnswers);
    assert!(found[0].contains("step 3") && found[0].contains("pf-a"), "{found:#?}");
}

#[test]
fn a_pf_that_forwards_before_it_answers_is_found_out() {
    let found = broken(FIGURE_10, Fault::ForwardsFirst);
    assert!(found.iter().any(|v| v.contains("step 5") && v.contains("step 3")), "{found:#?}");
}
