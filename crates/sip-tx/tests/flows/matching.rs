//! Which transaction a message belongs to (RFC 3261 §17.1.3 and §17.2.3).

use sip::Method;
use sip_tx::Options;
use wire::Transport::Udp;

use crate::role::{Bench, options, request};

/// A response of 10.0.0.9 to a request that the bench sent.
fn response(sent: &str, status: &str) -> String {
    let copied = |name: &str| sent.lines().find(|line| line.starts_with(name)).unwrap();
    format!(
        "SIP/2.0 {status} X\r\n{}\r\n{}\r\n{};tag=2\r\n{}\r\n{}\r\nContent-Length: 0\r\n\r\n",
        copied("Via: "),
        copied("From: "),
        copied("To: "),
        copied("Call-ID: "),
        copied("CSeq: ")
    )
}

/// A bench that has sent a request, and the request.
fn asked(method: Method) -> (Bench, String) {
    let mut bench = Bench::new(options());
    bench.role.send(method, Udp, "10.0.0.9", bench.now);
    let sent = bench.sent().remove(0);
    (bench, sent)
}

#[test]
fn the_ack_of_a_refusal_ends_in_its_transaction_and_that_of_a_2xx_goes_up() {
    let mut bench = Bench::new(options());
    bench.datagram(request("INVITE", "10.0.0.9;branch=z9hG4bKa", ""));
    bench.role.respond(0, 486, bench.now);
    bench.datagram(request("ACK", "10.0.0.9;branch=z9hG4bKa", ";tag=there"));
    assert_eq!(bench.role.seen, ["INVITE"]);
    bench.datagram(request("ACK", "10.0.0.9;branch=z9hG4bKother", ";tag=there"));
    assert_eq!(bench.role.seen, ["INVITE", "ACK"]);

    let mut bench = Bench::new(options());
    bench.datagram(request("INVITE", "10.0.0.9;branch=z9hG4bKa", ""));
    bench.role.respond(0, 200, bench.now);
    // A peer that keeps the branch for the ACK of a 2xx is wrong and understood.
    bench.datagram(request("ACK", "10.0.0.9;branch=z9hG4bKa", ";tag=there"));
    assert_eq!(bench.role.seen, ["INVITE", "ACK"]);
}

#[test]
fn peers_without_the_cookie_are_matched_by_what_they_have() {
    // None, one of RFC 2543, and the cookie with nothing behind it (RFC 4475 §3.2.1).
    for via in ["10.0.0.9", "10.0.0.9;branch=1", "10.0.0.9;branch=z9hG4bK"] {
        let mut bench = Bench::new(options());
        bench.role.answers = vec![180];
        let first = bench.datagram(request("INVITE", via, ""));
        assert_eq!(bench.datagram(request("INVITE", via, "")), first, "{via}");
        let sent = bench.datagram(request("CANCEL", via, ""));
        assert_eq!(Bench::lines(&sent), ["SIP/2.0 200 OK"], "{via}");
        assert_eq!(bench.role.seen, ["INVITE", "cancelled"], "{via}");
        bench.role.respond(0, 487, bench.now);
        bench.sent();
        bench.datagram(request("ACK", via, ";tag=there"));
        assert_eq!(bench.role.seen.len(), 2, "{via}");
        // Another call of the same peer is another transaction.
        bench.datagram(request("INVITE", via, "").replace("Call-ID: c", "Call-ID: d"));
        assert_eq!(bench.role.incoming.len(), 2, "{via}");
    }
}

#[test]
fn the_torture_request_with_the_cookie_alone_is_matched_to_itself() {
    let torture = include_bytes!("../../../sip/tests/torture/rfc4475/badbranch.dat").as_slice();
    let mut bench = Bench::new(options());
    bench.role.answers = vec![200];
    let first = bench.datagram(torture);
    assert_eq!(Bench::lines(&first), ["SIP/2.0 200 OK"]);
    assert_eq!(bench.datagram(torture), first);
    assert_eq!((bench.role.incoming.len(), bench.role.stack.stats().retransmissions), (1, 1));
}

#[test]
fn the_same_branch_of_another_sender_or_method_is_another_transaction() {
    let mut bench = Bench::new(options());
    let first = request("OPTIONS", "10.0.0.9;branch=z9hG4bKa", "");
    for text in [
        first.clone(),
        request("OPTIONS", "10.0.0.8;branch=z9hG4bKa", ""),
        request("OPTIONS", "10.0.0.9:5070;branch=z9hG4bKa", ""),
        request("INFO", "10.0.0.9;branch=z9hG4bKa", ""),
        request("NEWFANGLED", "10.0.0.9;branch=z9hG4bKa", ""),
        request("INVITE", "10.0.0.9;branch=z9hG4bKa", ""),
    ] {
        bench.datagram(text);
    }
    assert_eq!(bench.role.seen, ["OPTIONS", "OPTIONS", "OPTIONS", "INFO", "NEWFANGLED", "INVITE"]);
    bench.datagram(first);
    assert_eq!((bench.role.seen.len(), bench.role.stack.transactions().1), (6, 6));
}

#[test]
fn a_response_finds_its_transaction_by_branch_and_method() {
    let (mut bench, sent) = asked(Method::Message);
    let good = response(&sent, "200");
    let branch = sent.split("branch=").nth(1).unwrap().split([';', '\r']).next().unwrap();
    let strays = [
        good.replace(branch, &format!("{}0", &branch[..branch.len() - 1])),
        good.replace(branch, &format!("{branch}x")),
        good.replace(branch, &branch[..20]),
        good.replace(&format!(";branch={branch}"), ""),
        good.replace("MESSAGE", "OPTIONS"),
        good.replace("MESSAGE", "INVITE"),
        good.replace("MESSAGE", "CANCEL"),
    ];
    for stray in &strays {
        assert_ne!(*stray, good);
        assert_eq!(bench.datagram(stray.clone()), Vec::<String>::new(), "{stray}");
    }
    assert_eq!(bench.role.stack.stats().stray_responses, strays.len() as u64);
    assert!(bench.role.seen.is_empty(), "{:?}", bench.role.seen);
    bench.datagram(good.clone());
    // Repeated, it is absorbed by Timer K's wait.
    bench.datagram(good);
    assert_eq!(bench.role.seen, ["200"]);
    assert_eq!(bench.role.stack.stats().stray_responses, strays.len() as u64);
}

#[test]
fn a_response_with_all_vias_on_one_line_is_matched() {
    let (mut bench, sent) = asked(Method::Message);
    let joined = response(&sent, "200").replacen("\r\nFrom", ", SIP/2.0/UDP 10.0.0.7;branch=z9hG4bKz\r\nFrom", 1);
    bench.datagram(joined);
    assert_eq!(bench.role.seen, ["200"]);
}

#[test]
fn a_response_that_is_not_for_this_node_is_dropped_and_counted() {
    let (mut bench, sent) = asked(Method::Message);
    bench.datagram(response(&sent, "200").replace("10.0.0.2:5060", "10.0.0.3:5060"));
    assert!(bench.role.seen.is_empty());
    assert_eq!(bench.role.stack.transports().stats().foreign_responses, 1);
}

#[test]
fn every_2xx_to_an_invite_comes_up_and_a_late_provisional_does_not() {
    let (mut bench, sent) = asked(Method::Invite);
    bench.role.acknowledges = false;
    for status in ["180", "200", "180", "200", "486"] {
        bench.datagram(response(&sent, status));
    }
    assert_eq!(bench.role.seen, ["180", "200", "200"]);
}

#[test]
fn what_is_too_much_is_answered_503_without_keeping_anything() {
    let mut bench = Bench::new(Options { max_transactions: 2, ..options() });
    let mut tag = String::new();
    for branch in ["a", "b", "c", "c", "d"] {
        let sent = bench.datagram(request("INVITE", &format!("10.0.0.9;branch=z9hG4bK{branch}"), ""));
        let refused = ["c", "d"].contains(&branch);
        assert_eq!(sent.iter().any(|text| text.contains("503") && text.contains("Retry-After: ")), refused);
        if branch == "c" {
            // The same request gets the same tag, although nothing was kept of it.
            let its =
                sent[0].split("To: ").nth(1).unwrap().split("\r\n").next().unwrap().split_once(";tag=").unwrap().1;
            assert!(tag.is_empty() || tag == its);
            its.clone_into(&mut tag);
        }
    }
    assert_eq!(bench.role.stack.transactions(), (0, 2));
    assert_eq!(bench.role.stack.stats().refused, 3);
    // Its ACK is nobody's business, other ACKs are, and none is answered; what is known goes on.
    let sent = bench.datagram(request("ACK", "10.0.0.9;branch=z9hG4bKc", &format!(";tag={tag}")));
    assert!(sent.is_empty(), "{sent:?}");
    let sent = bench.datagram(request("ACK", "10.0.0.9;branch=z9hG4bKe", ";tag=x"));
    assert!(sent.is_empty(), "{sent:?}");
    assert_eq!(bench.role.seen, ["INVITE", "INVITE", "ACK"]);
    bench.datagram(request("INVITE", "10.0.0.9;branch=z9hG4bKa", ""));
    assert_eq!((bench.role.stack.stats().retransmissions, bench.role.stack.stats().refused), (2, 3));
}

#[test]
fn a_hop_that_is_not_used_leaves_nothing_behind() {
    let mut bench = Bench::new(options());
    let target = sip_tx::Target::new(Udp, sim::addr("10.0.0.9:5060"));
    let hop = bench.role.stack.hop(&target, 300, "").unwrap();
    assert_eq!(bench.role.stack.transactions(), (1, 0));
    bench.role.stack.abandon(&hop);
    assert_eq!(bench.role.stack.transactions(), (0, 0));
    bench.datagram(request("OPTIONS", "10.0.0.9;branch=z9hG4bKa", ""));

    // Given up after it was used, it does no harm to the transaction.
    let hop = bench.role.stack.hop(&target, 300, "").unwrap();
    let owner = sip_tx::Owner::Role(1);
    bench.role.stack.request(hop.clone(), Method::Options, "x".into(), owner, bench.now);
    bench.role.stack.abandon(&hop);
    assert_eq!(bench.role.stack.transactions().0, 1);
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "a hop was neither used nor abandoned")]
fn a_forgotten_hop_is_noticed() {
    let mut bench = Bench::new(options());
    let target = sip_tx::Target::new(Udp, sim::addr("10.0.0.9:5060"));
    let _forgotten = bench.role.stack.hop(&target, 300, "");
    bench.datagram("x");
}
