//! A BYE before the ACK. The phone acknowledges when the test says so.

use role_client::ClosedBy;
use scenarios::Phone;

use crate::{End, OFF, ON, Stage, Topology};

/// A phone has called; its 200 is there, and no ACK.
fn unacknowledged(topology: Topology) -> Stage {
    let mut stage = Stage::new(topology, [End::Phone, End::Client]);
    stage.caller().acks = false;
    stage.start_call();
    stage.run_to(200);
    assert_eq!(stage.caller().statuses(), [200]);
    stage.zero = stage.system.net.now();
    stage
}

#[test]
fn r08_a_bye_before_the_ack_is_answered_and_ends_the_session() {
    for places in [OFF, ON] {
        for topology in places {
            let mut stage = unacknowledged(topology);
            let caller = stage.caller;
            stage.with(caller, Phone::bye);
            stage.run_to(5_000);
            stage.assert_ladder();
            // Off the path Client B heard of no ACK, so for its user the session never was.
            stage.assert_over(2);
        }
    }
}

#[test]
fn r09_who_answered_and_wants_to_close_waits_for_the_ack() {
    for places in [OFF, ON] {
        for topology in places {
            let mut stage = unacknowledged(topology);
            let caller = stage.caller;
            stage.run_to(250);
            stage.system.close_all_of("client-b");
            stage.run_to(400);
            stage.with(caller, |phone, now| {
                let cseq = phone.cseq;
                phone.ack(cseq, now);
            });
            stage.run_to(5_000);
            stage.assert_ladder();
            assert_eq!(stage.closed("client-b"), [ClosedBy::Us; 1][..usize::from(places == ON)]);
            stage.assert_over(2);
        }
    }
}

#[test]
fn r09_the_bye_that_waits_for_an_ack_goes_after_32_s() {
    for topology in OFF.into_iter().chain(ON) {
        let mut stage = unacknowledged(topology);
        stage.system.close_all_of("client-b");
        stage.run_to(31_700);
        assert_eq!(stage.caller().received(sip::Method::Bye).len(), 0, "{topology:?}");
        stage.run_to(33_000);
        assert_eq!(stage.caller().received(sip::Method::Bye).len(), 1, "{topology:?}\n{}", stage.system.net.ladder());
        stage.assert_over(2);
    }
}
