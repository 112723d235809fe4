//! What it costs to relay a message: instructions, which hardly depend on the machine, and allocations.
//!
//! `cargo test --release -p msrp --test cost -- --nocapture` prints the figures of a release; the bounds are for the profile
//! that tests are built with.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::env;
use std::process::Command;

use bytes::{Bytes, BytesMut};
use msrp::{Acknowledge, Bridge, Confirm, Endpoint, Options, SessionOptions};
use sdp::MsrpUri;
use wire::{ConnId, Entropy, Input, Instant, Now, Output, Timestamp, Transport};

/// Messages in one read, as a busy connection brings them.
const BATCH: usize = 16;
/// A run under callgrind is this test again, with the number of batches in the environment.
const COUNT: &str = "MSRP_COST_BATCHES";
/// Instructions that one message of 1 KiB may cost: its SEND in and out, and both answers.
const INSTRUCTIONS: u64 = 75_000;
/// Allocations that it may cost.
const ALLOCATIONS: u64 = 20;

const FROM: &str = "msrp://192.0.2.1:2855/5f0c8f2e64c54b0a9d525d3f9a3d7e21;tcp";
const NEAR: &str = "msrp://192.0.2.9:2855/a94d01c75b2c8f3e0000000000000001;tcp";
const FAR: &str = "msrp://192.0.2.9:2855/a94d01c75b2c8f3e0000000000000002;tcp";
const TO: &str = "msrp://192.0.2.2:2855/c3b7a1d0e9f84c5d8b6a7f1e2d3c4b5a;tcp";

/// A participating function between two peers whose octets the test writes.
struct Hop {
    endpoint: Endpoint,
    bridge: Bridge,
    peers: [ConnId; 2],
    now: Now,
    number: u64,
}

impl Hop {
    fn new() -> Hop {
        let mut endpoint = Endpoint::new(Options::default(), Entropy::from_seed(1));
        let now = Now { at: Instant::from_nanos(1), utc: Timestamp::default() };
        let peers = [ConnId::accepted(0), ConnId::accepted(1)];
        let sides = [(NEAR, FROM), (FAR, TO)].map(|(local, remote)| {
            let uri = |text| MsrpUri::parse(text).unwrap();
            let options = SessionOptions::new(uri(local), vec![uri(remote)]);
            endpoint.open(SessionOptions { confirm: Confirm::ByCaller, ..options }).unwrap()
        });
        let bridge = Bridge::new(sides[0], sides[1], Acknowledge::WhenTaken);
        let mut hop = Hop { endpoint, bridge, peers, now, number: 0 };
        for (conn, (local, remote)) in peers.into_iter().zip([(NEAR, FROM), (FAR, TO)]) {
            let addr = "192.0.2.9:2855".parse().unwrap();
            hop.handle(Input::Accepted { conn, transport: Transport::Tcp, local: addr, remote: addr, peer: None });
            let bind = format!(
                "MSRP bind SEND\r\nTo-Path: {local}\r\nFrom-Path: {remote}\r\nMessage-ID: bind\r\n-------bind$\r\n"
            );
            hop.handle(Input::Stream { conn, data: bind.into() });
        }
        hop
    }

    fn handle(&mut self, input: Input) -> BytesMut {
        self.endpoint.handle_input(input, self.now);
        while let Some(event) = self.endpoint.poll_event() {
            self.bridge.handle_event(event, &mut self.endpoint, self.now);
        }
        let (mut out, mut written) = (BytesMut::new(), Vec::new());
        while let Some(output) = self.endpoint.poll_output() {
            if let Output::Write { conn, data } = output {
                written.push(Input::Written { conn, octets: data.len() });
                out.extend_from_slice(&data);
            }
        }
        // A host tells of many writes at once.
        if let Some(Input::Written { conn, .. }) = written.first() {
            let octets = out.len();
            self.endpoint.handle_input(Input::Written { conn: *conn, octets }, self.now);
        }
        out
    }

    /// Relays a batch of messages; the answers to them come in one read too.
    fn relay(&mut self, body: &[u8]) {
        let mut sends = BytesMut::with_capacity(BATCH * 1500);
        for _ in 0..BATCH {
            self.number += 1;
            let id = format!("t{:015x}", self.number);
            let head = format!(
                "MSRP {id} SEND\r\nTo-Path: {NEAR}\r\nFrom-Path: {FROM}\r\nMessage-ID: {id}{id}\r\n\
                 Byte-Range: 1-{len}/{len}\r\nContent-Type: message/cpim\r\n\r\n",
                len = body.len()
            );
            for part in [head.as_bytes(), body, b"\r\n-------", id.as_bytes(), b"$\r\n"] {
                sends.extend_from_slice(part);
            }
        }
        let relayed = self.handle(Input::Stream { conn: self.peers[0], data: sends.freeze() });
        let (answers, count) = answers(&relayed);
        assert_eq!(count, BATCH, "every message is relayed in one chunk");
        let taken = self.handle(Input::Stream { conn: self.peers[1], data: answers });
        let oks = memchr::memmem::find_iter(&taken, b" 200 OK\r\n").count();
        assert_eq!(oks, BATCH, "every message is answered");
    }
}

/// The answers to all SENDs in a text.
fn answers(text: &[u8]) -> (Bytes, usize) {
    let (mut out, mut count) = (BytesMut::with_capacity(BATCH * 300), 0);
    for at in memchr::memmem::find_iter(text, b" SEND\r\n") {
        let id = &text[at - 16..at];
        let paths = [b"\r\nFrom-Path: ", TO.as_bytes(), b"\r\n-------"].concat();
        for part in [b"MSRP ", id, b" 200 OK\r\nTo-Path: ", FAR.as_bytes(), &paths, id, b"$\r\n"] {
            out.extend_from_slice(part);
        }
        count += 1;
    }
    (out.freeze(), count)
}

fn relay(batches: u64) {
    let body = vec![b'x'; 1024];
    let mut hop = Hop::new();
    for _ in 0..batches {
        hop.relay(&body);
    }
}

/// The instructions of a run of this program that relays so many batches.
fn callgrind(batches: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "a_relayed_message_costs_no_more_instructions_than_its_bound"])
        .env(COUNT, batches.to_string())
        .output()
        .expect("valgrind is installed, as `cargo xtask test` sees to");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let (_, after) = text.rsplit_once("Collected :").unwrap_or_else(|| panic!("{text}"));
    after.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn a_relayed_message_costs_no_more_instructions_than_its_bound() {
    if let Ok(batches) = env::var(COUNT) {
        return relay(batches.parse().unwrap());
    }
    // Histories are full after 16 batches; the difference of two runs leaves out all that happens once.
    let each = (callgrind(80) - callgrind(30)) / (50 * BATCH as u64);
    println!("{each} instructions per relayed message");
    assert!(each <= INSTRUCTIONS, "{each} instructions, more than {INSTRUCTIONS}");
}

#[test]
fn a_relayed_message_costs_no_more_allocations_than_its_bound() {
    let body = vec![b'x'; 1024];
    let mut hop = Hop::new();
    for _ in 0..40 {
        hop.relay(&body);
    }
    let info = allocation_counter::measure(|| hop.relay(&body));
    // Those of the test itself: an identifier and a head for each message, paths for each answer, and buffers.
    let each = info.count_total / BATCH as u64 - 3;
    println!("{each} allocations per relayed message");
    assert!(each <= ALLOCATIONS, "{each} allocations, more than {ALLOCATIONS}");
}
