use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use wire::{ConnId, Input, Instant, Node, Now, Output, Transport};

use super::toy::{alice_addr, bob_addr};
use crate::{Frame, Labeller, Link, Net, NodeId, Streams, for_each_seed};

const MS: Duration = Duration::from_millis(1);
const TOTAL: usize = 10_000_000;
/// What the source writes beyond what has left its host.
const BUDGET: usize = 100_000;
const PIECE: usize = 10_000;
const CONN: ConnId = ConnId::opened(0);

/// Draws no arrows: a stream of megabytes has nothing to show.
struct Blind;

impl Labeller for Blind {
    fn frame(&self, buffer: &[u8]) -> Frame {
        Frame::Skip(buffer.len())
    }
    fn label(&self, _: &[u8]) -> Option<String> {
        None
    }
}

/// Writes octets on a connection that it opens, or reads and checks those of another.
#[derive(Default)]
struct Tube {
    out: VecDeque<Output>,
    left: usize,
    unsent: usize,
    written: usize,
    closes: bool,
    conn: Option<ConnId>,
    received: usize,
    /// It stops reading when it has this much.
    stops_at: Option<usize>,
    ended: Option<bool>,
}

impl Tube {
    fn fill(&mut self) {
        while self.unsent < BUDGET && self.left > 0 {
            let len = PIECE.min(self.left);
            let data: Vec<u8> = (TOTAL - self.left..).take(len).map(octet).collect();
            self.out.push_back(Output::Write { conn: CONN, data: data.into() });
            self.unsent += len;
            self.left -= len;
            if self.left == 0 && self.closes {
                self.out.push_back(Output::Close { conn: CONN });
            }
        }
    }

    fn take(&mut self, conn: ConnId, data: &Bytes) {
        assert!(data.iter().zip(self.received..).all(|(got, at)| *got == octet(at)), "octets come in order");
        self.received += data.len();
        if self.stops_at.is_some_and(|at| self.received >= at) {
            self.stops_at = None;
            self.read(conn, false);
        }
    }

    fn read(&mut self, conn: ConnId, on: bool) {
        self.out.push_back(Output::Read { conn, on });
    }
}

fn octet(at: usize) -> u8 {
    (at / 7 % 251) as u8
}

impl Node for Tube {
    fn handle_input(&mut self, input: Input, _: Now) {
        assert!(self.out.is_empty(), "all outputs are taken before the next input");
        match input {
            Input::Connected { .. } => self.fill(),
            Input::Written { octets, .. } => {
                self.unsent = self.unsent.checked_sub(octets).expect("no more than was written");
                self.written += octets;
                self.fill();
            }
            Input::Accepted { conn, .. } => self.conn = Some(conn),
            Input::Stream { conn, data } => self.take(conn, &data),
            Input::Closed { failed, .. } => self.ended = Some(failed),
            Input::Datagram { .. } | Input::Recalled { .. } | Input::Kept { .. } => {}
        }
    }
    fn handle_timeout(&mut self, _: Now) {}
    fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

/// Alice streams to Bob, who stops reading at a million octets.
fn net(seed: u64, closes: bool) -> (Net, NodeId<Tube>, NodeId<Tube>) {
    let mut net = Net::new(seed);
    net.set_labeller(Blind);
    let connect = Output::Connect {
        conn: CONN,
        transport: Transport::Tcp,
        local: alice_addr(),
        remote: bob_addr(),
        verify: None,
    };
    let source = Tube { out: [connect].into(), left: TOTAL, closes, ..Tube::default() };
    let sink = Tube { stops_at: Some(TOTAL / 10), ..Tube::default() };
    let alice = net.add("alice", &[alice_addr()], source);
    let bob = net.add("bob", &[bob_addr()], sink);
    (net, alice, bob)
}

fn go_on(net: &mut Net, bob: NodeId<Tube>) {
    net.node_mut(bob, |sink, _| {
        let conn = sink.conn.expect("accepted");
        sink.read(conn, true);
    });
}

#[test]
fn a_reader_that_stops_holds_the_writer_up_and_nothing_grows_or_is_lost() {
    for_each_seed(4, |seed| {
        let (mut net, alice, bob) = net(seed, true);
        net.set_link(Link { jitter: 5 * MS, loss: 0.01, ..Link::default() });
        net.set_streams(Streams { segmentation: seed % 2 == 0, ..Streams::default() });
        let buffer = Streams::default().buffer;
        let mut largest = [0; 3];
        let mut resumed = false;
        loop {
            if !net.step() {
                if std::mem::replace(&mut resumed, true) {
                    break;
                }
                assert_eq!(net.held_between(alice, bob)[1], 0, "it all arrived, and is unread");
                assert!(net[bob].received < TOTAL / 10 + buffer);
                go_on(&mut net, bob);
            }
            let held = net.held_between(alice, bob);
            largest = [0, 1, 2].map(|n| held[n].max(largest[n]));
            assert!(held[1] + held[2] <= buffer && held[0] <= BUDGET + PIECE, "{held:?}");
        }
        assert!(largest.iter().all(|held| *held > buffer / 2), "every buffer was in use: {largest:?}");
        assert_eq!((net[bob].received, net[bob].ended), (TOTAL, Some(false)));
        assert_eq!(net.held_between(alice, bob), [0; 3]);
    });
}

#[test]
fn all_that_is_written_is_reported_in_the_end() {
    let (mut net, alice, bob) = net(7, false);
    net.settle();
    let held = net.held_between(alice, bob);
    assert_eq!(net[alice].written, net[bob].received + held[1] + held[2], "what waits at the host is not reported");
    assert!(held[0] > 0);
    go_on(&mut net, bob);
    net.settle();
    assert_eq!((net[alice].written, net[alice].unsent, net[bob].received), (TOTAL, 0, TOTAL));
}

#[test]
fn a_paused_process_holds_the_writer_up_as_well() {
    let (mut net, alice, bob) = net(7, false);
    net.run_for(25 * MS);
    net.pause(bob);
    net.run_for(1000 * MS);
    let held = net.held_between(alice, bob);
    assert!(held[2] > 0 && held[1] + held[2] <= Streams::default().buffer, "{held:?}");
    let received = net[bob].received;
    net.resume(bob);
    net.settle();
    assert!(net[bob].received > received);
}

#[test]
fn a_connection_that_breaks_while_it_is_not_read_fails_at_once() {
    let (mut net, alice, bob) = net(7, false);
    net.settle();
    assert!(net.held_between(alice, bob)[2] > 0);
    net.crash(alice);
    net.settle();
    assert_eq!(net[bob].ended, Some(true));
    assert_eq!(net.held_between(alice, bob), [0; 3], "what was unread is lost");
}

#[test]
fn a_reader_that_closes_without_reading_resets_the_writer() {
    let (mut net, alice, bob) = net(7, false);
    net.settle();
    net.node_mut(bob, |sink, _| {
        let conn = sink.conn.expect("accepted");
        sink.out.push_back(Output::Close { conn });
    });
    net.settle();
    assert!(net[alice].ended.is_some());
    assert_eq!(net.held_between(alice, bob), [0; 3]);
}
