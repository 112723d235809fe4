//! Several targets (RFC 3261 §16.7).

use std::time::Duration;

use sim::{Link, NodeId, for_each_seed};
use sip::Name;
use sip_proxy::{ForwardTo, Group, Plan};

use crate::node::{self, BOB, CAROL, Phone, World, sip, text, to};

fn both(seed: u64) -> World {
    World::new(seed, |_| Plan::fork([to(BOB), to(CAROL)]))
}

fn one_after_the_other(seed: u64) -> World {
    World::new(seed, |_| Plan { then: vec![Group::from_iter([to(CAROL)])], ..Plan::fork([to(BOB)]) })
}

#[test]
fn who_answers_first_gets_the_call_and_the_other_is_cancelled() {
    let mut world = both(1);
    world.bob_answers(&[(0, 180), (1000, 200)]);
    world.carol_answers(&[(0, 180), (9000, 200)]);
    world.invite(&sip(BOB));
    world.net.settle();
    world.net.assert_ladder(
        "
        0.000  alice -> proxy  INVITE
        0.010  proxy -> alice  100 Trying
        0.010  proxy -> bob    INVITE
        0.010  proxy -> carol  INVITE
        0.020  bob   -> proxy  180 Ringing
        0.020  carol -> proxy  180 Ringing
        0.030  proxy -> alice  180 Ringing
        0.030  proxy -> alice  180 Ringing
        1.020  bob   -> proxy  200 OK
        1.030  proxy -> alice  200 OK
        1.030  proxy -> carol  CANCEL
        1.040  alice -> proxy  ACK
        1.040  carol -> proxy  200 OK
        1.040  carol -> proxy  487 Request Terminated
        1.050  proxy -> bob    ACK
        1.050  proxy -> carol  ACK
    ",
    );
    let cancel = world.net[world.carol].received.iter().find(|r| r.method() == sip::Method::Cancel).unwrap();
    assert_eq!(cancel.header(Name::Reason), Some(&b"SIP;cause=200;text=\"Call completed elsewhere\""[..]));
    assert_eq!(world.net[world.proxy].log, ["INVITE 180", "INVITE 180", "INVITE 200"]);
    world.assert_nothing_is_left();
    assert_eq!(world.net[world.proxy].log[3..], ["done 200"]);
}

#[test]
fn two_phones_that_answer_at_once_both_reach_the_caller() {
    let mut world = both(2);
    world.bob_answers(&[(1000, 200)]);
    world.carol_answers(&[(1005, 200)]);
    world.invite(&sip(BOB));
    world.net.settle();
    let tags: Vec<_> = world.net[world.alice].responses.iter().map(|r| text_of(r.to_tag())).collect();
    assert_eq!(
        (world.statuses(), tags),
        (vec![100, 200, 200], vec![String::new(), "tag-bob".into(), "tag-carol".into()])
    );
    assert_eq!((world.net[world.bob].acks, world.net[world.carol].acks), (1, 1));
    world.assert_nothing_is_left();
}

#[test]
fn the_best_of_all_refusals_is_sent() {
    let cases = [
        ((486, 404), 486),
        ((486, 302), 302),
        ((500, 486), 486),
        ((486, 603), 603),
        ((480, 407), 407),
        ((408, 486), 486),
        ((503, 486), 486),
        ((503, 503), 500),
        ((503, 504), 504),
        ((481, 415), 415),
    ];
    for ((bob, carol), best) in cases {
        let mut world = both(3);
        world.bob_answers(&[(0, bob)]);
        world.carol_answers(&[(500, carol)]);
        world.invite(&sip(BOB));
        world.net.settle();
        assert_eq!(world.statuses(), [100, best], "{bob} and {carol}");
        world.assert_nothing_is_left();
    }
}

#[test]
fn the_challenges_of_all_are_collected() {
    let mut world = both(4);
    for (node, name, realm) in [(world.bob, Name::WwwAuthenticate, "b"), (world.carol, Name::ProxyAuthenticate, "c")] {
        world.net[node].extra = vec![(name, format!("Digest realm=\"{realm}\", nonce=\"{{status}}\""))];
    }
    world.bob_answers(&[(0, 401)]);
    world.carol_answers(&[(100, 407)]);
    world.invite(&sip(BOB));
    world.net.settle();
    let response = &world.net[world.alice].responses[1];
    assert_eq!(response.status(), 401);
    assert_eq!(response.header(Name::WwwAuthenticate), Some(&b"Digest realm=\"b\", nonce=\"401\""[..]));
    assert_eq!(response.header(Name::ProxyAuthenticate), Some(&b"Digest realm=\"c\", nonce=\"407\""[..]));
    world.assert_nothing_is_left();
}

#[test]
fn a_global_refusal_cancels_the_others_and_waits_for_them() {
    let mut world = both(5);
    world.bob_answers(&[(0, 180), (60_000, 200)]);
    world.carol_answers(&[(300, 603)]);
    world.invite(&sip(BOB));
    world.net.settle();
    world.net.ladder_view().without(&["100 Trying", "180 Ringing"]).untimed().assert(
        "
        alice -> proxy  INVITE
        proxy -> bob    INVITE
        proxy -> carol  INVITE
        carol -> proxy  603 Decline
        proxy -> carol  ACK
        proxy -> bob    CANCEL
        bob   -> proxy  200 OK
        bob   -> proxy  487 Request Terminated
        proxy -> bob    ACK
        proxy -> alice  603 Decline
        alice -> proxy  ACK
    ",
    );
    world.assert_nothing_is_left();
}

#[test]
fn the_next_group_is_tried_when_the_first_one_refused() {
    let mut world = one_after_the_other(6);
    world.bob_answers(&[(0, 180), (500, 486)]);
    world.carol_answers(&[(0, 200)]);
    world.invite(&sip(BOB));
    world.net.settle();
    assert_eq!(world.statuses(), [100, 180, 200]);
    assert_eq!(world.net[world.carol].acks, 1);
    world.assert_nothing_is_left();
}

#[test]
fn after_a_global_refusal_nobody_else_is_tried() {
    let mut world = one_after_the_other(7);
    world.bob_answers(&[(0, 600)]);
    world.invite(&sip(BOB));
    world.net.settle();
    assert_eq!(world.statuses(), [100, 600]);
    assert!(world.net[world.carol].received.is_empty());
    world.assert_nothing_is_left();
}

#[test]
fn an_unreachable_target_does_not_keep_the_next_one_from_being_tried() {
    let mut world =
        World::new(8, |_| Plan { then: vec![Group::from_iter([to(CAROL)])], ..Plan::fork([to("nowhere.example")]) });
    world.carol_answers(&[(0, 200)]);
    world.invite(&sip(BOB));
    world.net.settle();
    assert_eq!(world.statuses(), [100, 200]);
    world.assert_nothing_is_left();
}

#[test]
fn breadth_is_shared_out() {
    let mut world = both(9);
    world.request("MESSAGE", &sip(BOB), &[(Name::MaxBreadth, "5")]);
    world.net.settle();
    let breadth = |node: NodeId<Phone>| world.net[node].received[0].header(Name::MaxBreadth).map(text_of);
    assert_eq!((breadth(world.bob), breadth(world.carol)), (Some("3".into()), Some("2".into())));
    world.assert_nothing_is_left();
}

#[test]
fn a_forked_message_is_answered_once() {
    let mut world = both(10);
    world.request("MESSAGE", &sip(BOB), &[]);
    world.net.run_for(Duration::from_secs(1));
    assert_eq!(world.statuses(), [200]);
    assert_eq!(world.net[world.proxy].log, ["MESSAGE 200", "done 200"]);
    world.assert_nothing_is_left();
}

#[test]
fn all_forks_carry_the_same_request_but_for_branch_and_target() {
    let mut world = both(11);
    world.request("MESSAGE", &sip(BOB), &[(Name::MaxBreadth, "4")]);
    world.net.settle();
    let rest = |node: NodeId<Phone>| {
        let text = text(&world.net[node].received[0]);
        text.lines().skip(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(rest(world.bob), rest(world.carol));
}

/// Whoever answers, refuses, is silent or is cancelled, and whatever gets lost: it ends, and leaves nothing.
#[test]
fn forks_end_on_any_network() {
    for_each_seed(150, |seed| {
        let mut world = World::new(seed, |_| {
            let far = ForwardTo::uri(sip("nowhere.example"));
            Plan {
                then: vec![Group::from_iter([far, to(CAROL)]), Group::from_iter([to(BOB)])],
                ..Plan::fork([to(BOB), to(CAROL)])
            }
        });
        world.net.set_link(Link::bad(0.2));
        let mut dice = world.net.entropy();
        let mut draw = |answers: &[u16]| answers[dice.below(answers.len() as u64) as usize];
        for node in [world.bob, world.carol] {
            let script = [
                (0, draw(&[100, 180, 183])),
                (u64::from(draw(&[1, 400, 3000])), draw(&[200, 200, 302, 486, 503, 603])),
            ];
            if draw(&[0, 1, 2]) > 0 {
                world.net[node].answers = node::script(&script);
            }
        }
        world.invite(&sip(BOB));
        world.net.run_for(Duration::from_millis(u64::from(draw(&[0, 100, 420, 3010]))));
        if draw(&[0, 1]) == 1 {
            world.net.node_mut(world.alice, |alice, now| alice.cancel("SIP", now));
        }
        world.assert_nothing_is_left();
        let log = &world.net[world.proxy].log;
        assert!(log.iter().filter(|line| line.starts_with("done")).count() <= 1, "{log:?}");
    });
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
