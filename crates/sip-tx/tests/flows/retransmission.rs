//! What is repeated on UDP, when, and when it ends (RFC 3261 §17, RFC 6026).

use crate::role::Pair;
use sip::Method;
use wire::Transport::{Tcp, Udp};

#[test]
fn an_invite_is_answered_and_acknowledged() {
    let mut pair = Pair::new(&[180, 200]);
    pair.send(Method::Invite, Udp);
    pair.run(1000);
    pair.net.assert_ladder(
        "
        0.000  alice -> bob    INVITE
        0.010  bob   -> alice  180 Ringing
        0.010  bob   -> alice  200 OK
        0.020  alice -> bob    ACK
        ",
    );
    assert_eq!(pair.net[pair.alice].seen, ["180", "200"]);
    assert_eq!(pair.net[pair.bob].seen, ["INVITE", "ACK"]);
    // Timers L and M keep both machines until 64*T1 after the 2xx.
    pair.run(31_009);
    assert_eq!(pair.open(), (1, 1));
    pair.run(1);
    assert_eq!(pair.open(), (1, 0));
    pair.run(10);
    assert_eq!(pair.open(), (0, 0));
    pair.finish();
}

#[test]
fn an_unanswered_invite_is_repeated_at_doubling_intervals_and_given_up_after_32_seconds() {
    let mut pair = Pair::new(&[]);
    pair.net.lose_next(99);
    pair.send(Method::Invite, Udp);
    pair.run(40_000);
    pair.net.assert_ladder(
        "
        0.000   alice -> bob  INVITE  (lost)
        0.500   alice -> bob  INVITE  (lost)
        1.500   alice -> bob  INVITE  (lost)
        3.500   alice -> bob  INVITE  (lost)
        7.500   alice -> bob  INVITE  (lost)
        15.500  alice -> bob  INVITE  (lost)
        31.500  alice -> bob  INVITE  (lost)
        ",
    );
    assert_eq!(pair.net[pair.alice].seen, ["timeout"]);
    pair.finish();
}

#[test]
fn an_unanswered_request_is_repeated_up_to_every_t2_and_given_up_after_32_seconds() {
    let mut pair = Pair::new(&[]);
    pair.net.lose_next(99);
    pair.send(Method::Message, Udp);
    pair.run(40_000);
    let times: Vec<_> = pair.net.arrows().iter().map(|arrow| arrow.sent_at.as_nanos() / 1_000_000).collect();
    assert_eq!(times, [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    assert_eq!(pair.net[pair.alice].seen, ["timeout"]);
    pair.finish();
}

#[test]
fn a_lost_final_response_is_repeated_when_the_request_is() {
    let mut pair = Pair::new(&[200]);
    pair.net.lose_next_matching(|packet| packet.from == "bob", 2);
    pair.send(Method::Message, Udp);
    pair.run(5000);
    pair.net.assert_ladder(
        "
        0.000  alice -> bob    MESSAGE
        0.010  bob   -> alice  200 OK  (lost)
        0.500  alice -> bob    MESSAGE
        0.510  bob   -> alice  200 OK  (lost)
        1.500  alice -> bob    MESSAGE
        1.510  bob   -> alice  200 OK
        ",
    );
    // The role heard of it once on either side.
    assert_eq!(pair.net[pair.bob].seen, ["MESSAGE"]);
    assert_eq!(pair.net[pair.alice].seen, ["200"]);
    assert_eq!(pair.net[pair.bob].stack.stats().retransmissions, 2);
    // Timer K is over 5 s after the response, Timer J 32 s after it was first given.
    assert_eq!(pair.open(), (1, 1));
    pair.run(1519);
    assert_eq!(pair.open(), (1, 1));
    pair.run(1);
    assert_eq!(pair.open(), (0, 1));
    pair.run(32_010 - 6520);
    assert_eq!(pair.open(), (0, 0));
    pair.finish();
}

#[test]
fn a_provisional_response_slows_a_request_down_to_t2() {
    let mut pair = Pair::new(&[]);
    pair.send(Method::Message, Udp);
    pair.run(3600);
    pair.respond(0, 100);
    pair.run(16_000);
    pair.respond(0, 200);
    pair.run(1000);
    pair.net.assert_ladder(
        "
        0.000   alice -> bob    MESSAGE
        0.500   alice -> bob    MESSAGE
        1.500   alice -> bob    MESSAGE
        3.500   alice -> bob    MESSAGE
        3.600   bob   -> alice  100 Trying
        7.500   alice -> bob    MESSAGE
        7.510   bob   -> alice  100 Trying
        11.500  alice -> bob    MESSAGE
        11.510  bob   -> alice  100 Trying
        15.500  alice -> bob    MESSAGE
        15.510  bob   -> alice  100 Trying
        19.500  alice -> bob    MESSAGE
        19.510  bob   -> alice  100 Trying
        19.600  bob   -> alice  200 OK
        ",
    );
    pair.finish();
}

#[test]
fn a_provisional_response_stops_the_repetition_of_an_invite_for_good() {
    let mut pair = Pair::new(&[180]);
    let id = pair.send(Method::Invite, Udp);
    pair.run(120_000);
    pair.net.assert_ladder(
        "
        0.000  alice -> bob    INVITE
        0.010  bob   -> alice  180 Ringing
        ",
    );
    assert_eq!(pair.open(), (1, 1));
    // Ended the way a role ends it: Timer C, then CANCEL.
    pair.cancel(id);
    pair.run(20);
    pair.respond(0, 487);
    pair.finish();
}

#[test]
fn a_refusal_is_repeated_until_it_is_acknowledged() {
    let mut pair = Pair::new(&[486]);
    pair.net.lose_next_matching(|packet| packet.label == "ACK", 3);
    pair.send(Method::Invite, Udp);
    pair.run(20_000);
    pair.net.assert_ladder(
        "
        0.000  alice -> bob    INVITE
        0.010  bob   -> alice  486 Busy Here
        0.020  alice -> bob    ACK            (lost)
        0.510  bob   -> alice  486 Busy Here
        0.520  alice -> bob    ACK            (lost)
        1.510  bob   -> alice  486 Busy Here
        1.520  alice -> bob    ACK            (lost)
        3.510  bob   -> alice  486 Busy Here
        3.520  alice -> bob    ACK
        ",
    );
    // The ACK ends in the transaction; the refusal comes up once. Timer I has run out, Timer D has not.
    assert_eq!(pair.net[pair.bob].seen, ["INVITE"]);
    assert_eq!(pair.net[pair.alice].seen, ["486"]);
    assert_eq!(pair.open(), (1, 0));
    pair.run(32_019 - 20_000);
    assert_eq!(pair.open(), (1, 0));
    pair.run(1);
    assert_eq!(pair.open(), (0, 0));
    pair.finish();
}

#[test]
fn a_refusal_that_nobody_acknowledges_is_given_up_after_32_seconds() {
    let mut pair = Pair::new(&[486]);
    pair.net.lose_next_matching(|packet| packet.label == "ACK", 99);
    pair.send(Method::Invite, Udp);
    pair.run(40_000);
    let refusals = pair.net.arrows().iter().filter(|arrow| arrow.label.starts_with("486"));
    let times: Vec<_> = refusals.map(|arrow| arrow.sent_at.as_nanos() / 1_000_000).collect();
    assert_eq!(times, [10, 510, 1510, 3510, 7510, 11_510, 15_510, 19_510, 23_510, 27_510, 31_510]);
    assert_eq!(pair.net[pair.bob].seen, ["INVITE", "unacknowledged"]);
    pair.finish();
}

#[test]
fn a_repeated_invite_brings_the_last_provisional_response_again_and_nothing_after_a_2xx() {
    let mut pair = Pair::new(&[180]);
    pair.net.duplicate_next(1);
    pair.send(Method::Invite, Udp);
    pair.run(100);
    pair.net.assert_ladder_untimed(
        "
        alice -> bob    INVITE
        alice -> bob    INVITE  (duplicate)
        bob   -> alice  180 Ringing
        bob   -> alice  180 Ringing
        ",
    );
    let mut pair = Pair::new(&[200]);
    pair.net.duplicate_next(1);
    pair.send(Method::Invite, Udp);
    pair.run(100);
    pair.net.assert_ladder_untimed(
        "
        alice -> bob    INVITE
        alice -> bob    INVITE  (duplicate)
        bob   -> alice  200 OK
        alice -> bob    ACK
        ",
    );
    assert_eq!(pair.net[pair.bob].seen, ["INVITE", "ACK"]);
    pair.finish();
}

#[test]
fn the_role_repeats_its_2xx_through_the_transaction_and_each_one_comes_up() {
    let mut pair = Pair::new(&[200]);
    pair.send(Method::Invite, Udp);
    pair.run(500);
    pair.respond(0, 200);
    pair.run(500);
    assert_eq!(pair.net[pair.alice].seen, ["200", "200"]);
    assert_eq!(pair.net[pair.bob].seen, ["INVITE", "ACK", "ACK"]);
    pair.finish();
}

#[test]
fn over_tcp_nothing_is_repeated_and_transactions_end_at_once() {
    let mut pair = Pair::new(&[200]);
    pair.send(Method::Message, Tcp);
    pair.run(100);
    assert_eq!((pair.net[pair.alice].seen.clone(), pair.open()), (vec!["200".to_owned()], (0, 0)));

    let mut pair = Pair::new(&[486]);
    pair.send(Method::Invite, Tcp);
    pair.run(100);
    assert_eq!(pair.open(), (0, 0));
    assert_eq!(pair.net[pair.bob].seen, ["INVITE"]);

    let mut pair = Pair::new(&[]);
    pair.send(Method::Message, Tcp);
    pair.run(31_999);
    assert_eq!((pair.net.arrows().len(), pair.net[pair.alice].seen.len()), (1, 0));
    pair.run(1);
    assert_eq!(pair.net[pair.alice].seen, ["timeout"]);
}

#[test]
fn the_stack_says_100_by_itself_when_told_to() {
    let trying = sip_tx::Options { auto_trying: true, ..crate::role::options() };
    let mut pair = Pair::with(&[], trying);
    pair.send(Method::Invite, Udp);
    pair.send(Method::Message, Udp);
    pair.run(100);
    pair.net.assert_ladder(
        "
        0.000  alice -> bob    INVITE
        0.000  alice -> bob    MESSAGE
        0.010  bob   -> alice  100 Trying
        ",
    );
    assert_eq!(pair.net[pair.alice].seen, ["100"]);
}

#[test]
fn a_late_408_of_the_role_is_kept_back() {
    let mut pair = Pair::new(&[]);
    pair.send(Method::Message, Udp);
    pair.run(30_000);
    pair.respond(0, 408);
    pair.run(10_000);
    assert!(pair.net.arrows().iter().all(|arrow| arrow.label == "MESSAGE"));
    assert_eq!(pair.net[pair.bob].stack.stats().suppressed, 1);
    assert_eq!(pair.net[pair.alice].seen, ["timeout"]);
    pair.finish();
}
