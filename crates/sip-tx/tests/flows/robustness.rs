//! Nothing that comes from the network brings the stack down or makes it grow without a bound.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use sim::addr;
use sip::Method;
use sip_tx::Options;
use wire::{ConnId, Entropy, Input, Instant, Node, Now, Transport};

use crate::role::{Bench, options, request};

const ROUNDS: usize = 4000;
const MAX_TRANSACTIONS: usize = 12;

const METHODS: [&str; 5] = ["INVITE", "ACK", "CANCEL", "MESSAGE", "BYE"];

/// The torture messages, and a few plain ones of which mutations reach further in.
fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sip/tests/torture");
    let mut files: Vec<_> = ["rfc4475", "rfc5118"]
        .iter()
        .flat_map(|name| std::fs::read_dir(folder.join(name)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut corpus: Vec<Vec<u8>> = files.iter().map(|path| std::fs::read(path).unwrap()).collect();
    assert!(corpus.len() > 50, "the torture files are there");
    for method in METHODS {
        for via in ["10.0.0.9;branch=z9hG4bKa;rport", "10.0.0.9:5070;alias;branch=z9hG4bKb", "10.0.0.9"] {
            corpus.push(request(method, via, "").into_bytes());
        }
    }
    corpus
}

fn pick(dice: &mut Entropy, bound: usize) -> usize {
    dice.below(bound as u64) as usize
}

/// Flips, cuts, repeats, swaps in pieces of others; sometimes nothing but noise.
fn mutate(dice: &mut Entropy, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut data = if dice.below(3) == 0 {
        let via = format!("10.0.0.9;branch=z9hG4bK{}", dice.below(6));
        request(METHODS[pick(dice, METHODS.len())], &via, "").into_bytes()
    } else {
        corpus[pick(dice, corpus.len())].clone()
    };
    for _ in 0..pick(dice, 4) {
        let at = pick(dice, data.len() + 1);
        let end = (at + pick(dice, 60)).min(data.len());
        match pick(dice, 6) {
            0 => data.iter_mut().skip(at).take(1).for_each(|byte| *byte = dice.u64() as u8),
            1 => data.truncate(at),
            2 => drop(data.drain(at..end)),
            3 => {
                let piece = data[at..end].to_vec();
                data.splice(at..at, piece);
            }
            4 => {
                let other = &corpus[pick(dice, corpus.len())];
                let from = pick(dice, other.len());
                let piece = other[from..(from + 80).min(other.len())].to_vec();
                data.splice(at..end, piece);
            }
            _ => data = (0..pick(dice, 300)).map(|_| dice.u64() as u8).collect(),
        }
    }
    data
}

/// A bench under fire: its own requests are out too, so that responses and broken connections have something to meet.
struct Fire {
    bench: Bench,
    dice: Entropy,
    corpus: Vec<Vec<u8>>,
    accepted: u64,
    open: Vec<ConnId>,
}

impl Fire {
    fn new(seed: u64, corpus: &[Vec<u8>]) -> Fire {
        let bench = Bench::new(Options { max_transactions: MAX_TRANSACTIONS, ..options() });
        Fire { bench, dice: Entropy::from_seed(seed), corpus: corpus.to_vec(), accepted: 0, open: Vec::new() }
    }

    fn round(&mut self) {
        let data = Bytes::from(mutate(&mut self.dice, &self.corpus));
        let (local, remote) = (addr("10.0.0.2:5060"), addr("10.0.0.9:5060"));
        match pick(&mut self.dice, 10) {
            0..5 => self.input(Input::Datagram { local, remote, data }),
            5 => {
                self.accepted += 1;
                let conn = ConnId::accepted(self.accepted);
                self.open.push(conn);
                let remote = addr(&format!("10.0.0.9:{}", 10_000 + self.accepted % 50_000));
                self.input(Input::Accepted { conn, transport: Transport::Tcp, local, remote, peer: None });
            }
            6 | 7 => {
                if let Some(conn) = self.any_connection() {
                    let cut = pick(&mut self.dice, data.len() + 1);
                    self.input(Input::Stream { conn, data: data.slice(..cut) });
                    self.input(Input::Stream { conn, data: data.slice(cut..) });
                }
            }
            8 => {
                if let Some(conn) = self.any_connection() {
                    self.input(Input::Closed { conn, failed: true });
                }
            }
            _ => self.ask(),
        }
        self.bench.now.at += std::time::Duration::from_millis(self.dice.below(300));
        self.bench.role.handle_timeout(self.bench.now);
        self.collect();
    }

    /// One that was accepted, or now and then one that the node has opened.
    fn any_connection(&mut self) -> Option<ConnId> {
        let accepted = pick(&mut self.dice, self.open.len().max(1));
        let opened = ConnId::opened(self.dice.below(20));
        if self.dice.below(4) == 0 { Some(opened) } else { self.open.get(accepted).copied() }
    }

    fn ask(&mut self) {
        let method = [Method::Invite, Method::Message][pick(&mut self.dice, 2)];
        let transport = [Transport::Udp, Transport::Tcp][pick(&mut self.dice, 2)];
        let id = self.bench.role.send(method, transport, "10.0.0.9", self.bench.now);
        self.collect();
        if self.dice.below(2) == 0 {
            self.bench.role.stack.cancel(id, None, self.bench.now);
            self.collect();
        }
    }

    fn input(&mut self, input: Input) {
        self.bench.role.handle_input(input, self.bench.now);
        self.collect();
    }

    /// What was sent joins the corpus: so there are responses to what the node asks.
    fn collect(&mut self) {
        for text in self.bench.sent() {
            if !text.starts_with("SIP/2.0 ") && self.corpus.len() < 500 {
                let status = ["180 R", "200 O", "486 B"][pick(&mut self.dice, 3)];
                self.corpus.push(answer_to(&text, status).into_bytes());
            }
        }
        // The role answers in the order of arrival, each request perhaps provisionally first.
        if !self.bench.role.incoming.is_empty() && self.dice.below(40) == 0 {
            let incoming = self.bench.role.incoming.remove(0);
            for status in [[100, 200], [180, 404], [183, 408], [486, 200]][pick(&mut self.dice, 4)] {
                let bytes = incoming.request.respond(status, "there").finish();
                self.bench.role.stack.respond(incoming.tx, status, bytes, self.bench.now);
            }
            self.bench.sent();
        }
    }
}

fn answer_to(request: &str, status: &str) -> String {
    request.split_once("\r\n").map_or(String::new(), |(_, rest)| format!("SIP/2.0 {status}\r\n{rest}"))
}

#[test]
fn mutated_messages_neither_panic_nor_grow_the_stack() {
    let corpus = corpus();
    let (mut reported, mut runs) = (BTreeSet::new(), 0);
    sim::for_each_seed(8, |seed| {
        let mut fire = Fire::new(seed, &corpus);
        for _ in 0..ROUNDS {
            fire.round();
            let stack = &fire.bench.role.stack;
            stack.check_invariants();
            assert!(stack.transactions().1 <= 2 * MAX_TRANSACTIONS);
        }
        let stats = fire.bench.role.stack.transports().stats();
        assert!(stats.received > 500 && stats.malformed > 500, "both kinds came: {stats:?}");
        assert!(fire.bench.role.stack.stats().refused > 0, "the bound was reached");
        reported.extend(fire.bench.role.seen.iter().cloned());
        runs += 1;
        assert!(fire.bench.role.incoming.len() <= MAX_TRANSACTIONS);

        // Left alone, every transaction that the role does not owe an answer ends.
        fire.bench.now.at += std::time::Duration::from_secs(100);
        fire.bench.role.handle_timeout(fire.bench.now);
        fire.bench.sent();
        fire.bench.now.at += std::time::Duration::from_secs(100);
        fire.bench.role.handle_timeout(fire.bench.now);
        assert_eq!(fire.bench.role.poll_timeout(), None, "no timer outlives its transaction for long");
    });
    // One seed, replayed, need not come by everything.
    for event in ["INVITE", "MESSAGE", "ACK", "cancelled", "180", "200", "486", "timeout", "transport"] {
        assert!(runs == 1 || reported.contains(event), "{event} never came about");
    }
}

#[test]
fn a_stream_of_noise_is_closed_and_its_memory_given_back() {
    let mut dice = Entropy::from_seed(5);
    let mut bench = Bench::new(options());
    let (local, remote) = (addr("10.0.0.2:5060"), addr("10.0.0.9:4000"));
    for n in 0..20 {
        let conn = ConnId::accepted(n);
        bench
            .role
            .handle_input(Input::Accepted { conn, transport: Transport::Tcp, local, remote, peer: None }, bench.now);
        for _ in 0..40 {
            let data: Vec<u8> = (0..1024).map(|_| dice.u64() as u8).collect();
            bench.role.handle_input(Input::Stream { conn, data: data.into() }, bench.now);
        }
    }
    assert_eq!(bench.role.stack.transports().connections(), 0);
}

#[test]
fn a_late_host_finds_every_timer_in_order() {
    let mut bench = Bench::new(options());
    bench.role.send(Method::Message, Transport::Udp, "10.0.0.9", bench.now);
    bench.role.send(Method::Invite, Transport::Udp, "10.0.0.9", bench.now);
    bench.now = Now { at: Instant::ZERO + std::time::Duration::from_secs(1000), ..bench.now };
    bench.role.handle_timeout(bench.now);
    assert_eq!(bench.role.seen, ["timeout", "timeout"]);
    assert_eq!(bench.role.stack.transactions(), (0, 0));
}
