//! Nodes and hosts that hold each other up, on real loopback sockets.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::VecDeque;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use engine::{Engine, Handle, Listen, Options, Sockets};
use wire::{ConnId, Input, Instant, Node, Now, Output, Transport};

/// No condition of these tests takes this long.
const PATIENCE: Duration = Duration::from_secs(20);
/// Far more than the kernels' buffers and the bound of the write queue hold.
const TOTAL: usize = 64 << 20;
const BUDGET: usize = 256 << 10;
const PIECE: usize = 64 << 10;

/// Streams octets to the first who connects, and reads and checks those of whom it connects to.
#[derive(Default)]
struct Tube {
    out: VecDeque<Output>,
    conn: Option<ConnId>,
    sent: usize,
    unsent: usize,
    most_unsent: usize,
    received: usize,
    /// It stops reading when it has this much.
    stops_at: Option<usize>,
    /// Octets that came in although it had stopped.
    overread: usize,
    stopped: bool,
}

impl Tube {
    fn fill(&mut self, conn: ConnId) {
        while self.unsent < BUDGET && self.sent < TOTAL {
            let data: Vec<u8> = (self.sent..self.sent + PIECE).map(octet).collect();
            self.out.push_back(Output::Write { conn, data: data.into() });
            self.sent += PIECE;
            self.unsent += PIECE;
        }
        self.most_unsent = self.most_unsent.max(self.unsent);
    }

    fn read(&mut self, conn: ConnId, on: bool) {
        self.stopped = !on;
        self.out.push_back(Output::Read { conn, on });
    }
}

fn octet(at: usize) -> u8 {
    (at / 7 % 251) as u8
}

impl Node for Tube {
    fn handle_input(&mut self, input: Input, _: Now) {
        match input {
            Input::Accepted { conn, .. } => self.fill(conn),
            Input::Written { conn, octets } => {
                self.unsent = self.unsent.checked_sub(octets).expect("no more than was written");
                self.fill(conn);
            }
            Input::Stream { conn, data } => {
                assert!(data.iter().zip(self.received..).all(|(got, at)| *got == octet(at)), "octets come in order");
                self.overread += if self.stopped { data.len() } else { 0 };
                self.received += data.len();
                if self.stops_at.is_some_and(|at| self.received >= at) {
                    self.stops_at = None;
                    self.read(conn, false);
                }
            }
            Input::Connected { conn, .. } => self.conn = Some(conn),
            Input::Datagram { .. } | Input::Closed { .. } | Input::Recalled { .. } | Input::Kept { .. } => {}
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

/// What a node has after each of its steps: sent, not yet written, received.
type Progress = (usize, usize, usize);

fn start(node: Tube) -> (Handle<Tube>, SocketAddr, Receiver<Progress>) {
    let sockets = Sockets::bind(&[Listen::tcp("127.0.0.1:0".parse().unwrap())]).unwrap();
    let addr = sockets.bound()[0].addr;
    let (send, progress) = channel();
    let on_idle = Box::new(move |node: &mut Tube| {
        // The test may have seen enough.
        send.send((node.sent, node.unsent, node.received)).unwrap_or_default();
    });
    let options = Options { on_idle: Some(on_idle), ..Options::default() };
    (Engine::spawn("tube", sockets, node, options).unwrap(), addr, progress)
}

/// Waits until nothing moves any more, and gives where it stopped. Were it early, what is asserted of it would hold as well.
fn standstill(progress: &Receiver<Progress>) -> Progress {
    let mut last = progress.recv_timeout(PATIENCE).unwrap();
    while let Ok(next) = progress.recv_timeout(Duration::from_millis(300)) {
        last = next;
    }
    last
}

fn until(progress: &Receiver<Progress>, done: impl Fn(Progress) -> bool) {
    while !done(progress.recv_timeout(PATIENCE).unwrap()) {}
}

#[test]
fn a_slow_reader_holds_the_node_up_instead_of_losing_its_connection() {
    let (source, addr, progress) = start(Tube::default());
    let mut reader = TcpStream::connect(addr).unwrap();
    let (sent, unsent, _) = standstill(&progress);
    assert!(unsent >= BUDGET && sent < TOTAL, "{sent} sent, {unsent} of them not written");
    assert!(source.counters().unwrap().stream_bytes_out >= (sent - unsent) as u64, "told of more than was taken");

    reader.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut got = vec![0; TOTAL];
    reader.read_exact(&mut got).unwrap();
    assert!(got.iter().enumerate().all(|(at, got)| *got == octet(at)));
    until(&progress, |(sent, unsent, _)| (sent, unsent) == (TOTAL, 0));
    assert_eq!(source.counters().unwrap().overflowed, 0);
    assert!(source.stop().most_unsent < BUDGET + PIECE);
}

#[test]
fn a_node_that_stops_reading_holds_the_other_one_up_and_goes_on_without_loss() {
    let (source, remote, sending) = start(Tube::default());
    let (sink, local, reading) = start(Tube { stops_at: Some(1 << 20), ..Tube::default() });
    let conn = ConnId::opened(0);
    let connect = Output::Connect { conn, transport: Transport::Tcp, local, remote, verify: None };
    sink.cast(move |node, _| node.out.push_back(connect)).unwrap();
    let (sent, unsent, _) = standstill(&sending);
    assert!(unsent >= BUDGET && sent < TOTAL, "{sent} sent, {unsent} of them not written");
    let (.., received) = standstill(&reading);
    assert!((1 << 20..2 << 20).contains(&received), "{received} received");

    sink.cast(move |node, _| node.read(conn, true)).unwrap();
    until(&reading, |(.., received)| received == TOTAL);
    until(&sending, |(sent, unsent, _)| (sent, unsent) == (TOTAL, 0));
    assert_eq!(source.counters().unwrap().overflowed, 0);
    assert!(source.stop().most_unsent < BUDGET + PIECE);
    let sink = sink.stop();
    assert_eq!((sink.conn, sink.overread), (Some(conn), 0));
}
