//! How late a node is told to be, on real loopback sockets.

use std::collections::VecDeque;
use std::net::UdpSocket;
use std::time::Duration;

use engine::{Clock, Engine, Listen, Options, Sockets};
use wire::{Input, Instant, Node, Now, Output};

/// No datagram of these tests takes this long.
const PATIENCE: Duration = Duration::from_secs(10);
/// What the node takes for one.
const WORK: Duration = Duration::from_micros(100);
/// More than one call of the kernel gives, so that the node never finds the queue empty.
const IN_FLIGHT: usize = 64;
const TOTAL: usize = 3000;

/// Sends back what it hears, not at once.
struct Busy {
    clock: Clock,
    began: Option<Instant>,
    ended: Instant,
    latest: Duration,
    out: VecDeque<Output>,
}

impl Node for Busy {
    fn handle_input(&mut self, input: Input, now: Now) {
        let Input::Datagram { local, remote, data } = input else { return };
        self.began.get_or_insert(now.at);
        while self.clock.at() - now.at < WORK {}
        self.ended = self.clock.at();
        self.out.push_back(Output::Datagram { local, remote, data });
    }

    fn handle_lag(&mut self, lag: Duration, _: Now) {
        self.latest = self.latest.max(lag);
    }

    fn handle_timeout(&mut self, _: Now) {}

    fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

#[test]
fn a_queue_that_always_stands_but_is_short_is_not_late() {
    let sockets = Sockets::bind(&[Listen::udp("127.0.0.1:0".parse().unwrap())]).unwrap();
    let addr = sockets.bound()[0].addr;
    let clock = Clock::start();
    let (latest, out) = (Duration::ZERO, VecDeque::new());
    let node = Busy { clock, began: None, ended: Instant::ZERO, latest, out };
    let node = Engine::spawn("busy", sockets, node, Options { clock, ..Options::default() }).unwrap();

    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buf = [0; 8];
    for n in 0..TOTAL + IN_FLIGHT {
        if n >= IN_FLIGHT {
            peer.recv(&mut buf).unwrap();
        }
        if n < TOTAL {
            peer.send_to(b"work", addr).unwrap();
        }
    }

    let node = node.stop();
    let busy = node.ended - node.began.unwrap();
    // Each waits for those before it, some 6 ms; the queue stands for all of 300.
    assert!(node.latest < busy / 4, "{:?} late of {busy:?}", node.latest);
    assert!(node.latest > WORK, "nothing waited: {:?}", node.latest);
}
