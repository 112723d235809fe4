//! A BYE and a re-INVITE, UPDATE or refresh that is open. Where our own node shall have one open, it is the refresh of a phone
//! that takes no UPDATE.

use std::time::Duration;

use role_client::ClosedBy;
use scenarios::OFFER;
use sip::Name;
use wire::Instant;

use crate::{End, OFF, ON, SECOND, Stage, Topology};

/// A phone behind PF B, on the media path, that is refreshed by re-INVITE, and answers that after a second.
fn refreshed(topology: Topology, status: u16) -> Stage {
    let mut stage = Stage::new(topology, [End::Client, End::Phone]);
    stage.callee().says = vec![(Name::SessionExpires, "1800;refresher=uac".to_owned())];
    stage.start_call();
    stage.system.settle();
    assert_eq!(stage.system.up("client-a").len(), 1);
    stage.stay_until(890);
    stage.callee().script = vec![(SECOND, status)];
    stage.begin_at(910);
    stage.run_to(300);
    stage.zero = stage.system.net.now();
    assert_eq!(stage.callee().received(sip::Method::Invite).len(), 2, "{}", stage.system.net.ladder());
    stage
}

/// Off the media path the clients are the ends of the only dialog. Their MSRP connection is broken and does not come back, so
/// that Client B, which does not connect, offers a new path.
fn moving(topology: Topology) -> Stage {
    let (mut stage, sessions) = Stage::up(topology);
    let (a, b) = (stage.system.client_a, stage.system.client_b);
    stage.system.net.node_mut(a, |client, now| client.send(sessions.0, "first", now));
    stage.system.settle();
    stage.begin_at(30);
    stage.system.net.partition(a, b);
    assert!(stage.system.net.break_connections(a, b) > 0);
    stage.run_to(2_015);
    stage.zero = Instant::ZERO + 32 * SECOND;
    stage
}

#[test]
fn r04_a_bye_leaves_while_our_reinvite_is_open_and_its_200_is_acknowledged() {
    for topology in OFF {
        let mut stage = moving(topology);
        stage.system.close_all_of("client-b");
        stage.system.settle();
        stage.assert_ladder();
        assert_eq!((stage.closed("client-a"), stage.closed("client-b")), (vec![ClosedBy::Peer], vec![ClosedBy::Us]));
        stage.assert_over(2);
    }
    for topology in ON {
        let mut stage = refreshed(topology, 200);
        stage.system.close_all_of("client-a");
        stage.system.settle();
        stage.assert_ladder();
        assert_eq!(stage.closed("client-a"), [ClosedBy::Us]);
        stage.assert_over(2);
    }
}

#[test]
fn r04_a_487_to_the_reinvite_that_our_bye_overtook_is_acknowledged() {
    for topology in ON {
        let mut stage = refreshed(topology, 487);
        stage.system.close_all_of("client-a");
        stage.system.settle();
        stage.assert_ladder();
        assert_eq!(stage.closed("client-a"), [ClosedBy::Us]);
        stage.assert_over(2);
    }
}

#[test]
fn r05_a_bye_that_comes_while_our_reinvite_is_open_is_answered_and_so_is_what_answers_that() {
    for topology in OFF {
        let mut stage = moving(topology);
        stage.system.close_all_of("client-a");
        stage.system.settle();
        stage.assert_ladder();
        assert_eq!((stage.closed("client-a"), stage.closed("client-b")), (vec![ClosedBy::Us], vec![ClosedBy::Peer]));
        stage.assert_over(2);
    }
    for topology in ON {
        let mut stage = refreshed(topology, 487);
        let callee = stage.callee;
        stage.with(callee, scenarios::Phone::bye);
        stage.system.settle();
        stage.assert_ladder();
        assert_eq!(stage.closed("client-a"), [ClosedBy::Peer]);
        stage.assert_over(2);
    }
}

#[test]
fn r06_a_modification_that_meets_our_bye_finds_no_dialog() {
    for method in ["INVITE", "UPDATE"] {
        for places in [OFF, ON] {
            for topology in places {
                let mut stage = Stage::new(topology, [End::Phone, End::Client]);
                stage.call();
                stage.begin_at(20);
                // Off the path the client that closed answers; on it PF A, whose BYE is on its way.
                stage.system.close_all_of("client-b");
                stage.run_to(if places == OFF { 5 } else { 55 });
                let caller = stage.caller;
                stage.with(caller, |phone, now| {
                    let ask = phone.within(method).sdp(OFFER);
                    phone.send_within(ask, now);
                });
                stage.system.settle();
                stage.assert_ladder_of(method);
                stage.assert_over(2);
            }
        }
    }
}

/// The session timer of leg 3, or of the one dialog, is due while the BYE is under way.
#[test]
fn r07_a_refresh_that_is_due_while_closing_is_not_sent() {
    for places in [OFF, ON] {
        for topology in places {
            let mut stage = Stage::new(topology, [End::Client, End::Client]);
            stage.start_call();
            stage.system.settle();
            stage.zero = stage.zero + 900 * SECOND + Duration::from_millis(30);
            stage.run_to(0);
            stage.system.close_all_of("client-a");
            stage.system.settle();
            stage.assert_ladder();
            stage.assert_over(2);
        }
    }
}
