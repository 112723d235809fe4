use std::time::Duration;

use wire::{Input, Instant, Node, Now, Output};

use super::toy::{Toy, alice_addr, bob_addr, message, pair, ping};
use crate::{Fate, Link, Net, addr, for_each_seed};

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_crashed_node_receives_nothing_until_it_is_restarted() {
    let (mut net, alice, bob) = pair(7);
    let dead = net.crash(bob);
    assert_eq!(dead.log, [""; 0]);
    assert!(!net.is_up(bob));
    ping(&mut net, alice);
    net.run_for(1000 * MS);
    net.restart(bob, Toy::new(bob_addr()));
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
fn a_crash_hands_the_dead_machine_back() {
    let (mut net, alice, bob) = pair(7);
    ping(&mut net, alice);
    net.settle();
    assert_eq!(net.crash(bob).log, ["PING"]);
}

#[test]
#[should_panic(expected = "bob is down")]
fn a_crashed_node_cannot_be_touched() {
    let (mut net, _alice, bob) = pair(7);
    net.crash(bob);
    net.node_mut(bob, |_, _| ());
}

#[test]
fn a_paused_node_catches_up() {
    let (mut net, alice, bob) = pair(7);
    ping(&mut net, alice);
    net.pause(bob);
    net.run_for(1000 * MS);
    assert_eq!(net[bob].log, [""; 0]);
    net.resume(bob);
    net.settle();
    net.assert_ladder(
        "
        0.000  alice -> bob    PING
        0.500  alice -> bob    PING
        1.000  bob   -> alice  200 OK
        1.000  bob   -> alice  200 OK
    ",
    );
}

#[test]
fn the_timers_of_a_paused_node_wait() {
    let (mut net, alice, bob) = pair(7);
    net.partition(alice, bob);
    ping(&mut net, alice);
    net.pause(alice);
    net.run_for(10_000 * MS);
    assert_eq!(net.arrows().len(), 1);
    net.resume(alice);
    assert_eq!(net.next_event_at(), Some(net.now()));
    net.run_for(MS);
    assert_eq!(net.arrows().len(), 2, "overdue by far, it fires once");
}

#[test]
fn the_wall_clock_steps_without_the_monotonic_clock() {
    let (mut net, alice, bob) = pair(7);
    net.run_for(1500 * MS);
    let before = net.now_of(alice);
    net.step_wall_clock(alice, -3600);
    let after = net.node_mut(alice, |_, now| now);
    assert_eq!(after.at, before.at);
    assert_eq!(after.utc.as_secs() + 3600, before.utc.as_secs());
    assert_eq!(net.now_of(bob), before);
}

#[test]
fn settling_waits_for_near_timers_only() {
    let (mut net, alice, _bob) = pair(7);
    net.set_settle_horizon(600 * MS);
    net.lose_next(9);
    ping(&mut net, alice);
    net.settle();
    assert_eq!(net.now(), Instant::ZERO + 500 * MS, "the next timer is due a second later");
    assert!(!net.is_quiet());
    assert_eq!(net.next_event_at(), Some(Instant::ZERO + 1500 * MS));
}

#[test]
#[should_panic(expected = "not quiet after 1s: a timer of alice is due at 1.500000s (seed 7)")]
fn a_timer_that_outlives_the_test_is_named() {
    let (mut net, alice, _bob) = pair(7);
    net.lose_next(9);
    ping(&mut net, alice);
    net.run_to_quiet(1000 * MS);
}

#[test]
#[should_panic(expected = "livelock: 100 steps without an end")]
fn a_livelock_ends_the_test() {
    let (mut net, alice, bob) = pair(7);
    net.set_step_limit(100);
    net[alice].answers_answers = true;
    net[bob].answers_answers = true;
    ping(&mut net, alice);
    net.settle();
}

struct Impatient;

impl Node for Impatient {
    fn handle_input(&mut self, _input: Input, _now: Now) {}
    fn handle_timeout(&mut self, _now: Now) {}
    fn poll_output(&mut self) -> Option<Output> {
        None
    }
    fn poll_timeout(&self) -> Option<Instant> {
        Some(Instant::ZERO)
    }
}

#[test]
#[should_panic(expected = "carol was woken at 0.000000s and still wants to be at 0.000000s")]
fn a_node_whose_timeout_does_not_move_on_is_caught() {
    let mut net = Net::new(7);
    net.add("carol", &[], Impatient);
    net.settle();
}

#[test]
fn nodes_of_several_types_share_a_network() {
    let (mut net, alice, _bob) = pair(7);
    let carol = net.add("carol", &[addr("[2001:db8::1]:5060")], Sink::default());
    net.node_mut(alice, |toy, _| toy.send(addr("[2001:db8::1]:5060"), &message("PING 1 SIP/2.0", "")));
    while net.step() {}
    assert_eq!(net[carol].inputs.len(), 1);
}

#[derive(Default)]
struct Sink {
    inputs: Vec<Input>,
}

impl Node for Sink {
    fn handle_input(&mut self, input: Input, _now: Now) {
        self.inputs.push(input);
    }
    fn handle_timeout(&mut self, _now: Now) {}
    fn poll_output(&mut self) -> Option<Output> {
        None
    }
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

#[test]
#[should_panic(expected = "udp 10.0.0.1:5060 is already bound by alice")]
fn an_address_has_one_owner() {
    let (mut net, _alice, _bob) = pair(7);
    net.add("carol", &[alice_addr()], Sink::default());
}

#[test]
fn under_every_fault_at_once_nothing_is_left_over() {
    for_each_seed(200, |seed| {
        let (mut net, alice, bob) = pair(seed);
        let mut dice = net.entropy();
        net.set_link(Link::bad(0.2));
        for _ in 0..30 {
            match dice.below(9) {
                0 => net.partition(alice, bob),
                1 => net.heal(),
                2 => {
                    net.crash(bob);
                    net.run_for(MS * dice.below(3000) as u32);
                    net.restart(bob, Toy::new(bob_addr()));
                }
                3 => drop(net.break_connections(alice, bob)),
                4 => drop(net.black_hole_connections(alice, bob)),
                5 => ping(&mut net, alice),
                _ => {
                    let conn = net.node_mut(alice, |toy, _| toy.open(bob_addr()));
                    net.node_mut(alice, |toy, _| {
                        toy.write(conn, &message("PING 1 SIP/2.0", "x"));
                        if seed % 2 == 0 {
                            toy.close(conn);
                        }
                    });
                }
            }
            net.run_for(MS * dice.below(2000) as u32);
        }
        net.heal();
        net.run_to_quiet(Duration::from_secs(120));
        let pending = net.arrows().iter().filter(|arrow| arrow.fate == Fate::InFlight).count();
        assert_eq!(pending, 0, "{}", net.ladder());
        if seed % 2 == 0 {
            assert_eq!(net.open_connections(alice), 0);
        }
    });
}
