//! What a stack refuses when its node is late or full, and what it tells its neighbours (RFC 7339).

use std::time::Duration;

use sip::{Message, Method, Name};
use sip_tx::{Options, Target};
use wire::Transport;

use crate::role::{BOB, Bench, Pair, options, request};

fn late(bench: &mut Bench) {
    for _ in 0..15 {
        bench.now.at += Duration::from_millis(10);
        bench.role.stack.handle_lag(Duration::from_millis(50), bench.now);
    }
}

fn ask(bench: &mut Bench, n: usize, method: &str, to_tag: &str) -> String {
    let sent = bench.datagram(request(method, &format!("10.0.0.9;branch=z9hG4bK{n}"), to_tag));
    Bench::lines(&sent).first().map_or(String::new(), |line| (*line).to_owned())
}

#[test]
fn a_late_node_refuses_what_begins_something_and_passes_what_ends_something_to_its_role() {
    let mut bench = Bench::new(options());
    late(&mut bench);
    for (n, method) in ["INVITE", "MESSAGE", "REGISTER", "OPTIONS", "SUBSCRIBE", "BYE", "FOO"].into_iter().enumerate() {
        assert!(ask(&mut bench, n, method, "").starts_with("SIP/2.0 503 "), "{method} outside a dialog");
    }
    for (n, method) in ["BYE", "UPDATE", "INVITE"].into_iter().enumerate() {
        assert_eq!(ask(&mut bench, 10 + n, method, ";tag=2"), "", "{method} inside a dialog");
    }
    assert_eq!(bench.role.seen, ["BYE", "UPDATE", "INVITE"]);
    assert_eq!(
        (bench.role.stack.stats().shed, bench.role.stack.transactions().1),
        (7, 3),
        "nothing is kept of a refusal"
    );
    bench.role.stack.handle_lag(Duration::ZERO, bench.now);
    assert_eq!(ask(&mut bench, 20, "INVITE", ""), "", "it keeps up again");
}

#[test]
fn those_who_are_refused_are_told_to_come_back_at_different_times() {
    let mut bench = Bench::new(options());
    late(&mut bench);
    let times: std::collections::BTreeSet<u32> = (0..100)
        .map(|n| {
            let sent = bench.datagram(request("INVITE", &format!("10.0.0.9;branch=z9hG4bK{n}"), ""));
            let answer = Message::parse_response(sent[0].clone().into()).unwrap();
            std::str::from_utf8(answer.header(Name::RetryAfter).unwrap()).unwrap().parse().unwrap()
        })
        .collect();
    assert_eq!(times.into_iter().collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
}

#[test]
fn room_for_transactions_is_kept_for_what_is_inside_a_dialog_and_for_what_closes_it() {
    let mut bench = Bench::new(Options { max_transactions: 10, ..options() });
    let mut taken = |method: &str, to_tag: &str| {
        let mut n = 0;
        while ask(&mut bench, 100 * usize::from(method.as_bytes()[0]) + n, method, to_tag).is_empty() {
            n += 1;
        }
        n
    };
    assert_eq!(taken("OPTIONS", ""), 8);
    assert_eq!(taken("MESSAGE", ""), 0);
    assert_eq!(taken("UPDATE", ";tag=2"), 1);
    assert_eq!(taken("BYE", ";tag=2"), 1);
    assert_eq!(bench.role.stack.stats().refused, 4);
}

#[test]
fn a_neighbour_that_asks_is_told_and_one_that_does_not_is_not() {
    for (offers, expected) in [(true, Some("0")), (false, None)] {
        let mut pair = Pair::with(&[200], options());
        pair.net[pair.alice].stack = sip_tx::Stack::new(
            pair.net[pair.alice].stack.transports().listeners().to_vec(),
            Options { offers_overload_control: offers, ..options() },
            wire::Entropy::from_seed(5),
        );
        pair.send(Method::Options, Transport::Udp);
        pair.run(100);
        let response = &pair.net[pair.alice].responses[0];
        let oc = response.via().params.get("oc").map(|value| String::from_utf8_lossy(value).into_owned());
        assert_eq!(oc.as_deref(), expected);
        assert_eq!(pair.net[pair.alice].stack.neighbours(), usize::from(offers));
    }
}

#[test]
fn an_overloaded_neighbour_gets_less_until_its_word_has_run_out() {
    let mut pair = Pair::with(&[200], options());
    pair.net[pair.alice].stack = sip_tx::Stack::new(
        pair.net[pair.alice].stack.transports().listeners().to_vec(),
        Options { offers_overload_control: true, ..options() },
        wire::Entropy::from_seed(5),
    );
    for _ in 0..40 {
        pair.net.node_mut(pair.bob, |bob, now| bob.stack.handle_lag(Duration::from_millis(50), now));
        pair.run(100);
    }
    // Inside a dialog it would be served; the answer to it tells.
    pair.send(Method::Options, Transport::Udp);
    pair.run(100);
    assert_eq!(pair.net[pair.alice].responses[0].status(), 503);
    let target = Target::new(Transport::Udp, sim::addr(&format!("{BOB}:5060")));
    let left_out = |pair: &mut Pair| {
        let ask = |role: &mut crate::role::Role, now| (0..100).filter(|_| role.stack.is_left_out(&target, now)).count();
        pair.net.node_mut(pair.alice, ask)
    };
    let now = left_out(&mut pair);
    assert!((80..100).contains(&now), "{now}");
    assert_eq!(pair.net[pair.alice].stack.stats().left_out, now as u64);
    pair.run(500);
    assert_eq!(left_out(&mut pair), 0);
}
