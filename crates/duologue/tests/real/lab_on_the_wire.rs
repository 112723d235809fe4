//! What the lab reports is what an observer who does not know our parsers reads off the wire.

use std::process::Command;

use interop::{Capture, Tshark};
use serde_json::Value;

/// One message as tshark reads it: sender port, receiver port, method or status, Call-ID, CSeq.
type Seen = (String, String, String, String, String);

fn lab(arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_duologue")).arg("lab").args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stdout));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"))
}

/// All messages of a flow in the lab's own report, set-up first.
fn reported(flow: &Value) -> Vec<Seen> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let arrows = flow["set_up"].as_array().unwrap().iter().chain(flow["arrows"].as_array().unwrap());
    arrows
        .map(|arrow| {
            let message = text(&arrow["message"]);
            let kind = message.split(' ').next().unwrap_or_default().to_owned();
            (text(&arrow["from"]), text(&arrow["to"]), kind, text(&arrow["call_id"]), text(&arrow["cseq"]))
        })
        .collect()
}

/// The SIP messages of a capture, several of one segment taken apart. Ports become names where a node has them.
fn seen(capture: &Capture, flow: &Value) -> Vec<Seen> {
    let nodes: Vec<(String, String)> = flow["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| {
            let port = n["sip"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
            (port, n["name"].as_str().unwrap().to_owned())
        })
        .collect();
    let name = |port: &str| nodes.iter().find(|(p, _)| p == port).map_or_else(|| port.to_owned(), |(_, n)| n.clone());
    let fields = [
        "udp.srcport",
        "udp.dstport",
        "tcp.srcport",
        "tcp.dstport",
        "sip.Method",
        "sip.Status-Code",
        "sip.Call-ID",
        "sip.CSeq",
    ];
    let mut all = Vec::new();
    for row in capture.fields("sip", &fields) {
        let pick = |a: usize, b: usize| if row[a].is_empty() { row[b].clone() } else { row[a].clone() };
        let (from, to) = (name(&pick(0, 2)), name(&pick(1, 3)));
        if !nodes.iter().any(|(_, n)| *n == from || *n == to) {
            continue;
        }
        // A third-party REGISTER encloses the client's: tshark shows both, the outer one first.
        let outer = |text: String| text.split('|').next().unwrap_or_default().to_owned();
        all.push((from, to, outer(pick(4, 5)), outer(row[6].clone()), outer(row[7].clone())));
    }
    all
}

#[test]
fn tshark_reads_the_exported_capture_without_a_malformed_packet_and_sees_the_same_ladder() {
    let scratch = tempfile::tempdir().unwrap();
    for (figure, transport) in [("9", "udp"), ("10", "udp"), ("9", "tcp"), ("10", "tcp")] {
        let file = scratch.path().join(format!("{figure}-{transport}.pcap"));
        let pcap = file.to_str().unwrap();
        let report = lab(&["--figure", figure, "--transport", transport, "--json", "--pcap", pcap]);
        let flow = &report["flows"][0];
        let mut capture = Capture::open(&file);
        for node in flow["nodes"].as_array().unwrap() {
            let port = node["sip"].as_str().unwrap().rsplit(':').next().unwrap();
            capture = capture.decode_as(&format!("udp.port=={port},sip")).decode_as(&format!("tcp.port=={port},sip"));
        }
        let malformed =
            capture.fields("_ws.malformed || _ws.expert.severity == 8388608", &["frame.number", "_ws.expert.message"]);
        assert!(malformed.is_empty(), "figure {figure} over {transport}: {malformed:?}");
        let (mut ours, mut theirs) = (reported(flow), seen(&capture, flow));
        if transport == "tcp" {
            // The far end of a connection has a port that the kernel chose: only the named end is compared.
            let blur = |list: &mut Vec<Seen>| {
                for seen in list.iter_mut() {
                    (seen.0, seen.1) = (String::new(), String::new());
                }
            };
            blur(&mut ours);
            blur(&mut theirs);
        }
        // Messages of different dialogs may share a microsecond: the order is that within each.
        ours.sort_by(|a, b| a.3.cmp(&b.3));
        theirs.sort_by(|a, b| a.3.cmp(&b.3));
        assert_eq!(theirs, ours, "figure {figure} over {transport}");
    }
}

#[test]
fn an_independent_capture_of_the_loopback_agrees_with_the_report() {
    let tshark = Tshark::start("udp and host 127.0.0.1");
    let report = lab(&["--figure", "10", "--close-by", "both", "--json"]);
    let flow = &report["flows"][0];
    let mut capture = tshark.stop();
    for node in flow["nodes"].as_array().unwrap() {
        let port = node["sip"].as_str().unwrap().rsplit(':').next().unwrap();
        capture = capture.decode_as(&format!("udp.port=={port},sip"));
    }
    let (mut ours, mut theirs) = (reported(flow), seen(&capture, flow));
    // Six threads send at once: the kernel's order and the taps' may differ between nodes by microseconds.
    ours.sort();
    theirs.sort();
    assert_eq!(theirs, ours);
}
