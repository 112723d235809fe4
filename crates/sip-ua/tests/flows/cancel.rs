use sim::Packet;
use sip_ua::{Cause, State};

use crate::phone::{BOB_URI, Policy, SECOND, phones, run_out};

#[test]
fn a_ringing_call_is_cancelled() {
    let (mut net, alice, bob) = phones(1);
    net[bob].on_invite = Policy::Wait;
    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.settle();
    net.node_mut(bob, |phone, now| phone.ring(now));
    net.settle();
    net.clear_ladder();
    net.node_mut(alice, |phone, now| phone.cancel(now).unwrap());
    net.settle();
    net.assert_ladder(
        "
        0.000  alice -> bob    CANCEL
        0.010  bob   -> alice  200 OK
        0.010  bob   -> alice  487 Request Terminated
        0.020  alice -> bob    ACK
    ",
    );
    assert_eq!(net[alice].log, ["progress 180", "ended LocalCancel"]);
    assert_eq!(net[bob].log, ["invited", "cancelled", "ended RemoteCancel"]);
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn a_cancel_before_any_provisional_response_waits_for_one() {
    let (mut net, alice, bob) = phones(2);
    net[bob].on_invite = Policy::Wait;
    net.lose_next_matching(|packet: &Packet<'_>| packet.label == "100 Trying", 1);
    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.run_for(SECOND / 10);
    net.node_mut(alice, |phone, now| phone.cancel(now).unwrap());
    assert_eq!(net[alice].state(), Some(State::Cancelling));
    net.settle();
    net.assert_ladder(
        "
        0.000  alice -> bob    INVITE
        0.010  bob   -> alice  100 Trying              (lost)
        0.500  alice -> bob    INVITE
        0.510  bob   -> alice  100 Trying
        0.520  alice -> bob    CANCEL
        0.530  bob   -> alice  200 OK
        0.530  bob   -> alice  487 Request Terminated
        0.540  alice -> bob    ACK
    ",
    );
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn an_answer_that_crosses_the_cancel_is_acknowledged_and_closed() {
    let (mut net, alice, bob) = phones(3);
    net[bob].on_invite = Policy::Wait;
    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.settle();
    net.clear_ladder();
    net.node_mut(bob, |phone, now| phone.accept(now));
    net.node_mut(alice, |phone, now| phone.cancel(now).unwrap());
    net.settle();
    net.assert_ladder(
        "
        0.000  bob   -> alice  200 OK
        0.000  alice -> bob    CANCEL
        0.010  alice -> bob    ACK
        0.010  alice -> bob    BYE
        0.010  bob   -> alice  200 OK
        0.020  bob   -> alice  200 OK
    ",
    );
    assert_eq!(net[alice].log, ["bye done Answered(200)", "ended LocalCancel"]);
    assert_eq!(net[bob].log, ["invited", "acked", "bye", "ended RemoteBye"]);
    run_out(&mut net, &[alice, bob]);
}

#[test]
fn a_cancelled_call_that_gets_no_final_response_ends_by_itself() {
    let (mut net, alice, bob) = phones(4);
    net[bob].on_invite = Policy::Wait;
    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.settle();
    net.isolate(bob);
    net.node_mut(alice, |phone, now| phone.cancel(now).unwrap());
    net.run_for(33 * SECOND);
    assert_eq!(net[alice].log, ["ended LocalCancel"]);
    run_out(&mut net, &[alice]);
}

#[test]
fn nothing_but_an_open_call_can_be_cancelled() {
    let (mut net, alice, bob) = phones(5);
    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.settle();
    for phone in [alice, bob] {
        net.node_mut(phone, |phone, now| assert_eq!(phone.cancel(now).unwrap_err().0, State::Established));
    }
}

#[test]
fn close_does_what_the_state_asks_for() {
    let (mut net, alice, bob) = phones(6);
    net[bob].on_invite = Policy::Wait;
    let close = |net: &mut sim::Net, phone| {
        net.node_mut(phone, |phone: &mut crate::phone::Phone, now| {
            let key = phone.session.unwrap();
            phone.ua.close(&mut phone.stack, key, &sip_ua::Headers::new(), now);
        });
        net.settle();
    };

    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.settle();
    close(&mut net, bob);
    assert_eq!(net[alice].ended(), Some(Cause::Rejected(480)));

    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.settle();
    close(&mut net, alice);
    assert_eq!(net[bob].ended(), Some(Cause::RemoteCancel));

    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.settle();
    net.node_mut(bob, |phone, now| phone.accept(now));
    net.settle();
    close(&mut net, bob);
    close(&mut net, bob);
    assert_eq!(net[alice].ended(), Some(Cause::RemoteBye));
    run_out(&mut net, &[alice, bob]);
}
