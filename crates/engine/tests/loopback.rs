//! A node on real loopback sockets.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use bytes::Bytes;
use engine::{CallError, Clock, Engine, Handle, Journal, Listen, Options, Sockets, Tap};
use wire::{ConnId, Entry, Input, Instant, Node, Now, Output, Timers, Transport};

/// No condition of these tests takes this long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends back what it hears and remembers it until its owner asks.
#[derive(Default)]
struct Echo {
    heard: Vec<Input>,
    fired: Vec<(u32, Instant)>,
    timers: Timers<u32>,
    out: VecDeque<Output>,
}

impl Node for Echo {
    fn handle_input(&mut self, input: Input, _: Now) {
        assert!(self.out.is_empty(), "all outputs are taken before the next input");
        match &input {
            Input::Datagram { data, .. } if data.as_ref() == b"panic" => panic!("as asked"),
            Input::Recalled { value, .. } if value.as_ref() == b"panic" => panic!("as kept"),
            Input::Datagram { local, remote, data } => {
                self.out.push_back(Output::Datagram { local: *local, remote: *remote, data: data.clone() });
            }
            Input::Stream { conn, data } if conn.is_accepted() => {
                self.out.push_back(Output::Write { conn: *conn, data: data.clone() });
            }
            Input::Written { .. } => return,
            Input::Stream { .. }
            | Input::Accepted { .. }
            | Input::Connected { .. }
            | Input::Closed { .. }
            | Input::Recalled { .. }
            | Input::Kept { .. } => {}
        }
        self.heard.push(input);
    }

    fn handle_timeout(&mut self, now: Now) {
        while let Some(timer) = self.timers.pop_due(now.at) {
            self.fired.push((timer, now.at));
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }
}

/// What the owner of an engine learns from its hook.
#[derive(Debug)]
enum Event {
    Heard(Input),
    Fired(u32, Instant),
}

struct Running {
    handle: Handle<Echo>,
    bound: Vec<SocketAddr>,
    events: Receiver<Event>,
}

impl Running {
    fn event(&self) -> Event {
        self.events.recv_timeout(PATIENCE).unwrap()
    }

    fn heard(&self) -> Input {
        match self.event() {
            Event::Heard(input) => input,
            Event::Fired(timer, _) => panic!("timer {timer}"),
        }
    }

    fn put_out(&self, output: Output) {
        self.handle.cast(move |node, _| node.out.push_back(output)).unwrap();
    }
}

fn start(ip: &str, options: Options<Echo>) -> Running {
    let any = SocketAddr::new(ip.parse().unwrap(), 0);
    let sockets = Sockets::bind(&[Listen::udp(any), Listen::tcp(any)]).unwrap();
    let bound = sockets.bound().iter().map(|listen| listen.addr).collect();
    let (send, events) = channel();
    let on_idle = Box::new(move |node: &mut Echo| pass_on(node, &send));
    let options = Options { on_idle: Some(on_idle), ..options };
    Running { handle: Engine::spawn("echo", sockets, Echo::default(), options).unwrap(), bound, events }
}

fn pass_on(node: &mut Echo, to: &Sender<Event>) {
    let heard = node.heard.drain(..).map(Event::Heard);
    let fired = node.fired.drain(..).map(|(timer, at)| Event::Fired(timer, at));
    for event in heard.chain(fired) {
        // The test may have heard enough.
        drop(to.send(event));
    }
}

fn echo() -> Running {
    start("127.0.0.1", Options::default())
}

/// The loopback addresses of this machine; not every container has IPv6.
fn loopbacks() -> Vec<&'static str> {
    ["127.0.0.1", "::1"].into_iter().filter(|ip| UdpSocket::bind((*ip, 0)).is_ok()).collect()
}

fn udp_peer(ip: &str) -> UdpSocket {
    let peer = UdpSocket::bind((ip, 0)).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer
}

fn tcp_peer(to: SocketAddr) -> TcpStream {
    let peer = TcpStream::connect(to).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer
}

#[test]
fn datagrams_of_all_sizes_come_back_whole() {
    for ip in loopbacks() {
        let node = start(ip, Options::default());
        let peer = udp_peer(ip);
        let mut buf = vec![0; 65_536];
        for size in [0, 1, 1300, 9000, 65_000] {
            let sent: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            peer.send_to(&sent, node.bound[0]).unwrap();
            let (len, from) = peer.recv_from(&mut buf).unwrap();
            assert_eq!(from, node.bound[0]);
            assert!(buf[..len] == sent, "{size} bytes on {ip}");
            let data = Bytes::from(sent);
            assert_eq!(node.heard(), Input::Datagram { local: from, remote: peer.local_addr().unwrap(), data });
        }
        let counters = node.handle.counters().unwrap();
        assert_eq!((counters.datagrams_in, counters.datagrams_out), (5, 5));
        assert_eq!((counters.datagram_bytes_in, counters.datagram_bytes_out), (75_301, 75_301));
        node.handle.stop();
    }
}

#[test]
fn a_burst_of_datagrams_is_answered_in_order() {
    let node = echo();
    let peer = udp_peer("127.0.0.1");
    let mut buf = [0; 16];
    // Bursts of what the peer's own receive buffer holds.
    for burst in 0..50_u32 {
        for i in 0..50_u32 {
            peer.send_to(&(burst * 50 + i).to_be_bytes(), node.bound[0]).unwrap();
        }
        for i in 0..50_u32 {
            let len = peer.recv(&mut buf).unwrap();
            assert_eq!(buf[..len], (burst * 50 + i).to_be_bytes());
        }
    }
    node.handle.stop();
}

#[test]
fn a_stream_comes_back_whole_and_ends_in_order() {
    for ip in loopbacks() {
        let node = start(ip, Options::default());
        assert_eq!(node.bound[0].port(), node.bound[1].port(), "SIP has one port for both transports");
        let mut peer = tcp_peer(node.bound[1]);
        let mut reader = peer.try_clone().unwrap();
        let sent: Vec<u8> = (0..3_000_000_u32).map(|i| (i / 7 % 251) as u8).collect();
        let writer = std::thread::spawn({
            let sent = sent.clone();
            move || peer.write_all(&sent).map(|()| peer)
        });
        let mut got = vec![0; sent.len()];
        reader.read_exact(&mut got).unwrap();
        assert!(got == sent, "every byte, in order, on {ip}");

        let Input::Accepted { conn, .. } = node.heard() else { panic!("accepted comes first") };
        drop((writer.join().unwrap().unwrap(), reader));
        loop {
            match node.heard() {
                Input::Stream { .. } => {}
                end @ (Input::Datagram { .. }
                | Input::Accepted { .. }
                | Input::Connected { .. }
                | Input::Written { .. }
                | Input::Recalled { .. }
                | Input::Kept { .. }
                | Input::Closed { .. }) => {
                    assert_eq!(end, Input::Closed { conn, failed: false });
                    break;
                }
            }
        }
        node.handle.stop();
    }
}

#[test]
fn two_engines_talk_over_a_connection_that_one_opens() {
    let (a, b) = (echo(), echo());
    let conn = ConnId::opened(7);
    a.put_out(Output::Connect { conn, transport: Transport::Tcp, local: a.bound[1], remote: b.bound[1], verify: None });
    a.put_out(Output::Write { conn, data: Bytes::from_static(b"hello") });
    let Input::Connected { conn: up, local, .. } = a.heard() else { panic!("not connected") };
    assert_eq!((up, local.ip()), (conn, a.bound[1].ip()));
    let Input::Accepted { conn: accepted, local: listener, remote, .. } = b.heard() else { panic!("not accepted") };
    assert_eq!((listener, remote), (b.bound[1], local));
    assert_eq!(b.heard(), Input::Stream { conn: accepted, data: Bytes::from_static(b"hello") });
    assert_eq!(a.heard(), Input::Stream { conn, data: Bytes::from_static(b"hello") });
    a.put_out(Output::Close { conn });
    assert_eq!(b.heard(), Input::Closed { conn: accepted, failed: false });
    a.handle.stop();
    b.handle.stop();
}

#[test]
fn timers_fire_in_order_and_not_early() {
    let node = echo();
    let armed = node.handle.call(|node, now| {
        for (timer, ms) in [(3, 30), (1, 0), (2, 10), (4, 30)] {
            node.timers.arm(timer, now.at + Duration::from_millis(ms));
        }
        now.at
    });
    let armed = armed.unwrap();
    for (expected, ms) in [(1, 0), (2, 10), (3, 30), (4, 30)] {
        let Event::Fired(timer, at) = node.event() else { panic!("nobody sent anything") };
        assert_eq!(timer, expected);
        assert!(at.saturating_since(armed) >= Duration::from_millis(ms));
    }
    node.handle.stop();
}

#[test]
fn what_is_due_within_a_tick_is_done_together() {
    let tick = Duration::from_millis(20);
    let node = start("127.0.0.1", Options { tick, ..Options::default() });
    let arm = |node: &mut Echo, now: Now| {
        (0..100).for_each(|timer| node.timers.arm(timer, now.at + Duration::from_millis(timer.into())));
    };
    node.handle.cast(arm).unwrap();
    let mut woken: Vec<Instant> = (0..100)
        .map(|expected| {
            let Event::Fired(timer, at) = node.event() else { panic!("nobody sent anything") };
            assert_eq!(timer, expected);
            at
        })
        .collect();
    woken.dedup();
    assert!(woken.windows(2).all(|pair| pair[1] - pair[0] >= tick), "{woken:?}");
    node.handle.stop();
}

#[test]
fn calls_answer_in_the_order_of_asking_and_their_outputs_are_sent() {
    let node = echo();
    let peer = udp_peer("127.0.0.1");
    let [local, remote] = [node.bound[0], peer.local_addr().unwrap()];
    node.put_out(Output::Datagram { local, remote, data: Bytes::from_static(b"1") });
    let before = node.handle.call(move |node, now| {
        node.out.push_back(Output::Datagram { local, remote, data: Bytes::from_static(b"2") });
        now
    });
    let after = node.handle.caller().call(|_, now| now).unwrap();
    assert!(before.unwrap().at <= after.at);
    assert!(after.utc.as_secs() > 1_700_000_000, "the wall clock is set");
    let mut buf = [0; 4];
    let order: Vec<u8> = (0..2).map(|_| (peer.recv(&mut buf).unwrap(), buf[0]).1).collect();
    assert_eq!(order, b"12");
    node.handle.stop();
}

#[test]
fn a_stopped_engine_gives_its_node_back_and_refuses_calls() {
    let node = echo();
    let caller = node.handle.caller();
    for timer in 0..200 {
        node.handle.cast(move |node, now| node.timers.arm(timer, now.at + PATIENCE * 10)).unwrap();
    }
    assert!(node.handle.is_running());
    let echo = node.handle.stop();
    assert!((0..200).all(|timer| echo.timers.deadline(timer).is_some()), "what was asked before the stop was done");
    assert_eq!(caller.call(|_, _| ()), Err(CallError::Stopped));
    assert_eq!(caller.cast(|_, _| ()), Err(CallError::Stopped));
    assert_eq!(caller.counters().unwrap_err(), CallError::Stopped);
}

#[test]
fn an_engine_is_not_asked_more_than_it_can_queue_and_never_waits_for_itself() {
    let node = echo();
    let (caller, own) = (node.handle.caller(), node.handle.caller());
    let (release, hold) = channel::<()>();
    let (tell, told) = channel();
    node.handle
        .cast(move |_, _| {
            tell.send(own.call(|_, _| ())).unwrap();
            hold.recv_timeout(PATIENCE).unwrap();
        })
        .unwrap();
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), Err(CallError::OwnThread));
    let queued = (0..100_000).take_while(|_| caller.cast(|_, _| ()).is_ok()).count();
    assert_eq!(caller.cast(|_, _| ()), Err(CallError::Full));
    assert!(queued < 100_000);
    release.send(()).unwrap();
    assert_eq!(caller.call(|_, _| 5), Ok(5));
    node.handle.stop();
}

#[test]
fn a_panic_of_the_node_is_the_panic_of_who_stops_it() {
    let node = echo();
    udp_peer("127.0.0.1").send_to(b"panic", node.bound[0]).unwrap();
    // The hook's end goes with the engine.
    assert!(node.events.recv_timeout(PATIENCE).is_err());
    assert_eq!(node.handle.call(|_, _| ()), Err(CallError::Stopped));
    let Err(panic) = std::panic::catch_unwind(AssertUnwindSafe(|| node.handle.stop())) else {
        panic!("the panic was swallowed");
    };
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"as asked"));
}

/// One line per thing that the tap saw, with its time.
struct Notes(Sender<(Now, String)>);

impl Notes {
    fn note(&self, at: Now, text: String) {
        drop(self.0.send((at, text)));
    }
}

impl Tap for Notes {
    fn opened(&mut self, at: Now, _: ConnId, transport: Transport, local: SocketAddr, remote: SocketAddr) {
        self.note(at, format!("{transport} {local} {remote} opened"));
    }
    fn closed(&mut self, at: Now, _: ConnId, transport: Transport, local: SocketAddr, remote: SocketAddr) {
        self.note(at, format!("{transport} {local} {remote} closed"));
    }
    fn sent(&mut self, at: Now, transport: Transport, local: SocketAddr, remote: SocketAddr, data: &[u8]) {
        self.note(at, format!("{transport} {local} {remote} > {}", String::from_utf8_lossy(data)));
    }
    fn received(&mut self, at: Now, transport: Transport, local: SocketAddr, remote: SocketAddr, data: &[u8]) {
        self.note(at, format!("{transport} {local} {remote} < {}", String::from_utf8_lossy(data)));
    }
}

#[test]
fn the_tap_sees_what_passed_the_sockets_with_its_addresses() {
    let (send, notes) = channel();
    let tap: Box<dyn Tap> = Box::new(Notes(send));
    let node = start("127.0.0.1", Options { tap: Some(tap), ..Options::default() });
    let own = node.bound[0];
    let next = || notes.recv_timeout(PATIENCE).unwrap().1;

    let peer = udp_peer("127.0.0.1");
    let from = peer.local_addr().unwrap();
    peer.send_to(b"ping", own).unwrap();
    assert_eq!(next(), format!("udp {own} {from} < ping"));
    assert_eq!(next(), format!("udp {own} {from} > ping"));

    let mut peer = tcp_peer(own);
    let from = peer.local_addr().unwrap();
    peer.write_all(b"stream").unwrap();
    assert_eq!(next(), format!("tcp {own} {from} opened"));
    assert_eq!(next(), format!("tcp {own} {from} < stream"));
    assert_eq!(next(), format!("tcp {own} {from} > stream"));
    peer.read_exact(&mut [0; 6]).unwrap();
    drop(peer);
    assert_eq!(next(), format!("tcp {own} {from} closed"));
    node.handle.stop();
}

#[test]
fn outputs_leave_in_order_across_transports_and_pieces_of_a_stream_leave_together() {
    let (send, notes) = channel();
    let tap: Box<dyn Tap> = Box::new(Notes(send));
    let node = start("127.0.0.1", Options { tap: Some(tap), ..Options::default() });
    let own = node.bound[0];
    let (mut stream, datagrams) = (tcp_peer(own), udp_peer("127.0.0.1"));
    let [from, remote] = [stream.local_addr().unwrap(), datagrams.local_addr().unwrap()];
    let Input::Accepted { conn, .. } = node.heard() else { panic!("not accepted") };
    let write = |text: &'static str| Output::Write { conn, data: Bytes::from_static(text.as_bytes()) };
    let datagram = Output::Datagram { local: own, remote, data: Bytes::from_static(b"3") };
    let all = [write("1"), write("2"), datagram, write("4"), Output::Close { conn }];
    node.handle.cast(move |node, _| node.out.extend(all)).unwrap();

    let mut got = String::new();
    stream.read_to_string(&mut got).unwrap();
    assert_eq!(got, "124");
    drop(stream);
    let (times, seen): (Vec<Now>, Vec<String>) = (0..6).map(|_| notes.recv_timeout(PATIENCE).unwrap()).unzip();
    let [tcp, udp] = [format!("tcp {own} {from}"), format!("udp {own} {remote}")];
    let expected = [
        format!("{tcp} opened"),
        format!("{tcp} > 1"),
        format!("{tcp} > 2"),
        format!("{udp} > 3"),
        format!("{tcp} > 4"),
        format!("{tcp} closed"),
    ];
    assert_eq!(seen, expected);
    assert_eq!(times[1], times[2], "one system call");
    node.handle.stop();
}

#[test]
fn what_the_hook_makes_the_node_put_out_is_sent() {
    let any = "127.0.0.1:0".parse().unwrap();
    let sockets = Sockets::bind(&[Listen::udp(any)]).unwrap();
    let peer = udp_peer("127.0.0.1");
    let [local, remote] = [sockets.bound()[0].addr, peer.local_addr().unwrap()];
    let mut greeting = Some(Output::Datagram { local, remote, data: Bytes::from_static(b"hi") });
    let on_idle = Box::new(move |node: &mut Echo| node.out.extend(greeting.take()));
    let options = Options { on_idle: Some(on_idle), ..Options::default() };
    let handle = Engine::spawn("hook", sockets, Echo::default(), options).unwrap();
    let mut buf = [0; 4];
    assert_eq!(peer.recv_from(&mut buf).unwrap(), (2, local));
    handle.stop();
}

#[test]
fn with_a_shared_clock_nothing_is_received_before_it_was_sent() {
    let clock = Clock::start();
    let (send, notes) = channel();
    let tapped = |send: &Sender<(Now, String)>| {
        let tap: Box<dyn Tap> = Box::new(Notes(send.clone()));
        start("127.0.0.1", Options { tap: Some(tap), clock, ..Options::default() })
    };
    // Two echoes: one datagram between them goes back and forth until one of them stops.
    let (a, b) = (tapped(&send), tapped(&send));
    let (local, remote) = (a.bound[0], b.bound[0]);
    a.put_out(Output::Datagram { local, remote, data: Bytes::from_static(b"ball") });
    let mut seen: Vec<_> = (0..400).map(|_| notes.recv_timeout(PATIENCE).unwrap()).collect();
    a.handle.stop();
    b.handle.stop();
    // Sorted by time, each sending is followed by its reception at the other end.
    seen.sort_by_key(|(now, _)| now.at);
    for pair in seen.chunks(2).take(150) {
        assert!(pair[0].1.contains(" > ") && pair[1].1.contains(" < "), "{pair:?}");
        assert_ne!(pair[0].1[..20], pair[1].1[..20], "the other end: {pair:?}");
    }
}

#[test]
fn what_a_node_keeps_is_handed_to_its_next_life_before_anything_else() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("journal");
    let life = |value: &'static [u8]| {
        let journal = Journal::open(&folder, journal::Options::default()).unwrap();
        let node = start("127.0.0.1", Options { journal: Some(journal), ..Options::default() });
        let entry = Entry { key: 7, value: Some(value.into()), opens: false };
        node.put_out(Output::Keep { id: 1, entry });
        node
    };
    let first = life(b"one");
    assert_eq!(first.heard(), Input::Kept { id: 1, ok: true });
    // Nothing is asked after: what was handed over before the stop is written all the same.
    let entry = Entry { key: 8, value: Some(Bytes::from_static(b"two")), opens: false };
    first.put_out(Output::Keep { id: 2, entry });
    first.handle.stop();

    let second = life(b"three");
    assert_eq!(second.heard(), Input::Recalled { key: 7, value: "one".into() });
    assert_eq!(second.heard(), Input::Recalled { key: 8, value: "two".into() });
    assert_eq!(second.heard(), Input::Kept { id: 1, ok: true });
}

/// F26: in production the panic ends the process; here it ends the engine, which is all that recalls.
#[test]
fn an_entry_that_kills_is_left_alone_and_the_others_proceed() {
    let scratch = tempfile::tempdir().unwrap();
    let life = || {
        let journal = Journal::open(scratch.path(), journal::Options::default()).unwrap();
        start("127.0.0.1", Options { journal: Some(journal), ..Options::default() })
    };
    let first = life();
    for (id, key, value) in [(1, 6, "one"), (2, 7, "panic"), (3, 8, "two")] {
        first.put_out(Output::Keep { id, entry: Entry { key, value: Some(value.into()), opens: false } });
        assert_eq!(first.heard(), Input::Kept { id, ok: true });
    }
    first.handle.stop();

    let [one, two] = [(6, "one"), (8, "two")].map(|(key, value)| Input::Recalled { key, value: value.into() });
    for _ in 0..3 {
        let dying = life();
        assert_eq!(dying.heard(), one);
        assert!(dying.events.recv_timeout(PATIENCE).is_err());
        assert!(std::panic::catch_unwind(AssertUnwindSafe(|| dying.handle.stop())).is_err());
    }
    for _ in 0..2 {
        let living = life();
        assert_eq!([living.heard(), living.heard()], [one.clone(), two.clone()]);
        living.handle.stop();
    }
}

#[test]
fn a_node_without_a_journal_is_told_that_nothing_is_kept() {
    let node = echo();
    node.put_out(Output::Keep { id: 3, entry: Entry { key: 1, value: None, opens: false } });
    assert_eq!(node.heard(), Input::Kept { id: 3, ok: false });
}
