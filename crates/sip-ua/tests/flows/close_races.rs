//! Closing that meets something else on its way.

use sim::Packet;
use sip::Method;
use sip_ua::{Body, Cause, State};

use crate::phone::{BOB_URI, Policy, SECOND, in_session, phones, run_out};
use crate::scripted::Wire;

#[test]
fn byes_that_cross_are_both_answered() {
    let (mut net, alice, bob) = in_session(1);
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    net.node_mut(bob, |phone, now| phone.bye(now).unwrap());
    net.settle();
    net.assert_ladder(
        "
        0.000  alice -> bob    BYE
        0.000  bob   -> alice  BYE
        0.010  bob   -> alice  200 OK
        0.010  alice -> bob    200 OK
    ",
    );
    for phone in [alice, bob] {
        assert_eq!(net[phone].log, ["bye crossed", "bye done Answered(200)", "ended LocalBye"]);
    }
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn a_bye_that_crossed_late_is_still_answered_200() {
    let (mut net, alice, bob) = in_session(2);
    net.lose_next_matching(|packet: &Packet<'_>| packet.label == "BYE" && packet.from == "bob", 2);
    net.node_mut(bob, |phone, now| phone.bye(now).unwrap());
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    net.run_for(SECOND);
    assert_eq!(net[alice].ended(), Some(Cause::LocalBye));
    net.settle();
    assert_eq!(net[bob].log, ["bye crossed", "bye done Answered(200)", "ended LocalBye"]);
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn the_callee_keeps_its_bye_until_the_ack_is_there() {
    let (mut net, alice, bob) = phones(3);
    net.lose_next_matching(|packet: &Packet<'_>| packet.label == "ACK", 1);
    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.run_for(SECOND / 10);
    net.node_mut(bob, |phone, now| phone.bye(now).unwrap());
    assert_eq!(net[bob].state(), Some(State::PendingBye));
    net.settle();
    net.assert_ladder(
        "
        0.000  alice -> bob    INVITE
        0.010  bob   -> alice  100 Trying
        0.010  bob   -> alice  200 OK
        0.020  alice -> bob    ACK         (lost)
        0.510  bob   -> alice  200 OK
        0.520  alice -> bob    ACK
        0.530  bob   -> alice  BYE
        0.540  alice -> bob    200 OK
    ",
    );
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn the_callee_s_bye_goes_after_64_t1_if_no_ack_comes() {
    let (mut net, alice, bob) = phones(4);
    net.lose_next_matching(|packet: &Packet<'_>| packet.label == "ACK", 100);
    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.run_for(SECOND);
    net.node_mut(bob, |phone, now| phone.bye(now).unwrap());
    net.run_for(31 * SECOND);
    assert_eq!(net[bob].state(), Some(State::PendingBye));
    net.run_for(SECOND);
    assert_eq!(net[bob].log, ["invited", "bye done Answered(200)", "ended LocalBye"]);
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn a_bye_that_overtakes_the_ack_ends_the_session() {
    let (mut net, alice, bob) = phones(5);
    net.lose_next_matching(|packet: &Packet<'_>| packet.label == "ACK", 1);
    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.run_for(SECOND / 10);
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    net.settle();
    net.assert_ladder(
        "
        0.000  alice -> bob    INVITE
        0.010  bob   -> alice  100 Trying
        0.010  bob   -> alice  200 OK
        0.020  alice -> bob    ACK         (lost)
        0.100  alice -> bob    BYE
        0.110  bob   -> alice  200 OK
    ",
    );
    assert_eq!(net[bob].log, ["invited", "bye", "ended RemoteBye"]);
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn the_caller_may_close_an_early_dialog_by_bye() {
    let (mut net, alice, bob) = phones(6);
    net[bob].on_invite = Policy::Wait;
    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.settle();
    net.node_mut(bob, |phone, now| phone.ring(now));
    net.settle();
    net.clear_ladder();
    net.node_mut(bob, |phone, now| assert_eq!(phone.bye(now).unwrap_err().0, State::Early));
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    net.settle();
    net.assert_ladder(
        "
        0.000  alice -> bob    BYE
        0.010  bob   -> alice  200 OK
        0.010  bob   -> alice  487 Request Terminated
        0.020  alice -> bob    ACK
    ",
    );
    assert_eq!(net[alice].log, ["progress 180", "bye done Answered(200)", "ended LocalBye"]);
    assert_eq!(net[bob].log, ["invited", "bye", "ended RemoteBye"]);
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn an_early_bye_that_crosses_the_answer_gets_one_ack_and_no_second_bye() {
    let (mut net, alice, bob) = phones(7);
    net[bob].on_invite = Policy::Wait;
    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.settle();
    net.node_mut(bob, |phone, now| phone.ring(now));
    net.settle();
    net.clear_ladder();
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    net.node_mut(bob, |phone, now| phone.accept(now));
    net.settle();
    net.assert_ladder(
        "
        0.000  alice -> bob    BYE
        0.000  bob   -> alice  200 OK
        0.010  bob   -> alice  200 OK
        0.010  alice -> bob    ACK
    ",
    );
    assert_eq!(net[alice].ended(), Some(Cause::LocalBye));
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn what_is_open_when_the_bye_comes_is_answered_487() {
    let (mut net, alice, bob) = in_session(8);
    net[bob].on_request = Policy::Wait;
    net.node_mut(alice, |phone, now| phone.modify(Method::Invite, Some(Body::sdp("second")), now).unwrap());
    net.settle();
    net.clear_ladder();
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    net.settle();
    net.assert_ladder(
        "
        0.000  alice -> bob    BYE
        0.010  bob   -> alice  200 OK
        0.010  bob   -> alice  487 Request Terminated
        0.020  alice -> bob    ACK
    ",
    );
    assert_eq!(net[bob].log, ["re-invite", "withdrawn", "bye", "ended RemoteBye"]);
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn a_reinvite_that_meets_our_bye_is_481() {
    let (mut net, alice, bob) = in_session(9);
    net.node_mut(bob, |phone, now| phone.modify(Method::Invite, Some(Body::sdp("second")), now).unwrap());
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    net.settle();
    let view = net.ladder_view().without(&["100 Trying", "ACK"]).untimed();
    view.assert(
        "
        bob   -> alice  INVITE
        alice -> bob    BYE
        alice -> bob    481 Call/Transaction Does Not Exist
        bob   -> alice  200 OK
    ",
    );
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn a_bye_received_while_our_reinvite_is_open_ends_the_session_and_a_late_2xx_is_acknowledged() {
    let (mut net, alice, bob) = in_session(10);
    net.delay_next_matching(|packet: &Packet<'_>| packet.label == "200 OK", 1, SECOND / 4);
    net.node_mut(alice, |phone, now| phone.modify(Method::Invite, Some(Body::sdp("second")), now).unwrap());
    net.run_for(SECOND / 10);
    net.node_mut(bob, |phone, now| phone.bye(now).unwrap());
    net.settle();
    assert_eq!(net[alice].log, ["bye", "ended RemoteBye"]);
    let acks = net.arrows().iter().filter(|arrow| arrow.label == "ACK").count();
    assert_eq!(acks, 1, "{}", net.ladder());
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn after_byes_crossed_another_bye_finds_nothing() {
    let (mut net, _alice, bob) = phones(11);
    let wire = Wire::add(&mut net);
    let dialog = wire.invite(&mut net);
    net.clear_ladder();
    net.node_mut(bob, |phone, now| phone.bye(now).unwrap());
    for cseq in [11, 12] {
        wire.send(&mut net, "BYE", &dialog.request("BYE", cseq));
        net.run_for(SECOND / 10);
    }
    net.assert_ladder_untimed(
        "
        bob  -> wire  BYE
        wire -> bob   BYE
        bob  -> wire  200 OK
        wire -> bob   BYE
        bob  -> wire  481 Call/Transaction Does Not Exist
    ",
    );
    assert_eq!(net[bob].log, ["invited", "acked", "bye crossed"]);
}
