//! Next hops that are silent or gone (RFC 3261 §16.9, RFC 4320).

use std::time::Duration;

use bytes::Bytes;
use sip::Name;
use sip_proxy::Plan;
use wire::{Input, Node};

use crate::node::{BOB, CAROL, PROXY, World, sip, to};

#[test]
fn a_silent_callee_is_answered_408() {
    let mut world = World::along(1);
    world.invite(&sip(BOB));
    world.net.run_for(Duration::from_secs(40));
    assert_eq!(world.statuses(), [100, 408]);
    world.assert_nothing_is_left();
    assert_eq!(world.net[world.proxy].log, ["INVITE 408", "done 408"]);
}

#[test]
fn a_request_other_than_invite_is_never_answered_408() {
    let mut world = World::along(2);
    world.net[world.bob].silent = true;
    world.request("MESSAGE", &sip(BOB), &[]);
    world.net.run_for(Duration::from_secs(60));
    // RFC 4320 §4.1: but 100, when Timer E of the sender has reached T2.
    assert!(world.statuses().iter().all(|status| *status == 100));
    let trying = world.net.arrows().iter().find(|arrow| arrow.label == "100 Trying").unwrap();
    assert_eq!(trying.sent_at.as_nanos(), Duration::from_millis(3510).as_nanos() as u64);
    assert_eq!(world.net[world.alice].failures, 1);
    assert_eq!(world.net[world.proxy].log, ["done 0"]);
    world.assert_nothing_is_left();
}

#[test]
fn a_408_from_downstream_goes_no_further_either() {
    let mut world = World::along(3);
    world.net[world.bob].silent = true;
    world.request("MESSAGE", &sip(BOB), &[]);
    world.net.run_for(Duration::from_millis(100));
    let answer = world.net[world.bob].received[0].respond(408, "t").finish();
    from_bob(&mut world, answer);
    world.net.run_for(Duration::from_secs(60));
    assert!(world.statuses().is_empty());
    assert_eq!(world.net[world.bob].received.len(), 1, "what comes again is absorbed");
    assert_eq!(world.net[world.proxy].log, ["done 0"]);
    world.assert_nothing_is_left();
}

/// What no stack of ours would send.
fn from_bob(world: &mut World, data: Bytes) {
    let (local, remote) = (sim::addr(PROXY), sim::addr(BOB));
    world.net.node_mut(world.proxy, |relay, now| relay.handle_input(Input::Datagram { local, remote, data }, now));
}

#[test]
fn a_next_hop_that_refuses_connections_is_answered_500() {
    for method in ["INVITE", "BYE"] {
        let mut world = World::along(4);
        world.net.crash(world.bob);
        world.request(method, &format!("{};transport=tcp", sip(BOB)), &[]);
        world.net.settle();
        assert_eq!(world.statuses().last(), Some(&500), "{method}");
        world.assert_nothing_is_left();
    }
}

#[test]
fn a_connection_that_breaks_while_it_rings_fails_the_fork_only() {
    let mut world = World::new(5, |_| Plan::fork([to(&format!("{BOB};transport=tcp")), to(CAROL)]));
    world.bob_answers(&[(0, 180), (60_000, 200)]);
    world.carol_answers(&[(0, 180), (2000, 486)]);
    world.invite(&sip(BOB));
    world.net.run_for(Duration::from_secs(1));
    assert_eq!(world.net.break_connections(world.proxy, world.bob), 1);
    world.net.settle();
    assert_eq!(world.statuses(), [100, 180, 180, 486]);
    world.assert_nothing_is_left();
}

#[test]
fn a_response_without_the_callers_via_is_taken_for_a_bad_gateway() {
    let mut world = World::along(6);
    world.invite(&sip(BOB));
    world.net.run_for(Duration::from_millis(100));
    let invite = world.net[world.bob].received[0].clone();
    let via = String::from_utf8_lossy(invite.header(Name::Via).unwrap()).into_owned();
    for status in [180, 200] {
        let data: Bytes = format!(
            "SIP/2.0 {status} X\r\nVia: {via}\r\nFrom: <sip:a@a>;tag=a1\r\nTo: <sip:b@b>;tag=x\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
        )
        .into();
        from_bob(&mut world, data);
    }
    world.net.settle();
    assert_eq!(world.statuses(), [100, 502]);
    world.assert_nothing_is_left();
}

#[test]
fn a_provisional_response_to_another_request_than_invite_is_absorbed() {
    let mut world = World::along(7);
    world.net[world.bob].silent = true;
    world.request("MESSAGE", &sip(BOB), &[]);
    world.net.run_for(Duration::from_millis(100));
    let request = world.net[world.bob].received[0].clone();
    for status in [183, 200] {
        let data = request.respond(status, "t").finish();
        from_bob(&mut world, data);
    }
    world.net.settle();
    assert_eq!(world.statuses(), [200]);
    world.assert_nothing_is_left();
}
