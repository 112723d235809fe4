//! `kill -9` of a participating function at named points of a session, with SIPp on both sides.
//!
//! The function is the real program with a journal. It talks to SIPp through two wires that the test holds: it sees every
//! message, and kills the function when the one that it waits for comes, has just passed, or passed a few milliseconds ago,
//! when the disk is at work. The function is started again at once. Whoever had a session has its BYE in time, and the
//! file of records has one line for it.
//!
//! Every fourth point is played once; `cargo xtask kill9 --runs N` plays all of them N times.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use interop::{Loopback, Process, Sipp, scenarios};

use crate::ground::{self, Place, SOON};

/// The longest that Client B may wait for its BYE: a restart, and Timer F.
const CLOSED: Duration = Duration::from_secs(37);

/// After a restart a session is closed within a moment: where nobody counts on one, so long is waited for a BYE that should
/// not come.
const NOTHING_COMES: Duration = Duration::from_millis(700);

/// A message between the function and one of its sides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Message {
    side: Side,
    to_pf: bool,
    what: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Side {
    A,
    B,
}

/// The messages of a session, in order.
const MESSAGES: [Message; 10] = [
    Message { side: Side::A, to_pf: true, what: "INVITE" },
    Message { side: Side::B, to_pf: false, what: "INVITE" },
    Message { side: Side::B, to_pf: true, what: "180 INVITE" },
    Message { side: Side::B, to_pf: true, what: "200 INVITE" },
    Message { side: Side::B, to_pf: false, what: "ACK" },
    Message { side: Side::A, to_pf: true, what: "ACK" },
    Message { side: Side::A, to_pf: true, what: "BYE" },
    Message { side: Side::A, to_pf: false, what: "200 BYE" },
    Message { side: Side::B, to_pf: false, what: "BYE" },
    Message { side: Side::B, to_pf: true, what: "200 BYE" },
];

/// When, seen from a message. In between lies what the function and its disk do with it.
const MOMENTS: [Moment; 4] = [Moment::Before, Moment::After(0), Moment::After(1), Moment::After(4)];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Moment {
    /// It is not passed on before the function is dead.
    Before,
    /// So many milliseconds after it was passed on.
    After(u64),
}

#[derive(Clone, Copy)]
struct Point(Message, Moment);

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Point(message, moment) = self;
        let way = if message.to_pf { "from" } else { "to" };
        match moment {
            Moment::Before => write!(f, "before {} {way} {:?}", message.what, message.side),
            Moment::After(ms) => write!(f, "{ms} ms after {} {way} {:?}", message.what, message.side),
        }
    }
}

fn points() -> impl Iterator<Item = Point> {
    MESSAGES.into_iter().flat_map(|message| MOMENTS.map(|moment| Point(message, moment)))
}

#[test]
fn f19_to_f25_killed_at_named_points_it_closes_what_was_open_and_records_it_once() {
    let runs: Option<usize> = std::env::var("KILL9_RUNS").ok().map(|n| n.parse().expect("KILL9_RUNS is a number"));
    assert_eq!(points().count(), 40);
    let mut closed = Vec::new();
    for run in 0..runs.unwrap_or(1) {
        // A sample takes another moment of each message in turn.
        let is_played = |i: usize| runs.is_some() || i % 4 == (i / 4) % 4;
        for (_, point) in points().enumerate().filter(|(i, _)| is_played(*i)) {
            let outcome = Stage::set().play(point);
            eprintln!("run {run}, {point}: {outcome:?}");
            closed.extend(outcome.closed);
        }
    }
    closed.sort_unstable();
    let slowest = closed.last().copied().unwrap_or_default();
    eprintln!("{} sessions closed after a kill, in {:?} at most", closed.len(), slowest);
}

/// What became of a session.
#[derive(Debug)]
struct Outcome {
    /// When Client B had its BYE, from the kill on, if it had none before.
    closed: Option<Duration>,
}

/// The function with its folder, and a wire to each side.
struct Stage {
    /// The addresses are ours as long as it lives.
    _lease: Loopback,
    folder: tempfile::TempDir,
    pf: SocketAddr,
    a: Wire,
    b: Wire,
    passing: Receiver<(Side, bool, Vec<u8>)>,
}

/// Two sockets, one towards the function and one towards SIPp.
struct Wire {
    pf_side: Arc<UdpSocket>,
    phone_side: Arc<UdpSocket>,
    phone: SocketAddr,
    is_over: Arc<AtomicBool>,
    readers: Vec<JoinHandle<()>>,
}

impl Wire {
    fn new(lease: &Loopback, side: Side, passing: &Sender<(Side, bool, Vec<u8>)>) -> Wire {
        let bind = || {
            let socket = UdpSocket::bind((lease.port().ip(), 0)).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            Arc::new(socket)
        };
        let mut wire = Wire {
            pf_side: bind(),
            phone_side: bind(),
            phone: lease.port(),
            is_over: Arc::default(),
            readers: Vec::new(),
        };
        for (socket, to_pf) in [(&wire.pf_side, false), (&wire.phone_side, true)] {
            let (socket, passing, is_over) = (Arc::clone(socket), passing.clone(), Arc::clone(&wire.is_over));
            wire.readers.push(std::thread::spawn(move || {
                let mut buffer = [0; 65_535];
                while !is_over.load(Ordering::Relaxed) {
                    // Time-outs, and the ICMP of a port whose process is dead.
                    let Ok(octets) = socket.recv(&mut buffer) else { continue };
                    // The test may be over.
                    drop(passing.send((side, to_pf, buffer[..octets].to_vec())));
                }
            }));
        }
        wire
    }

    fn pf_addr(&self) -> SocketAddr {
        self.pf_side.local_addr().unwrap()
    }

    fn phone_addr(&self) -> SocketAddr {
        self.phone_side.local_addr().unwrap()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
    }
}

impl Stage {
    fn set() -> Stage {
        let lease = Loopback::lease();
        let (send, passing) = channel();
        let (a, b) = (Wire::new(&lease, Side::A, &send), Wire::new(&lease, Side::B, &send));
        Stage { pf: lease.port(), folder: tempfile::tempdir().unwrap(), a, b, passing, _lease: lease }
    }

    fn serve(&self) -> Process {
        let config = ground::pf("pf", self.pf, Place::On);
        let folder = self.folder.path().display();
        let config = format!("{config}journal = \"{folder}/journal\"\nrecords = \"{folder}/records\"\n");
        ground::serve(&config, &[self.pf])
    }

    /// Passes a message on.
    fn pass(&self, side: Side, to_pf: bool, data: &[u8]) {
        let wire = if side == Side::A { &self.a } else { &self.b };
        let (socket, to) = if to_pf { (&wire.pf_side, self.pf) } else { (&wire.phone_side, wire.phone) };
        // Where nobody listens any more it is lost.
        drop(socket.send_to(data, to));
    }

    fn play(self, Point(at, moment): Point) -> Outcome {
        let mut pf = self.serve();
        let me = |wire: &Wire| wire.pf_addr().to_string();
        let _bob = Sipp::new("b", scenarios::ISC_B, self.b.phone).key("me", &me(&self.b)).within(CLOSED * 2).start();
        let _alice = Sipp::new("a", scenarios::ISC_A, self.a.phone)
            .to(self.a.phone_addr())
            .key("pf", &self.pf.to_string())
            .key("back", &me(&self.b))
            .key("me", &me(&self.a))
            .within(CLOSED * 2)
            .start();
        let start = now();
        let (mut seen, mut killed, mut closed) = (Seen::default(), None, None);
        while !killed.is_some_and(|killed| self.is_over(killed, &seen)) {
            assert!(killed.is_some() || start.elapsed() < SOON, "the message never came: {seen:?}");
            let Ok((side, to_pf, data)) = self.passing.recv_timeout(Duration::from_millis(20)) else { continue };
            let what = label(&data);
            let is_it = killed.is_none() && (side, to_pf, what.as_str()) == (at.side, at.to_pf, at.what);
            if is_it && moment == Moment::Before {
                pf.kill();
            }
            if !to_pf && what == "BYE" && seen.has_closed(side) {
                // SIPp has forgotten a call that is over; a user agent answers this.
                self.pass(side, true, &does_not_exist(&data));
            } else {
                // What comes to a process that is dead is lost with it.
                self.pass(side, to_pf, &data);
            }
            if let Some(killed) = killed.filter(|_| (side, to_pf, what.as_str()) == (Side::B, false, "BYE")) {
                closed.get_or_insert_with(|| Instant::elapsed(&killed));
            }
            seen.0.insert((side, to_pf, what));
            if is_it {
                if let Moment::After(ms) = moment {
                    let until = now() + Duration::from_millis(ms);
                    while now() < until {
                        std::hint::spin_loop();
                    }
                    pf.kill();
                }
                killed = Some(now());
                pf = self.serve();
            }
        }
        pf.stop();
        // Nor does one more life write anything once more.
        self.serve().stop();
        self.judge(&seen);
        Outcome { closed }
    }

    /// Whether nothing more is to be waited for.
    fn is_over(&self, killed: Instant, seen: &Seen) -> bool {
        if seen.has_session() || seen.has(Side::B, false, "BYE") {
            let is_done = seen.has(Side::B, true, "200 BYE") && !self.records().is_empty();
            is_done || killed.elapsed() > CLOSED
        } else {
            killed.elapsed() > NOTHING_COMES
        }
    }

    fn judge(&self, seen: &Seen) {
        let was_closed = seen.has(Side::B, false, "BYE");
        assert!(!seen.has_session() || was_closed, "Client B has its BYE within {CLOSED:?}: {seen:?}");
        let records = self.records();
        assert_eq!(records.len(), usize::from(was_closed), "one record for a session: {records:?} {seen:?}");
    }

    fn records(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.path().join("records")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// What has passed, by side and way.
#[derive(Debug, Default)]
struct Seen(BTreeSet<(Side, bool, String)>);

impl Seen {
    fn has(&self, side: Side, to_pf: bool, what: &str) -> bool {
        self.0.contains(&(side, to_pf, what.to_owned()))
    }

    /// Client B counts on its session.
    fn has_session(&self) -> bool {
        self.has(Side::B, false, "ACK")
    }

    /// A side has closed and knows that the other one knows.
    fn has_closed(&self, side: Side) -> bool {
        self.has(side, true, "200 BYE") || self.has(side, false, "200 BYE") || self.has(side, false, "481 BYE")
    }
}

/// Real processes are killed in real time.
#[expect(clippy::disallowed_methods, reason = "milliseconds after a message on the wire, when a disk is at work")]
fn now() -> Instant {
    Instant::now()
}

/// 481 to a BYE.
fn does_not_exist(bye: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bye);
    let is_copied =
        |line: &&str| ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name));
    let copied: Vec<&str> = text.lines().filter(is_copied).collect();
    format!("SIP/2.0 481 Gone\r\n{}\r\nContent-Length: 0\r\n\r\n", copied.join("\r\n")).into_bytes()
}

/// `INVITE`, `200 BYE`.
fn label(data: &[u8]) -> String {
    let text = String::from_utf8_lossy(data);
    let first = text.lines().next().unwrap_or_default();
    let Some(status) = first.strip_prefix("SIP/2.0 ") else {
        return first.split(' ').next().unwrap_or_default().to_owned();
    };
    let method = text.lines().find_map(|line| line.strip_prefix("CSeq: ")?.split(' ').nth(1)).unwrap_or_default();
    format!("{} {method}", &status[..3.min(status.len())])
}
