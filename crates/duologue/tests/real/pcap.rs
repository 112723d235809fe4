//! One session out of what is kept, as tshark reads it.

use std::net::SocketAddr;

use interop::{Capture, Transport};
use serde_json::Value;

use crate::admin::{Stage, error};
use crate::chat;
use crate::ground::{self, SOON};

/// The messages of a capture as tshark reads them, as seen from a node: `> BYE` leaves it; with the Call-IDs there are.
fn ladder(path: &std::path::Path, node: SocketAddr, transport: Transport) -> (Vec<String>, Vec<String>) {
    let name = transport.name();
    let capture = Capture::open(path).decode_as(&format!("{name}.port=={},sip", node.port()));
    let source = format!("{name}.srcport");
    let rows = capture.fields("sip", &[&source, "sip.Method", "sip.Status-Code", "sip.CSeq.method", "sip.Call-ID"]);
    let mut ids: Vec<String> = rows.iter().map(|row| row[4].clone()).collect();
    ids.sort();
    ids.dedup();
    let arrow = |row: &Vec<String>| {
        // Over TCP the port of who opened the connection is the kernel's choice, and so is it on our side.
        let way = match (transport, row[0] == node.port().to_string()) {
            (Transport::Udp, true) => "> ",
            (Transport::Udp, false) => "< ",
            (Transport::Tcp, _) => "",
        };
        if row[1].is_empty() { format!("{way}{} {}", row[2], row[3]) } else { format!("{way}{}", row[1]) }
    };
    (rows.iter().map(arrow).collect(), ids)
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

#[test]
fn a_session_is_captured_on_both_legs_and_nothing_else() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut stage = Stage::over(transport, &[], |_| "[capture]\noctets = 1048576\n".to_owned());
        let [core_a, core_b] = stage.cores;
        // Each of them waits for the other one to close. A session before it is another one.
        ground::session(&stage.lease, core_a, core_b, transport, "a");
        stage.nodes.wait_line("session on the media path is up", SOON);
        let [alice, bob] = ground::callers(&stage.lease, core_a, core_b, transport, ["b", "a"]);
        let (bob, alice) = (bob.start(), alice.start());
        stage.nodes.wait_line("session on the media path is up", SOON);
        let is_up = |session: &Value| session["started"].is_string();
        let sessions = interop::until(SOON, || {
            let sessions = stage.json(&["sessions"]);
            (sessions.as_array().unwrap().len() == 2 && sessions.as_array().unwrap().iter().all(is_up))
                .then_some(sessions)
        });
        let sessions = sessions.unwrap();
        let [on, off] = [0, 1].map(|n| sessions[n]["id"].as_str().unwrap());
        let file = stage.folder().join("session.pcap");
        let written = file.display().to_string();
        let set_up = ["INVITE", "100 INVITE", "180 INVITE", "200 INVITE", "ACK"];
        for (id, node, dialogs) in [(on, stage.pfs[0], 2), (off, stage.pfs[1], 1)] {
            let both_ways = |message: &str| match transport {
                Transport::Udp => vec![format!("< {message}"), format!("> {message}")],
                Transport::Tcp => vec![message.to_owned(); 2],
            };
            let expected: Vec<String> = set_up.iter().flat_map(|message| both_ways(message)).collect();
            // The ACK comes a little later than what makes it a session.
            let captured = interop::until(SOON, || {
                assert!(stage.ctl(&["pcap", id, "--write", &written]).status.success());
                let captured = ladder(&file, node, transport);
                (captured.0.len() >= expected.len()).then_some(captured)
            });
            let (ladder, call_ids) = captured.unwrap();
            assert_eq!(sorted(ladder), sorted(expected), "{id} {transport:?}");
            assert_eq!(call_ids.len(), dialogs, "{id}: {call_ids:?}");
        }
        // Who may only look must not, and what there is not is not there.
        assert!(error(&stage.ctl_as(&["--token", "looker"], &["pcap", on])).contains("(403)"));
        for wrong in ["pf-a.on-ffff", "pf-c.on-0", "core-a.on-0", "x"] {
            assert!(error(&stage.ctl(&["pcap", wrong])).contains("there is no such session"), "{wrong}");
        }
        let audit = stage.json(&["audit"]);
        let has = |who: &str, status: u64| {
            let what = format!("GET /api/v1/sessions/{on}/pcap");
            audit.as_array().unwrap().iter().any(|e| e["what"] == what && e["who"] == who && e["status"] == status)
        };
        assert!(has("looker", 403) && has("token-file", 200), "{audit}");
        let (_, metrics) = stage.curl(stage.metrics, "/metrics", &[]);
        assert!(metrics.contains("duologue_queue_bound{queue=\"copies_pieces\"} 8192"), "{metrics}");
        assert!(metrics.contains("duologue_capture_messages ") && metrics.contains("duologue_copies_dropped_total 0"));

        assert!(stage.ctl(&["close", on]).status.success());
        drop((alice.finish(), bob.finish()));
    }
}

/// The messages of MSRP in a capture as tshark reads them, without being told where there are any: sender, method, status,
/// transaction, and what there is of a body.
fn messages(path: &std::path::Path) -> Vec<Vec<String>> {
    let fields =
        ["tcp.srcport", "msrp.method", "msrp.status.code", "msrp.transaction.id", "msrp.end.line", "msrp.data"];
    Capture::open(path).fields("msrp", &fields)
}

#[test]
fn the_messages_of_a_session_are_captured_on_both_legs_without_what_people_write() {
    let mut stage = Stage::over(Transport::Udp, &[], |_| "[capture]\noctets = 1048576\n".to_owned());
    let [core_a, core_b] = stage.cores;
    let bob = "/wait message\nhello alice\n/wait displayed\n/wait closed\n";
    let bob = chat::client("bob", "home2.test", core_b, Transport::Udp, bob);
    let is_bob_there = || stage.json(&["registrations"]).to_string().contains("sip:bob@home2.test").then_some(());
    interop::until(SOON, is_bob_there).unwrap();
    let alice = "/wait registered\n/invite sip:bob@home2.test\n/wait established\nhello bob\n/wait displayed\n\
                 /wait message\n/wait closed\n";
    let alice = chat::client("alice", "home1.test", core_a, Transport::Udp, alice);
    stage.nodes.wait_line("session on the media path is up", SOON);
    let on = stage.json(&["sessions"])[0]["id"].as_str().unwrap().to_owned();
    let file = stage.folder().join("session.pcap");
    // Two messages, and receipts for both of them, pass over each of two legs. The last answer comes a little later.
    let rows = interop::until(SOON, || {
        assert!(stage.ctl(&["pcap", &on, "--write", &file.display().to_string()]).status.success());
        let rows = messages(&file);
        let count = |column: usize, value: &str| rows.iter().filter(|row| row[column] == value).count();
        (count(1, "SEND") >= 8 && count(2, "200") == count(1, "SEND")).then_some(rows)
    });
    let rows = rows.unwrap_or_else(|| panic!("{:#?}", messages(&file)));
    // What tshark calls the data reaches to the end of the end-line.
    let is_empty = |row: &Vec<String>| row[5].is_empty() || row[5] == format!("{}\\r\\n", row[4]);
    assert!(rows.iter().all(|row| row[4].starts_with("-------") && is_empty(row)), "{rows:#?}");
    // Requests come before their answers, and both have the same transaction.
    for (at, row) in rows.iter().enumerate().filter(|(_, row)| row[1] == "SEND") {
        let is_answer = |other: &&Vec<String>| other[2] == "200" && other[3] == row[3];
        assert_eq!(rows[at..].iter().filter(is_answer).count(), 1, "{row:?} in {rows:#?}");
    }
    let senders: std::collections::BTreeSet<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(senders.len(), 4, "two connections with two ends each");
    let octets = std::fs::read(&file).unwrap();
    assert!(!octets.windows(5).any(|window| window == b"hello"));
    let faults = Capture::open(&file).fields("tcp.analysis.flags", &["frame.number"]);
    assert!(faults.is_empty(), "numbers fit although bodies are left out: {faults:?}");
    assert!(stage.ctl(&["close", &on]).status.success());
    assert_eq!(chat::contents(&chat::events(bob)), ["hello bob"]);
    assert_eq!(chat::contents(&chat::events(alice)), ["hello alice"]);
}
