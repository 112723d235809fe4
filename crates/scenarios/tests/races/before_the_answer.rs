//! Closing what has not been answered yet.

use std::time::Duration;

use role_client::Event;
use scenarios::{Phone, Setup};

use crate::{End, OFF, ON, Stage, Topology};

/// Client A calls, and gives it up so many milliseconds later.
fn given_up(topology: Topology, after: u64) -> Stage {
    let mut stage = Stage::new(topology, [End::Client, End::Client]);
    stage.start_call();
    stage.run_to(after);
    stage.system.close_all_of("client-a");
    stage.system.settle();
    stage
}

#[test]
fn r10_a_cancel_that_comes_after_the_200_has_no_effect_and_the_caller_closes() {
    for places in [OFF, ON] {
        for topology in places {
            let mut stage = given_up(topology, 125);
            stage.assert_ladder();
            stage.assert_over(2);
        }
    }
}

/// PF A has answered leg 1 487 when the 200 comes on leg 2.
#[test]
fn r10_a_200_that_finds_the_caller_gone_is_acknowledged_and_closed() {
    for topology in ON {
        let mut stage = given_up(topology, 95);
        stage.assert_ladder();
        stage.assert_over(1);
        let failed =
            stage.system.told_by("client-a").filter(|event| matches!(event, Event::Failed { status: 487, .. }));
        assert_eq!(failed.count(), 1);
    }
}

/// A phone that says nothing for 700 ms.
#[test]
fn r11_a_cancel_waits_where_no_provisional_response_has_come() {
    for places in [OFF, ON] {
        for topology in places {
            let mut stage = Stage::new(topology, [End::Client, End::Phone]);
            stage.callee().script = vec![(Duration::from_millis(300), 180)];
            stage.start_call();
            stage.run_to(200);
            stage.system.close_all_of("client-a");
            stage.system.settle();
            stage.assert_ladder();
            stage.assert_over(0);
        }
    }
}

/// Rings at our own client, so that our own callee is asked what it does: off the path Client B, on it PF A.
fn ringing(topology: Topology) -> Stage {
    let mut setup = Setup::new(12, topology);
    setup.client_b.auto_accept = false;
    let mut stage = Stage::of(setup, [End::Phone, End::Client]);
    stage.call();
    stage.begin_at(20);
    assert_eq!(stage.caller().statuses(), [180]);
    stage
}

#[test]
fn r12_a_bye_in_an_early_dialog_is_answered_and_the_invite_487() {
    for places in [OFF, ON] {
        for topology in places {
            let mut stage = ringing(topology);
            let caller = stage.caller;
            stage.with(caller, Phone::bye);
            stage.system.settle();
            stage.assert_ladder();
            stage.assert_over(0);
        }
    }
}

/// The same, but Client B answers at the moment that the BYE of leg 1 makes PF A cancel leg 2.
#[test]
fn r22_a_200_that_comes_after_the_bye_of_the_other_leg_is_acknowledged_and_closed() {
    for topology in ON {
        let mut stage = ringing(topology);
        let caller = stage.caller;
        stage.with(caller, Phone::bye);
        stage.run_to(5);
        let client = stage.system.client_b;
        let session = stage.system.live("client-b")[0];
        stage.system.net.node_mut(client, |client, now| client.accept(session, now));
        stage.system.settle();
        stage.assert_ladder();
        stage.assert_over(1);
    }
}

#[test]
fn r25_a_new_invite_for_the_same_pair_is_another_session() {
    for places in [OFF, ON] {
        for topology in places {
            let (mut stage, _) = Stage::up(topology);
            stage.system.close_all_of("client-a");
            stage.start_call();
            stage.system.settle();
            stage.assert_ladder();
            assert_eq!((stage.system.up("client-a").len(), stage.system.up("client-b").len()), (1, 1));
            let invites: Vec<String> = stage
                .system
                .net
                .arrows()
                .iter()
                .filter(|a| a.label == "INVITE" && &*a.from == "client-a")
                .map(|a| a.text())
                .collect();
            let id = |n: usize, name: &str| invites[n].lines().find(|l| l.starts_with(name)).map(str::to_owned);
            assert_ne!(id(0, "Contribution-ID"), id(1, "Contribution-ID"));
            stage.system.close_all_of("client-b");
            stage.assert_over(4);
        }
    }
}
