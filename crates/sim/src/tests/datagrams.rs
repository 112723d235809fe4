use std::time::Duration;

use super::toy::{alice_addr, bob_addr, message, pair, ping};
use crate::{Fate, Link, addr, for_each_seed};

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_lost_ping_is_repeated_until_it_is_answered() {
    let (mut net, alice, bob) = pair(7);
    net.lose_next(2);
    ping(&mut net, alice);
    net.settle();
    net.assert_ladder(
        "
        0.000  alice -> bob    PING   (lost)
        0.500  alice -> bob    PING   (lost)
        1.500  alice -> bob    PING
        1.510  bob   -> alice  200 OK
    ",
    );
    assert_eq!(net[alice].log, ["200 OK"]);
    assert_eq!(net[bob].log, ["PING"]);
    assert!(net.is_quiet());
    assert_eq!(net.pending_faults(), 0);
}

#[test]
fn a_fault_strikes_only_what_matches() {
    let (mut net, alice, _bob) = pair(7);
    net.lose_next_matching(|packet| packet.from == "bob" && packet.label == "200 OK", 1);
    ping(&mut net, alice);
    net.settle();
    net.assert_ladder(
        "
        0.000  alice -> bob    PING
        0.010  bob   -> alice  200 OK   (lost)
        0.500  alice -> bob    PING
        0.510  bob   -> alice  200 OK
    ",
    );
}

#[test]
fn a_duplicated_ping_is_answered_twice() {
    let (mut net, alice, bob) = pair(7);
    net.duplicate_next(1);
    ping(&mut net, alice);
    net.settle();
    net.assert_ladder(
        "
        0.000  alice -> bob    PING
        0.000  alice -> bob    PING   (duplicate)
        0.010  bob   -> alice  200 OK
        0.010  bob   -> alice  200 OK
    ",
    );
    assert_eq!(net[bob].log, ["PING", "PING"]);
}

#[test]
fn a_delayed_message_is_overtaken() {
    let (mut net, alice, bob) = pair(7);
    net.delay_next(50 * MS);
    for label in ["ONE 1 SIP/2.0", "TWO 2 SIP/2.0"] {
        net.node_mut(alice, |toy, _| toy.send(bob_addr(), &message(label, "")));
    }
    net.settle();
    assert_eq!(net[bob].log, ["TWO", "ONE"]);
    let arrived: Vec<_> = net.arrows().iter().map(|arrow| arrow.received_at.unwrap() - arrow.sent_at).collect();
    assert_eq!(arrived[..2], [60 * MS, 10 * MS]);
}

#[test]
fn jitter_reorders() {
    let mut reordered = 0;
    for_each_seed(20, |seed| {
        let (mut net, alice, bob) = pair(seed);
        net.set_link(Link { jitter: 50 * MS, ..Link::default() });
        for label in ["ONE 1 SIP/2.0", "TWO 2 SIP/2.0"] {
            net.node_mut(alice, |toy, _| toy.send(bob_addr(), &message(label, "")));
        }
        net.settle();
        assert_eq!(net[bob].log.len(), 2);
        reordered += usize::from(net[bob].log == ["TWO", "ONE"]);
    });
    if std::env::var_os("SIM_SEED").is_none() {
        assert!((5..=15).contains(&reordered), "{reordered} of 20");
    }
}

#[test]
fn a_lossy_link_loses_its_share() {
    let (mut net, alice, bob) = pair(3);
    net.set_link_from(alice, bob, Link { loss: 0.3, duplicate: 0.5, ..Link::default() });
    for _ in 0..1000 {
        net.node_mut(alice, |toy, _| toy.send(bob_addr(), &message("PING 1 SIP/2.0", "")));
    }
    net.settle();
    let count = |fate, duplicate| {
        net.arrows().iter().filter(|a| &*a.from == "alice" && a.fate == fate && a.duplicate == duplicate).count()
    };
    assert!((250..350).contains(&count(Fate::Lost, false)), "{}", count(Fate::Lost, false));
    assert!((300..400).contains(&count(Fate::Delivered, true)), "{}", count(Fate::Delivered, true));
    assert_eq!(net[alice].log.len(), net[bob].log.len(), "the way back loses nothing");
}

#[test]
fn what_exceeds_the_mtu_is_lost() {
    let (mut net, alice, bob) = pair(7);
    net.set_link_between(alice, bob, Link { mtu: Some(100), ..Link::default() });
    for length in [20, 200] {
        net.node_mut(alice, |toy, _| toy.send(bob_addr(), &message("PING 1 SIP/2.0", &"x".repeat(length))));
    }
    net.settle();
    net.assert_ladder_untimed(
        "
        alice -> bob    PING
        alice -> bob    PING   (lost)
        bob   -> alice  200 OK
    ",
    );
}

#[test]
fn a_partition_cuts_both_ways_and_what_is_in_flight() {
    let (mut net, alice, bob) = pair(7);
    ping(&mut net, alice);
    net.run_for(5 * MS);
    net.partition(alice, bob);
    net.run_for(1000 * MS);
    net.heal();
    net.settle();
    net.assert_ladder(
        "
        0.000  alice -> bob    PING   (lost)
        0.500  alice -> bob    PING   (lost)
        1.500  alice -> bob    PING
        1.510  bob   -> alice  200 OK
    ",
    );
}

#[test]
fn what_is_sent_into_a_partition_is_lost_even_if_it_heals_meanwhile() {
    let (mut net, alice, bob) = pair(7);
    net.partition(alice, bob);
    net.node_mut(alice, |toy, _| toy.send(bob_addr(), &message("PING 1 SIP/2.0", "")));
    net.run_for(5 * MS);
    net.heal();
    net.settle();
    net.assert_ladder("0.000 alice -> bob PING (lost)");
}

#[test]
fn a_one_way_block_cuts_only_that_way() {
    let (mut net, alice, bob) = pair(7);
    net.block(bob, alice);
    ping(&mut net, alice);
    net.run_for(100 * MS);
    net.heal_between(alice, bob);
    net.settle();
    net.assert_ladder_untimed(
        "
        alice -> bob    PING
        bob   -> alice  200 OK   (lost)
        alice -> bob    PING
        bob   -> alice  200 OK
    ",
    );
}

#[test]
fn what_nobody_receives_is_lost() {
    let (mut net, alice, _bob) = pair(7);
    net.node_mut(alice, |toy, now| toy.ping(addr("10.0.0.9:5060"), now));
    net.run_to_quiet(Duration::from_secs(60));
    net.assert_ladder(
        "
        0.000  alice -> 10.0.0.9:5060  PING   (lost)
        0.500  alice -> 10.0.0.9:5060  PING   (lost)
        1.500  alice -> 10.0.0.9:5060  PING   (lost)
        3.500  alice -> 10.0.0.9:5060  PING   (lost)
    ",
    );
    assert_eq!(net[alice].log, ["timed out"]);
}

#[test]
fn keep_alives_are_delivered_but_not_shown_nor_struck() {
    let (mut net, alice, bob) = pair(7);
    net.lose_next(1);
    net.node_mut(alice, |toy, _| toy.send(bob_addr(), &"\r\n\r\n".into()));
    net.settle();
    assert_eq!(net[bob].log, [""]);
    assert_eq!(net.pending_faults(), 0, "the strike fell on the answer");
    net.assert_ladder("0.010 bob -> alice 200 OK (lost)");
}

#[test]
#[should_panic(expected = "alice sends from 10.0.0.2:5060, which it has not bound")]
fn sending_from_a_foreign_address_is_a_bug() {
    let (mut net, alice, _bob) = pair(7);
    net[alice] = super::toy::Toy::new(bob_addr());
    net[alice].send(alice_addr(), &message("PING 1 SIP/2.0", ""));
    net.settle();
}

#[test]
fn the_same_seed_gives_the_same_ladder() {
    let run = |seed| {
        let (mut net, alice, bob) = pair(seed);
        net.set_link(Link::bad(0.3));
        for _ in 0..20 {
            ping(&mut net, alice);
            net.node_mut(bob, |toy, now| toy.ping(alice_addr(), now));
            net.settle();
        }
        (net.ladder(), net.now(), net.arrows().iter().map(|arrow| arrow.received_at).collect::<Vec<_>>())
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}
