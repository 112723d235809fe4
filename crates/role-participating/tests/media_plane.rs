//! Messages through participating functions on the media path.

mod common;

use std::time::Duration;

use common::{End, Plan, World};
use msrp::{Failure, Outline, Status};
use sdp::Setup;
use sim::NodeId;
use wire::Entropy;

const CPIM: &[u8] = b"From: <sip:alice@home1.test>\r\nTo: <sip:bob@home2.test>\r\nNS: imdn <urn:ietf:params:imdn>\r\n\
    imdn.Message-ID: 1\n\r\n\r\nContent-Type: text/plain\r\n\r\nh\xc3\xa9llo \x00\xff";

fn cpim() -> Outline {
    Outline::new("message/cpim;x=\"y\"").with_success_report()
}

fn octets(seed: u64, len: usize) -> Vec<u8> {
    let mut dice = Entropy::from_seed(seed);
    (0..len).map(|_| dice.below(256) as u8).collect()
}

#[test]
fn messages_pass_each_way_once_and_unchanged() {
    for pfs in [1, 2] {
        for a in [Setup::ActPass, Setup::Active, Setup::Passive] {
            for b in [Setup::Active, Setup::Passive] {
                for has_offer in [true, false] {
                    let plan = Plan { pfs, setups: [a, b], has_offer, ..Plan::default() };
                    let mut world = World::new(&plan);
                    let to_bob = world.net.node_mut(world.alice, |end, now| end.send(cpim(), CPIM, now));
                    let to_alice = world.net.node_mut(world.bob, |end, now| end.send(cpim(), CPIM, now));
                    world.net.run_for(Duration::from_secs(1));
                    for (end, id, sent) in [(world.bob, &to_bob, &to_alice), (world.alice, &to_alice, &to_bob)] {
                        let end = &world.net[end];
                        let [(outline, body)] = end.inbox.as_slice() else {
                            panic!("{plan:?} {:?}\n{}", end.inbox, world.net.ladder())
                        };
                        assert_eq!(body, CPIM);
                        assert_eq!(outline.content_type(), Some("message/cpim;x=\"y\""));
                        assert_eq!(outline.message_id.as_ref().map(msrp::MessageId::as_str), Some(id.as_str()));
                        assert_eq!(end.sent, std::slice::from_ref(sent));
                        assert_eq!(end.reports, [(sent.clone(), Status::OK)], "the far end's own report");
                    }
                    world.net.node_mut(world.alice, End::close);
                    world.assert_empty();
                }
            }
        }
    }
}

#[test]
fn a_large_message_streams_through_whoever_is_slow() {
    let mut world = World::new(&Plan::default());
    let body = octets(7, 5 << 20);
    world.net.node_mut(world.alice, |end, now| end.send(cpim(), body.clone(), now));
    let mut most = 0;
    let mut steps = 0;
    while world.net[world.bob].inbox.is_empty() && world.net.step() {
        steps += 1;
        if steps % 4000 == 1000 {
            world.net.node_mut(world.bob, |end, now| end.read(false, now));
        } else if steps % 4000 == 1500 {
            world.net.node_mut(world.bob, |end, now| end.read(true, now));
        }
        most = world.pfs.iter().map(|pf| world.net[*pf].buffered_octets()).fold(most, usize::max);
    }
    assert_eq!(world.net[world.bob].inbox[0].1, body);
    assert!(most < 1 << 20, "{most} octets were held at a time");
    world.net.run_for(Duration::from_secs(1));
    assert_eq!(world.net[world.alice].sent.len(), 1);
    world.net.node_mut(world.bob, End::close);
    world.net.run_for(Duration::from_secs(3));
    for (pf, sent, received) in [(world.pfs[0], 1, 0), (world.pfs[1], 0, 1)] {
        let record = world.net.node_mut(pf, |pf, _| pf.take_record()).unwrap();
        assert_eq!([record.sent.messages, record.received.messages], [sent, received]);
        let len = body.len() as u64;
        assert_eq!([record.sent.octets, record.received.octets], [sent * len, received * len]);
    }
    world.assert_empty();
}

#[test]
fn too_large_a_message_is_answered_413_and_the_session_lives() {
    let mut world = World::new(&Plan { max_message_size: Some(1000), ..Plan::default() });
    let large = world.net.node_mut(world.alice, |end, now| end.send(cpim(), octets(1, 1001), now));
    let small = world.net.node_mut(world.alice, |end, now| end.send(cpim(), octets(1, 1000), now));
    world.net.run_for(Duration::from_secs(1));
    let alice = &world.net[world.alice];
    assert_eq!(alice.failed, [(large, Failure::Refused(Status::STOP_SENDING))]);
    assert_eq!((alice.sent.as_slice(), alice.is_over), (&[small][..], false));
    assert_eq!(world.net[world.bob].inbox.len(), 1);
}

#[test]
fn what_the_far_end_refuses_is_refused_to_the_sender() {
    let mut world = World::new(&Plan::default());
    let id = world.net.node_mut(world.alice, |end, now| end.send(Outline::new("image/png"), "png", now));
    world.net.run_for(Duration::from_secs(1));
    let refused = Failure::Refused(Status::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(world.net[world.alice].failed, [(id, refused)]);
}

#[test]
fn a_lost_connection_fails_messages_and_leaves_the_session() {
    let mut world = World::new(&Plan::default());
    world.net.node_mut(world.bob, |end, now| end.read(false, now));
    let id = world.net.node_mut(world.alice, |end, now| end.send(cpim(), octets(3, 100_000), now));
    world.net.run_for(Duration::from_secs(1));
    assert_eq!(world.net.break_connections(world.pfs[1], world.bob), 1);
    world.net.run_for(Duration::from_secs(1));
    let alice = &world.net[world.alice];
    assert_eq!(alice.failed, [(id, Failure::Refused(Status::TIMEOUT))]);
    assert!(!alice.is_over && !world.net[world.bob].is_over);
    world.net.node_mut(world.alice, End::close);
    world.net.run_for(Duration::from_secs(5));
    assert!(world.net[world.bob].is_over);
    world.assert_empty();
}

#[test]
fn a_lost_connection_is_made_again_on_its_leg_alone() {
    // The answerer decides who connects: with Bob passive it is the function, which does so at once. With Bob active it
    // waits for him, and offers a new path when he does not come.
    for (bob, offers) in [(Setup::Passive, 0), (Setup::Active, 1)] {
        let mut world = World::new(&Plan { pfs: 1, setups: [Setup::ActPass, bob], ..Plan::default() });
        assert_eq!(world.net.break_connections(world.pfs[0], world.bob), 1);
        world.net.run_for(Duration::from_secs(1));
        let id = world.net.node_mut(world.alice, |end, now| end.send(cpim(), CPIM, now));
        world.net.run_for(Duration::from_secs(2));
        assert_eq!(world.net[world.bob].offers.len(), offers, "{bob:?}");
        assert_eq!(world.net[world.alice].offers, Vec::<String>::new(), "the other leg is left alone");
        let alice = &world.net[world.alice];
        assert_eq!((alice.sent.as_slice(), world.net[world.bob].inbox.len()), (&[id][..], 1), "{bob:?}");
        let back = world.net.node_mut(world.bob, |end, now| end.send(cpim(), CPIM, now));
        world.net.run_for(Duration::from_secs(1));
        assert_eq!((world.net[world.bob].sent.as_slice(), world.net[world.alice].inbox.len()), (&[back][..], 1));
        world.net.node_mut(world.alice, End::close);
        world.assert_empty();
    }
}

#[test]
fn a_peer_that_offers_a_new_path_is_answered_with_one_and_messages_flow_on() {
    for setups in [[Setup::ActPass, Setup::Passive], [Setup::Active, Setup::Active], [Setup::Passive, Setup::Active]] {
        let mut world = World::new(&Plan { setups, ..Plan::default() });
        for (end, other) in [(world.alice, world.bob), (world.bob, world.alice)] {
            world.net.node_mut(end, End::move_away);
            world.net.run_for(Duration::from_secs(1));
            for (from, to) in [(end, other), (other, end)] {
                let id = world.net.node_mut(from, |end, now| end.send(cpim(), CPIM, now));
                world.net.run_for(Duration::from_secs(1));
                let name = |(outline, _): &(Outline, Vec<u8>)| outline.message_id.as_ref().unwrap().to_string();
                assert_eq!(
                    world.net[to].inbox.last().map(name).as_ref(),
                    Some(&id),
                    "{setups:?}\n{}",
                    world.net.ladder()
                );
                assert_eq!(world.net[from].sent.last(), Some(&id));
            }
        }
        let offered = [world.alice, world.bob].map(|end| world.net[end].offers.len());
        assert_eq!(offered, [0, 0], "nothing of it is seen on the other leg");
        world.net.node_mut(world.alice, End::close);
        world.assert_empty();
    }
}

#[test]
fn a_leg_that_never_connects_ends_the_session() {
    let setups = [Setup::ActPass, Setup::Active];
    let mut world = World::new(&Plan { pfs: 1, setups, bob_connects: false, ..Plan::default() });
    world.net.run_for(Duration::from_secs(30));
    assert!(!world.net[world.alice].is_over && !world.net[world.bob].is_over);
    world.net.run_for(Duration::from_secs(10));
    assert!(world.net[world.alice].is_over && world.net[world.bob].is_over);
    world.assert_empty();
}

#[test]
fn what_is_inside_an_envelope_must_be_what_the_far_end_takes() {
    let mut world = World::new(&Plan { wrapped: "text/plain", ..Plan::default() });
    let with = |kind: &str| format!("From: <sip:a@x>\r\nTo: <sip:b@x>\r\n\r\nContent-Type: {kind}\r\n\r\nhello");
    let mut taken = Vec::new();
    for (kind, is_taken) in [
        ("text/plain", true),
        ("image/png", false),
        ("message/imdn+xml", true),
        ("application/im-iscomposing+xml", true),
        ("text/html", false),
    ] {
        let text = format!("{}{}", with(kind), "x".repeat(10_000));
        let id = world.net.node_mut(world.alice, |end, now| end.send(cpim(), text, now));
        world.net.run_for(Duration::from_secs(1));
        let alice = &world.net[world.alice];
        if is_taken {
            taken.push(id);
        } else {
            let refused = Failure::Refused(Status::UNSUPPORTED_MEDIA_TYPE);
            assert_eq!(alice.failed.last(), Some(&(id, refused)), "{kind}");
        }
        assert_eq!(alice.sent, taken, "{kind}");
    }
    assert_eq!(world.net[world.bob].inbox.len(), taken.len(), "nothing of the others reached Bob");
    let back = world.net.node_mut(world.bob, |end, now| end.send(cpim(), with("text/html"), now));
    world.net.run_for(Duration::from_secs(1));
    assert_eq!(world.net[world.bob].sent, [back], "each leg has its own rules");
}

/// When the BYE of Alice reaches Bob, counted from when she sends it.
fn time_of_bye(world: &mut World) -> Duration {
    let closed = world.net.now();
    world.net.node_mut(world.alice, End::close);
    world.net.run_for(Duration::from_secs(5));
    world.net[world.bob].bye_at.expect("a BYE") - closed
}

#[test]
fn a_bye_with_nothing_under_way_passes_at_once() {
    let mut world = World::new(&Plan::default());
    world.net.node_mut(world.alice, |end, now| end.send(cpim(), CPIM, now));
    world.net.run_for(Duration::from_secs(1));
    assert_eq!(time_of_bye(&mut world), Duration::from_millis(30));
    world.assert_empty();
}

#[test]
fn a_bye_waits_for_messages_of_the_side_that_closes() {
    let mut world = World::new(&Plan { pfs: 1, ..Plan::default() });
    let bob = world.bob;
    world.net.node_mut(bob, |end, now| end.read(false, now));
    world.net.node_mut(world.alice, |end, now| end.send(cpim(), octets(4, 50_000), now));
    world.net.run_for(Duration::from_secs(1));
    world.net.node_mut(world.alice, End::close);
    world.net.run_for(Duration::from_secs(1));
    assert!(world.net[world.alice].is_over, "the 200 does not wait");
    assert_eq!(world.net[bob].bye_at, None);
    world.net.node_mut(bob, |end, now| end.read(true, now));
    world.net.run_for(Duration::from_millis(200));
    assert_eq!(world.net[bob].inbox.len(), 1);
    assert_eq!(world.net[world.alice].sent.len(), 1);
    assert!(world.net[bob].bye_at.is_some());
    world.assert_empty();
}

#[test]
fn a_bye_waits_no_longer_than_two_seconds() {
    let mut world = World::new(&Plan { pfs: 1, ..Plan::default() });
    world.net.node_mut(world.bob, |end, now| end.read(false, now));
    let id = world.net.node_mut(world.alice, |end, now| end.send(cpim(), octets(5, 5 << 20), now));
    world.net.run_for(Duration::from_secs(1));
    let waited = time_of_bye(&mut world);
    assert_eq!(waited, Duration::from_millis(2020));
    assert!(world.net[world.alice].failed.iter().any(|(failed, _)| *failed == id));
    world.net.node_mut(world.bob, |end, now| end.read(true, now));
    world.net.run_for(Duration::from_secs(1));
    assert!(world.net[world.bob].inbox.is_empty());
    world.assert_empty();
}

/// A close while messages are under way both ways, at any moment, by either side or both, who may hang up at once or whose
/// connection may break.
#[test]
fn a_close_at_any_moment_leaves_no_half_and_no_double() {
    sim::for_each_seed(200, |seed| {
        let mut dice = Entropy::from_seed(seed ^ 0x5eed);
        let pfs = 1 + dice.below(2) as usize;
        let mut world = World::new(&Plan { seed, pfs, ..Plan::default() });
        let ends = [world.alice, world.bob];
        let mut bodies = [Vec::new(), Vec::new()];
        for _ in 0..1 + dice.below(6) {
            let from = dice.below(2) as usize;
            let size = [300, 5_000, 300_000][dice.below(3) as usize];
            let body = octets(dice.u64(), size);
            let id = world.net.node_mut(ends[from], |end, now| end.send(cpim(), body.clone(), now));
            bodies[from].push((id, body));
            world.net.run_for(Duration::from_millis(dice.below(40)));
        }
        world.net.run_for(Duration::from_millis(dice.below(200)));
        if dice.below(4) == 0 {
            let end = ends[dice.below(2) as usize];
            for pf in world.pfs.clone() {
                world.net.break_connections(pf, end);
            }
        }
        let closes = 1 + dice.below(3);
        for (n, end) in ends.into_iter().enumerate() {
            if closes & 1 << n != 0 {
                world.net.node_mut(end, End::close);
                if dice.below(2) == 0 {
                    world.net.node_mut(end, End::hang_up);
                }
            }
        }
        world.net.run_for(Duration::from_secs(40));
        for (from, to) in [(0, 1), (1, 0)] {
            check(&world, ends[from], ends[to], &bodies[from]);
        }
        world.assert_empty();
    });
}

/// What one end has sent: each message came as a whole or not at all, once; what is taken has come; the sender knows of each.
fn check(world: &World, from: NodeId<End>, to: NodeId<End>, bodies: &[(String, Vec<u8>)]) {
    let (sender, receiver) = (&world.net[from], &world.net[to]);
    let name = |outline: &Outline| outline.message_id.as_ref().expect("an identifier").to_string();
    for (id, body) in bodies {
        let came: Vec<_> = receiver.inbox.iter().filter(|(outline, _)| name(outline) == *id).collect();
        assert!(came.len() <= 1, "a double of {id}");
        assert!(came.iter().all(|(_, got)| got == body), "{id} has changed");
        let (sent, failed) = (sender.sent.contains(id), sender.failed.iter().any(|(failed, _)| failed == id));
        assert!(!sent || came.len() == 1, "{id} is taken and has not come");
        assert!(sent != failed, "the sender of {id} knows what became of it, once");
    }
    assert!(receiver.inbox.iter().all(|(outline, _)| bodies.iter().any(|(id, _)| *id == name(outline))));
}
