//! CANCEL (RFC 3261 §16.10) and Timer C (§16.8).

use std::time::Duration;

use sip::{Method, Name};
use sip_proxy::Plan;

use crate::node::{BOB, CAROL, World, sip, to};

const REASON: &str = "SIP;cause=487;text=\"never mind\"";

fn cancel_after(world: &mut World, ms: u64) {
    world.net.run_for(Duration::from_millis(ms));
    world.net.node_mut(world.alice, |alice, now| alice.cancel(REASON, now));
    world.net.settle();
}

#[test]
fn a_cancel_goes_to_all_forks_and_their_487_comes_back() {
    let mut world = World::new(1, |_| Plan::fork([to(BOB), to(CAROL)]));
    world.bob_answers(&[(0, 180), (60_000, 200)]);
    world.carol_answers(&[(0, 180), (60_000, 200)]);
    world.invite(&sip(BOB));
    cancel_after(&mut world, 1000);
    world.net.ladder_view().without(&["180 Ringing", "100 Trying"]).assert(
        "
        0.000  alice -> proxy  INVITE
        0.010  proxy -> bob    INVITE
        0.010  proxy -> carol  INVITE
        1.000  alice -> proxy  CANCEL
        1.010  proxy -> alice  200 OK
        1.010  proxy -> bob    CANCEL
        1.010  proxy -> carol  CANCEL
        1.020  bob   -> proxy  200 OK
        1.020  bob   -> proxy  487 Request Terminated
        1.020  carol -> proxy  200 OK
        1.020  carol -> proxy  487 Request Terminated
        1.030  proxy -> bob    ACK
        1.030  proxy -> carol  ACK
        1.030  proxy -> alice  487 Request Terminated
        1.040  alice -> proxy  ACK
    ",
    );
    for node in [world.bob, world.carol] {
        let cancel = world.net[node].received.iter().find(|r| r.method() == Method::Cancel).unwrap();
        assert_eq!(cancel.header(Name::Reason), Some(REASON.as_bytes()));
    }
    world.assert_nothing_is_left();
}

#[test]
fn a_cancel_waits_for_the_first_sign_of_the_callee() {
    let mut world = World::new(2, |_| Plan::fork([to(BOB)]));
    world.bob_answers(&[(300, 180), (60_000, 200)]);
    world.invite(&sip(BOB));
    cancel_after(&mut world, 100);
    world.net.assert_ladder(
        "
        0.000  alice -> proxy  INVITE
        0.010  proxy -> alice  100 Trying
        0.010  proxy -> bob    INVITE
        0.100  alice -> proxy  CANCEL
        0.110  proxy -> alice  200 OK
        0.320  bob   -> proxy  180 Ringing
        0.330  proxy -> bob    CANCEL
        0.330  proxy -> alice  180 Ringing
        0.340  bob   -> proxy  200 OK
        0.340  bob   -> proxy  487 Request Terminated
        0.350  proxy -> bob    ACK
        0.350  proxy -> alice  487 Request Terminated
        0.360  alice -> proxy  ACK
    ",
    );
    world.assert_nothing_is_left();
}

#[test]
fn a_200_that_crosses_the_cancel_wins() {
    let mut world = World::new(3, |_| Plan::fork([to(BOB)]));
    world.bob_answers(&[(0, 180), (1000, 200)]);
    world.invite(&sip(BOB));
    cancel_after(&mut world, 1015);
    assert_eq!(world.statuses(), [100, 180, 200]);
    assert_eq!(world.net[world.bob].acks, 1);
    world.assert_nothing_is_left();
}

#[test]
fn a_cancelled_callee_that_says_nothing_more_counts_as_487() {
    let mut world = World::new(4, |_| Plan::fork([to(BOB)]));
    world.bob_answers(&[(0, 180), (90_000, 200)]);
    world.invite(&sip(BOB));
    world.net.run_for(Duration::from_secs(1));
    world.net.isolate(world.bob);
    cancel_after(&mut world, 0);
    world.net.run_for(Duration::from_secs(33));
    // Upstream gave up a moment earlier, but is answered all the same.
    assert_eq!(world.net[world.proxy].log, ["INVITE 180", "INVITE 487", "done 487"]);
    world.assert_nothing_is_left();
}

#[test]
fn what_is_cancelled_is_not_tried_elsewhere() {
    let mut world = World::new(5, |_| Plan { then: vec![[to(CAROL)].into_iter().collect()], ..Plan::fork([to(BOB)]) });
    world.bob_answers(&[(0, 180), (60_000, 200)]);
    world.invite(&sip(BOB));
    cancel_after(&mut world, 1000);
    assert_eq!(world.statuses(), [100, 180, 487]);
    assert!(world.net[world.carol].received.is_empty());
    world.assert_nothing_is_left();
}

#[test]
fn a_call_that_rings_too_long_is_cancelled_by_timer_c() {
    let mut world = World::new(6, |_| Plan::fork([to(BOB)]));
    // Each provisional response starts Timer C again: 100 s + 181 s.
    world.bob_answers(&[(0, 180), (100_000, 180), (900_000, 200)]);
    world.invite(&sip(BOB));
    world.net.run_for(Duration::from_secs(300));
    world.net.assert_ladder(
        "
        0.000  alice -> proxy  INVITE
        0.010  proxy -> alice  100 Trying
        0.010  proxy -> bob    INVITE
        0.020  bob   -> proxy  180 Ringing
        0.030  proxy -> alice  180 Ringing
        100.020  bob   -> proxy  180 Ringing
        100.030  proxy -> alice  180 Ringing
        281.030  proxy -> bob    CANCEL
        281.040  bob   -> proxy  200 OK
        281.040  bob   -> proxy  487 Request Terminated
        281.050  proxy -> bob    ACK
        281.050  proxy -> alice  487 Request Terminated
        281.060  alice -> proxy  ACK
    ",
    );
    world.assert_nothing_is_left();
}
