//! `duologue lab` as a user runs it: the whole system on real sockets, judged by what is printed and by the exit status.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

const NODES: [&str; 6] = ["client-a", "core-a", "pf-a", "core-b", "pf-b", "client-b"];
/// What a flow takes at most from its first arrow to its last, on a machine that is busy with other tests.
const IN_TIME: Duration = Duration::from_secs(10);

fn lab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_duologue")).arg("lab").args(arguments).output().unwrap()
}

/// The flows of a run that must conform.
fn flows(arguments: &[&str]) -> Vec<Value> {
    let output = lab(&[arguments, &["--json"]].concat());
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{arguments:?}\n{stdout}\n{stderr}");
    // One document, and nothing else.
    let document: Value = serde_json::from_str(&stdout).unwrap();
    document["flows"].as_array().unwrap().clone()
}

fn flow(arguments: &[&str]) -> Value {
    let mut flows = flows(arguments);
    assert_eq!(flows.len(), 1, "{arguments:?}");
    flows.remove(0)
}

fn texts<'v>(values: &'v Value, key: &str) -> Vec<&'v str> {
    values.as_array().unwrap().iter().map(|value| value[key].as_str().unwrap()).collect()
}

fn numbers(values: &Value, key: &str) -> Vec<u64> {
    values.as_array().unwrap().iter().map(|value| value[key].as_u64().unwrap()).collect()
}

/// Shape and content that every conforming flow has.
fn check(flow: &Value, what: &str) {
    assert_eq!(flow["conforms"], true, "{what}");
    assert_eq!(flow["violations"], Value::Array(vec![]), "{what}");
    assert_eq!(flow["messages"], serde_json::json!({ "sent": 0, "delivered": 0 }), "{what}");
    assert_eq!(texts(&flow["nodes"], "name"), NODES, "{what}");
    for node in flow["nodes"].as_array().unwrap() {
        let is_core = node["name"].as_str().unwrap().starts_with("core");
        assert!(node["sip"].as_str().unwrap().starts_with("127.0.0.1:"), "{what}: {node}");
        assert_eq!(node["msrp"].is_null(), is_core, "{what}: {node}");
    }
    for key in ["set_up", "arrows"] {
        assert!(numbers(&flow[key], "step").iter().all(|step| *step >= 1), "{what}");
        assert!(numbers(&flow[key], "at_us").is_sorted(), "{what}");
        assert!(["from", "to"].iter().all(|end| texts(&flow[key], end).iter().all(|n| NODES.contains(n))), "{what}");
        assert!(texts(&flow[key], "call_id").iter().all(|id| !id.is_empty()), "{what}");
    }
    let (set_up, close) = (texts(&flow["set_up"], "message"), texts(&flow["arrows"], "message"));
    for message in ["REGISTER", "401 Unauthorized", "INVITE", "ACK"] {
        assert!(set_up.contains(&message), "{what}: {message}");
    }
    assert!(!set_up.contains(&"BYE"), "{what}");
    assert!(close.iter().all(|message| ["BYE", "200 OK"].contains(message)), "{what}: {close:?}");
    let requests = close.iter().filter(|message| **message == "BYE").count();
    assert_eq!(close.len(), 2 * requests, "{what}: {close:?}");
    assert!(texts(&flow["arrows"], "cseq").iter().all(|cseq| cseq.ends_with(" BYE")), "{what}");
    let span = [numbers(&flow["set_up"], "at_us")[0], *numbers(&flow["arrows"], "at_us").last().unwrap()];
    assert!(Duration::from_micros(span[1] - span[0]) < IN_TIME, "{what}: {span:?}");
}

/// The number of different Call-IDs: legs.
fn legs(flow: &Value) -> usize {
    let mut calls = texts(&flow["arrows"], "call_id");
    calls.sort_unstable();
    calls.dedup();
    calls.len()
}

fn every_close_conforms(transport: &str) {
    for (pf_a, pf_b, id, dialogs) in [
        ("off", "off", "c.2.3.1-figure-9", 1),
        ("on", "on", "c.2.3.1-figure-10", 3),
        ("on", "off", "c.2.3.1-m1", 2),
        ("off", "on", "c.2.3.1-m2", 2),
    ] {
        for close_by in ["a", "b", "both"] {
            let arguments = ["--pf-a", pf_a, "--pf-b", pf_b, "--close-by", close_by, "--transport", transport];
            let what = arguments.join(" ");
            let flow = flow(&arguments);
            check(&flow, &what);
            assert_eq!(legs(&flow), dialogs, "{what}");
            let found = flow["flow"].as_str().unwrap();
            let (from, count) = (texts(&flow["arrows"], "from")[0], texts(&flow["arrows"], "from").len());
            match close_by {
                "a" => assert_eq!((found, count, from), (id, 14, "client-a"), "{what}"),
                "b" => assert_eq!((found, count, from), (format!("{id}-b-closes").as_str(), 14, "client-b"), "{what}"),
                // Who was quicker decides where the requests meet, or whether they meet.
                _ => assert!(found.starts_with(id) && (14..=28).contains(&count), "{what}: {found}, {count}"),
            }
        }
    }
}

#[test]
fn every_close_conforms_over_udp() {
    every_close_conforms("udp");
}

#[test]
fn every_close_conforms_over_tcp() {
    every_close_conforms("tcp");
}

#[test]
fn every_close_conforms_over_tls() {
    every_close_conforms("tls");
}

#[test]
fn both_figures_are_played_unless_one_is_asked_for() {
    let played = flows(&[]);
    let ids: Vec<&str> = played.iter().map(|flow| flow["flow"].as_str().unwrap()).collect();
    assert_eq!(ids, ["c.2.3.1-figure-9", "c.2.3.1-figure-10"]);
    // Figure 9 is one transaction hop by hop: its order is strict.
    assert_eq!(numbers(&played[0]["arrows"], "step"), (1..=14).collect::<Vec<_>>());
    let mut steps = numbers(&played[1]["arrows"], "step");
    steps.sort_unstable();
    assert_eq!(steps, (1..=14).collect::<Vec<_>>());
    assert_eq!(flow(&["--figure", "10"])["flow"], "c.2.3.1-figure-10");
}

#[test]
fn the_same_seed_gives_the_same_identifiers() {
    // What stands behind an @ is the address of a socket, whose port the kernel chooses.
    let ids = |seed: &str| -> Vec<String> {
        let flow = flow(&["--figure", "10", "--seed", seed]);
        texts(&flow["arrows"], "call_id").iter().map(|id| id.split('@').next().unwrap().to_owned()).collect()
    };
    let sorted = |mut ids: Vec<String>| {
        ids.sort_unstable();
        ids
    };
    let first = sorted(ids("7"));
    assert_eq!(first, sorted(ids("7")));
    assert_ne!(first, sorted(ids("8")));
}

#[test]
fn a_person_sees_the_ladder_and_the_verdict() {
    let output = lab(&["--figure", "9", "--seed", "7", "--messages", "3"]);
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    assert!(
        stdout.starts_with("C.2.3.1, Figure 9: User A closes, both PFs off the media path\nSIP over UDP, seed 7\n")
    );
    assert!(stdout.contains("conforms to C.2.3.1, Figure 9: 14 arrows, 1 dialog\n"), "{stdout}");
    assert!(stdout.ends_with("\n1 of 1 flows conform\n"), "{stdout}");
    assert_eq!(stdout.matches(" BYE ").count(), 7, "{stdout}");
    assert!(!stdout.contains('\u{1b}'), "colour is for terminals");
    assert!(stdout.contains("\n  MSRP connections: client-a to client-b (tcp)\n"), "{stdout}");
    assert!(stdout.contains("\n  Messages: 6 sent, 6 delivered, 100 octets each\n"), "{stdout}");
    assert_eq!(stderr, "");
}

/// Messages go both ways before the close; a participating function on the media path splits the connection.
#[test]
fn messages_are_delivered_through_each_topology() {
    let hop = |from: &str, to: &str| serde_json::json!({ "from": from, "to": to, "transport": "tcp" });
    for (figure, connections) in [
        ("9", vec![hop("client-a", "client-b")]),
        ("10", vec![hop("client-a", "pf-a"), hop("pf-a", "pf-b"), hop("pf-b", "client-b")]),
    ] {
        for size in ["1", "500", "5000"] {
            let flow = flow(&["--figure", figure, "--messages", "3", "--size", size]);
            assert_eq!(flow["messages"], serde_json::json!({ "sent": 6, "delivered": 6 }), "{figure}, {size}");
            assert_eq!(flow["msrp"], Value::Array(connections.clone()), "{figure}, {size}");
            assert_eq!(flow["conforms"], true, "{figure}, {size}");
        }
    }
}

/// Everything over TLS: many messages, and some that are too large for any buffer.
#[test]
fn messages_are_delivered_over_tls() {
    for (figure, hops) in [("9", 1), ("10", 3)] {
        for (messages, size) in [("40", "20000"), ("2", "2000000")] {
            let what = format!("{figure}, {messages} of {size}");
            let flow = flow(&["--figure", figure, "--transport", "tls", "--messages", messages, "--size", size]);
            let all = 2 * messages.parse::<u64>().unwrap();
            assert_eq!(flow["messages"], serde_json::json!({ "sent": all, "delivered": all }), "{what}");
            assert_eq!(texts(&flow["msrp"], "transport"), vec!["tls"; hops], "{what}");
            assert_eq!(flow["conforms"], true, "{what}");
        }
    }
}

#[test]
fn wrong_options_end_with_status_2_and_say_which_are_right() {
    for (arguments, expected) in [
        (&["--figure", "11"][..], "[possible values: 9, 10, all]"),
        (&["--figure", "9", "--pf-a", "on"], "'--figure <FIGURE>' cannot be used with '--pf-a <PLACE>'"),
    ] {
        let output = lab(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected) && output.stdout.is_empty(), "{arguments:?}: {stderr}");
    }
}

#[test]
fn the_capture_holds_what_the_arrows_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lab.pcap");
    let flow = flow(&["--figure", "10", "--pcap", path.to_str().unwrap()]);
    let capture = std::fs::read(&path).unwrap();
    assert_eq!(capture[..4], 0xa1b2_c3d4_u32.to_le_bytes());
    // Every datagram is one packet, written in the order of sending with the time of its arrow; MSRP goes over TCP.
    const IP_PROTOCOL: usize = 14 + 9;
    const UDP: u8 = 17;
    let word = |at: usize| u32::from_le_bytes(capture[at..at + 4].try_into().unwrap());
    let (mut times, mut at) = (Vec::new(), 24);
    while at < capture.len() {
        if capture[at + 16 + IP_PROTOCOL] == UDP {
            times.push(u64::from(word(at)) * 1_000_000 + u64::from(word(at + 4)));
        }
        at += 16 + word(at + 8) as usize;
    }
    assert_eq!(times, [numbers(&flow["set_up"], "at_us"), numbers(&flow["arrows"], "at_us")].concat());
}
