//! Traces of sessions, as a small collector in the test gets them over HTTP.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use interop::{Loopback, Transport};
use serde_json::Value;

use crate::admin::Stage;
use crate::ground::{self, SOON};

/// What a collector is sent.
struct Request {
    head: String,
    body: String,
}

/// Listens there, and answers every request with 200. It ends with the test.
fn collector(address: SocketAddr) -> Receiver<Request> {
    let listener = TcpListener::bind(address).unwrap();
    let (seen, requests) = channel();
    thread::spawn(move || listener.incoming().flatten().try_for_each(|stream| serve(&stream, &seen)));
    requests
}

/// One request and its answer; nothing when nobody wants requests any more.
fn serve(stream: &TcpStream, seen: &Sender<Request>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "the head ends: {head}");
    }
    let length =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap()];
    reader.read_exact(&mut body).unwrap();
    let mut stream = stream;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}").unwrap();
    seen.send(Request { head, body: String::from_utf8(body).unwrap() }).ok()
}

/// So many spans, each with the node that it is of.
fn spans(requests: &Receiver<Request>, count: usize) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    while all.len() < count {
        let Request { head, body } = requests.recv_timeout(SOON).unwrap();
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
        assert!(head.to_ascii_lowercase().contains("\r\ncontent-type: application/json\r\n"), "{head}");
        for secret in ["alice", "bob", "home1.test", "home2.test", "sip:", "tel:"] {
            assert!(!body.contains(secret), "{secret} in {body}");
        }
        let body: Value = serde_json::from_str(&body).unwrap();
        for resource in body["resourceSpans"].as_array().unwrap() {
            let node = attribute(&resource["resource"], "service.instance.id").unwrap();
            assert_eq!(attribute(&resource["resource"], "service.name").as_deref(), Some("duologue"));
            let spans = resource["scopeSpans"][0]["spans"].as_array().unwrap();
            all.extend(spans.iter().map(|span| (node.clone(), span.clone())));
        }
    }
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

/// An attribute of a span or a resource, whatever its kind.
fn attribute(of: &Value, key: &str) -> Option<String> {
    let found = of["attributes"].as_array()?.iter().find(|attribute| attribute["key"] == key)?;
    found["value"].as_object()?.values().next()?.as_str().map(str::to_owned)
}

#[expect(clippy::disallowed_methods, reason = "compares what another process wrote down with the time of day")]
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

fn time(span: &Value, name: &str) -> Duration {
    Duration::from_nanos(span[name].as_str().unwrap().parse().unwrap())
}

fn stage(collector: SocketAddr) -> Stage {
    Stage::over(Transport::Udp, &[], |_| format!("[traces]\nendpoint = \"http://{collector}/v1/traces\"\n"))
}

fn session(stage: &Stage) {
    ground::session(&stage.lease, stage.cores[0], stage.cores[1], Transport::Udp, "a");
}

/// Waits until the page of metrics has this line.
fn wait_metric(stage: &Stage, line: &str) {
    let seen = interop::until(SOON, || {
        let (_, metrics) = stage.curl(stage.metrics, "/metrics", &[]);
        metrics.lines().any(|has| has == line).then_some(())
    });
    assert!(seen.is_some(), "{line}");
}

#[test]
fn both_functions_of_a_session_are_in_one_trace_that_names_no_user() {
    let lease = Loopback::lease();
    let [address] = lease.ports();
    let requests = collector(address);
    let stage = stage(address);
    let before = now();
    session(&stage);
    let all = spans(&requests, 2);
    let after = now();

    let nodes: Vec<&str> = all.iter().map(|(node, _)| node.as_str()).collect();
    assert_eq!(nodes, ["pf-a", "pf-b"]);
    let ids = |key: &str| all.iter().map(|(_, span)| span[key].as_str().unwrap()).collect::<BTreeSet<_>>();
    assert_eq!((ids("traceId").len(), ids("spanId").len()), (1, 2), "{all:#?}");
    for (node, span) in &all {
        assert_eq!(span["name"], "session");
        let (start, end) = (time(span, "startTimeUnixNano"), time(span, "endTimeUnixNano"));
        assert!(before <= start && start < end && end <= after, "{node}: {start:?} to {end:?}");
        let [case, path, by] =
            if node == "pf-a" { ["originating", "on", "served-user"] } else { ["terminating", "off", "peer"] };
        for (key, value) in [("case", case), ("media_path", path), ("closed_by", by), ("bye", "200")] {
            assert_eq!(attribute(span, &format!("duologue.session.{key}")).as_deref(), Some(value), "{key} {span}");
        }
    }
    let both = |key: &str| all.iter().filter_map(|(_, span)| attribute(span, key)).collect::<Vec<_>>();
    for key in ["duologue.contribution_id", "duologue.conversation_id"] {
        let ids = both(key);
        assert!(ids.len() == 2 && ids[0] == ids[1] && !ids[0].is_empty(), "{key}: {ids:?}");
    }
    assert_eq!(both("duologue.msrp.sent.octets"), ["0"], "on the media path alone anything is counted");
    wait_metric(&stage, "duologue_traces_exported_total 2");
    wait_metric(&stage, "duologue_queue_depth{queue=\"traces\"} 0");
}

#[test]
fn a_collector_that_comes_up_late_still_gets_the_spans() {
    let lease = Loopback::lease();
    let [address] = lease.ports();
    let mut stage = stage(address);
    session(&stage);
    stage.nodes.wait_line("the collector does not take traces", SOON);
    wait_metric(&stage, "duologue_queue_depth{queue=\"traces\"} 2");
    let all = spans(&collector(address), 2);
    assert_eq!(all[0].1["traceId"], all[1].1["traceId"]);
    stage.nodes.wait_line("the collector takes traces again", SOON);
    for line in
        ["duologue_traces_exported_total 2", "duologue_traces_failed_total 0", "duologue_traces_dropped_total 0"]
    {
        wait_metric(&stage, line);
    }

    // Where they go is decided at the start.
    let file = stage.folder().join("duologue.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("/v1/traces", "/v2/traces")).unwrap();
    let said = stage.json(&["config", "reload"]).to_string();
    assert!(said.contains("a restart is needed for other changes of [traces]"), "{said}");
}

#[test]
fn what_ends_as_the_process_stops_is_exported_before_it_is_gone() {
    let lease = Loopback::lease();
    let [address] = lease.ports();
    let requests = collector(address);
    let mut stage = stage(address);
    let [alice, bob] = ground::callers(&stage.lease, stage.cores[0], stage.cores[1], Transport::Udp, ["b", "a"]);
    let (bob, alice) = (bob.start(), alice.start());
    stage.nodes.wait_line("session on the media path is up", SOON);
    stage.nodes.stop();
    let all = spans(&requests, 2);
    assert_eq!(attribute(&all[0].1, "duologue.session.released").as_deref(), Some("shutdown"), "{all:#?}");
    drop((alice, bob));
}
