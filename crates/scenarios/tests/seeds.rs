//! Every topology on a bad network, with many seeds: no ladder is expected, but what must hold whatever happens.
//!
//! What is promised before any session timer runs out:
//!
//! * Where no node dies, each client is told of one end of each session, within 32 s of the close for each hop that
//!   nothing gets through, and no node holds anything when the tombstones are gone.
//! * Where a participating function on the media path dies, its legs die with it, and nobody tells the ends: a leg stays
//!   up until its user closes it (its BYE is then answered 481, which is as good as 200). The tests close both ends.
//! * Where a core or a participating function off the media path dies, the dialog passes as before: the way is in the
//!   Route set. What was under way is lost: an INVITE in a dead node is given up by Timer C of the node before it.
//! * Where a client dies, nobody closes its session: a participating function off the media path forgets it as a silent
//!   session, a short while in these tests.

use std::time::Duration;

use flow::CloseBy;
use role_client::Client;
use scenarios::{Setup, Site, System, Topology, audit};
use sim::{Link, NodeRef, for_each_seed};
use wire::{Entropy, Transport};

const SEEDS: u64 = 200;

/// Longer than Timer C, Timer B behind it, and a tombstone.
const EVERYTHING_IS_OVER: Duration = Duration::from_secs(181 + 3 * 32 + 40);

/// Where a client may die: longer than any session here lives, shorter than what we wait in the end. Elsewhere no session
/// may have to be forgotten.
const SILENT_SESSION: Duration = Duration::from_secs(300);
const NEVER: Duration = Duration::from_secs(1_000_000);

fn millis(dice: &mut Entropy, below: u64) -> Duration {
    Duration::from_millis(dice.below(below))
}

/// Both clients are registered, on a network in order.
fn ready(seed: u64, topology: Topology, silent_session: Duration) -> System {
    let mut setup = Setup::new(seed, topology);
    (setup.pf_a.silent_session, setup.pf_b.silent_session) = (silent_session, silent_session);
    let mut system = setup.build();
    system.register();
    system.settle();
    system
}

/// Those of `by` close what they have; if none has anything yet, both do when the session had time to come up. Then every
/// end has time to learn of it.
fn close(system: &mut System, by: CloseBy) {
    let closed = start_closing(system, by);
    system.run_for(Duration::from_secs(70));
    if closed == 0 {
        close_the_rest(system);
    }
}

/// Those of `by` close what they have; returns how many sessions.
fn start_closing(system: &mut System, by: CloseBy) -> usize {
    let mut closed = 0;
    if by != CloseBy::B {
        closed += system.close_all_of("client-a");
    }
    if by != CloseBy::A {
        closed += system.close_all_of("client-b");
    }
    closed
}

/// Both users close what is still up.
fn close_the_rest(system: &mut System) {
    system.close_all_of("client-a");
    system.close_all_of("client-b");
    system.run_for(Duration::from_secs(70));
}

/// Lets everything end, then looks for what is left.
fn assert_over(system: &mut System, died: &[Site]) {
    system.net.set_link(Link::default());
    system.run_for(EVERYTHING_IS_OVER);
    // A registration may be being refreshed at any moment.
    system.settle();
    audit(system, died);
    assert_eq!(system.open(), [], "{:?}\n{}", system.topology, system.net.ladder());
}

/// Every topology over `transport`, closed from either side and from both, with every seed. The dice are for what `play`
/// wants drawn.
fn for_all(transport: Transport, silent_session: Duration, play: impl Fn(System, CloseBy, Entropy)) {
    for_each_seed(SEEDS, |seed| {
        for topology in Topology::all().into_iter().filter(|topology| topology.transport == transport) {
            for (n, by) in [CloseBy::A, CloseBy::B, CloseBy::Both].into_iter().enumerate() {
                let seed = seed * 3 + n as u64;
                play(ready(seed, topology, silent_session), by, Entropy::from_seed(seed));
            }
        }
    });
}

/// Half of them close while the session may still be being set up.
fn draw_wait(dice: &mut Entropy) -> Duration {
    if dice.below(2) == 0 { millis(dice, 3_000) } else { Duration::from_secs(40) }
}

#[test]
fn udp_may_lose_repeat_and_reorder() {
    for_all(Transport::Udp, NEVER, |mut system, by, mut dice| {
        system.net.set_link(Link::bad(0.05 + 0.15 * dice.below(100) as f64 / 100.0));
        system.call();
        system.run_for(draw_wait(&mut dice));
        let were_up = system.up("client-a").len() + system.up("client-b").len();
        close(&mut system, by);
        let live = [system.live("client-a"), system.live("client-b")];
        assert_eq!(live, [[], []], "{:?} {:#?}\n{}", system.topology, system.told, system.net.ladder());
        assert_over(&mut system, &[]);
        if were_up == 2 {
            let count = |pf| system.records.iter().filter(|(site, _)| *site == pf).count();
            assert_eq!([count(Site::PfA), count(Site::PfB)], [1, 1], "{:?}", system.records);
        }
    });
}

/// Breaks the connections between two neighbours, if there are any.
fn break_some(system: &mut System, dice: &mut Entropy) {
    let (ca, a, pa) = (system.client_a.into(), system.core_a.into(), system.pf_a.into());
    let (cb, b, pb): (NodeRef, NodeRef, NodeRef) = (system.client_b.into(), system.core_b.into(), system.pf_b.into());
    let pairs: [(NodeRef, NodeRef); 5] = [(ca, a), (a, pa), (a, b), (b, pb), (b, cb)];
    let (one, other) = pairs[dice.below(5) as usize];
    system.net.break_connections(one, other);
}

#[test]
fn tcp_may_be_cut_up_and_broken() {
    for_all(Transport::Tcp, NEVER, |mut system, by, mut dice| {
        system.net.set_link(Link { jitter: Duration::from_millis(50), loss: 0.05, ..Link::default() });
        system.call();
        let closes_at = draw_wait(&mut dice);
        let breaks_at = millis(&mut dice, 3_000).min(closes_at);
        system.run_for(breaks_at);
        break_some(&mut system, &mut dice);
        system.run_for(closes_at - breaks_at);
        if dice.below(2) == 0 {
            break_some(&mut system, &mut dice);
        }
        close(&mut system, by);
        let live = [system.live("client-a"), system.live("client-b")];
        assert_eq!(live, [[], []], "{:?} {:#?}\n{}", system.topology, system.told, system.net.ladder());
        assert_over(&mut system, &[]);
    });
}

#[test]
fn any_node_may_die_and_come_back() {
    for transport in [Transport::Udp, Transport::Tcp] {
        for_all(transport, SILENT_SESSION, |mut system, by, mut dice| {
            // One of the three ways to close for each seed: there are six nodes that may die, too.
            if system.net.seed() / 3 % 3 != by as u64 {
                return;
            }
            let victim = Site::ALL[dice.below(6) as usize];
            if transport == Transport::Udp {
                system.net.set_link(Link::bad(0.05));
            }
            system.call();
            // It dies while the session is set up, while it is up, or while it is closed.
            let (dies_at, closes_at) = (millis(&mut dice, 8_000), millis(&mut dice, 8_000));
            system.run_for(dies_at.min(closes_at));
            if closes_at < dies_at {
                start_closing(&mut system, by);
                system.run_for(dies_at - closes_at);
            }
            system.crash(victim);
            system.run_for(millis(&mut dice, 5_000));
            system.restart(victim);
            match victim {
                Site::ClientA => system.net.node_mut(system.client_a, Client::register),
                Site::ClientB => system.net.node_mut(system.client_b, Client::register),
                Site::CoreA | Site::PfA | Site::CoreB | Site::PfB => {}
            }
            system.run_for(millis(&mut dice, 2_000));
            start_closing(&mut system, by);
            system.run_for(Duration::from_secs(70));
            close_the_rest(&mut system);
            assert_over(&mut system, &[victim]);
        });
    }
}
