//! What is counted of transactions: each once, by method, direction and outcome.

use sip::Method;
use sip_tx::{Options, Traffic};
use wire::Transport::Udp;

use crate::role::{Bench, Pair, options, request};

/// `INVITE 1, 4xx 1; BYE 1`: the requests of each method, and how they ended.
fn told(traffic: Traffic) -> String {
    let of = |method: Method, requests: u64| {
        let outcomes = traffic.outcomes().filter(|(of, ..)| *of == method).map(|(_, how, n)| format!(", {how} {n}"));
        format!("{} {requests}{}", method.as_str(), outcomes.collect::<String>())
    };
    traffic.requests().map(|(method, requests)| of(method, requests)).collect::<Vec<_>>().join("; ")
}

fn both(pair: &Pair) -> [String; 2] {
    [told(pair.net[pair.alice].stack.traffic_out()), told(pair.net[pair.bob].stack.traffic_in())]
}

#[test]
fn what_is_repeated_counts_once_and_by_its_first_final_response() {
    // 1. A request that is lost once, and its response too.
    let mut pair = Pair::new(&[200]);
    pair.net.lose_next(1);
    pair.send(Method::Message, Udp);
    pair.run(505);
    pair.net.lose_next(1);
    pair.finish();
    assert_eq!(both(&pair), ["MESSAGE 1, 2xx 1", "MESSAGE 1, 2xx 1"]);

    // 2. A 2xx to an INVITE that the role repeats: the client hears it twice.
    let mut pair = Pair::new(&[180, 200]);
    pair.send(Method::Invite, Udp);
    pair.run(1_000);
    pair.respond(0, 200);
    pair.finish();
    assert_eq!(pair.net[pair.alice].seen, ["180", "200", "200"]);
    assert_eq!(both(&pair), ["INVITE 1, 2xx 1", "INVITE 1, 2xx 1"]);

    // 3. A refusal that is repeated until it is acknowledged.
    let mut pair = Pair::new(&[486]);
    pair.send(Method::Invite, Udp);
    pair.run(5);
    pair.net.lose_next(1);
    pair.finish();
    assert_eq!(both(&pair), ["INVITE 1, 4xx 1", "INVITE 1, 4xx 1"]);
}

#[test]
fn a_cancel_is_a_transaction_of_its_own() {
    let mut pair = Pair::new(&[180]);
    let id = pair.send(Method::Invite, Udp);
    pair.run(100);
    pair.cancel(id);
    pair.run(20);
    pair.respond(0, 487);
    pair.finish();
    assert_eq!(both(&pair), ["INVITE 1, 4xx 1; CANCEL 1, 2xx 1", "INVITE 1, 4xx 1; CANCEL 1, 2xx 1"]);
}

#[test]
fn a_transaction_without_a_response_has_the_outcome_none() {
    let mut pair = Pair::new(&[]);
    pair.net.lose_next(99);
    pair.send(Method::Bye, Udp);
    pair.finish();
    assert_eq!(both(&pair), ["BYE 1, none 1", ""]);
}

#[test]
fn what_is_refused_as_too_much_is_a_request_with_its_503() {
    let mut bench = Bench::new(Options { max_transactions: 1, ..options() });
    for branch in ["a", "b", "c"] {
        bench.datagram(request("INVITE", &format!("10.0.0.9;branch=z9hG4bK{branch}"), ""));
    }
    // The first one waits for its role.
    assert_eq!(told(bench.role.stack.traffic_in()), "INVITE 3, 5xx 2");
}

#[test]
fn what_a_role_refuses_on_sight_counts_as_well() {
    let mut bench = Bench::new(options());
    bench.datagram(request("MESSAGE", "10.0.0.9;branch=z9hG4bKa", ""));
    let incoming = bench.role.incoming.pop().unwrap();
    bench.role.stack.refuse(&incoming, 404, |tag| incoming.request.respond(404, tag).finish());
    assert_eq!(bench.sent().len(), 1);
    assert_eq!(told(bench.role.stack.traffic_in()), "MESSAGE 1, 4xx 1");
}
