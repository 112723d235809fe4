//! Two servers and one PostgreSQL; SIPp stands on both sides of the sessions.

use std::cell::Cell;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use interop::{Loopback, Postgres, Process, Running, Sipp, scenarios};

use crate::ground::{self, Place, SOON};

/// The longest that a client may wait for its BYE when a node has died for good.
const CLOSED: Duration = Duration::from_secs(60);

struct Stage {
    lease: Loopback,
    postgres: Postgres,
    /// Of the node that was started last.
    metrics: Cell<SocketAddr>,
}

impl Stage {
    fn set() -> Stage {
        let lease = Loopback::lease();
        let postgres = Postgres::start(lease.at(5432));
        let metrics = Cell::new(lease.port());
        Stage { lease, postgres, metrics }
    }

    /// A participating function on the media path that has its journal there.
    fn serve(&self, name: &str, at: SocketAddr, journal: &str) -> Process {
        self.metrics.set(self.lease.port());
        let admin = format!("[admin]\nmetrics = \"{}\"\n", self.metrics.get());
        let store = format!("[store]\nurl = \"{}\"\ntake_over = 5\n", self.postgres.url());
        let pf = ground::pf(name, at, Place::On);
        let rest = format!("journal = \"{journal}\"\nmedia_grace = 0\n[pf.profile]\nmax_sessions = 100000\n");
        ground::serve(&format!("{admin}{store}{pf}{rest}"), &[at])
    }

    /// Bob, who is called through any function, and the caller through this one: both wait for the close.
    fn sides(&self, calls: u32) -> (Sipp, impl Fn(SocketAddr) -> Sipp + use<>) {
        let (alice, bob) = (self.lease.port(), self.lease.port());
        let callee =
            Sipp::new("bob", scenarios::ISC_B, bob).key("me", &bob.to_string()).calls(calls).within(CLOSED * 3);
        let caller = move |pf: SocketAddr| {
            Sipp::new("alice", scenarios::ISC_HELD, alice)
                .to(pf)
                .key("pf", &pf.to_string())
                .key("back", &bob.to_string())
                .key("me", &alice.to_string())
                .args(&["-r", "200", "-l", "5000"])
                .calls(calls)
                .within(CLOSED * 3)
        };
        (callee, caller)
    }

    fn wait_for_open(&self, sessions: u32) {
        let open = format!("duologue_sessions{{node=\"pf\",media_path=\"on\"}} {sessions}");
        let all_open = interop::until(SOON, || metrics(self).contains(&open).then_some(()));
        assert!(all_open.is_some(), "{}", metrics(self));
    }

    fn wait_for(&self, sql: &str, expected: &str) {
        let seen = interop::until(CLOSED, || (self.postgres.query(sql) == expected).then_some(()));
        assert!(seen.is_some(), "{sql}: {} instead of {expected}", self.postgres.query(sql));
    }
}

fn metrics(stage: &Stage) -> String {
    let mut curl = Command::new(interop::require("curl"));
    let done = curl.args(["--silent", &format!("http://{}/metrics", stage.metrics.get())]).output().unwrap();
    String::from_utf8(done.stdout).unwrap()
}

/// Sessions that have ended, by whatever cause.
fn ended(stage: &Stage) -> u64 {
    let metrics = metrics(stage);
    let lines = metrics.lines().filter(|line| line.starts_with("duologue_sessions_ended_total{"));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// Processes die in real time.
#[expect(clippy::disallowed_methods, reason = "how long clients of a dead node wait is what this is about")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn a_node_that_dies_is_taken_over_every_end_is_closed_and_each_session_has_one_record() {
    let stage = Stage::set();
    let [at_1, at_2] = stage.lease.ports();
    let (mut one, mut two) = (stage.serve("pf-1", at_1, "store"), stage.serve("pf-2", at_2, "store"));
    let sessions = 1_000;
    let (bob, alice) = stage.sides(sessions);
    let (bob, alice) = (bob.start(), alice(at_1).start());
    stage.wait_for("SELECT count(*) FROM kept WHERE node = 'pf-1'", "1000");

    // 1. The node dies; nobody starts it again.
    one.kill();
    let died = now();
    alice.finish();
    bob.finish();
    let closed = died.elapsed();
    eprintln!("both ends of {sessions} sessions were closed {closed:?} after the kill");
    assert!(closed < CLOSED, "{closed:?}");

    // 2. One record each, and nothing is left.
    stage.wait_for("SELECT count(*), count(DISTINCT key) FROM record", "1000|1000");
    stage.wait_for("SELECT count(*) FROM kept", "0");
    let restarted = "SELECT count(*) FROM record WHERE body LIKE '%restarted%'";
    assert_eq!(stage.postgres.query(restarted), "1000");
    two.wait_line("taking over from a dead node", SOON);

    // 3. It comes back as if it were new, and the other one leaves it alone.
    let mut one = stage.serve("pf-1", at_1, "store");
    let (bob, alice) = stage.sides(1);
    let (bob, alice) = (bob.start(), alice(at_1).start());
    stage.wait_for("SELECT count(*) FROM kept WHERE node = 'pf-1'", "1");
    one.stop();
    alice.finish();
    bob.finish();
    stage.wait_for("SELECT count(*) FROM record", "1001");
}

#[test]
fn a_node_that_is_started_twice_stops_the_first_life_at_once() {
    let stage = Stage::set();
    let [at_1, at_2] = stage.lease.ports();
    let mut first = stage.serve("pf", at_1, "store");
    let mut second = stage.serve("pf", at_2, "store");
    let status = first.wait_exit(SOON);
    assert_eq!(status.code(), Some(1));
    let said = first.lines().join("\n");
    assert!(said.contains("node pf has been replaced"), "{said}");
    second.stop();
}

/// One node with a journal in a folder of its own, and sessions that stay open until it is stopped.
struct Held {
    stage: Stage,
    at: SocketAddr,
    folder: tempfile::TempDir,
    pf: Process,
    sides: [Running; 2],
}

/// How many of them.
const HELD: u32 = 20;

impl Held {
    fn open() -> Held {
        let stage = Stage::set();
        let (at, folder) = (stage.lease.port(), tempfile::tempdir().unwrap());
        let pf = stage.serve("pf", at, &journal(&folder));
        let (bob, alice) = stage.sides(HELD);
        let sides = [bob.start(), alice(at).start()];
        stage.wait_for_open(HELD);
        Held { stage, at, folder, pf, sides }
    }

    /// Others call and hang up.
    fn others_come_and_go(&self, calls: u32) {
        let (caller, callee) = (self.stage.lease.port(), self.stage.lease.port());
        let called =
            Sipp::new("carol", scenarios::ISC_B, callee).key("me", &callee.to_string()).calls(calls).within(SOON);
        let calls = Sipp::new("dave", scenarios::ISC_A, caller)
            .to(self.at)
            .key("pf", &self.at.to_string())
            .key("back", &callee.to_string())
            .key("me", &caller.to_string())
            .calls(calls)
            .within(SOON);
        let called = called.start();
        calls.start().finish();
        called.finish();
    }

    /// The node is stopped in order: both ends of each session hear of it.
    fn stop(mut self) -> (Stage, tempfile::TempDir) {
        self.pf.stop();
        for side in self.sides {
            side.finish();
        }
        (self.stage, self.folder)
    }
}

fn journal(folder: &tempfile::TempDir) -> String {
    folder.path().join("journal").display().to_string()
}

#[test]
fn a_node_that_stops_while_the_database_is_away_has_its_records_written_by_its_next_life() {
    let mut held = Held::open();
    let at = held.at;

    // 1. The database goes away while sessions are open.
    held.stage.postgres.crash();
    held.pf.wait_line("the store does not answer", SOON);

    // 2. The node is stopped in order: all sessions are closed, their records are in its journal.
    let (mut stage, folder) = held.stop();

    // 3. The database is back, and the node too: each session has one record.
    stage.postgres.restart();
    let mut again = stage.serve("pf", at, &journal(&folder));
    stage.wait_for("SELECT count(*), count(DISTINCT key) FROM record", "20|20");
    again.stop();
}

/// A database that is gone, and one whose processes stand still: what it was asked then, it does when it goes on. Both minutes
/// are one, and cost no CPU.
#[test]
fn with_the_database_away_for_a_minute_sessions_come_and_go_and_have_one_record_each_once_it_is_back() {
    let frozen = std::thread::spawn(|| a_minute_without(|postgres| postgres.freeze(), |postgres| postgres.thaw()));
    a_minute_without(Postgres::crash, Postgres::restart);
    frozen.join().unwrap();
}

fn a_minute_without(goes: fn(&mut Postgres), comes_back: fn(&mut Postgres)) {
    let mut held = Held::open();

    // 1. It goes, and others call and hang up: in its first seconds, and when it has been away for a minute.
    let gone = now();
    goes(&mut held.stage.postgres);
    held.pf.wait_line("the store does not answer", SOON);
    held.others_come_and_go(20);
    wait_until(gone + Duration::from_secs(60));
    held.others_come_and_go(10);
    assert_eq!(ended(&held.stage), 30, "the sessions from before are open still");

    // 2. It is back: their records come, and the sessions from before are open still.
    comes_back(&mut held.stage.postgres);
    held.stage.wait_for("SELECT count(*), count(DISTINCT key) FROM record", "30|30");
    assert_eq!(ended(&held.stage), 30);

    // 3. These end as well, once each.
    let (stage, _folder) = held.stop();
    stage.wait_for("SELECT count(*), count(DISTINCT key) FROM record", "50|50");
}

#[expect(clippy::disallowed_methods, reason = "how long the database is away is what this is about")]
fn wait_until(then: Instant) {
    std::thread::sleep(then.saturating_duration_since(now()));
}
