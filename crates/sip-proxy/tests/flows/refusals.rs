//! What the proxy answers itself (RFC 3261 §16.3).

use sip::Name;
use sip_proxy::{ForwardTo, Plan};
use sip_tx::Target;
use wire::Transport;

use crate::node::{ALICE, BOB, PROXY, World, sip, to};

#[test]
fn a_request_that_may_go_no_further_is_answered_483() {
    let mut world = World::along(1);
    world.request("MESSAGE", &sip(BOB), &[(Name::MaxForwards, "0")]);
    world.net.settle();
    assert_eq!(world.statuses(), [483]);
    assert!(world.net[world.bob].received.is_empty());
    world.assert_nothing_is_left();
}

#[test]
fn the_last_hop_is_still_taken() {
    let mut world = World::along(1);
    world.request("MESSAGE", &sip(BOB), &[(Name::MaxForwards, "1")]);
    world.net.settle();
    assert_eq!(world.statuses(), [200]);
    assert_eq!(world.net[world.bob].received[0].max_forwards(), Some(0));
}

#[test]
fn an_extension_that_the_proxy_lacks_is_answered_420() {
    let mut world = World::along(2);
    world.request("MESSAGE", &sip(BOB), &[(Name::ProxyRequire, "known, foo"), (Name::ProxyRequire, "bar")]);
    world.net.settle();
    assert_eq!(world.statuses(), [420]);
    assert_eq!(world.net[world.alice].responses[0].header(Name::Unsupported), Some(&b"foo, bar"[..]));
    world.request("MESSAGE", &sip(BOB), &[(Name::ProxyRequire, "known")]);
    world.net.settle();
    assert_eq!(world.statuses(), [420, 200]);
    world.assert_nothing_is_left();
}

#[test]
fn a_loop_is_answered_482_where_it_closes() {
    let mut world = World::new(3, |_| Plan::to(ForwardTo::along().at(Target::new(Transport::Udp, sim::addr(PROXY)))));
    world.invite(&sip(BOB));
    world.net.settle();
    world.net.assert_ladder_untimed(
        "
        alice -> proxy  INVITE
        proxy -> alice  100 Trying
        proxy -> proxy  INVITE
        proxy -> proxy  482 Loop Detected
        proxy -> proxy  ACK
        proxy -> alice  482 Loop Detected
        alice -> proxy  ACK
    ",
    );
    world.assert_nothing_is_left();
}

#[test]
fn a_spiral_is_no_loop() {
    let mut world = World::new(4, |request| match request.uri().user() {
        Some(b"one") => Plan::to(ForwardTo::uri(sip(BOB)).at(Target::new(Transport::Udp, sim::addr(PROXY)))),
        Some(_) | None => Plan::to(ForwardTo::along()),
    });
    world.request("MESSAGE", "sip:one@b.example", &[]);
    world.net.settle();
    assert_eq!(world.statuses(), [200]);
    assert_eq!(world.net[world.proxy].log, ["MESSAGE 200", "done 200", "MESSAGE 200", "done 200"]);
    assert_eq!(world.net[world.bob].received[0].max_forwards(), Some(68));
    world.assert_nothing_is_left();
}

#[test]
fn a_branch_that_only_looks_like_ours_is_no_loop() {
    let mut world = World::along(5);
    world.request("MESSAGE", &sip(BOB), &[(Name::Via, "SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK0000000000000000")]);
    world.net.settle();
    assert_eq!(world.net[world.bob].received.len(), 1);
}

#[test]
fn a_scheme_that_leads_nowhere_is_answered_416() {
    let mut world = World::along(6);
    for uri in ["mailto:bob@b.example", "tel:+15550001"] {
        world.request("MESSAGE", uri, &[]);
        world.net.settle();
    }
    assert_eq!(world.statuses(), [416, 416]);
    world.assert_nothing_is_left();
}

#[test]
fn a_scheme_that_the_next_hop_must_know_is_forwarded() {
    let mut world = World::along(6);
    world.request("MESSAGE", "urn:service:sos", &[(Name::Route, &format!("<sip:{BOB};lr>"))]);
    world.net.settle();
    assert_eq!(world.statuses(), [200]);
    assert_eq!(world.net[world.bob].received[0].uri_text(), b"urn:service:sos");
}

#[test]
fn a_name_without_an_address_is_answered_500() {
    let mut world = World::along(7);
    world.request("MESSAGE", "sip:bob@nowhere.example", &[]);
    world.net.settle();
    assert_eq!(world.statuses(), [500]);
    world.assert_nothing_is_left();
}

#[test]
fn a_request_without_a_target_is_answered_480() {
    let mut world = World::new(8, |_| Plan::default());
    world.invite(&sip(BOB));
    world.net.settle();
    assert_eq!(world.statuses(), [100, 480]);
    world.assert_nothing_is_left();
}

#[test]
fn a_route_that_cannot_be_read_is_answered_400() {
    let mut world = World::along(9);
    world.request("MESSAGE", &sip(BOB), &[(Name::Route, "<sip:")]);
    world.net.settle();
    assert_eq!(world.statuses(), [400]);
    world.assert_nothing_is_left();
}

#[test]
fn what_may_not_be_forked_so_widely_is_answered_440() {
    let mut world = World::new(10, |_| Plan::fork([to(BOB), to(ALICE)]));
    world.request("MESSAGE", &sip(BOB), &[(Name::MaxBreadth, "1")]);
    world.net.settle();
    assert_eq!(world.statuses(), [440]);
    assert!(world.net[world.bob].received.is_empty());
    world.assert_nothing_is_left();
}
