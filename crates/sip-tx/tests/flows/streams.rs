//! Transactions over connections: reused, stale, refused, broken.

use std::time::Duration;

use sim::{Arrow, addr};
use sip::Method;
use sip_tx::{ClientId, Flow, Target};
use wire::Transport::{self, Tcp, Udp};

use crate::role::{BOB, Pair, Role, options};

fn send_large(pair: &mut Pair, transport: Transport) -> ClientId {
    let target = Target::new(transport, addr("10.0.0.2:5060"));
    pair.net.node_mut(pair.alice, |role, now| role.send_to(Method::Message, &target, 2000, now))
}

/// `alice -> bob udp MESSAGE`
fn carried(pair: &Pair) -> Vec<String> {
    let line = |a: &Arrow| format!("{} -> {} {} {}", a.from, a.to, a.transport, a.label);
    pair.net.arrows().iter().map(line).collect()
}

fn flow_of(pair: &Pair, n: usize) -> Flow {
    pair.net[pair.bob].incoming[n].flow
}

#[test]
fn one_connection_serves_all_requests_and_their_responses() {
    let mut pair = Pair::new(&[200]);
    for _ in 0..20 {
        pair.send(Method::Message, Tcp);
        pair.run(7);
    }
    pair.run(1000);
    assert_eq!(pair.net[pair.alice].seen, vec!["200"; 20]);
    assert_eq!((pair.net.open_connections(pair.alice), pair.net.open_connections(pair.bob)), (1, 1));
    pair.finish();
}

#[test]
fn requests_of_the_server_come_back_on_the_connection_of_the_alias() {
    let mut pair = Pair::new(&[200]);
    pair.net[pair.alice].answers = vec![200];
    pair.send(Method::Message, Tcp);
    pair.run(100);
    // To Alice's listener, and to the flow itself: both the connection that she opened.
    let back = [Target::new(Tcp, addr("10.0.0.1:5060")), Target::from_flow(&flow_of(&pair, 0))];
    for target in back {
        pair.net.node_mut(pair.bob, |role, now| role.send_to(Method::Notify, &target, 0, now));
        pair.run(100);
    }
    assert_eq!(pair.net[pair.alice].seen, ["200", "NOTIFY", "NOTIFY"]);
    assert_eq!(pair.net[pair.bob].seen, ["MESSAGE", "200", "200"]);
    assert_eq!((pair.net.open_connections(pair.alice), pair.net.open_connections(pair.bob)), (1, 1));
    pair.finish();
}

#[test]
fn a_large_request_goes_by_tcp() {
    let mut pair = Pair::new(&[200]);
    send_large(&mut pair, Udp);
    pair.run(1000);
    assert_eq!(carried(&pair), ["alice -> bob tcp MESSAGE", "bob -> alice tcp 200 OK"]);
    assert!(pair.net.arrows()[0].text().contains("Via: SIP/2.0/TCP 10.0.0.1:5060;"));
    pair.finish();
}

#[test]
fn a_large_request_stays_on_udp_when_the_path_is_known_to_carry_it() {
    let mut net = sim::Net::new(7);
    let known = sip_tx::Options { path_mtu: Some(9000), ..options() };
    let alice = net.add("alice", &[addr("10.0.0.1:5060")], Role::new("10.0.0.1", known, 1));
    let bob = net.add("bob", &[addr("10.0.0.2:5060")], Role::new(BOB, options(), 2));
    net[bob].answers = vec![200];
    let mut pair = Pair { net, alice, bob };
    send_large(&mut pair, Udp);
    pair.run(1000);
    assert_eq!(carried(&pair), ["alice -> bob udp MESSAGE", "bob -> alice udp 200 OK"]);
}

/// Alice and a Bob who listens by UDP only.
fn deaf_to_tcp() -> Pair {
    let mut net = sim::Net::new(7);
    let alice = net.add("alice", &[addr("10.0.0.1:5060")], Role::new("10.0.0.1", options(), 1));
    let bob = net.add("bob", &[], Role::new(BOB, options(), 2));
    net.listen(bob, Udp, addr("10.0.0.2:5060"));
    net[bob].answers = vec![200];
    Pair { net, alice, bob }
}

#[test]
fn a_large_request_goes_by_udp_after_all_when_tcp_is_refused() {
    let mut pair = deaf_to_tcp();
    // Lost at first: on UDP it is repeated again.
    pair.net.lose_next(1);
    send_large(&mut pair, Udp);
    pair.run(5000);
    let expected = ["alice -> bob udp MESSAGE", "alice -> bob udp MESSAGE", "bob -> alice udp 200 OK"];
    let by_udp: Vec<_> = carried(&pair).into_iter().filter(|line| line.contains(" udp ")).collect();
    assert_eq!(by_udp, expected);
    let sent = pair.net.arrows().iter().find(|arrow| arrow.transport == Udp).unwrap().text();
    assert!(sent.contains("Via: SIP/2.0/UDP 10.0.0.1:5060;") && sent.ends_with("xxx"), "{sent}");
    assert_eq!(pair.net[pair.alice].seen, ["200"]);
    pair.finish();
}

#[test]
fn a_request_that_asked_for_tcp_fails_at_once_when_it_is_refused() {
    let mut pair = deaf_to_tcp();
    pair.send(Method::Message, Tcp);
    pair.send(Method::Invite, Tcp);
    pair.run(100);
    assert_eq!(pair.net[pair.alice].seen, ["transport", "transport"]);
    pair.finish();
}

#[test]
fn every_transaction_on_a_connection_that_breaks_fails_at_once() {
    let mut pair = Pair::new(&[]);
    pair.send(Method::Message, Tcp);
    let invite = pair.send(Method::Invite, Tcp);
    pair.run(100);
    pair.respond(1, 180);
    pair.run(100);
    pair.cancel(invite);
    // The connection was new for both, and both have been heard by Bob: nothing is sent again.
    pair.net.break_connections(pair.alice, pair.bob);
    pair.run(100);
    let mut seen = pair.net[pair.alice].seen.clone();
    seen.sort();
    assert_eq!(seen, ["180", "transport", "transport"]);
    assert_eq!(pair.open().0, 0);
}

/// A pair with an idle connection whose far end has silently gone: Bob restarted, Alice does not know.
fn stale() -> Pair {
    let mut pair = Pair::new(&[200]);
    pair.send(Method::Message, Tcp);
    pair.run(100);
    // The resets of Bob's kernel are lost, so Alice learns of it only when she writes.
    pair.net.partition(pair.alice, pair.bob);
    pair.net.crash(pair.bob);
    pair.run(1000);
    pair.net.heal();
    let mut bob = Role::new(BOB, options(), 4);
    bob.answers = vec![200];
    pair.net.restart(pair.bob, bob);
    pair.net.clear_ladder();
    pair
}

#[test]
fn a_request_on_a_stale_connection_goes_once_more_on_a_fresh_one() {
    for method in [Method::Message, Method::Invite] {
        let mut pair = stale();
        let before = pair.net[pair.alice].seen.len();
        pair.send(method, Tcp);
        pair.send(method, Tcp);
        pair.run(1000);
        assert_eq!(pair.net[pair.alice].seen[before..], ["200", "200"], "{}", pair.net.ladder());
        assert_eq!(pair.net[pair.bob].incoming.len(), 2);
        assert_eq!(pair.net.open_connections(pair.alice), 1);
        let sent = pair.net.arrows().iter().filter(|arrow| arrow.label == method.as_str()).count();
        assert_eq!(sent, 4, "{}", pair.net.ladder());
        pair.finish();
    }
}

#[test]
fn a_request_goes_over_a_fresh_connection_only_once() {
    let mut pair = stale();
    pair.net.crash(pair.bob);
    pair.send(Method::Message, Tcp);
    pair.run(1000);
    assert_eq!(pair.net[pair.alice].seen, ["200", "transport"]);
    assert_eq!(pair.net[pair.alice].stack.transactions(), (0, 0));
}

#[test]
fn a_request_that_was_heard_is_not_sent_again() {
    let mut pair = Pair::new(&[200]);
    pair.send(Method::Message, Tcp);
    pair.run(100);
    pair.net[pair.bob].answers = vec![180];
    pair.send(Method::Invite, Tcp);
    pair.run(100);
    pair.net.break_connections(pair.alice, pair.bob);
    pair.run(1000);
    assert_eq!(pair.net[pair.alice].seen, ["200", "180", "transport"]);
    assert_eq!(pair.net[pair.bob].seen, ["MESSAGE", "INVITE"]);
}

#[test]
fn a_peer_that_did_get_the_request_takes_it_for_a_repetition_and_answers_on_the_fresh_connection() {
    let mut pair = Pair::new(&[200]);
    pair.send(Method::Message, Tcp);
    pair.run(100);
    pair.net[pair.bob].answers = Vec::new();
    pair.send(Method::Invite, Tcp);
    pair.run(100);
    pair.net.break_connections(pair.alice, pair.bob);
    pair.run(100);
    // The INVITE came twice, up once.
    assert_eq!(pair.net[pair.bob].seen, ["MESSAGE", "INVITE"]);
    assert_eq!(pair.net[pair.bob].stack.stats().retransmissions, 1);
    pair.respond(1, 486);
    pair.run(1000);
    assert_eq!(pair.net[pair.alice].seen, ["200", "486"]);
    pair.finish();
}

#[test]
fn a_response_whose_connection_is_gone_goes_to_sent_by() {
    let mut pair = Pair::new(&[180]);
    pair.send(Method::Invite, Tcp);
    pair.run(100);
    pair.net.break_connections(pair.alice, pair.bob);
    pair.run(100);
    pair.net.clear_ladder();
    pair.respond(0, 200);
    pair.run(1000);
    assert_eq!(carried(&pair), ["bob -> alice tcp 200 OK"]);
    assert_eq!(pair.net.arrows()[0].destination, addr("10.0.0.1:5060"));
}

#[test]
fn an_ack_goes_out_although_its_connection_has_just_ended() {
    let mut pair = Pair::new(&[200]);
    pair.net[pair.alice].acknowledges = false;
    let tx = pair.send(Method::Invite, Tcp);
    pair.run(100);
    pair.net.node_mut(pair.alice, |role, _| {
        let response = role.responses[0].clone();
        role.acknowledge(tx, &response);
    });
    pair.net.break_connections(pair.alice, pair.bob);
    pair.run(100);
    pair.net.node_mut(pair.alice, |role, _| {
        let response = role.responses[0].clone();
        role.acknowledge(tx, &response);
    });
    pair.net.run_for(Duration::from_secs(1));
    assert_eq!(pair.net[pair.bob].seen.last().map(String::as_str), Some("ACK"));
}
