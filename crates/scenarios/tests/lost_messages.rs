//! Single messages that are lost, and single nodes that are silent, while a session is set up and closed over UDP.

use std::time::Duration;

use cpm::Closing;
use flow::{CloseBy, Dialogs, MediaPath};
use role_client::{ClosedBy, Event, SessionId};
use scenarios::{Site, System, Topology, audit};
use wire::{Instant, Transport};

const FIGURE_9: Topology = Topology { pf_a: MediaPath::Off, pf_b: MediaPath::Off, transport: Transport::Udp };
const FIGURE_10: Topology = Topology { pf_a: MediaPath::On, pf_b: MediaPath::On, transport: Transport::Udp };
const TOMBSTONE: Duration = Duration::from_secs(70);

/// A system with a session that is up, and its ladder cleared.
struct Call {
    system: System,
    sessions: (SessionId, SessionId),
    dialogs: Dialogs,
    closing: Instant,
}

fn established(topology: Topology) -> Call {
    let mut system = System::new(11, topology);
    system.register();
    system.settle();
    let start = system.net.now();
    let sessions = system.establish();
    let (set_up, dialogs) = system.check_set_up(start);
    assert!(set_up.conforms(), "{:#?}", set_up.violations);
    // On a whole second, so that the ladders are easy to read.
    let closing = Instant::ZERO + Duration::from_secs(10);
    system.net.run_until(closing);
    Call { system, sessions, dialogs, closing }
}

fn lose(system: &mut System, from: &str, to: &str, label: &str) {
    let (from, to, label) = (from.to_owned(), to.to_owned(), label.to_owned());
    system.net.lose_next_matching(move |p| p.from == from && p.to == to && p.label == label, 1);
}

/// By whom each client was told that the session was closed.
fn closed(system: &System) -> Vec<(&'static str, ClosedBy)> {
    let by = |(who, event): &(&'static str, Event)| {
        if let Event::Closed { by, .. } = event { Some((*who, *by)) } else { None }
    };
    let mut closed: Vec<_> = system.told.iter().filter_map(by).collect();
    closed.sort_unstable();
    closed
}

fn assert_nothing_is_left(system: &mut System) {
    system.run_for(TOMBSTONE);
    audit(system, &[]);
    assert_eq!(system.open(), []);
}

#[test]
fn f01_to_f04_each_message_of_the_close_may_be_lost_once() {
    for topology in [FIGURE_9, FIGURE_10] {
        let flow = flow::closings(topology.pf_a, topology.pf_b, CloseBy::A).remove(0);
        for arrow in &flow.arrows {
            let Call { mut system, sessions, dialogs, closing } = established(topology);
            let label = if arrow.message().is_request() { "BYE" } else { "200 OK" };
            lose(&mut system, &arrow.from, &arrow.to, label);
            system.close(CloseBy::A, sessions);
            system.settle();
            assert_eq!(system.net.pending_faults(), 0, "step {} was lost", arrow.step);
            let verdict = system.check_close(CloseBy::A, &dialogs, closing);
            let ladder = system.sip_ladder_since(closing);
            assert!(verdict.conforms(), "step {} lost: {:#?}\n{ladder}", arrow.step, verdict.violations);
            assert!(verdict.retransmissions() > 0, "step {} was repeated:\n{ladder}", arrow.step);
            assert_eq!(closed(&system), [("client-a", ClosedBy::Us), ("client-b", ClosedBy::Peer)]);
            assert_nothing_is_left(&mut system);
            assert_eq!(system.records.len(), 2, "one record each: {:?}", system.records);
        }
    }
}

#[test]
fn off_the_media_path_a_lost_bye_is_repeated_by_the_node_before_it() {
    let Call { mut system, sessions, closing, .. } = established(FIGURE_9);
    lose(&mut system, "core-a", "core-b", "BYE");
    system.close(CloseBy::A, sessions);
    system.settle();
    system.sip_ladder_since(closing).assert(
        "
        0.000  client-a -> core-a    BYE
        0.010  core-a   -> pf-a      BYE
        0.020  pf-a     -> core-a    BYE
        0.030  core-a   -> core-b    BYE      (lost)
        0.500  client-a -> core-a    BYE
        0.510  core-a   -> pf-a      BYE
        0.520  pf-a     -> core-a    BYE
        0.530  core-a   -> core-b    BYE
        0.540  core-b   -> pf-b      BYE
        0.550  pf-b     -> core-b    BYE
        0.560  core-b   -> client-b  BYE
        0.570  client-b -> core-b    200 OK
        0.580  core-b   -> pf-b      200 OK
        0.590  pf-b     -> core-b    200 OK
        0.600  core-b   -> core-a    200 OK
        0.610  core-a   -> pf-a      200 OK
        0.620  pf-a     -> core-a    200 OK
        0.630  core-a   -> client-a  200 OK
        ",
    );
}

#[test]
fn on_the_media_path_a_lost_bye_concerns_its_own_leg_only() {
    let Call { mut system, sessions, closing, .. } = established(FIGURE_10);
    lose(&mut system, "core-a", "core-b", "BYE");
    system.close(CloseBy::A, sessions);
    system.settle();
    system.sip_ladder_since(closing).assert(
        "
        0.000  client-a -> core-a    BYE
        0.010  core-a   -> pf-a      BYE
        0.020  pf-a     -> core-a    200 OK
        0.020  pf-a     -> core-a    BYE
        0.030  core-a   -> client-a  200 OK
        0.030  core-a   -> core-b    BYE      (lost)
        0.520  pf-a     -> core-a    BYE
        0.530  core-a   -> core-b    BYE
        0.540  core-b   -> pf-b      BYE
        0.550  pf-b     -> core-b    200 OK
        0.550  pf-b     -> core-b    BYE
        0.560  core-b   -> core-a    200 OK
        0.560  core-b   -> client-b  BYE
        0.570  core-a   -> pf-a      200 OK
        0.570  client-b -> core-b    200 OK
        0.580  core-b   -> pf-b      200 OK
        ",
    );
}

#[test]
fn on_the_media_path_a_lost_200_is_repeated_for_the_repeated_bye() {
    let Call { mut system, sessions, closing, .. } = established(FIGURE_10);
    lose(&mut system, "pf-a", "core-a", "200 OK");
    system.close(CloseBy::A, sessions);
    system.settle();
    system.sip_ladder_since(closing).assert(
        "
        0.000  client-a -> core-a    BYE
        0.010  core-a   -> pf-a      BYE
        0.020  pf-a     -> core-a    200 OK   (lost)
        0.020  pf-a     -> core-a    BYE
        0.030  core-a   -> core-b    BYE
        0.040  core-b   -> pf-b      BYE
        0.050  pf-b     -> core-b    200 OK
        0.050  pf-b     -> core-b    BYE
        0.060  core-b   -> core-a    200 OK
        0.060  core-b   -> client-b  BYE
        0.070  core-a   -> pf-a      200 OK
        0.070  client-b -> core-b    200 OK
        0.080  core-b   -> pf-b      200 OK
        0.500  client-a -> core-a    BYE
        0.510  core-a   -> pf-a      BYE
        0.520  pf-a     -> core-a    200 OK
        0.530  core-a   -> client-a  200 OK
        ",
    );
}

/// Sets a session up with one message lost.
fn set_up_without(topology: Topology, from: &str, to: &str, label: &str) -> (System, Instant) {
    let mut system = System::new(12, topology);
    system.register();
    system.settle();
    let start = system.net.now();
    lose(&mut system, from, to, label);
    system.call();
    system.settle();
    assert_eq!((system.up("client-a").len(), system.up("client-b").len()), (1, 1), "{:?}", system.told);
    (system, start)
}

#[test]
fn off_the_media_path_a_lost_200_to_invite_comes_again_from_client_b() {
    let (system, start) = set_up_without(FIGURE_9, "core-b", "core-a", "200 OK");
    system.sip_ladder_since(start).without(&["INVITE", "100 Trying"]).assert(
        "
        0.070  client-b -> core-b    200 OK
        0.080  core-b   -> pf-b      200 OK
        0.090  pf-b     -> core-b    200 OK
        0.100  core-b   -> core-a    200 OK   (lost)
        0.570  client-b -> core-b    200 OK
        0.580  core-b   -> pf-b      200 OK
        0.590  pf-b     -> core-b    200 OK
        0.600  core-b   -> core-a    200 OK
        0.610  core-a   -> pf-a      200 OK
        0.620  pf-a     -> core-a    200 OK
        0.630  core-a   -> client-a  200 OK
        0.640  client-a -> core-a    ACK
        0.650  core-a   -> pf-a      ACK
        0.660  pf-a     -> core-a    ACK
        0.670  core-a   -> core-b    ACK
        0.680  core-b   -> pf-b      ACK
        0.690  pf-b     -> core-b    ACK
        0.700  core-b   -> client-b  ACK
        ",
    );
}

#[test]
fn on_the_media_path_a_lost_200_to_invite_comes_again_from_the_pf_of_its_leg() {
    let (system, start) = set_up_without(FIGURE_10, "core-b", "core-a", "200 OK");
    system.sip_ladder_since(start).without(&["INVITE", "100 Trying"]).assert(
        "
        0.070  client-b -> core-b    200 OK
        0.080  core-b   -> pf-b      200 OK
        0.090  pf-b     -> core-b    ACK
        0.090  pf-b     -> core-b    200 OK
        0.100  core-b   -> client-b  ACK
        0.100  core-b   -> core-a    200 OK   (lost)
        0.590  pf-b     -> core-b    200 OK
        0.600  core-b   -> core-a    200 OK
        0.610  core-a   -> pf-a      200 OK
        0.620  pf-a     -> core-a    ACK
        0.620  pf-a     -> core-a    200 OK
        0.630  core-a   -> core-b    ACK
        0.630  core-a   -> client-a  200 OK
        0.640  core-b   -> pf-b      ACK
        0.640  client-a -> core-a    ACK
        0.650  core-a   -> pf-a      ACK
        ",
    );
}

#[test]
fn off_the_media_path_a_lost_ack_brings_the_200_and_itself_again() {
    let (system, start) = set_up_without(FIGURE_9, "core-a", "core-b", "ACK");
    system.sip_ladder_since(start).without(&["INVITE", "100 Trying"]).assert(
        "
        0.070  client-b -> core-b    200 OK
        0.080  core-b   -> pf-b      200 OK
        0.090  pf-b     -> core-b    200 OK
        0.100  core-b   -> core-a    200 OK
        0.110  core-a   -> pf-a      200 OK
        0.120  pf-a     -> core-a    200 OK
        0.130  core-a   -> client-a  200 OK
        0.140  client-a -> core-a    ACK
        0.150  core-a   -> pf-a      ACK
        0.160  pf-a     -> core-a    ACK
        0.170  core-a   -> core-b    ACK      (lost)
        0.570  client-b -> core-b    200 OK
        0.580  core-b   -> pf-b      200 OK
        0.590  pf-b     -> core-b    200 OK
        0.600  core-b   -> core-a    200 OK
        0.610  core-a   -> pf-a      200 OK
        0.620  pf-a     -> core-a    200 OK
        0.630  core-a   -> client-a  200 OK
        0.640  client-a -> core-a    ACK
        0.650  core-a   -> pf-a      ACK
        0.660  pf-a     -> core-a    ACK
        0.670  core-a   -> core-b    ACK
        0.680  core-b   -> pf-b      ACK
        0.690  pf-b     -> core-b    ACK
        0.700  core-b   -> client-b  ACK
        ",
    );
}

#[test]
fn on_the_media_path_a_lost_ack_brings_the_200_and_itself_again_on_its_leg() {
    let (system, start) = set_up_without(FIGURE_10, "core-a", "core-b", "ACK");
    system.sip_ladder_since(start).without(&["INVITE", "100 Trying"]).assert(
        "
        0.070  client-b -> core-b    200 OK
        0.080  core-b   -> pf-b      200 OK
        0.090  pf-b     -> core-b    ACK
        0.090  pf-b     -> core-b    200 OK
        0.100  core-b   -> client-b  ACK
        0.100  core-b   -> core-a    200 OK
        0.110  core-a   -> pf-a      200 OK
        0.120  pf-a     -> core-a    ACK
        0.120  pf-a     -> core-a    200 OK
        0.130  core-a   -> core-b    ACK      (lost)
        0.130  core-a   -> client-a  200 OK
        0.140  client-a -> core-a    ACK
        0.150  core-a   -> pf-a      ACK
        0.590  pf-b     -> core-b    200 OK
        0.600  core-b   -> core-a    200 OK
        0.610  core-a   -> pf-a      200 OK
        0.620  pf-a     -> core-a    ACK
        0.630  core-a   -> core-b    ACK
        0.640  core-b   -> pf-b      ACK
        ",
    );
}

#[test]
fn f05_a_bye_that_comes_twice_is_answered_twice_and_acted_on_once() {
    for topology in [FIGURE_9, FIGURE_10] {
        let Call { mut system, sessions, dialogs, closing } = established(topology);
        system.net.duplicate_next_matching(|p| p.label == "BYE", 7);
        system.close(CloseBy::A, sessions);
        system.settle();
        let verdict = system.check_close(CloseBy::A, &dialogs, closing);
        assert!(verdict.conforms(), "{:#?}\n{}", verdict.violations, system.sip_ladder_since(closing));
        assert_eq!(closed(&system), [("client-a", ClosedBy::Us), ("client-b", ClosedBy::Peer)]);
        assert_nothing_is_left(&mut system);
        assert_eq!(system.records.len(), 2, "one record each: {:?}", system.records);
    }
}

#[test]
fn a_silent_client_b_keeps_the_third_leg_open_for_32_s_and_nobody_else() {
    let Call { mut system, sessions, closing, .. } = established(FIGURE_10);
    system.net.isolate(system.client_b);
    system.close(CloseBy::A, sessions);
    system.run_for(Duration::from_secs(1));
    assert_eq!(closed(&system), [("client-a", ClosedBy::Us)], "leg 1 does not wait");
    system.run_for(Duration::from_secs(31));
    assert_eq!(system.records.iter().map(|(site, _)| *site).collect::<Vec<_>>(), [Site::PfA]);
    system.run_for(Duration::from_millis(50));
    assert_eq!(system.records.iter().map(|(site, _)| *site).collect::<Vec<_>>(), [Site::PfA, Site::PfB]);
    system.sip_ladder_since(closing).without(&["100 Trying"]).assert(
        "
        0.000  client-a -> core-a    BYE
        0.010  core-a   -> pf-a      BYE
        0.020  pf-a     -> core-a    200 OK
        0.020  pf-a     -> core-a    BYE
        0.030  core-a   -> client-a  200 OK
        0.030  core-a   -> core-b    BYE
        0.040  core-b   -> pf-b      BYE
        0.050  pf-b     -> core-b    200 OK
        0.050  pf-b     -> core-b    BYE
        0.060  core-b   -> core-a    200 OK
        0.060  core-b   -> client-b  BYE      (lost)
        0.070  core-a   -> pf-a      200 OK
        0.550  pf-b     -> core-b    BYE
        0.560  core-b   -> client-b  BYE      (lost)
        1.550  pf-b     -> core-b    BYE
        1.560  core-b   -> client-b  BYE      (lost)
        3.550  pf-b     -> core-b    BYE
        3.560  core-b   -> client-b  BYE      (lost)
        7.550  pf-b     -> core-b    BYE
        7.560  core-b   -> client-b  BYE      (lost)
        11.550  pf-b     -> core-b    BYE
        11.560  core-b   -> client-b  BYE      (lost)
        15.550  pf-b     -> core-b    BYE
        15.560  core-b   -> client-b  BYE      (lost)
        19.550  pf-b     -> core-b    BYE
        19.560  core-b   -> client-b  BYE      (lost)
        23.550  pf-b     -> core-b    BYE
        23.560  core-b   -> client-b  BYE      (lost)
        27.550  pf-b     -> core-b    BYE
        27.560  core-b   -> client-b  BYE      (lost)
        31.550  pf-b     -> core-b    BYE
        31.560  core-b   -> client-b  BYE      (lost)
        ",
    );
    // Client B finds out because its MSRP connection is gone: nobody answers when it offers a new path.
    system.net.heal();
    system.run_for(TOMBSTONE);
    assert_eq!(closed(&system), [("client-a", ClosedBy::Us), ("client-b", ClosedBy::Nobody)]);
    assert_nothing_is_left(&mut system);
}

#[test]
fn client_a_gets_its_200_although_pf_b_is_down() {
    let Call { mut system, sessions, closing, .. } = established(FIGURE_10);
    system.crash(Site::PfB);
    system.close(CloseBy::A, sessions);
    system.run_for(Duration::from_secs(1));
    assert_eq!(closed(&system), [("client-a", ClosedBy::Us)]);
    system.sip_ladder_since(closing).assert(
        "
        0.000  client-a -> core-a    BYE
        0.010  core-a   -> pf-a      BYE
        0.020  pf-a     -> core-a    200 OK
        0.020  pf-a     -> core-a    BYE
        0.030  core-a   -> client-a  200 OK
        0.030  core-a   -> core-b    BYE
        0.040  core-b   -> pf-b      BYE      (lost)
        0.520  pf-a     -> core-a    BYE
        0.530  core-a   -> core-b    BYE
        0.540  core-b   -> pf-b      BYE      (lost)
        ",
    );
    system.run_for(Duration::from_secs(32));
    let [(Site::PfA, record)] = system.records.as_slice() else { panic!("one record: {:?}", system.records) };
    assert_eq!(record.closing, Closing::ServedUser);
}

#[test]
fn an_invite_whose_way_has_died_is_given_up_in_the_end() {
    let mut system = System::new(14, FIGURE_10);
    system.register();
    system.settle();
    let start = system.net.now();
    let session = system.call();
    // PF A has passed the INVITE on; Core A will never tell it anything more.
    system.run_for(Duration::from_millis(35));
    system.crash(Site::CoreA);
    system.restart(Site::CoreA);
    system.run_for(Duration::from_secs(250));
    system.sip_ladder_since(start).without(&["100 Trying", "200 OK", "480 Temporarily Unavailable"]).assert(
        "
        0.000  client-a -> core-a    INVITE
        0.010  core-a   -> pf-a      INVITE
        0.020  pf-a     -> core-a    INVITE
        0.030  core-a   -> core-b    INVITE
        0.040  core-b   -> pf-b      INVITE
        0.050  pf-b     -> core-b    INVITE
        0.060  core-b   -> client-b  INVITE
        0.090  pf-b     -> core-b    ACK
        0.100  core-b   -> client-b  ACK
        32.090  pf-b     -> core-b    BYE
        32.090  pf-b     -> core-b    BYE
        32.100  core-b   -> core-a    BYE
        32.100  core-b   -> client-b  BYE
        32.110  core-a   -> pf-a      BYE
        32.120  pf-a     -> core-a    481 Call/Transaction Does Not Exist
        32.130  core-a   -> core-b    481 Call/Transaction Does Not Exist
        32.140  core-b   -> pf-b      481 Call/Transaction Does Not Exist
        181.020  client-a -> core-a    CANCEL
        181.030  core-a   -> client-a  481 Call/Transaction Does Not Exist
        181.040  pf-a     -> core-a    CANCEL
        181.050  core-a   -> pf-a      481 Call/Transaction Does Not Exist
        ",
    );
    assert_eq!(system.told_by("client-a").last(), Some(&Event::Failed { session, status: 408 }));
    // Long enough for what refreshing the registrations leaves behind as well.
    system.run_for(2 * TOMBSTONE);
    audit(&system, &[Site::CoreA]);
    assert_eq!(system.open(), []);
}
