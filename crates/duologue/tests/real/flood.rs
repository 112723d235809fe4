//! A flood at `duologue serve`: sessions that are up live on and close, and the node is well afterwards (F56); its memory and
//! its log do not grow with the flood.
//!
//! The flood is a short one; `cargo xtask flood --seconds N` makes it a long one.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use interop::{Loopback, Process, Transport, options};

use crate::ground::{self, Place, serve};

/// What a flood is made of: new work, work that can wait, and BYEs of dialogs that there are not.
const KINDS: [(&str, &str); 4] = [("INVITE", ""), ("OPTIONS", ""), ("MESSAGE", ""), ("BYE", ";tag=forged")];

fn packet(n: u64, from: SocketAddr, to: SocketAddr) -> String {
    let (method, to_tag) = KINDS[(n % 4) as usize];
    format!(
        "{method} sip:bob@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bKf{n};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:eve@evil.test>;tag={n}\r\nTo: <sip:bob@home2.test>{to_tag}\r\nCall-ID: flood-{n}\r\n\
         CSeq: 1 {method}\r\nContact: <sip:eve@{from}>\r\nContent-Length: 0\r\n\r\n"
    )
}

/// Sends as fast as it can until told to stop, for some seconds at most: the kernel drops what does not fit into a socket
/// whoever sent it, and a machine that has other work besides drops most, so a BYE may have to be repeated until the flood
/// is over. Returns how many it sent.
fn flood(to: SocketAddr, stop: &AtomicBool, most: u64) -> u64 {
    let socket = UdpSocket::bind((to.ip(), 0)).unwrap();
    let from = socket.local_addr().unwrap();
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) && sent < most {
        // A full buffer drops it, as a network would.
        sent += u64::from(socket.send_to(packet(sent, from, to).as_bytes(), to).is_ok());
    }
    sent
}

#[test]
fn f56_sessions_live_through_a_flood_and_close() {
    let lease = Loopback::lease();
    let [core_a, core_b, a, b] = lease.ports();
    let config = [
        ground::core("core-a", core_a, a, core_b, Transport::Udp),
        ground::pf("pf-a", a, Place::On),
        ground::core("core-b", core_b, b, core_a, Transport::Udp),
        ground::pf("pf-b", b, Place::On),
    ];
    let mut nodes = serve(&config.join("\n"), &[core_a, core_b, a, b]);
    let [alice, bob] = ground::callers(&lease, core_a, core_b, Transport::Udp, ["a", "a"]);
    let (bob, alice) = (bob.start(), alice.key("hold", "3000").start());
    nodes.wait_line("session on the media path is up", ground::SOON);

    let stop = AtomicBool::new(false);
    let (traffic, sent) = std::thread::scope(|scope| {
        let floods = [core_a, a].map(|to| {
            let stop = &stop;
            scope.spawn(move || flood(to, stop, 400_000))
        });
        // Alice closes in the middle of it.
        let traffic = [alice.finish(), bob.finish()];
        stop.store(true, Ordering::Relaxed);
        (traffic, floods.map(|flood| flood.join().unwrap()))
    });
    for traffic in &traffic {
        assert_eq!(ground::call_ids(traffic, "BYE sip:").len(), 1);
    }
    assert!(sent.iter().all(|sent| *sent > 1_000), "it was a flood: {sent:?}");
    // What is left of the flood is still in the sockets, and is worked off first.
    for node in [core_a, a] {
        nodes.wait_ready(&format!("{node} is well again"), ground::SOON, || {
            options(node, Transport::Udp, lease.ip(), Duration::from_secs(1)) == Some(200)
        });
    }
}

/// The flood at length. What a node holds for those who ask is bounded, so its memory is. When all transactions are over, a second
/// flood finds the room of the first one.
#[test]
fn f56_memory_and_log_do_not_grow_with_a_flood() {
    let seconds = std::env::var("FLOOD_SECONDS").map_or(3, |n| n.parse().expect("FLOOD_SECONDS is a number"));
    let lease = Loopback::lease();
    let [core_a, core_b, a, metrics] = lease.ports();
    let config = [
        format!("[admin]\nmetrics = \"{metrics}\"\n"),
        ground::core("core-a", core_a, a, core_b, Transport::Udp),
        ground::pf("pf-a", a, Place::On),
    ];
    let mut nodes = serve(&config.join("\n"), &[core_a, a]);
    let floods = [seconds, seconds.min(60)].map(|seconds| {
        let before = resident(&nodes);
        let (sent, during) = wave(&nodes, [core_a, a], Duration::from_secs(seconds));
        nodes.wait_ready("every transaction is over", OVER, || of_metric(metrics, "duologue_transactions") == 0);
        let after = resident(&nodes);
        eprintln!(
            "{sent} requests in {seconds} s; resident before {before} KiB, at most {} KiB, afterwards {after} KiB; the log has {} lines",
            during.iter().max().unwrap(),
            nodes.lines().len()
        );
        during.into_iter().chain([after]).collect::<Vec<u64>>()
    });
    // Those who flood are named once a minute and node, with what they tried; nothing is said of a single request.
    assert!(nodes.lines().len() < 200 + seconds as usize, "{} lines", nodes.lines().len());
    let most = floods.into_iter().flatten().max().unwrap();
    assert!(most < MOST, "resident were {most} KiB");
}

/// KiB, however long the floods are. A request that left 50 octets behind would take more within seconds.
const MOST: u64 = 96 << 10;

/// Longer than a transaction waits for repetitions.
const OVER: Duration = Duration::from_secs(120);

/// A flood at both; how much was sent, and the resident KiB of the process twice a second.
#[expect(clippy::disallowed_methods, reason = "the flood lasts so long, and memory is looked at twice a second")]
fn wave(nodes: &Process, to: [SocketAddr; 2], lasts: Duration) -> (u64, Vec<u64>) {
    let (stop, until) = (AtomicBool::new(false), Instant::now() + lasts);
    std::thread::scope(|scope| {
        let floods = to.map(|to| {
            let stop = &stop;
            scope.spawn(move || flood(to, stop, u64::MAX))
        });
        let mut seen = Vec::new();
        while Instant::now() < until {
            seen.push(resident(nodes));
            std::thread::sleep(Duration::from_millis(500));
        }
        stop.store(true, Ordering::Relaxed);
        (floods.map(|flood| flood.join().unwrap()).iter().sum(), seen)
    })
}

/// The resident memory of a process in KiB (proc(5)).
fn resident(process: &Process) -> u64 {
    let status = std::fs::read_to_string(Path::new("/proc").join(process.id().to_string()).join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The sum of all lines of a metric.
fn of_metric(metrics: SocketAddr, name: &str) -> u64 {
    let mut curl = Command::new(interop::require("curl"));
    let output = curl.args(["--silent", "--max-time", "10"]).arg(format!("http://{metrics}/metrics")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
    let values: Vec<u64> = lines.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect();
    assert!(!values.is_empty(), "{name} in\n{text}");
    values.iter().sum()
}
