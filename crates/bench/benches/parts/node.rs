use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bench::Parties;
use bytes::Bytes;
use flow::MediaPath;
use role_participating::Participating;
use scenarios::{Setup, Topology};
use sip_tx::{Listener, Options};
use wire::{Entropy, Input, Instant, Node, Now, Output, Timestamp, Transport};

/// Whether what a node does counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Measured,
    Plain,
}

/// A participating function between a caller and a callee that answers everything 200.
pub(crate) struct Bench {
    node: Participating,
    parties: Parties,
    at: Instant,
}

/// Between two calls.
pub(super) const INTERVAL: Duration = Duration::from_millis(100);
/// Between two messages.
const MOMENT: Duration = Duration::from_micros(50);

pub(super) type Datagrams = VecDeque<(SocketAddr, Bytes)>;

impl Bench {
    pub(crate) fn new(media_path: MediaPath) -> Bench {
        let at = |host: u8, port| SocketAddr::from(([127, 0, 0, host], port));
        let parties = Parties { proxy: at(2, 5060), uac: at(3, 20_001), uas: at(4, 20_002) };
        let topology = Topology { pf_a: media_path, pf_b: media_path, transport: Transport::Udp };
        let mut config = Setup::new(1, topology).pf_a;
        config.listeners = vec![Listener { transport: Transport::Udp, addr: parties.proxy }];
        config.trusted = vec![parties.uac.ip(), parties.uas.ip()];
        config.default_profile.max_sessions = 1_000_000;
        config.media_grace = None;
        config.max_sessions = 1_000_000;
        let node = Participating::new(config, Options::default(), Entropy::from_seed(1));
        Bench { node, parties, at: Instant::ZERO }
    }

    pub(crate) const fn parties(&self) -> Parties {
        self.parties
    }

    /// Sends a request of the caller, lets the callee answer what comes of it, until all is quiet; returns the last response
    /// that the caller got.
    pub(crate) fn request(&mut self, request: &[u8], step: Step) -> Option<Bytes> {
        let mut under_way: Datagrams = VecDeque::from([(self.parties.uac, Bytes::copy_from_slice(request))]);
        let (mut last, mut answer) = (None, Vec::new());
        while let Some((from, data)) = under_way.pop_front() {
            for (to, data) in self.step(from, data, step) {
                if to == self.parties.uac {
                    last = Some(data);
                } else if !data.starts_with(b"ACK") && !data.starts_with(b"SIP/2.0") {
                    self.parties.answer(&mut answer, &data);
                    under_way.push_back((self.parties.uas, Bytes::copy_from_slice(&answer)));
                    // On the media path the participating function sends the ACK itself, when it hears the caller's.
                }
            }
        }
        last
    }

    /// Time passes between two calls, in which transactions end.
    pub(crate) fn pass_time(&mut self) {
        self.at += INTERVAL;
        let now = self.now();
        if self.node.poll_timeout().is_some_and(|due| due <= now.at) {
            timers(&mut self.node, now);
        }
    }

    fn step(&mut self, from: SocketAddr, data: Bytes, step: Step) -> Datagrams {
        self.at += MOMENT;
        let (input, now) = (Input::Datagram { local: self.parties.proxy, remote: from, data }, self.now());
        match step {
            Step::Measured => measured(&mut self.node, input, now),
            Step::Plain => plain(&mut self.node, input, now),
        }
    }

    fn now(&self) -> Now {
        now(self.at)
    }
}

pub(super) fn now(at: Instant) -> Now {
    Now { at, utc: Timestamp::from_micros(at.as_nanos() / 1000) }
}

/// What counts: an input and everything that comes of it.
#[inline(never)]
pub(crate) fn measured<N: Node>(node: &mut N, input: Input, now: Now) -> Datagrams {
    take(node, input, now)
}

/// The same, not counted. Something must tell it apart, or the linker makes one function of the two.
#[inline(never)]
pub(super) fn plain<N: Node>(node: &mut N, input: Input, now: Now) -> Datagrams {
    std::hint::black_box(&input);
    take(node, input, now)
}

/// The end of transactions, which counts nowhere.
#[inline(never)]
pub(super) fn timers<N: Node>(node: &mut N, now: Now) {
    node.handle_timeout(now);
    while node.poll_output().is_some() {}
}

#[inline(always)]
fn take<N: Node>(node: &mut N, input: Input, now: Now) -> Datagrams {
    node.handle_input(input, now);
    let mut sent = Datagrams::new();
    while let Some(output) = node.poll_output() {
        if let Output::Datagram { remote, data, .. } = output {
            sent.push_back((remote, data));
        }
    }
    sent
}
