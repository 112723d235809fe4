//! Overload of a participating function: what is under way ends in order, what is new is refused, and a flood of forged
//! requests has no privilege (F56, F57).

use std::time::Duration;

use flow::{CloseBy, MediaPath};
use role_client::Event;
use scenarios::{Setup, Site, Stranger, System, Topology};
use sim::addr;
use wire::{Node as _, Transport};

fn registered(setup: Setup) -> System {
    let mut system = setup.build();
    system.register();
    system.settle();
    system
}

/// PF A finds a queue of 50 ms before every input, for so long.
fn be_late(system: &mut System, time: Duration) {
    let until = system.net.now() + time;
    while system.net.now() < until {
        system.net.node_mut(system.pf_a, |pf, now| pf.handle_lag(Duration::from_millis(50), now));
        system.run_for(Duration::from_millis(5));
    }
}

fn failures(system: &System) -> usize {
    system.told_by("client-a").filter(|event| matches!(event, Event::Failed { status: 500 | 503, .. })).count()
}

#[test]
fn f56_a_late_function_closes_sessions_at_once_and_refuses_new_ones() {
    for topology in Topology::all() {
        let mut system = registered(Setup::new(101, topology));
        let sessions = system.establish();
        be_late(&mut system, Duration::from_millis(300));
        system.call();
        let closing = system.net.now();
        system.close(CloseBy::A, sessions);
        be_late(&mut system, Duration::from_millis(500));
        for name in ["client-a", "client-b"] {
            let closed = system.told_by(name).filter(|event| matches!(event, Event::Closed { .. })).count();
            assert_eq!(closed, 1, "{topology:?} {name}\n{}", system.net.ladder());
        }
        let verdict = system.net.arrows().iter().filter(|arrow| arrow.label == "BYE" && arrow.sent_at >= closing);
        assert!(verdict.count() >= 7, "every hop of the close");
        assert_eq!(failures(&system), 1, "{topology:?} {:?}", system.told);
        system.run_for(Duration::from_secs(2));
        system.net.node_mut(system.pf_a, |pf, now| pf.handle_lag(Duration::ZERO, now));
        let again = system.establish();
        system.close(CloseBy::B, again);
        system.settle();
    }
}

#[test]
fn f57_new_sessions_are_refused_when_four_fifths_of_the_room_are_taken_and_the_others_close() {
    for pf_a in [MediaPath::Off, MediaPath::On] {
        let mut setup = Setup::new(102, Topology { pf_a, pf_b: MediaPath::Off, transport: Transport::Udp });
        setup.pf_a.max_sessions = 5;
        let mut system = registered(setup);
        let sessions: Vec<_> = (0..4).map(|_| system.establish()).collect();
        system.call();
        system.settle();
        assert_eq!(failures(&system), 1, "{:?}", system.told);
        assert_eq!(system.net[system.pf_a].get().turned_away(), 1);
        for session in sessions {
            system.close(CloseBy::B, session);
        }
        system.settle();
        assert_eq!((system.up("client-a").len(), system.up("client-b").len()), (0, 0));
        let again = system.establish();
        system.close(CloseBy::A, again);
        system.settle();
        system.run_for(Duration::from_secs(70));
        assert_eq!(system.open(), []);
    }
}

#[test]
fn f56_a_flood_of_forged_byes_costs_no_transaction_and_no_session() {
    let mut system =
        registered(Setup::new(103, Topology { pf_a: MediaPath::On, pf_b: MediaPath::On, transport: Transport::Udp }));
    let sessions = system.establish();
    // As if the flood came through the core that PF A trusts: from its address, with To tags, some with Routes of PF A.
    let flooder = system.net.add("flood", &[addr("10.0.0.2:9999")], Stranger::default());
    let (local, pf) = (addr("10.0.0.2:9999"), Site::PfA.sip());
    // What the set-up of the session has left behind for a while.
    let before = system.net[system.pf_a].get().open().transactions;
    for n in 0..2_000 {
        let route = if n % 2 == 0 { format!("Route: <sip:orig-{n:016x}@{pf};lr>\r\n") } else { String::new() };
        let bye = format!(
            "BYE sip:x@{pf} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{n};rport\r\nMax-Forwards: 70\r\n{route}\
             From: <sip:a@x>;tag={n}\r\nTo: <sip:b@x>;tag=t{n}\r\nCall-ID: c{n}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
        );
        system.net.node_mut(flooder, |flooder, _| flooder.throw(local, pf, bye));
        if n % 100 == 0 {
            system.net.node_mut(system.pf_a, |pf, now| pf.handle_lag(Duration::from_millis(50), now));
            system.run_for(Duration::from_millis(15));
            let open = system.net[system.pf_a].get().open().transactions;
            assert!(open <= before, "nothing is kept of a forged BYE: {open}");
        }
    }
    system.run_for(Duration::from_millis(100));
    let attempts = system.net[system.pf_a].get().attempts();
    assert_eq!((attempts.forged, attempts.no_dialog), (1_000, 1_000), "each is counted");
    assert_eq!(system.up("client-a"), [sessions.0], "the session lives");
    system.close(CloseBy::A, sessions);
    system.run_for(Duration::from_millis(200));
    let closed = system.told.iter().filter(|(_, event)| matches!(event, Event::Closed { .. })).count();
    assert_eq!(closed, 2, "and closes");
}
