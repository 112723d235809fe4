//! A caller that takes its invitation back, by CANCEL or by BYE, before or while it is answered.

use std::time::Duration;

use flow::MediaPath;
use scenarios::{Ask, BOB, Cast, Phone, Setup, Topology, header};
use sip::{Method, Name};
use wire::Transport;

fn topologies() -> impl Iterator<Item = Topology> {
    Topology::all().into_iter().filter(|topology| topology.transport == Transport::Udp)
}

const CANCELLED: &str = "SIP;cause=487;text=\"Changed my mind\"";

#[test]
fn a_caller_that_cancels_reaches_a_callee_that_rings() {
    for topology in Topology::all() {
        let mut cast = Cast::new(Setup::new(31, topology));
        let (caller, callee) = (cast.caller, cast.callee);
        cast.phone(callee).script = vec![(Duration::from_millis(5), 180)];
        cast.ask(Ask::invite(BOB));
        assert_eq!(cast.statuses(), [180]);
        cast.system.net.node_mut(caller, |phone, now| phone.cancel(CANCELLED, now));
        cast.system.settle();
        assert_eq!(cast.statuses(), [180, 487], "{topology:?}\n{}", cast.system.net.ladder());
        let cancel = cast.came(Method::Cancel);
        assert_eq!(cancel.len(), 1, "{topology:?}\n{}", cast.system.net.ladder());
        assert_eq!(header(&cancel[0], Name::Reason), CANCELLED, "{topology:?}");
        assert_eq!(cast.came(Method::Bye).len(), 0);
        cast.assert_nothing_is_left();
        assert_eq!(cast.system.records, [], "a session that was never set up leaves no record");
    }
}

#[test]
fn a_caller_that_cancels_before_anybody_has_answered_is_heard_as_soon_as_somebody_does() {
    for topology in topologies() {
        let mut cast = Cast::new(Setup::new(32, topology));
        let (caller, callee) = (cast.caller, cast.callee);
        // RFC 3261 §9.1: where no provisional response has come, a CANCEL waits for one.
        cast.phone(callee).script = vec![(Duration::from_millis(700), 180)];
        cast.system.net.node_mut(caller, |phone, now| phone.ask(Ask::invite(BOB), now));
        cast.system.run_for(Duration::from_millis(300));
        assert!(cast.statuses().is_empty());
        cast.system.net.node_mut(caller, |phone, now| phone.cancel(CANCELLED, now));
        cast.system.settle();
        assert_eq!(cast.statuses().last(), Some(&487), "{topology:?}\n{}", cast.system.net.ladder());
        assert_eq!(cast.came(Method::Cancel).len(), 1, "{topology:?}\n{}", cast.system.net.ladder());
        cast.assert_nothing_is_left();
        assert_eq!(cast.system.records, []);
    }
}

#[test]
fn a_200_that_crosses_the_cancel_is_acknowledged_and_closed() {
    for topology in topologies() {
        for delay in [20, 40, 60] {
            let mut cast = Cast::new(Setup::new(33, topology));
            let (caller, callee) = (cast.caller, cast.callee);
            cast.phone(callee).script = vec![(Duration::ZERO, 180), (Duration::from_secs(1), 200)];
            cast.system.net.node_mut(caller, |phone, now| phone.ask(Ask::invite(BOB), now));
            // The INVITE takes 70 ms to the callee; the CANCEL leaves while the 200 is on its way, or just before.
            cast.system.run_for(Duration::from_millis(1_070 - 40 + delay));
            cast.system.net.node_mut(caller, |phone, now| phone.cancel(CANCELLED, now));
            cast.system.settle();
            let ladder = cast.system.net.ladder();
            let up = cast.statuses().last() == Some(&200);
            if up {
                // The caller lost the race: its CANCEL had no effect, and it closes what is up.
                cast.system.net.node_mut(caller, Phone::bye);
                cast.system.settle();
            }
            assert_eq!(cast.came(Method::Ack).len(), 1, "{topology:?} {delay}\n{ladder}");
            assert_eq!(cast.came(Method::Bye).len(), 1, "{topology:?} {delay} {up}\n{}", cast.system.net.ladder());
            cast.assert_nothing_is_left();
        }
    }
}

/// RFC 3261 §15: the caller may leave an early dialog by BYE.
#[test]
fn a_caller_may_leave_by_bye_while_it_still_rings() {
    for topology in Topology::all() {
        // What the callee does with its INVITE then: it refuses, as it should, or its 200 crosses the BYE.
        for (answer, after) in [(487, 600), (200, 510)] {
            let mut cast = Cast::new(Setup::new(34, topology));
            let (caller, callee) = (cast.caller, cast.callee);
            cast.phone(callee).script = vec![(Duration::from_millis(1), 180), (Duration::from_millis(after), answer)];
            cast.system.net.node_mut(caller, |phone, now| phone.ask(Ask::invite(BOB), now));
            cast.system.run_for(Duration::from_millis(500));
            assert_eq!(cast.statuses(), [180]);
            cast.system.net.node_mut(caller, Phone::bye);
            cast.system.settle();
            let ladder = cast.system.net.ladder();
            let on_path = topology.pf_a == MediaPath::On || topology.pf_b == MediaPath::On;
            let last = if on_path { Method::Cancel } else { Method::Bye };
            assert_eq!(cast.came(last).len(), 1, "{topology:?} {answer}\n{ladder}");
            cast.assert_nothing_is_left();
        }
    }
}
