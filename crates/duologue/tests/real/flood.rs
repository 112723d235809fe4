//! A flood at `duologue serve`: sessions that are up live on and close, and the node is well afterwards (F56).

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use interop::{Loopback, Transport, options};

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
fn flood(to: SocketAddr, stop: &AtomicBool) -> u64 {
    let socket = UdpSocket::bind((to.ip(), 0)).unwrap();
    let from = socket.local_addr().unwrap();
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) && sent < 400_000 {
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
            scope.spawn(move || flood(to, stop))
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
