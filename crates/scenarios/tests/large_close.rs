//! A close in the middle of a message of ten million octets, by either side or both, off and on the media path.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test picks the events that it is about")]

use std::time::Duration;

use flow::{CloseBy, MediaPath};
use role_client::{Client, Event};
use scenarios::{System, Topology};
use sim::{Link, for_each_seed};
use wire::{Entropy, Transport};

/// Octets of the message.
const SIZE: usize = 10_000_000;

fn topology(seed: u64) -> Topology {
    let place = if seed.is_multiple_of(2) { MediaPath::Off } else { MediaPath::On };
    let transport = if seed % 4 < 2 { Transport::Udp } else { Transport::Tcp };
    Topology { pf_a: place, pf_b: place, transport }
}

#[test]
fn a_close_in_the_middle_of_ten_megabytes_leaves_no_half_and_no_double_and_the_sender_knows() {
    let text = "0123456789".repeat(SIZE / 10);
    let (mut sent, mut unsent) = (0, 0);
    for_each_seed(200, |seed| {
        let mut dice = Entropy::from_seed(seed);
        let mut system = System::new(seed, topology(seed));
        system.register();
        system.settle();
        let sessions = system.establish();
        // So slow that the message is under way for seconds.
        let delay = Duration::from_millis(60 + dice.below(60));
        system.net.set_link(Link { delay, ..Link::default() });
        let from_a = dice.below(2) == 0;
        let (client, session) = if from_a { (system.client_a, sessions.0) } else { (system.client_b, sessions.1) };
        let id = system.net.node_mut(client, |c: &mut Client, now| c.send(session, &text, now));
        let id = id.expect("a session that is up takes messages");
        system.run_for(Duration::from_millis(dice.below(500)));
        let by = [CloseBy::A, CloseBy::B, CloseBy::Both][dice.below(3) as usize];
        system.close(by, sessions);
        system.run_for(Duration::from_secs(100));
        let (from, to) = if from_a { ("client-a", "client-b") } else { ("client-b", "client-a") };
        let content = |event: &Event| match event {
            Event::Message { content, .. } => Some(content.clone()),
            _ => None,
        };
        let came: Vec<_> = system.told_by(to).filter_map(content).collect();
        assert!(
            came.len() <= 1 && came.iter().all(|content| content == text.as_bytes()),
            "seed {seed}: half, or double"
        );
        let ends: Vec<_> = system
            .told_by(from)
            .filter_map(|event| match event {
                Event::Sent { message_id, .. } if *message_id == id => Some(true),
                Event::NotSent { message_id, .. } if *message_id == id => Some(false),
                _ => None,
            })
            .collect();
        let [is_sent] = ends.as_slice() else { panic!("seed {seed}: the sender is told once: {ends:?}") };
        assert!(!is_sent || came.len() == 1, "seed {seed}: taken and not come");
        assert_eq!(system.open(), [], "seed {seed}\n{}", system.net.ladder());
        if *is_sent { sent += 1 } else { unsent += 1 }
    });
    assert!(unsent > 100, "the closes come in the middle: {sent} were sent, {unsent} were not");
}
