use std::time::Duration;

use wire::Instant;

use super::toy::{Toy, alice_addr, bob_addr, message, open, pair, write_ping};
use crate::{Link, Net, Streams, addr, for_each_seed};

const MS: Duration = Duration::from_millis(1);

fn ms(n: u32) -> Instant {
    Instant::ZERO + MS * n
}

#[test]
fn a_message_waits_for_the_connection_and_is_answered_on_it() {
    let (mut net, alice, bob) = pair(7);
    let conn = open(&mut net, alice);
    write_ping(&mut net, alice, conn);
    net.settle();
    net.assert_ladder(
        "
        0.020  alice -> bob    PING
        0.030  bob   -> alice  200 OK
    ",
    );
    assert_eq!(net[alice].log, ["connected", "200 OK"]);
    assert_eq!(net[bob].log, ["accepted", "PING"]);
    assert_eq!((net.open_connections(alice), net.open_connections(bob)), (1, 1));
    assert_eq!(net.arrows()[0].source, addr("10.0.0.1:49152"));
    assert!(net.is_quiet());
}

#[test]
fn a_stream_is_cut_and_merged_but_stays_in_order() {
    let (mut cut, mut merged) = (0, 0);
    for_each_seed(30, |seed| {
        let (mut net, alice, bob) = pair(seed);
        net.set_link(Link { jitter: 30 * MS, loss: 0.2, ..Link::default() });
        let conn = open(&mut net, alice);
        for n in 0..10 {
            let message = message(&format!("M{n} x SIP/2.0"), &"body".repeat(n * 100));
            net.node_mut(alice, |toy, _| toy.write(conn, &message));
        }
        net.settle();
        let expected: Vec<String> =
            ["accepted".to_owned()].into_iter().chain((0..10).map(|n| format!("M{n}"))).collect();
        assert_eq!(net[bob].log, expected);
        assert_eq!(net[alice].log.iter().filter(|label| *label == "200 OK").count(), 10);
        assert!(net.arrows().iter().all(|arrow| arrow.received_at.is_some()));
        cut += usize::from(net[bob].reads > 10);
        merged += usize::from(net[alice].reads < 10);
    });
    assert!(cut > 0, "no seed cut anything");
    assert!(merged > 0 || std::env::var_os("SIM_SEED").is_some(), "no seed merged anything");
}

#[test]
fn without_segmentation_a_write_is_a_read() {
    let (mut net, alice, bob) = pair(7);
    net.set_streams(Streams { segmentation: false, ..Streams::default() });
    let conn = open(&mut net, alice);
    for _ in 0..5 {
        net.node_mut(alice, |toy, _| toy.write(conn, &message("PING 1 SIP/2.0", &"x".repeat(9000))));
    }
    net.settle();
    assert_eq!(net[bob].reads, 5);
}

#[test]
fn a_lost_segment_is_only_late() {
    let (mut net, alice, bob) = pair(7);
    let conn = open(&mut net, alice);
    net.settle();
    net.clear_ladder();
    net.set_link_from(alice, bob, Link { loss: 1.0, ..Link::default() });
    write_ping(&mut net, alice, conn);
    net.settle();
    net.assert_ladder(
        "
        0.000  alice -> bob    PING
        0.210  bob   -> alice  200 OK
    ",
    );
}

#[test]
fn closing_delivers_what_was_written_before() {
    let (mut net, alice, bob) = pair(7);
    let conn = open(&mut net, alice);
    net.node_mut(alice, |toy, _| {
        toy.write(conn, &message("PING 1 SIP/2.0", ""));
        toy.close(conn);
    });
    net.settle();
    assert_eq!(net[bob].log, ["accepted", "PING", "closed"]);
    assert_eq!(net[alice].log, [""; 0], "who closed hears no more");
    net.assert_ladder(
        "
        0.020  alice -> bob    PING
        0.030  bob   -> alice  200 OK   (lost)
    ",
    );
    assert_eq!((net.open_connections(alice), net.open_connections(bob)), (0, 0));
}

#[test]
fn a_message_cut_short_by_its_sender_is_shown() {
    let (mut net, alice, bob) = pair(7);
    let conn = open(&mut net, alice);
    net.node_mut(alice, |toy, _| {
        toy.write(conn, &"PING 1 SIP/2.0\r\nContent-Le".into());
        toy.close(conn);
    });
    net.settle();
    net.assert_ladder("0.020 alice -> bob PING (incomplete)");
    assert_eq!(net[bob].log, ["accepted", "closed"]);
}

#[test]
fn closing_a_connection_that_is_not_up_yet_aborts_it() {
    let (mut net, alice, bob) = pair(7);
    let conn = open(&mut net, alice);
    net.run_for(15 * MS);
    net.node_mut(alice, |toy, _| toy.close(conn));
    net.settle();
    assert_eq!(net[bob].log, ["accepted", "failed"]);
    assert_eq!(net[alice].log, [""; 0]);
    assert!(net.is_quiet());
}

#[test]
fn a_port_without_listener_refuses_at_once() {
    let (mut net, alice, _bob) = pair(7);
    net.node_mut(alice, |toy, _| toy.open(addr("10.0.0.2:9")));
    net.settle();
    assert_eq!(net[alice].log, ["failed"]);
    assert_eq!(net.now(), ms(20));
}

#[test]
fn a_crashed_node_refuses_and_a_restarted_one_accepts() {
    let (mut net, alice, bob) = pair(7);
    net.crash(bob);
    open(&mut net, alice);
    net.settle();
    net.restart(bob, Toy::new(bob_addr()));
    open(&mut net, alice);
    net.settle();
    assert_eq!(net[alice].log, ["failed", "connected"]);
    assert_eq!(net[bob].log, ["accepted"]);
}

#[test]
fn an_address_that_nobody_has_times_out() {
    let (mut net, alice, _bob) = pair(7);
    net.node_mut(alice, |toy, _| toy.open(addr("10.0.0.9:5060")));
    net.settle();
    assert_eq!(net[alice].log, [""; 0], "settling does not wait for it");
    net.run_to_quiet(Duration::from_secs(60));
    assert_eq!(net[alice].log, ["failed"]);
    assert_eq!(net.now(), ms(10_000));
}

#[test]
fn connecting_into_a_partition_times_out_unless_it_heals() {
    let (mut net, alice, bob) = pair(7);
    net.partition(alice, bob);
    open(&mut net, alice);
    net.run_until(ms(9_000));
    open(&mut net, alice);
    net.run_until(ms(10_001));
    assert_eq!(net[alice].log, ["failed"]);
    net.heal();
    net.settle();
    assert_eq!(net[alice].log, ["failed", "connected"]);
    assert!(net.is_quiet());
}

#[test]
fn a_partition_holds_a_stream_until_it_heals() {
    let (mut net, alice, bob) = pair(7);
    let conn = open(&mut net, alice);
    net.settle();
    net.partition(alice, bob);
    write_ping(&mut net, alice, conn);
    write_ping(&mut net, alice, conn);
    net.settle();
    net.assert_ladder(
        "
        0.020  alice -> bob  PING   (in flight)
        0.020  alice -> bob  PING   (in flight)
    ",
    );
    net.run_until(ms(5_000));
    net.heal();
    net.settle();
    assert_eq!(net[bob].log, ["accepted", "PING", "PING"]);
    assert_eq!(net.arrows()[0].received_at, Some(ms(5_200)));
    assert!(net.is_quiet());
}

#[test]
fn healing_hastens_nothing() {
    let (mut net, alice, bob) = pair(7);
    let conn = open(&mut net, alice);
    net.settle();
    net.clear_ladder();
    net.set_link(Link { delay: 1000 * MS, ..Link::default() });
    let start = net.now();
    write_ping(&mut net, alice, conn);
    net.run_for(900 * MS);
    net.partition(alice, bob);
    write_ping(&mut net, alice, conn);
    net.run_for(200 * MS);
    net.heal();
    net.settle();
    let pings = net.arrows().iter().filter(|arrow| arrow.label == "PING");
    let received: Vec<_> = pings.map(|arrow| arrow.received_at.unwrap() - start).collect();
    assert_eq!(received, [1300 * MS, 1900 * MS]);
}

#[test]
fn a_reset_that_meets_a_partition_is_not_repeated() {
    let (mut net, alice, bob) = pair(7);
    open(&mut net, alice);
    net.settle();
    net.crash(bob);
    net.partition(alice, bob);
    net.run_for(1000 * MS);
    net.heal();
    net.settle();
    assert_eq!(net[alice].log, ["connected"], "half-open: it will learn by writing");
    assert_eq!(net.open_connections(alice), 1);
}

#[test]
fn a_writer_gives_up_a_partition_and_the_silent_side_learns_on_writing() {
    let (mut net, alice, bob) = pair(7);
    let conn = open(&mut net, alice);
    net.settle();
    net.partition(alice, bob);
    write_ping(&mut net, alice, conn);
    net.run_to_quiet(Duration::from_secs(60));
    assert_eq!(net[alice].log, ["connected", "failed"]);
    assert_eq!(net.now(), ms(30_030));
    assert_eq!((net.open_connections(alice), net.open_connections(bob)), (0, 1));
    net.heal();
    write_ping(&mut net, bob, wire::ConnId::accepted(0));
    net.settle();
    assert_eq!(net[bob].log, ["accepted", "failed"]);
    net.assert_ladder_untimed(
        "
        alice -> bob    PING   (lost)
        bob   -> alice  PING   (lost)
    ",
    );
}

#[test]
fn a_crash_resets_the_connections() {
    let (mut net, alice, bob) = pair(7);
    let conn = open(&mut net, alice);
    net.settle();
    net.crash(bob);
    write_ping(&mut net, alice, conn);
    net.settle();
    assert_eq!(net[alice].log, ["connected", "failed"]);
    net.assert_ladder_untimed("alice -> bob PING (lost)");
    assert_eq!(net.open_connections(alice), 0);
}

#[test]
fn a_silent_death_is_noticed_only_by_writing_after_the_restart() {
    let (mut net, alice, bob) = pair(7);
    let conn = open(&mut net, alice);
    net.settle();
    net.isolate(bob);
    net.crash(bob);
    net.heal();
    net.run_for(Duration::from_secs(100));
    assert_eq!(net[alice].log, ["connected"]);
    net.restart(bob, Toy::new(bob_addr()));
    write_ping(&mut net, alice, conn);
    net.settle();
    assert_eq!(net[alice].log, ["connected", "failed"]);
    assert_eq!(net[bob].log, [""; 0]);
}

#[test]
fn broken_connections_fail_on_both_sides() {
    let (mut net, alice, bob) = pair(7);
    let conn = open(&mut net, alice);
    net.settle();
    write_ping(&mut net, alice, conn);
    assert_eq!(net.break_connections(bob, alice), 1);
    assert_eq!(net.break_connections(bob, alice), 0);
    net.settle();
    assert_eq!(net[alice].log, ["connected", "failed"]);
    assert_eq!(net[bob].log, ["accepted", "failed"]);
    net.assert_ladder_untimed("alice -> bob PING (lost)");
}

#[test]
fn a_black_hole_swallows_old_connections_but_not_new_ones() {
    let (mut net, alice, bob) = pair(7);
    let old = open(&mut net, alice);
    net.settle();
    assert_eq!(net.black_hole_connections(alice, bob), 1);
    let new = open(&mut net, alice);
    write_ping(&mut net, alice, old);
    write_ping(&mut net, alice, new);
    net.heal();
    net.run_to_quiet(Duration::from_secs(60));
    assert_eq!(net[alice].log, ["connected", "connected", "200 OK", "failed"]);
    assert_eq!(net[bob].log, ["accepted", "accepted", "PING"]);
}

#[test]
fn nodes_may_share_an_ip_address() {
    let mut net = Net::new(7);
    let [one, two] = ["127.0.0.1:5060", "127.0.0.1:5070"].map(addr);
    let alice = net.add("alice", &[one], Toy::new(one));
    let bob = net.add("bob", &[two], Toy::new(two));
    for (from, to) in [(alice, two), (bob, one)] {
        let conn = net.node_mut(from, |toy, _| toy.open(to));
        write_ping(&mut net, from, conn);
        net.settle();
    }
    net.assert_ladder_untimed(
        "
        alice -> bob    PING
        bob   -> alice  200 OK
        bob   -> alice  PING
        alice -> bob    200 OK
    ",
    );
}

#[test]
fn a_tls_listener_wants_tls() {
    let (mut net, alice, bob) = pair(7);
    net.listen(bob, wire::Transport::Tls, addr("10.0.0.2:5061"));
    net.node_mut(alice, |toy, _| toy.open(addr("10.0.0.2:5061")));
    net.settle();
    assert_eq!(net[alice].log, ["failed"]);
}

#[test]
fn the_same_seed_gives_the_same_streams() {
    let run = |seed| {
        let mut net: Net;
        let (alice, bob);
        (net, alice, bob) = pair(seed);
        net.set_link(Link { jitter: 30 * MS, loss: 0.2, ..Link::default() });
        for _ in 0..10 {
            let conn = open(&mut net, alice);
            write_ping(&mut net, alice, conn);
            let back = net.node_mut(bob, |toy, _| toy.open(alice_addr()));
            write_ping(&mut net, bob, back);
            net.settle();
        }
        (net.ladder(), net[alice].reads, net[bob].reads, net.now())
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}
