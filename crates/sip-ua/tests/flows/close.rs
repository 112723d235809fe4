//! Closing an established session.

use sim::Packet;
use sip_ua::{Cause, State};

use crate::phone::{SECOND, in_session, run_out};

#[test]
fn the_caller_leaves() {
    let (mut net, alice, bob) = in_session(1);
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    assert_eq!(net[alice].state(), Some(State::Closing));
    net.settle();
    net.assert_ladder("0.000  alice -> bob    BYE\n0.010  bob   -> alice  200 OK");
    assert_eq!(net[alice].log, ["bye done Answered(200)", "ended LocalBye"]);
    assert_eq!(net[bob].log, ["bye", "ended RemoteBye"]);
    let bye = String::from_utf8(net.arrows()[0].data.to_vec()).unwrap();
    assert!(bye.contains("CSeq: 2 BYE\r\n") && bye.contains("Reason: SIP;cause=200"), "{bye}");
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn the_callee_leaves() {
    let (mut net, alice, bob) = in_session(2);
    net.node_mut(bob, |phone, now| phone.bye(now).unwrap());
    net.settle();
    net.assert_ladder("0.000  bob   -> alice  BYE\n0.010  alice -> bob    200 OK");
    assert_eq!((net[alice].ended(), net[bob].ended()), (Some(Cause::RemoteBye), Some(Cause::LocalBye)));
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn a_lost_bye_is_repeated() {
    let (mut net, alice, bob) = in_session(3);
    net.lose_next(1);
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    net.settle();
    net.assert_ladder(
        "
        0.000  alice -> bob    BYE      (lost)
        0.500  alice -> bob    BYE
        0.510  bob   -> alice  200 OK
    ",
    );
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn a_bye_whose_answer_was_lost_is_absorbed_and_answered_again() {
    let (mut net, alice, bob) = in_session(4);
    net.lose_next_matching(|packet: &Packet<'_>| packet.label == "200 OK", 2);
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    net.settle();
    net.assert_ladder(
        "
        0.000  alice -> bob    BYE
        0.010  bob   -> alice  200 OK   (lost)
        0.500  alice -> bob    BYE
        0.510  bob   -> alice  200 OK   (lost)
        1.500  alice -> bob    BYE
        1.510  bob   -> alice  200 OK
    ",
    );
    assert_eq!(net[bob].log, ["bye", "ended RemoteBye"]);
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn a_bye_that_nobody_answers_ends_the_session_all_the_same() {
    let (mut net, alice, bob) = in_session(5);
    net.isolate(bob);
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    net.run_for(33 * SECOND);
    assert_eq!(net[alice].log, ["bye done Failed(Timeout)", "ended LocalBye"]);
    run_out(&mut net, &[alice]);
}

#[test]
fn a_peer_that_forgot_the_session_answers_481_and_that_is_the_end_of_it() {
    let (mut net, alice, bob) = in_session(6);
    net.node_mut(bob, |phone, _| {
        phone.ua = sip_ua::UserAgent::new(sip_ua::Config::default(), sip_ua::Resolver::default());
    });
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    net.settle();
    assert_eq!(net[alice].log, ["bye done Answered(481)", "ended LocalBye"]);
}

#[test]
fn closing_twice_sends_one_bye() {
    let (mut net, alice, bob) = in_session(7);
    net.node_mut(alice, |phone, now| {
        phone.bye(now).unwrap();
        assert_eq!(phone.bye(now).unwrap_err().0, State::Closing);
    });
    net.settle();
    net.assert_ladder_untimed("alice -> bob BYE\nbob -> alice 200 OK");
    net.node_mut(bob, |phone, now| assert_eq!(phone.bye(now).unwrap_err().0, State::Terminated));
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn the_tombstone_answers_481_for_64_t1_and_then_nothing_is_left() {
    let (mut net, alice, bob) = in_session(8);
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    net.run_for(20 * SECOND);
    assert_eq!((net[alice].ua.len(), net[bob].ua.len()), (1, 1));
    net.run_for(45 * SECOND);
    assert_eq!((net[alice].ua.len(), net[bob].ua.len()), (0, 0));
    run_out(&mut net, &[alice, bob]);
}
