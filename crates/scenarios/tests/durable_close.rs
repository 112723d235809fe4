//! The durable close: a participating function with a journal dies at any moment, and both ends are closed all the same,
//! with one record. Names begin with the row of the fault table in docs/conformance.md.

use std::time::Duration;

use cpm::{Closing, Release};
use flow::{CloseBy, MediaPath};
use journal::{Log, Options};
use role_client::{ClosedBy, Event, SessionId};
use scenarios::{Setup, Sink, Site, System, Topology};
use sim::{Link, for_each_seed};
use wire::{Entropy, Entry, Transport};

const ON: Topology = Topology { pf_a: MediaPath::On, pf_b: MediaPath::On, transport: Transport::Udp };
const A_ON: Topology = Topology { pf_a: MediaPath::On, pf_b: MediaPath::Off, transport: Transport::Udp };
const OFF: Topology = Topology { pf_a: MediaPath::Off, pf_b: MediaPath::Off, transport: Transport::Udp };

const RESTARTED: Closing = Closing::Released(Release::Restarted);

/// A restart, Timer F and what is on the way: the longest that an end may live on.
const CLOSED: Duration = Duration::from_secs(37);
const TOMBSTONE: Duration = Duration::from_secs(70);
/// Until both ends would have given up by themselves.
const LONG_DEAD: Duration = Duration::from_secs(40);
const SHORTLY: Duration = Duration::from_secs(1);

struct Call {
    system: System,
    sessions: (SessionId, SessionId),
}

fn established(seed: u64, topology: Topology) -> Call {
    established_in(Setup::new(seed, topology).durable().build())
}

fn established_in(mut system: System) -> Call {
    system.register();
    system.settle();
    let sessions = system.establish();
    Call { system, sessions }
}

impl Call {
    fn close(&mut self, by: CloseBy) {
        self.system.close(by, self.sessions);
    }

    /// Steps on until a message of PF A (or to it) has left.
    fn until_sent(&mut self, from: &str, to: &str, label: &str) {
        let net = &mut self.system.net;
        let since = net.arrows().len();
        let is_it = |arrow: &sim::Arrow| &*arrow.from == from && &*arrow.to == to && arrow.label == label;
        while !net.arrows()[since..].iter().any(is_it) {
            assert!(net.step(), "{label} from {from} to {to} is sent:\n{}", net.ladder());
        }
    }

    fn lose(&mut self, from: &'static str, to: &'static str, label: &'static str, n: usize) {
        self.system.net.lose_next_matching(move |p| p.from == from && p.to == to && p.label == label, n);
    }

    fn die(&mut self, down: Duration) {
        self.system.crash(Site::PfA);
        self.system.run_for(down);
        self.system.restart(Site::PfA);
    }

    /// Both ends are closed in time without anybody's doing, one record is written by each function, nothing is left.
    fn assert_closed(&mut self) -> Closing {
        self.system.run_for(CLOSED);
        for client in ["client-a", "client-b"] {
            let closed = self.system.told_by(client).filter(|event| matches!(event, Event::Closed { .. })).count();
            assert_eq!(closed, 1, "{client}\n{}", self.system.net.ladder());
        }
        self.assert_one_record()
    }

    fn assert_one_record(&mut self) -> Closing {
        self.system.run_for(TOMBSTONE);
        self.system.settle();
        assert_eq!(self.system.open(), [], "{}", self.system.net.ladder());
        for (site, pf) in [(Site::PfA, self.system.pf_a), (Site::PfB, self.system.pf_b)] {
            let records = self.system.records.iter().filter(|(of, _)| *of == site).count();
            assert_eq!(records, 1, "{}: {:?}\n{}", site.name(), self.system.records, self.system.net.ladder());
            assert_eq!(self.system.net.kept(pf), 0, "the journal of {} is empty again", site.name());
        }
        let of_a = self.system.records.iter().find(|(site, _)| *site == Site::PfA);
        of_a.expect("PF A has written a record").1.closing
    }
}

/// What PF A sent to its core, in order: requests and answers to a BYE.
fn sent_by_pf(system: &System, since: usize) -> Vec<&str> {
    let of_pf = system.net.arrows()[since..].iter().filter(|arrow| &*arrow.from == "pf-a");
    of_pf.map(|arrow| arrow.label.as_str()).filter(|label| !label.starts_with("MSRP")).collect()
}

#[test]
fn the_200_waits_for_the_intent_and_the_ack_for_the_session() {
    let mut call = established(1, ON);
    let since = call.system.net.arrows().len();
    call.close(CloseBy::A);
    call.system.settle();
    let arrows = &call.system.net.arrows()[since..];
    let at = |from: &str, to: &str, label: &str| {
        let is_it = |arrow: &&sim::Arrow| &*arrow.from == from && &*arrow.to == to && arrow.label == label;
        arrows.iter().find(is_it).map(|arrow| (arrow.sent_at, arrow.received_at)).unwrap()
    };
    let (_, came) = at("core-a", "pf-a", "BYE");
    let (answered, _) = at("pf-a", "core-a", "200 OK");
    assert_eq!(answered - came.unwrap(), Duration::from_millis(3), "one batch of the disk, no more");
    assert_eq!(call.assert_closed(), Closing::ServedUser);
}

#[test]
fn without_a_journal_nothing_waits() {
    let mut call = established_in(System::new(1, ON));
    call.close(CloseBy::A);
    call.system.settle();
    let arrows = call.system.net.arrows();
    let bye = arrows.iter().find(|arrow| arrow.label == "BYE" && &*arrow.to == "pf-a").unwrap();
    let index = arrows.iter().position(|arrow| std::ptr::eq(arrow, bye)).unwrap();
    let answer = arrows[index..].iter().find(|arrow| &*arrow.from == "pf-a" && arrow.label == "200 OK").unwrap();
    assert_eq!(Some(answer.sent_at), bye.received_at);
}

/// The whole close, cut off at every step that the network takes, from before the BYE until nothing is left.
#[test]
fn f19_to_f25_at_whatever_step_it_dies_both_ends_are_closed() {
    for topology in [ON, A_ON, Topology { transport: Transport::Tcp, ..ON }] {
        for by in [CloseBy::A, CloseBy::B, CloseBy::Both] {
            let steps = {
                let mut call = established(5, topology);
                call.close(by);
                let mut steps = 0;
                let end = call.system.net.now() + SHORTLY;
                while call.system.net.next_event_at().is_some_and(|at| at < end) {
                    call.system.net.step();
                    steps += 1;
                }
                steps
            };
            assert!(steps > 20, "{steps} steps");
            for step in 0..=steps {
                let mut call = established(5, topology);
                call.close(by);
                for _ in 0..step {
                    call.system.net.step();
                }
                call.die(SHORTLY);
                let closing = call.assert_closed();
                let known = [Closing::ServedUser, Closing::Peer, RESTARTED];
                assert!(known.contains(&closing), "step {step} of {steps}: {closing:?}");
            }
        }
    }
}

/// The same while the session is set up: whoever counts on it, or does not know yet, comes to an end.
#[test]
fn at_whatever_step_of_the_set_up_it_dies_nobody_is_left() {
    for step in 0..90 {
        let mut system = Setup::new(6, ON).durable().build();
        system.register();
        system.settle();
        system.call();
        for _ in 0..step {
            system.net.step();
        }
        system.crash(Site::PfA);
        system.run_for(SHORTLY);
        system.restart(Site::PfA);
        system.run_for(CLOSED);
        // A repeated INVITE may have set it up in the next life; nobody is alone in it.
        let up = [system.up("client-a").len(), system.up("client-b").len()];
        assert_eq!(up[0], up[1], "step {step}\n{}", system.net.ladder());
        // An INVITE that died with the function is given up by the core, or by the user.
        system.close_all_of("client-a");
        system.close_all_of("client-b");
        system.run_for(Duration::from_secs(320));
        system.settle();
        assert_eq!(system.open(), [], "step {step}\n{}", system.net.ladder());
        assert_eq!(system.net.kept(system.pf_a), 0, "step {step}");
        let records = system.records.iter().filter(|(site, _)| *site == Site::PfA).count();
        assert!(records <= 1, "step {step}: {:?}", system.records);
    }
}

#[test]
fn f19_a_bye_that_came_while_it_was_dead_is_made_up_for_by_the_audit() {
    let mut call = established(7, A_ON);
    // Nobody is told that the MSRP connections are gone: Client B would look after them.
    call.system.net.isolate(call.system.pf_a);
    call.system.crash(Site::PfA);
    call.close(CloseBy::A);
    call.system.run_for(TOMBSTONE);
    let closed: Vec<_> = call.system.told_by("client-b").filter(|e| matches!(e, Event::Closed { .. })).collect();
    assert!(closed.is_empty(), "B knows nothing yet");
    call.system.net.heal();
    call.system.restart(Site::PfA);
    let since = call.system.net.arrows().len();
    call.system.settle();
    let answers: Vec<_> =
        call.system.net.arrows()[since..].iter().filter(|arrow| &*arrow.to == "pf-a").map(|a| &a.label[..3]).collect();
    assert!(answers.contains(&"481"), "A has left: {answers:?}");
    assert_eq!(call.assert_closed(), Closing::ServedUser, "the record says who had left");
}

#[test]
fn f20_f21_a_crash_while_the_intent_is_written_is_made_up_for_whether_it_was_or_not() {
    for_each_seed(40, |seed| {
        let mut call = established(seed, ON);
        call.close(CloseBy::A);
        call.until_sent("core-a", "pf-a", "BYE");
        // The BYE is here, its intent is on the way to the disk.
        call.system.net.run_for(Duration::from_millis(12));
        call.die(SHORTLY);
        let closing = call.assert_closed();
        assert!([Closing::ServedUser, RESTARTED].contains(&closing), "{closing:?}");
    });
}

#[test]
fn f22_a_crash_between_the_200_and_the_bye_of_the_other_leg() {
    let mut call = established(8, ON);
    call.lose("pf-a", "core-a", "BYE", 1);
    call.close(CloseBy::A);
    call.until_sent("pf-a", "core-a", "200 OK");
    call.system.net.run_for(Duration::from_millis(50));
    assert_eq!(call.system.net.pending_faults(), 0, "the BYE never left, as far as anybody knows");
    let since = call.system.net.arrows().len();
    call.die(LONG_DEAD);
    call.system.settle();
    assert_eq!(sent_by_pf(&call.system, since), ["BYE"], "the leg that has closed is left alone");
    let bye = call.system.net.arrows().iter().rfind(|arrow| &*arrow.from == "pf-a" && arrow.label == "BYE").unwrap();
    assert!(bye.text().contains("CSeq: 1002 BYE\r\n"), "{}", bye.text());
    assert_eq!(call.assert_closed(), Closing::ServedUser);
}

#[test]
fn f23_a_crash_before_the_bye_of_the_other_leg_is_answered() {
    let mut call = established(9, ON);
    call.lose("core-a", "pf-a", "200 OK", 1);
    call.close(CloseBy::A);
    call.until_sent("pf-a", "core-a", "BYE");
    call.system.net.run_for(Duration::from_millis(200));
    call.die(SHORTLY);
    // What has been closed answers 481, which is as good as 200.
    assert_eq!(call.assert_closed(), Closing::ServedUser);
}

#[test]
fn f24_f25_a_record_is_taken_once_wherever_it_dies() {
    for sink in [Sink::Down, Sink::Mute] {
        for topology in [ON, OFF] {
            let mut call = established(10, topology);
            call.system.sink = sink;
            call.close(CloseBy::A);
            call.system.settle();
            let taken = call.system.records.len();
            assert_eq!(taken, if sink == Sink::Mute { 2 } else { 0 });
            call.die(SHORTLY);
            call.system.sink = Sink::Up;
            call.assert_one_record_after_both_restart();
        }
    }
}

impl Call {
    /// PF B has not heard either that its record was taken, and hears it in its next life.
    fn assert_one_record_after_both_restart(&mut self) {
        self.system.crash(Site::PfB);
        self.system.restart(Site::PfB);
        assert_eq!(self.assert_one_record(), Closing::ServedUser);
    }
}

#[test]
fn f26_an_entry_that_cannot_be_read_stays_and_stops_nobody() {
    let mut call = established(11, ON);
    call.system.crash(Site::PfA);
    let pf = call.system.pf_a;
    let disk = std::mem::take(call.system.net.disk_mut(pf));
    let small = Options { segment: Options::MIN_SEGMENT, reserve: 2 };
    let mut log = Log::open(disk, small).unwrap().log;
    let entry = |key, value: &'static str| Entry { key, value: Some(value.into()), opens: false };
    let legs = r#"{"row":"bridge","session":{},"legs":[],"intent":null}"#;
    assert_eq!(
        log.commit(&[entry(1, "no row"), entry(2, legs), entry(3, r#"{"row":"of a later version"}"#)]),
        [true; 3]
    );
    *call.system.net.disk_mut(pf) = log.into_disk();
    call.system.restart(Site::PfA);
    call.system.run_for(CLOSED);
    call.system.settle();
    assert_eq!(call.system.net[pf].get().kept().unreadable, 3);
    assert_eq!(call.system.net.kept(pf), 3, "only they are left");
    assert_eq!(call.system.records.len(), 2);
}

#[test]
fn f27_a_function_that_stands_still_for_a_while_closes_when_it_goes_on() {
    for pause in [10, 60] {
        let mut call = established(12, ON);
        let pf = call.system.pf_a;
        call.system.net.pause(pf);
        call.close(CloseBy::A);
        call.system.run_for(Duration::from_secs(pause));
        call.system.net.resume(pf);
        assert_eq!(call.assert_closed(), Closing::ServedUser);
    }
}

#[test]
fn f28_sessions_off_the_media_path_go_on_after_a_restart_and_are_recorded() {
    for down in [SHORTLY, LONG_DEAD] {
        let mut call = established(13, OFF);
        call.die(down);
        call.system.settle();
        assert_eq!(call.system.live("client-b").len(), 1, "nobody noticed");
        call.close(CloseBy::B);
        assert_eq!(call.assert_closed(), Closing::Peer);
    }
}

#[test]
fn r21_after_a_restart_both_ends_are_told_why() {
    let mut call = established(14, ON);
    call.die(SHORTLY);
    let closing = call.assert_closed();
    assert_eq!(closing, RESTARTED);
    let byes: Vec<_> = call.system.net.arrows().iter().filter(|a| &*a.from == "pf-a" && a.label == "BYE").collect();
    assert_eq!(byes.len(), 2);
    for bye in byes {
        assert!(bye.text().contains("Reason: SIP;cause=503;text=\"Server restarted\"\r\n"), "{}", bye.text());
    }
    let by = |event: &Event| if let Event::Closed { by, .. } = event { Some(*by) } else { None };
    assert_eq!(call.system.told_by("client-a").find_map(by), Some(ClosedBy::Peer));
}

#[test]
fn r21_a_bye_in_a_resumed_session_is_answered_and_the_other_leg_closed() {
    // So many sessions that the last ones are still up when their users close them.
    let mut system = Setup::new(15, ON).durable().build();
    system.register();
    system.settle();
    let sessions: Vec<_> = (0..60).map(|_| system.establish()).collect();
    system.crash(Site::PfA);
    system.run_for(SHORTLY);
    system.restart(Site::PfA);
    let last = *sessions.last().unwrap();
    let since = system.net.arrows().len();
    system.close(CloseBy::A, last);
    system.run_for(CLOSED);
    assert!(system.net.arrows()[since..].iter().any(|a| &*a.from == "pf-a" && a.label == "200 OK"));
    assert_eq!([system.live("client-a").len(), system.live("client-b").len()], [0, 0]);
    system.run_for(TOMBSTONE);
    system.settle();
    assert_eq!(system.open(), []);
    assert_eq!(system.records.iter().filter(|(site, _)| *site == Site::PfA).count(), 60);
}

#[test]
fn f51_on_a_full_disk_new_sessions_are_refused_and_open_ones_close() {
    let mut setup = Setup::new(16, ON).durable();
    for pf in [&mut setup.pf_a, &mut setup.pf_b] {
        (pf.default_profile.max_sessions, pf.default_profile.idle_session) = (1_000, None);
    }
    let mut call = established_in(setup.build());
    let pf = call.system.pf_a;
    // Something else fills the disk, and what is left of the journal's own room is used up.
    let used = call.system.net.disk_mut(pf).used();
    call.system.net.disk_mut(pf).set_capacity(Some(used));
    let mut opened = 1;
    loop {
        call.system.call();
        call.system.settle();
        if call.system.up("client-a").len() == opened {
            break;
        }
        opened += 1;
        assert!(opened < 500, "the disk is full some time");
    }
    let refused = call.system.told_by("client-a").filter(|e| matches!(e, Event::Failed { .. })).count();
    assert_eq!(refused, 1);
    assert_eq!(call.system.net[pf].get().kept().refused, 1);
    // For five seconds nobody tries again, then one asks.
    let since = call.system.net.arrows().len();
    call.system.call();
    call.system.settle();
    let answers = &call.system.net.arrows()[since..];
    assert!(answers.iter().any(|a| &*a.from == "pf-a" && a.text().contains("Retry-After: ")), "refused at sight");
    for session in call.system.live("client-a") {
        call.system.net.node_mut(call.system.client_a, |client, now| client.close(session, now));
        call.system.settle();
    }
    call.system.run_for(CLOSED);
    assert_eq!(call.system.live("client-b").len(), 0, "all that was open has closed");
    assert_eq!(call.system.net[pf].get().kept().unkept, 0, "and was written down");
    call.system.establish();
    call.system.close_all_of("client-a");
    call.system.run_for(TOMBSTONE);
    assert_eq!(call.system.open(), []);
    let written = call.system.records.iter().filter(|(site, _)| *site == Site::PfA).count();
    assert_eq!(written, opened + 1);
}

#[test]
fn f52_after_a_sync_that_failed_the_other_leg_is_closed_first() {
    let mut call = established(17, ON);
    let pf = call.system.pf_a;
    call.system.net.disk_mut(pf).fail_syncs(1);
    let since = call.system.net.arrows().len();
    call.close(CloseBy::A);
    call.system.settle();
    assert_eq!(sent_by_pf(&call.system, since), ["BYE", "200 OK"]);
    assert_eq!(call.system.net[pf].get().kept().unkept, 1);
    assert_eq!(call.assert_closed(), Closing::ServedUser);
}

#[test]
fn f52_a_bit_that_turned_over_costs_one_session_its_record_and_no_other() {
    let mut system = Setup::new(18, ON).durable().build();
    system.register();
    system.settle();
    for _ in 0..3 {
        system.establish();
    }
    let pf = system.pf_a;
    system.crash(Site::PfA);
    let (name, rows) = {
        let files = system.net.disk_mut(pf).files();
        let found = files.filter(|(name, _)| name.ends_with(".journal"));
        let rows = |bytes: &[u8]| journal::frame::scan(bytes).frames;
        let (name, bytes) = found.last().unwrap();
        (name.to_owned(), rows(bytes))
    };
    let [_, second, _] = &rows[..] else { panic!("three rows: {rows:?}") };
    system.net.disk_mut(pf).flip(&name, second.offset + 40);
    system.restart(Site::PfA);
    system.run_for(CLOSED);
    let damage = system.net.damage(pf);
    assert!(damage.is_loss() && damage.quarantined.len() == 1, "{damage:?}");
    let of_a = system.records.iter().filter(|(site, _)| *site == Site::PfA).count();
    assert_eq!(of_a, 2);
    assert_eq!(system.live("client-a").len(), 1, "the one that is lost is its users' to close");
}

#[test]
fn f54_without_a_disk_the_other_leg_is_closed_before_the_answer_and_the_answer_does_not_wait_for_ever() {
    for b_is_silent in [false, true] {
        let mut call = established(19, ON);
        let pf = call.system.pf_a;
        call.system.net.disk_mut(pf).set_dead(true);
        if b_is_silent {
            let (core_a, core_b) = (call.system.core_a, call.system.core_b);
            call.system.net.block(core_b, core_a);
        }
        let (since, start) = (call.system.net.arrows().len(), call.system.net.now());
        call.close(CloseBy::A);
        call.until_sent("pf-a", "core-a", "200 OK");
        assert_eq!(sent_by_pf(&call.system, since).first(), Some(&"BYE"));
        let took = call.system.net.now() - start;
        let expected = if b_is_silent { 4_000..4_200 } else { 1..500 };
        assert!(expected.contains(&took.as_millis()), "{took:?}");
        call.system.net.heal();
        call.system.net.disk_mut(pf).set_dead(false);
        call.system.run_for(CLOSED);
        assert_eq!([call.system.live("client-a").len(), call.system.live("client-b").len()], [0, 0]);
        assert_eq!(call.system.records.iter().filter(|(site, _)| *site == Site::PfA).count(), 1);
    }
}

#[test]
fn f55_records_wait_for_an_hour_and_a_restart_until_somebody_takes_them() {
    let mut system = Setup::new(20, ON).durable().build();
    system.register();
    system.settle();
    system.sink = Sink::Down;
    for _ in 0..50 {
        let sessions = system.establish();
        system.close(CloseBy::A, sessions);
        system.settle();
    }
    system.run_for(Duration::from_secs(1_800));
    system.crash(Site::PfA);
    system.restart(Site::PfA);
    system.run_for(Duration::from_secs(1_800));
    assert_eq!(system.records, []);
    system.sink = Sink::Up;
    system.settle();
    let of_a = system.records.iter().filter(|(site, _)| *site == Site::PfA);
    assert_eq!(of_a.count(), 50);
    system.settle();
    assert_eq!(system.net.kept(system.pf_a), 0);
}

/// Loss, repetition, reordering, torn writes, and either function dies once or twice at any moment of a close.
#[test]
fn on_a_bad_network_both_ends_are_closed_whichever_function_dies_and_whenever() {
    for_each_seed(150, |seed| {
        let mut dice = Entropy::from_seed(seed);
        let mut call = established(seed, ON);
        call.system.net.set_link(Link::bad(0.1));
        let mut died = Vec::new();
        call.close([CloseBy::A, CloseBy::B, CloseBy::Both][dice.below(3) as usize]);
        for _ in 0..dice.below(2) + 1 {
            let site = [Site::PfA, Site::PfB][dice.below(2) as usize];
            call.system.run_for(Duration::from_millis(dice.below(400)));
            call.system.crash(site);
            call.system.run_for(Duration::from_millis(dice.below(3_000)));
            call.system.restart(site);
            died.push(site);
        }
        call.system.run_for(Duration::from_secs(70));
        let live = [call.system.live("client-a"), call.system.live("client-b")];
        assert_eq!(live, [[], []], "{died:?}\n{}", call.system.net.ladder());
        call.system.net.set_link(Link::default());
        call.assert_one_record();
    });
}
