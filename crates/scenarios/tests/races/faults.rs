//! Faults of a close that no other race shows, numbered as in docs/conformance.md. A phone stands in the place of Client B.

use role_client::ClosedBy;
use scenarios::{Phone, Site};
use sip::{Method, Name};
use wire::Transport;

use crate::{End, MILLI, OFF, ON, SECOND, Stage, Topology};

/// Client A in a session with a phone.
fn with_phone(topology: Topology) -> Stage {
    let mut stage = Stage::new(topology, [End::Client, End::Phone]);
    stage.start_call();
    stage.system.settle();
    assert_eq!(stage.system.up("client-a").len(), 1);
    stage.begin_at(20);
    stage
}

/// The sequence numbers of the BYEs that came to the phone.
fn numbers(stage: &mut Stage) -> Vec<u32> {
    let mut numbers: Vec<u32> = stage.callee().received(Method::Bye).iter().map(|bye| bye.cseq().number).collect();
    numbers.dedup();
    numbers
}

/// What the record of PF B says of the last BYE.
fn last_bye(stage: &Stage) -> Option<u16> {
    stage.system.records.iter().find(|(site, _)| *site == Site::PfB).and_then(|(_, record)| record.bye)
}

#[test]
fn f06_a_500_is_not_the_end_and_the_next_bye_counts_further() {
    for topology in OFF.into_iter().chain(ON) {
        let mut stage = with_phone(topology);
        stage.callee().answer = 500;
        stage.system.close_all_of("client-a");
        stage.run_to(2_000);
        stage.callee().answer = 200;
        stage.system.run_for(10 * SECOND);
        assert_eq!(numbers(&mut stage), [2, 3, 103, 10_103], "{topology:?}\n{}", stage.system.net.ladder());
        assert_eq!(stage.closed("client-a"), [ClosedBy::Us]);
        stage.assert_over(2);
        assert_eq!(last_bye(&stage), Some(200), "{topology:?}");
    }
}

#[test]
fn f06_a_500_for_ever_ends_after_three_more() {
    for topology in OFF.into_iter().chain(ON) {
        let mut stage = with_phone(topology);
        stage.callee().answer = 500;
        stage.system.close_all_of("client-a");
        stage.system.run_for(20 * SECOND);
        assert_eq!(numbers(&mut stage), [2, 3, 103, 10_103], "{topology:?}");
        stage.assert_over(2);
        assert_eq!(last_bye(&stage), Some(500), "{topology:?}");
    }
}

#[test]
fn f08_an_answer_after_32_s_changes_nothing() {
    for topology in ON {
        let mut stage = with_phone(topology);
        let callee = stage.callee.expect("a phone");
        stage.system.net.pause(callee);
        stage.system.close_all_of("client-a");
        stage.run_to(33_000);
        assert_eq!(stage.system.records.len(), 2, "{topology:?} {:?}", stage.system.records);
        stage.system.net.resume(callee);
        stage.assert_over(2);
        assert_eq!(last_bye(&stage), Some(408), "{topology:?}");
    }
}

#[test]
fn f14_a_481_is_as_good_as_a_200_and_the_record_says_so() {
    for topology in OFF.into_iter().chain(ON) {
        let mut stage = with_phone(topology);
        stage.callee().answer = 481;
        stage.system.close_all_of("client-a");
        stage.system.settle();
        assert_eq!((numbers(&mut stage), stage.closed("client-a")), (vec![2], vec![ClosedBy::Us]));
        stage.assert_over(2);
        assert_eq!(last_bye(&stage), Some(481), "{topology:?}");
    }
}

/// Over UDP nobody answers for 32 s; over TCP the connection is refused, and that is known at once.
#[test]
fn f15_a_client_that_has_died_holds_nobody_up() {
    for topology in OFF.into_iter().chain(ON) {
        let mut stage = with_phone(topology);
        let callee = stage.callee.expect("a phone");
        stage.system.net.crash(callee);
        stage.system.close_all_of("client-a");
        stage.run_to(if topology.transport == Transport::Tcp { 8_000 } else { 45_000 });
        assert_eq!(stage.closed("client-a"), [ClosedBy::Us], "{topology:?}\n{}", stage.system.net.ladder());
        stage.assert_over(2);
        assert!(matches!(last_bye(&stage), Some(408 | 500 | 503)), "{topology:?} {:?}", stage.system.records);
    }
}

#[test]
fn f16_a_peer_that_is_busy_is_asked_again() {
    for topology in OFF.into_iter().chain(ON) {
        let mut stage = with_phone(topology);
        stage.callee().answer = 503;
        stage.callee().says = vec![(Name::RetryAfter, "2".to_owned())];
        stage.system.close_all_of("client-a");
        stage.run_to(300);
        stage.callee().answer = 200;
        stage.system.run_for(6 * SECOND);
        assert!(numbers(&mut stage).len() > 1, "{topology:?}\n{}", stage.system.net.ladder());
        assert_eq!(stage.closed("client-a"), [ClosedBy::Us]);
        stage.assert_over(2);
        // Off the path its 503 is a 500 for everybody but the core beside it (RFC 3261 §16.7).
        assert_eq!(last_bye(&stage), Some(200), "{topology:?}\n{}", stage.system.net.ladder());
    }
}

#[test]
fn f17_a_peer_that_refuses_is_not_asked_again_and_the_record_says_so() {
    for status in [302, 403, 405, 501, 603] {
        for topology in OFF.into_iter().chain(ON) {
            let mut stage = with_phone(topology);
            stage.callee().answer = status;
            stage.system.close_all_of("client-a");
            stage.system.settle();
            assert_eq!(numbers(&mut stage), [2], "{status} {topology:?}");
            stage.assert_over(2);
            assert_eq!(last_bye(&stage), Some(status), "{status} {topology:?}");
        }
    }
}

/// A core that has restarted knows no dialog, and needs none: the way is in the Route set.
#[test]
fn f30_a_core_that_has_forgotten_everything_passes_the_close() {
    for topology in OFF.into_iter().chain(ON) {
        for site in [Site::CoreA, Site::CoreB] {
            let (mut stage, _) = Stage::up(topology);
            stage.system.crash(site);
            stage.system.run_for(100 * MILLI);
            stage.system.restart(site);
            stage.system.run_for(100 * MILLI);
            stage.system.close_all_of("client-a");
            stage.system.run_for(5 * SECOND);
            let closed = (stage.closed("client-a"), stage.closed("client-b"));
            assert_eq!(closed, (vec![ClosedBy::Us], vec![ClosedBy::Peer]), "{site:?} {topology:?}");
            stage.system.run_for(70 * SECOND);
            assert_eq!(stage.system.records.len(), 2, "{site:?} {topology:?}");
        }
    }
}

/// The phone's refresh is refused for want of a dialog: the session ends on every leg.
#[test]
fn f42_a_refresh_that_finds_no_dialog_ends_the_session_and_a_failing_one_does_not() {
    for (status, ends) in [(481, true), (408, true), (500, false)] {
        for topology in ON {
            let mut stage = Stage::new(topology, [End::Client, End::Phone]);
            stage.callee().says = vec![
                (Name::SessionExpires, "1800;refresher=uac".to_owned()),
                (Name::Allow, "INVITE, ACK, CANCEL, BYE, UPDATE".to_owned()),
            ];
            stage.start_call();
            stage.system.settle();
            stage.stay_until(905);
            stage.callee().answer = status;
            stage.begin_at(920);
            stage.callee().answer = 200;
            stage.system.run_for(60 * SECOND);
            assert_eq!(
                stage.closed("client-a").len(),
                usize::from(ends),
                "{status} {topology:?}\n{}",
                stage.system.net.ladder()
            );
            if !ends {
                let callee = stage.callee;
                stage.with(callee, Phone::bye);
            }
            stage.assert_over(2);
        }
    }
}
