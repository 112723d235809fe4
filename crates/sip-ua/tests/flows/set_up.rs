use sim::Packet;
use sip::Name;
use sip_ua::{Body, Reject, State};

use crate::phone::{BOB_URI, Policy, SECOND, in_session, phones, run_out};

#[test]
fn a_session_rings_is_answered_and_acknowledged() {
    let (mut net, alice, bob) = phones(1);
    net[bob].on_invite = Policy::Wait;
    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.settle();
    net.node_mut(bob, |phone, now| phone.ring(now));
    net.run_for(SECOND);
    assert_eq!((net[alice].state(), net[bob].state()), (Some(State::Early), Some(State::Early)));
    net.node_mut(bob, |phone, now| phone.accept(now));
    net.settle();
    net.assert_ladder_untimed(
        "
        alice -> bob    INVITE
        bob   -> alice  100 Trying
        bob   -> alice  180 Ringing
        bob   -> alice  200 OK
        alice -> bob    ACK
    ",
    );
    assert_eq!(net[alice].log, ["progress 180", "answered"]);
    assert_eq!(net[bob].log, ["invited", "acked"]);
    assert_eq!((net[alice].remote_sdp().unwrap(), net[bob].remote_sdp().unwrap()), ("answer".into(), "offer".into()));
}

#[test]
fn a_lost_ok_is_repeated_until_its_ack_comes() {
    let (mut net, alice, _bob) = phones(2);
    net.lose_next_matching(|packet: &Packet<'_>| packet.label == "200 OK", 2);
    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.settle();
    net.assert_ladder(
        "
        0.000  alice -> bob    INVITE
        0.010  bob   -> alice  100 Trying
        0.010  bob   -> alice  200 OK      (lost)
        0.510  bob   -> alice  200 OK      (lost)
        1.510  bob   -> alice  200 OK
        1.520  alice -> bob    ACK
    ",
    );
    assert_eq!(net[alice].log, ["answered"]);
}

#[test]
fn a_lost_ack_is_sent_again_for_every_repeated_ok() {
    let (mut net, alice, bob) = phones(3);
    net.lose_next_matching(|packet: &Packet<'_>| packet.label == "ACK", 2);
    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.settle();
    net.assert_ladder(
        "
        0.000  alice -> bob    INVITE
        0.010  bob   -> alice  100 Trying
        0.010  bob   -> alice  200 OK
        0.020  alice -> bob    ACK          (lost)
        0.510  bob   -> alice  200 OK
        0.520  alice -> bob    ACK          (lost)
        1.510  bob   -> alice  200 OK
        1.520  alice -> bob    ACK
    ",
    );
    assert_eq!(
        (net[alice].log.clone(), net[bob].log.clone()),
        (vec!["answered".into()], vec!["invited".into(), "acked".into()])
    );
    let acks: Vec<_> = net.arrows().iter().filter(|arrow| arrow.label == "ACK").map(|a| a.data.clone()).collect();
    assert!(acks.windows(2).all(|pair| pair[0] == pair[1]), "the same ACK each time");
}

#[test]
fn without_any_ack_the_callee_closes_after_64_t1() {
    let (mut net, alice, bob) = phones(4);
    net.lose_next_matching(|packet: &Packet<'_>| packet.label == "ACK", 100);
    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.run_for(32 * SECOND);
    assert_eq!(net[bob].state(), Some(State::AnsweredNoAck));
    let before = net.now();
    net.run_for(SECOND);
    net.ladder_since(before).untimed().assert("bob -> alice BYE\nalice -> bob 200 OK");
    assert_eq!(net[bob].log, ["invited", "closing NoAck", "bye done Answered(200)", "ended NoAck"]);
    assert_eq!(net[alice].log, ["answered", "bye", "ended RemoteBye"]);
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn an_invite_without_offer_gets_it_in_the_ok_and_answers_in_the_ack() {
    let (mut net, alice, bob) = phones(5);
    net.node_mut(alice, |phone, now| {
        let plan = sip_ua::InvitePlan { body: None, ..phone.plan(BOB_URI) };
        phone.call_as(plan, now);
    });
    net.settle();
    assert_eq!(net[alice].log, ["answered with an offer"]);
    assert_eq!(net[bob].log, ["invited", "acked"]);
    assert_eq!(net[alice].remote_sdp().unwrap(), "answer");
    assert_eq!(net[bob].remote_sdp().unwrap(), "late answer");
}

#[test]
fn a_refusal_ends_both_sides() {
    let (mut net, alice, bob) = phones(6);
    net[bob].on_invite = Policy::Wait;
    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.settle();
    net.node_mut(bob, |phone, now| {
        let key = phone.session.unwrap();
        phone.ua.reject(&mut phone.stack, key, &Reject::new(486).with(Name::Warning, "399 x \"no\""), now).unwrap();
    });
    net.settle();
    net.assert_ladder_untimed(
        "
        alice -> bob    INVITE
        bob   -> alice  100 Trying
        bob   -> alice  486 Busy Here
        alice -> bob    ACK
    ",
    );
    assert_eq!(net[alice].log, ["rejected 486", "ended Rejected(486)"]);
    run_out(&mut net, &[alice, bob]);
    assert_eq!(net[bob].log, ["invited", "ended Refused(486)", "gone"]);
}

#[test]
fn a_callee_that_is_not_there_is_408() {
    let (mut net, alice, bob) = phones(7);
    net.isolate(bob);
    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.run_for(33 * SECOND);
    assert_eq!(net[alice].log, ["rejected 408", "ended Rejected(408)"]);
    run_out(&mut net, &[alice]);
}

#[test]
fn a_required_extension_that_nobody_knows_is_420() {
    let (mut net, alice, bob) = phones(8);
    net.node_mut(alice, |phone, now| {
        let mut plan = phone.plan(BOB_URI);
        plan.headers = plan.headers.with(Name::Require, "teleport, precondition");
        phone.call_as(plan, now);
    });
    net.settle();
    assert_eq!(net[alice].log, ["rejected 420", "ended Rejected(420)"]);
    assert_eq!(net[bob].log, ["refused 420"]);
    let refusal = net.arrows().iter().find(|arrow| arrow.label.starts_with("420")).unwrap();
    assert!(String::from_utf8_lossy(&refusal.data).contains("Unsupported: teleport, precondition\r\n"));
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn ringing_is_repeated_every_minute() {
    let (mut net, alice, bob) = phones(9);
    net[bob].on_invite = Policy::Wait;
    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.settle();
    net.node_mut(bob, |phone, now| phone.ring(now));
    net.run_for(150 * SECOND);
    assert_eq!(net.arrows().iter().filter(|arrow| arrow.label == "180 Ringing").count(), 3);
}

#[test]
fn a_session_goes_over_tcp_when_the_uri_says_so() {
    let (mut net, alice, bob) = phones(10);
    net.node_mut(alice, |phone, now| phone.call("sip:bob@10.0.0.2:5060;transport=tcp", now));
    net.settle();
    assert_eq!((net[alice].state(), net[bob].state()), (Some(State::Established), Some(State::Established)));
    net.node_mut(alice, |phone, now| phone.bye(now).unwrap());
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn a_role_reads_dialog_and_descriptions_of_a_session() {
    let (net, alice, bob) = in_session(11);
    let session = |phone: sim::NodeId<crate::phone::Phone>| net[phone].ua.session(net[phone].session.unwrap()).unwrap();
    let (caller, callee) = (session(alice).dialog().unwrap(), session(bob).dialog().unwrap());
    assert_eq!(caller.id().call_id, callee.id().call_id);
    assert_eq!((&caller.id().local_tag, &caller.id().remote_tag), (&callee.id().remote_tag, &callee.id().local_tag));
    assert_eq!(
        (caller.remote_target(), callee.remote_target()),
        (&"sip:bob@10.0.0.2:5060".into(), &"sip:alice@10.0.0.1:5060".into())
    );
    assert_eq!(session(bob).local_sdp(), Some(&Body::sdp("answer")));
    assert!(session(alice).is_caller() && !session(bob).is_caller());
}
