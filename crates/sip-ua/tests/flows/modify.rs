use sim::Packet;
use sip::Method;
use sip_ua::{Body, Cause, State};

use crate::phone::{Policy, SECOND, in_session, run_out};

fn sdp(text: &'static str) -> Option<Body> {
    Some(Body::sdp(text))
}

#[test]
fn a_reinvite_is_answered_and_acknowledged() {
    let (mut net, alice, bob) = in_session(1);
    net.node_mut(bob, |phone, now| phone.modify(Method::Invite, sdp("second"), now).unwrap());
    net.settle();
    net.assert_ladder(
        "
        0.000  bob   -> alice  INVITE
        0.010  alice -> bob    100 Trying
        0.010  alice -> bob    200 OK
        0.020  bob   -> alice  ACK
    ",
    );
    assert_eq!(net[alice].log, ["re-invite", "acked"]);
    assert_eq!(net[bob].log, ["modified 200"]);
    assert_eq!(
        (net[alice].remote_sdp().unwrap(), net[bob].remote_sdp().unwrap()),
        ("second".into(), "new answer".into())
    );
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn an_update_refreshes_without_a_description() {
    let (mut net, alice, bob) = in_session(2);
    net.node_mut(alice, |phone, now| phone.modify(Method::Update, None, now).unwrap());
    net.settle();
    net.assert_ladder("0.000  alice -> bob    UPDATE\n0.010  bob   -> alice  200 OK");
    assert_eq!((net[bob].log.clone(), net[alice].log.clone()), (vec!["update".into()], vec!["modified 200".into()]));
    assert_eq!(net[bob].remote_sdp().unwrap(), "offer");
}

#[test]
fn a_reinvite_without_offer_gets_one() {
    let (mut net, alice, bob) = in_session(3);
    net[bob].on_request = Policy::Wait;
    net.node_mut(alice, |phone, now| phone.modify(Method::Invite, None, now).unwrap());
    net.settle();
    net.node_mut(bob, |phone, now| phone.answer(200, sdp("bob's offer"), now));
    net.run_for(SECOND / 10);
    // The role owes the answer: Bob repeats his 200 until it is there.
    assert_eq!(net[alice].log, ["modified 200"]);
    net.node_mut(alice, |phone, now| {
        let key = phone.session.unwrap();
        phone.ua.ack(&mut phone.stack, key, Body::sdp("alice's answer"), now).unwrap();
        phone.ua.ack(&mut phone.stack, key, Body::sdp("again"), now).unwrap_err();
    });
    net.settle();
    assert_eq!(
        (net[alice].remote_sdp().unwrap(), net[bob].remote_sdp().unwrap()),
        ("bob's offer".into(), "alice's answer".into())
    );
}

#[test]
fn reinvites_that_meet_are_both_491_and_one_of_them_is_tried_again_first() {
    let (mut net, alice, bob) = in_session(4);
    net.node_mut(alice, |phone, now| phone.modify(Method::Invite, sdp("from alice"), now).unwrap());
    net.node_mut(bob, |phone, now| phone.modify(Method::Invite, sdp("from bob"), now).unwrap());
    net.run_for(SECOND / 50);
    net.ladder_view().without(&["100 Trying", "ACK"]).assert(
        "
        0.000  alice -> bob    INVITE
        0.000  bob   -> alice  INVITE
        0.010  bob   -> alice  491 Request Pending
        0.010  alice -> bob    491 Request Pending
    ",
    );
    net.run_for(10 * SECOND);
    // RFC 3261 §14.1: the caller waits longer than the callee can.
    assert_eq!(net[alice].log, ["re-invite", "acked", "modified 200"]);
    assert_eq!(net[bob].log, ["modified 200", "re-invite", "acked"]);
    assert_eq!(net[alice].state(), Some(State::Established));
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn only_one_modification_is_sent_at_a_time() {
    let (mut net, alice, bob) = in_session(5);
    net[bob].on_request = Policy::Wait;
    net.node_mut(alice, |phone, now| {
        phone.modify(Method::Invite, sdp("one"), now).unwrap();
        phone.modify(Method::Update, None, now).unwrap_err();
    });
    net.settle();
    // Nor while the peer's is open.
    net.node_mut(bob, |phone, now| {
        phone.modify(Method::Invite, sdp("two"), now).unwrap_err();
        phone.answer(488, None, now);
    });
    net.settle();
    assert_eq!(net[alice].log, ["modified 488"]);
    net.node_mut(bob, |phone, now| phone.modify(Method::Update, None, now).unwrap());
    net.settle();
    assert_eq!((net[alice].state(), net[bob].state()), (Some(State::Established), Some(State::Established)));
}

#[test]
fn a_modification_that_finds_no_dialog_ends_the_session() {
    let (mut net, alice, bob) = in_session(6);
    net.node_mut(bob, |phone, _| {
        phone.ua = sip_ua::UserAgent::new(sip_ua::Config::default(), sip_ua::Resolver::default());
    });
    net.node_mut(alice, |phone, now| phone.modify(Method::Update, None, now).unwrap());
    net.settle();
    assert_eq!(net[alice].log, ["modified 481", "closing Lost", "bye done Answered(481)", "ended Lost"]);
}

#[test]
fn a_modification_that_nobody_answers_ends_the_session() {
    let (mut net, alice, bob) = in_session(7);
    net.isolate(bob);
    net.node_mut(alice, |phone, now| phone.modify(Method::Update, None, now).unwrap());
    net.run_for(66 * SECOND);
    assert_eq!(net[alice].log, ["not modified Timeout", "closing Lost", "bye done Failed(Timeout)", "ended Lost"]);
    assert_eq!(net[alice].ended(), Some(Cause::Lost));
    run_out(&mut net, &[alice]);
}

#[test]
fn the_ok_to_a_reinvite_is_repeated_until_its_ack_comes() {
    let (mut net, alice, bob) = in_session(8);
    net.lose_next_matching(|packet: &Packet<'_>| packet.label == "ACK", 1);
    net.node_mut(alice, |phone, now| phone.modify(Method::Invite, sdp("second"), now).unwrap());
    net.settle();
    net.assert_ladder(
        "
        0.000  alice -> bob    INVITE
        0.010  bob   -> alice  100 Trying
        0.010  bob   -> alice  200 OK
        0.020  alice -> bob    ACK         (lost)
        0.510  bob   -> alice  200 OK
        0.520  alice -> bob    ACK
    ",
    );
    assert_eq!(net[bob].log, ["re-invite", "acked"]);
}
