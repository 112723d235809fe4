//! CANCEL (RFC 3261 §9).

use crate::role::{Bench, Pair, options, request};
use sip::Method;
use wire::Transport::{Tcp, Udp};

#[test]
fn a_cancel_waits_for_the_first_provisional_response() {
    let mut pair = Pair::new(&[]);
    let id = pair.send(Method::Invite, Udp);
    pair.cancel(id);
    pair.run(100);
    pair.respond(0, 180);
    pair.run(30);
    pair.respond(0, 487);
    pair.run(1000);
    pair.net.assert_ladder(
        "
        0.000  alice -> bob    INVITE
        0.100  bob   -> alice  180 Ringing
        0.110  alice -> bob    CANCEL
        0.120  bob   -> alice  200 OK
        0.130  bob   -> alice  487 Request Terminated
        0.140  alice -> bob    ACK
        ",
    );
    assert_eq!(pair.net[pair.bob].seen, ["INVITE", "cancelled"]);
    // The 200 to the CANCEL is nobody's business but the stack's.
    assert_eq!(pair.net[pair.alice].seen, ["180", "487"]);
    pair.finish();
}

#[test]
fn a_cancel_goes_at_once_after_a_provisional_response() {
    for transport in [Udp, Tcp] {
        let mut pair = Pair::new(&[180]);
        let id = pair.send(Method::Invite, transport);
        pair.run(100);
        pair.net.clear_ladder();
        pair.cancel(id);
        pair.cancel(id);
        pair.run(20);
        pair.respond(0, 487);
        pair.run(1000);
        pair.net.assert_ladder_untimed(
            "
            alice -> bob    CANCEL
            bob   -> alice  200 OK
            bob   -> alice  487 Request Terminated
            alice -> bob    ACK
            ",
        );
        pair.finish();
    }
}

#[test]
fn a_lost_cancel_is_repeated_and_comes_up_once() {
    let mut pair = Pair::new(&[180]);
    let id = pair.send(Method::Invite, Udp);
    pair.run(100);
    pair.net.clear_ladder();
    pair.net.lose_next(2);
    pair.cancel(id);
    pair.net.lose_next_matching(|packet| packet.from == "bob", 1);
    pair.run(4000);
    pair.net.assert_ladder(
        "
        0.000  alice -> bob    CANCEL  (lost)
        0.500  alice -> bob    CANCEL  (lost)
        1.500  alice -> bob    CANCEL
        1.510  bob   -> alice  200 OK  (lost)
        3.500  alice -> bob    CANCEL
        3.510  bob   -> alice  200 OK
        ",
    );
    assert_eq!(pair.net[pair.bob].seen, ["INVITE", "cancelled"]);
    pair.respond(0, 487);
    pair.finish();
}

#[test]
fn a_cancelled_invite_without_a_final_response_is_given_up_after_32_seconds() {
    let mut pair = Pair::new(&[180]);
    let id = pair.send(Method::Invite, Udp);
    pair.run(100);
    pair.cancel(id);
    pair.run(31_999);
    assert_eq!(pair.net[pair.alice].seen, ["180"]);
    pair.run(1);
    assert_eq!(pair.net[pair.alice].seen, ["180", "timeout"]);
    // A response that comes later still belongs to nobody.
    pair.respond(0, 487);
    pair.run(100);
    assert_eq!(pair.net[pair.alice].seen.len(), 2);
    assert_eq!(pair.net[pair.alice].stack.stats().stray_responses, 1);
}

#[test]
fn a_cancel_after_the_final_response_is_answered_and_without_effect() {
    for status in [200, 486] {
        let mut bench = Bench::new(options());
        bench.role.answers = vec![status];
        bench.datagram(request("INVITE", "10.0.0.9;branch=z9hG4bKa", ""));
        let sent = bench.datagram(request("CANCEL", "10.0.0.9;branch=z9hG4bKa", ""));
        assert_eq!(Bench::lines(&sent), ["SIP/2.0 200 OK"]);
        assert_eq!(bench.role.seen, ["INVITE"]);
    }
}

#[test]
fn a_cancel_for_nothing_is_answered_481_and_its_repetition_too() {
    let mut bench = Bench::new(options());
    bench.datagram(request("OPTIONS", "10.0.0.9;branch=z9hG4bKa", ""));
    let cancel = request("CANCEL", "10.0.0.9;branch=z9hG4bKa", "");
    let first = bench.datagram(cancel.clone());
    assert_eq!(Bench::lines(&first), ["SIP/2.0 481 Call/Transaction Does Not Exist"]);
    assert_eq!(bench.datagram(cancel), first);
    assert_eq!(bench.role.seen, ["OPTIONS"]);
}

#[test]
fn a_cancel_is_let_in_although_the_table_is_full() {
    let mut bench = Bench::new(sip_tx::Options { max_transactions: 1, ..options() });
    bench.datagram(request("INVITE", "10.0.0.9;branch=z9hG4bKa", ""));
    let sent = bench.datagram(request("CANCEL", "10.0.0.9;branch=z9hG4bKb", ""));
    assert_eq!(Bench::lines(&sent), ["SIP/2.0 503 Service Unavailable"]);
    let sent = bench.datagram(request("CANCEL", "10.0.0.9;branch=z9hG4bKa", ""));
    assert_eq!(Bench::lines(&sent), ["SIP/2.0 200 OK"]);
    assert_eq!(bench.role.seen, ["INVITE", "cancelled"]);
}
