//! TCP on the loopback interface. The peers are plain blocking sockets.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;
use net::{Clock, Counters, Limits, Listen, Sockets};
use wire::{ConnId, Input, Output, Transport};

/// No condition of these tests takes this long.
const PATIENCE: Duration = Duration::from_secs(10);

/// The sockets under test, driven by hand.
struct Host {
    sockets: Sockets,
    clock: Clock,
    /// What the node was told is written, of all connections.
    written: u64,
}

impl Host {
    fn new(limits: Limits) -> Host {
        let mut sockets = Sockets::bind_with(&[Listen::tcp("127.0.0.1:0".parse().unwrap())], limits).unwrap();
        let clock = Clock::start();
        sockets.attach(clock, None);
        Host { sockets, clock, written: 0 }
    }

    fn addr(&self) -> SocketAddr {
        self.sockets.bound()[0].addr
    }

    /// One round of the loop: deadlines, then a wait that the next deadline ends.
    fn turn(&mut self) {
        let wait = self.sockets.poll_timeout().map_or(PATIENCE, |due| due.saturating_since(self.clock.at()));
        self.sockets.wait(Some(wait.min(Duration::from_millis(20)))).unwrap();
        self.sockets.handle_timeout(self.clock.at());
    }

    /// The next input that does not say that something was written.
    fn next_input(&mut self) -> Option<Input> {
        loop {
            match self.sockets.next_input() {
                Some(Input::Written { octets, .. }) => self.written += octets as u64,
                input => return input,
            }
        }
    }

    fn input(&mut self) -> Input {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(input) = self.next_input() {
                return input;
            }
            assert!(Instant::now() < end, "no input: {:?}", self.sockets.counters());
            self.turn();
        }
    }

    /// Runs until the counters say so, and expects that the node hears nothing meanwhile.
    fn quietly_until(&mut self, done: impl Fn(&Counters) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(&self.sockets.counters()) {
            assert!(Instant::now() < end, "not reached: {:?}", self.sockets.counters());
            assert_eq!(self.next_input(), None);
            self.turn();
        }
    }

    fn output(&mut self, output: Output) {
        self.sockets.handle_output(output);
        self.sockets.send();
    }

    fn write(&mut self, conn: ConnId, data: impl Into<Bytes>) {
        self.output(Output::Write { conn, data: data.into() });
    }

    fn connect(&mut self, conn: ConnId, remote: SocketAddr) {
        self.output(Output::Connect { conn, transport: Transport::Tcp, local: self.addr(), remote, verify: None });
    }

    /// A peer that connected, and its connection.
    fn peer(&mut self) -> (TcpStream, ConnId) {
        let peer = TcpStream::connect(self.addr()).unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        let remote = peer.local_addr().unwrap();
        let Input::Accepted { conn, transport: Transport::Tcp, local, remote: seen, peer: None } = self.input() else {
            panic!("not accepted");
        };
        assert_eq!((local, seen), (self.addr(), remote));
        assert!(conn.is_accepted());
        (peer, conn)
    }
}

fn host() -> Host {
    Host::new(Limits::default())
}

/// Text that shows where bytes are missing or out of order.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i / 7 % 251) as u8).collect()
}

#[test]
fn a_refused_connection_is_closed_as_failed() {
    let mut host = host();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let conn = ConnId::opened(1);
    host.connect(conn, nobody);
    assert_eq!(host.input(), Input::Closed { conn, failed: true });
    assert_eq!(host.sockets.counters().connect_failed, 1);
}

#[test]
fn a_connection_that_cannot_even_be_tried_is_closed_as_failed() {
    let mut host = host();
    let conn = ConnId::opened(1);
    host.connect(conn, "[::1]:5060".parse().unwrap());
    assert_eq!(host.input(), Input::Closed { conn, failed: true });
    let [local, remote] = [host.addr(); 2];
    host.output(Output::Connect { conn, transport: Transport::Tls, local, remote, verify: None });
    assert_eq!(host.input(), Input::Closed { conn, failed: true });
}

#[test]
fn a_peer_that_never_accepts_times_out() {
    let mut host = Host::new(Limits { connect_timeout: Duration::from_millis(50), ..Limits::default() });
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    full.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    full.listen(0).unwrap();
    let remote = full.local_addr().unwrap().as_socket().unwrap();
    let _fills_the_backlog = TcpStream::connect(remote).unwrap();

    let before = host.clock.at();
    let conn = ConnId::opened(1);
    host.connect(conn, remote);
    assert_eq!(host.input(), Input::Closed { conn, failed: true });
    assert!(host.clock.at().saturating_since(before) >= Duration::from_millis(50));
}

#[test]
fn what_is_written_before_the_connection_is_up_waits_for_it() {
    let mut host = host();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let conn = ConnId::opened(1);
    host.connect(conn, listener.local_addr().unwrap());
    host.write(conn, "early ");
    host.write(conn, "bird");
    let Input::Connected { conn: up, local, peer: None } = host.input() else { panic!("not connected") };
    assert_eq!(up, conn);
    let (mut peer, remote) = listener.accept().unwrap();
    assert_eq!(remote, local);
    let mut got = [0; 10];
    peer.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"early bird");
}

#[test]
fn closing_a_connection_that_is_not_up_yet_still_delivers_what_was_written() {
    let mut host = host();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let conn = ConnId::opened(1);
    host.connect(conn, listener.local_addr().unwrap());
    host.write(conn, "bye");
    host.output(Output::Close { conn });
    host.quietly_until(|c| c.stream_bytes_out == 3);
    let (mut peer, _) = listener.accept().unwrap();
    let mut got = String::new();
    peer.read_to_string(&mut got).unwrap();
    assert_eq!(got, "bye");
    drop(peer);
    host.quietly_until(|c| c.closed == 1);
}

#[test]
fn a_peer_that_does_not_read_loses_the_connection_at_the_bound() {
    let mut host = Host::new(Limits { write_queue: 1 << 20, ..Limits::default() });
    let (peer, conn) = host.peer();
    let piece = Bytes::from(vec![b'x'; 64 * 1024]);
    // The kernel's buffers take some; what they hold is bounded, so the queue must overflow long before this is written.
    for _ in 0..4096 {
        host.write(conn, piece.clone());
        if host.sockets.counters().overflowed > 0 {
            break;
        }
    }
    assert_eq!(host.input(), Input::Closed { conn, failed: true });
    let counters = host.sockets.counters();
    assert_eq!((counters.overflowed, counters.broken, counters.closed), (1, 1, 1));
    assert!(counters.stream_bytes_dropped > 1 << 20);
    assert!(counters.stream_bytes_dropped <= (1 << 20) + piece.len() as u64, "no more than the bound ever waits");
    host.write(conn, piece.clone());
    assert_eq!(host.sockets.counters().stream_bytes_dropped, counters.stream_bytes_dropped + piece.len() as u64);
    drop(peer);
}

#[test]
fn closing_delivers_everything_to_a_slow_reader() {
    let mut host = Host::new(Limits { write_queue: 64 << 20, ..Limits::default() });
    let (mut peer, conn) = host.peer();
    let sent = pattern(24 << 20);
    let all = Bytes::from(sent.clone());
    for start in (0..all.len()).step_by(100_000) {
        host.write(conn, all.slice(start..all.len().min(start + 100_000)));
    }
    assert!(host.sockets.counters().stream_bytes_out < all.len() as u64, "the reader has not begun");
    host.output(Output::Close { conn });

    // What the peer says meanwhile must neither reach the node nor make the kernel reset the connection.
    let reader = std::thread::spawn(move || {
        let mut got = vec![0; 24 << 20];
        for piece in got.chunks_mut(64 * 1024) {
            peer.write_all(b"more?").unwrap();
            peer.read_exact(piece).unwrap();
        }
        assert_eq!(peer.read(&mut [0]).unwrap(), 0, "closed in order");
        got
    });
    host.quietly_until(|c| c.closed == 1);
    assert!(reader.join().unwrap() == sent, "every byte, in order");
    let counters = host.sockets.counters();
    assert_eq!((counters.stream_bytes_dropped, counters.linger_expired), (0, 0));
    assert_eq!(counters.stream_bytes_ignored, 24 * 16 * 5);
}

#[test]
fn a_closed_connection_does_not_linger_for_ever() {
    let limits = Limits { write_queue: 64 << 20, linger: Duration::from_millis(30), ..Limits::default() };
    let mut host = Host::new(limits);
    let (idle, first) = host.peer();
    let (deaf, second) = host.peer();
    host.output(Output::Close { conn: first });
    host.write(second, vec![0; 32 << 20]);
    host.output(Output::Close { conn: second });
    host.quietly_until(|c| c.linger_expired == 2);
    assert_eq!(host.sockets.counters().closed, 2);
    assert!(host.sockets.counters().stream_bytes_dropped > 0);
    drop((idle, deaf));
}

#[test]
fn a_peer_that_closed_its_direction_still_gets_the_answer() {
    let mut host = Host::new(Limits { write_queue: 64 << 20, ..Limits::default() });
    let (mut peer, conn) = host.peer();
    peer.write_all(b"request").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    assert_eq!(host.input(), Input::Stream { conn, data: Bytes::from_static(b"request") });
    let answer = pattern(24 << 20);
    host.write(conn, answer.clone());
    assert_eq!(host.input(), Input::Closed { conn, failed: false });
    // The node's close crosses the peer's and changes nothing.
    host.output(Output::Close { conn });

    let reader = std::thread::spawn(move || {
        let mut got = Vec::new();
        peer.read_to_end(&mut got).unwrap();
        got
    });
    host.quietly_until(|c| c.closed == 1);
    assert!(reader.join().unwrap() == answer);
    assert_eq!(host.sockets.counters().stream_bytes_dropped, 0);
}

/// A peer that says something and then resets the connection.
fn reset_after_last_words(host: &mut Host) -> ConnId {
    let (mut peer, conn) = host.peer();
    host.write(conn, "unread");
    peer.write_all(b"last words").unwrap();
    // Closing with unread data makes the kernel reset the connection (RFC 2525 §2.17).
    peer.peek(&mut [0]).unwrap();
    conn
}

fn hears_last_words_and_then_the_failure(host: &mut Host, conn: ConnId) {
    assert_eq!(host.input(), Input::Stream { conn, data: Bytes::from_static(b"last words") });
    assert_eq!(host.input(), Input::Closed { conn, failed: true });
    assert_eq!(host.sockets.counters().broken, 1);
}

#[test]
fn what_a_peer_sent_before_it_reset_the_connection_is_read_first() {
    let mut host = host();
    let conn = reset_after_last_words(&mut host);
    hears_last_words_and_then_the_failure(&mut host, conn);
}

#[test]
fn a_write_that_fails_does_not_lose_what_the_peer_sent_before() {
    let mut host = host();
    let conn = reset_after_last_words(&mut host);
    host.write(conn, "too late");
    assert_eq!(host.sockets.counters().stream_bytes_dropped, 8);
    hears_last_words_and_then_the_failure(&mut host, conn);
}

#[test]
fn a_closed_connection_says_nothing_more_to_the_node() {
    let mut host = host();
    let (mut peer, conn) = host.peer();
    peer.write_all(b"one").unwrap();
    assert!(matches!(host.input(), Input::Stream { .. }));
    peer.write_all(b"two").unwrap();
    drop(peer);
    host.output(Output::Close { conn });
    host.quietly_until(|c| c.closed == 1);
    assert_eq!(host.sockets.next_input(), None);
}

#[test]
fn a_node_that_closes_first_is_not_told_that_the_connection_failed() {
    let mut host = host();
    let conn = ConnId::opened(1);
    host.connect(conn, "[::1]:5060".parse().unwrap());
    assert!(host.sockets.has_inputs(), "the failure is known already");
    host.output(Output::Close { conn });
    assert_eq!(host.sockets.next_input(), None);
}

#[test]
fn a_connection_beyond_the_bound_is_turned_away() {
    let mut host = Host::new(Limits { connections: 1, ..Limits::default() });
    let (first, conn) = host.peer();
    let mut second = TcpStream::connect(host.addr()).unwrap();
    second.set_read_timeout(Some(PATIENCE)).unwrap();
    host.quietly_until(|c| c.refused == 1);
    assert_eq!(second.read(&mut [0]).unwrap(), 0);
    let third = ConnId::opened(1);
    host.connect(third, host.addr());
    assert_eq!(host.input(), Input::Closed { conn: third, failed: true });

    drop(first);
    assert_eq!(host.input(), Input::Closed { conn, failed: false });
    let (_, again) = host.peer();
    assert_ne!(again, conn, "a name is never used again");
}

#[test]
fn a_busy_peer_does_not_starve_a_quiet_one() {
    let mut host = host();
    let (mut busy, flood) = host.peer();
    let (mut quiet, whisper) = host.peer();
    // Much more than one read takes, and all of it waits in the kernel before the quiet one speaks.
    busy.set_nonblocking(true).unwrap();
    while busy.write(&[0; 65_536]).is_ok() {}
    quiet.write_all(b"psst").unwrap();
    let mut floods = 0;
    loop {
        let Input::Stream { conn, .. } = host.input() else { panic!("somebody closed") };
        if conn == whisper {
            return;
        }
        assert_eq!(conn, flood);
        floods += 1;
        assert!(floods <= 64, "{floods} reads of the busy one came first");
        // The flood never ends.
        while busy.write(&[0; 65_536]).is_ok() {}
    }
}

#[test]
fn what_the_kernel_took_is_reported_before_the_next_connection_is_read() {
    let mut host = host();
    let (_silent, conn) = host.peer();
    let mut talkers = [host.peer().0, host.peer().0];
    for talker in &mut talkers {
        talker.write_all(b"x").unwrap();
    }
    assert!(matches!(host.input(), Input::Stream { .. }));
    host.write(conn, "y");
    assert_eq!(host.sockets.next_input(), Some(Input::Written { conn, octets: 1 }));
    assert!(matches!(host.input(), Input::Stream { .. }));
}

#[test]
fn what_a_few_steps_write_leaves_together_and_much_of_it_at_once() {
    let mut host = Host::new(Limits::default());
    let (mut peer, conn) = host.peer();
    let step = |host: &mut Host, data: Bytes| {
        host.sockets.handle_output(Output::Write { conn, data });
        host.sockets.flush();
    };
    for piece in ["a", "bc", "def"] {
        step(&mut host, Bytes::from_static(piece.as_bytes()));
    }
    assert_eq!(host.sockets.counters().stream_bytes_out, 0);
    // Nothing is left to read, so it does not wait any longer.
    assert_eq!(host.sockets.next_input(), Some(Input::Written { conn, octets: 6 }));
    let mut got = [0; 6];
    peer.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"abcdef");

    // Neither many steps nor many octets wait for that.
    for _ in 0..1000 {
        step(&mut host, Bytes::from_static(b"x"));
    }
    let many_steps = host.sockets.counters().stream_bytes_out;
    assert!(many_steps > 900, "{many_steps} of 1006");
    step(&mut host, vec![0; 1 << 20].into());
    assert!(host.sockets.counters().stream_bytes_out > 1006);
}

#[test]
fn what_the_kernel_took_is_reported_once_and_no_more_than_that() {
    let mut host = Host::new(Limits { write_queue: 64 << 20, ..Limits::default() });
    let (mut peer, conn) = host.peer();
    for piece in ["a", "bc", "def"] {
        host.sockets.handle_output(Output::Write { conn, data: Bytes::from_static(piece.as_bytes()) });
    }
    host.sockets.flush();
    assert_eq!(host.sockets.next_input(), Some(Input::Written { conn, octets: 6 }));
    assert_eq!(host.sockets.next_input(), None);

    let total = 6 + (24 << 20);
    host.write(conn, vec![0; 24 << 20]);
    host.quietly_until(|c| c.stream_bytes_out > 6);
    // The peer has not begun to read: the rest waits, and the node knows how much.
    for _ in 0..5 {
        host.turn();
        assert_eq!(host.next_input(), None);
    }
    assert!(host.written + 6 < total, "{} are written though nobody reads", host.written);
    assert_eq!(host.written + 6, host.sockets.counters().stream_bytes_out);
    let reader = std::thread::spawn(move || {
        peer.read_exact(&mut vec![0; 6 + (24 << 20)]).unwrap();
        peer
    });
    host.quietly_until(|c| c.stream_bytes_out == total);
    assert_eq!(host.next_input(), None);
    assert_eq!(host.written + 6, total);
    drop(reader.join().unwrap());
}

#[test]
fn a_connection_that_is_not_read_holds_its_peer_up_and_loses_nothing() {
    let mut host = host();
    let (mut peer, conn) = host.peer();
    host.output(Output::Read { conn, on: false });
    peer.set_nonblocking(true).unwrap();
    let sent = pattern(64 << 20);
    let mut taken = 0;
    while let Ok(n) = peer.write(&sent[taken..]) {
        taken += n;
        assert_eq!(host.next_input(), None);
        host.turn();
    }
    assert!(taken < sent.len(), "the kernels' buffers are bounded");
    assert_eq!(host.sockets.counters().stream_bytes_in, 0);

    // On and off again: no more than one read in between.
    host.output(Output::Read { conn, on: true });
    let Input::Stream { data: first, .. } = host.input() else { panic!("nothing was read") };
    host.output(Output::Read { conn, on: false });
    host.turn();
    assert_eq!(host.next_input(), None);

    host.output(Output::Read { conn, on: true });
    peer.set_nonblocking(false).unwrap();
    let rest = sent[taken..].to_vec();
    let writer = std::thread::spawn(move || peer.write_all(&rest).unwrap());
    let mut got = first.to_vec();
    while got.len() < sent.len() {
        let Input::Stream { data, .. } = host.input() else { panic!("{} octets are missing", sent.len() - got.len()) };
        got.extend_from_slice(&data);
    }
    assert!(got == sent, "every byte, in order");
    writer.join().unwrap();
    assert_eq!(host.input(), Input::Closed { conn, failed: false });
}

#[test]
fn a_connection_that_breaks_while_it_is_not_read_is_closed_as_failed_at_once() {
    let mut host = host();
    let (mut peer, conn) = host.peer();
    host.output(Output::Read { conn, on: false });
    peer.write_all(b"unread").unwrap();
    socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    assert_eq!(host.input(), Input::Closed { conn, failed: true });
    assert_eq!(host.sockets.counters().broken, 1);
}

#[test]
fn a_peer_that_closed_in_order_is_heard_of_when_reading_goes_on() {
    let mut host = host();
    let (mut peer, conn) = host.peer();
    host.output(Output::Read { conn, on: false });
    peer.write_all(b"last words").unwrap();
    drop(peer);
    for _ in 0..3 {
        host.turn();
        assert_eq!(host.next_input(), None);
    }
    host.output(Output::Read { conn, on: true });
    assert_eq!(host.input(), Input::Stream { conn, data: Bytes::from_static(b"last words") });
    assert_eq!(host.input(), Input::Closed { conn, failed: false });
}

#[test]
fn closing_a_connection_that_is_not_read_discards_what_came_in() {
    let mut host = host();
    let (mut peer, conn) = host.peer();
    host.output(Output::Read { conn, on: false });
    peer.write_all(b"unread").unwrap();
    host.turn();
    host.output(Output::Close { conn });
    drop(peer);
    host.quietly_until(|c| c.closed == 1);
    assert_eq!((host.sockets.counters().stream_bytes_ignored, host.sockets.counters().linger_expired), (6, 0));
}
