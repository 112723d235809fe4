//! Route, Record-Route, strict routers and maddr (RFC 3261 §16.4, §16.6 steps 4 and 6).

use sip::Name;
use sip_proxy::{ForwardTo, Plan, RecordRoute};

use crate::node::{BOB, CAROL, PROXY, PROXY_2, World, relay, sip, text};

fn routes(request: &sip::Request, name: Name) -> Vec<String> {
    request.values(name).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

#[test]
fn routes_of_ours_are_taken_off_and_the_next_one_is_followed() {
    let mut world = World::along(1);
    let route = format!("<sip:first@{PROXY};lr>, <sip:second@{PROXY};lr>,<sip:{BOB};lr> , <sip:other.example;lr>");
    world.request("MESSAGE", "sip:x@far.example", &[(Name::Route, &route)]);
    world.net.settle();
    let received = &world.net[world.bob].received[0];
    assert_eq!(routes(received, Name::Route), [&format!("<sip:{BOB};lr>"), "<sip:other.example;lr>"]);
    assert_eq!(received.uri_text(), b"sip:x@far.example");
    assert_eq!(world.net[world.proxy].own, ["first", "second"]);
}

#[test]
fn pushed_routes_come_on_top_and_are_followed() {
    let mut world = World::new(2, |_| {
        Plan::to(ForwardTo::along().via_routes([format!("<sip:{BOB};lr>"), "<sip:odi@core.example;lr>".to_owned()]))
    });
    let route = format!("<sip:{PROXY};lr>, <sip:last.example;lr>");
    world.request("MESSAGE", "sip:x@far.example", &[(Name::Route, &route)]);
    world.net.settle();
    let received = &world.net[world.bob].received[0];
    let expected = [&format!("<sip:{BOB};lr>"), "<sip:odi@core.example;lr>", "<sip:last.example;lr>"];
    assert_eq!(routes(received, Name::Route), expected);
}

#[test]
fn a_strict_router_behind_us_is_given_its_uri_on_the_request_line() {
    let mut world = World::along(3);
    let route = format!("<sip:{PROXY};lr>, <sip:{BOB}>, <sip:later.example;lr>");
    world.request("MESSAGE", "sip:x@far.example;p=1", &[(Name::Route, &route)]);
    world.net.settle();
    let received = &world.net[world.bob].received[0];
    assert_eq!(received.uri_text(), format!("sip:{BOB}").as_bytes());
    assert_eq!(routes(received, Name::Route), ["<sip:later.example;lr>", "<sip:x@far.example;p=1>"]);
}

#[test]
fn what_a_strict_router_did_before_us_is_undone() {
    let mut world = World::along(4);
    let last = format!("<{}>", sip(BOB));
    world.request("MESSAGE", &format!("sip:token@{PROXY};lr"), &[(Name::Route, &last)]);
    world.net.settle();
    let received = &world.net[world.bob].received[0];
    assert_eq!(received.uri_text(), sip(BOB).as_bytes());
    assert!(!received.has(Name::Route));
    assert_eq!(world.net[world.proxy].own, ["token"]);
}

#[test]
fn between_two_strict_routers_the_route_goes_round() {
    let mut world = World::along(5);
    let route = format!("<sip:{BOB}>, <sip:x@far.example>");
    world.request("MESSAGE", &format!("sip:token@{PROXY};lr"), &[(Name::Route, &route)]);
    world.net.settle();
    let received = &world.net[world.bob].received[0];
    assert_eq!(received.uri_text(), format!("sip:{BOB}").as_bytes());
    assert_eq!(routes(received, Name::Route), ["<sip:x@far.example>"]);
}

#[test]
fn a_call_from_udp_to_tcp_is_recorded_on_both_sides() {
    let mut world = World::along(6);
    world.bob_answers(&[(0, 200)]);
    world.invite(&format!("{};transport=tcp", sip(BOB)));
    world.net.settle();
    let recorded = routes(&world.net[world.bob].received[0], Name::RecordRoute);
    assert_eq!(recorded, [format!("<sip:token@{PROXY};transport=tcp;lr>"), format!("<sip:token@{PROXY};lr>")]);
    world.net.node_mut(world.alice, |alice, now| alice.bye(now));
    world.net.settle();
    assert_eq!(world.statuses(), [100, 200, 200]);
    assert_eq!(world.net[world.proxy].own, ["token", "token"]);
    world.assert_nothing_is_left();
}

#[test]
fn the_role_may_record_a_name() {
    let mut world = World::new(7, |_| Plan {
        record_route: Some(RecordRoute::Value("<sip:t@core.example;lr>".to_owned())),
        ..Plan::to(ForwardTo::along())
    });
    world.request("INVITE", &sip(BOB), &[(Name::RecordRoute, "<sip:before.example;lr>")]);
    world.net.settle();
    let recorded = routes(&world.net[world.bob].received[0], Name::RecordRoute);
    assert_eq!(recorded, ["<sip:t@core.example;lr>", "<sip:before.example;lr>"]);
}

#[test]
fn a_maddr_that_is_ours_is_taken_off() {
    let mut world = World::new(8, |_| Plan::to(ForwardTo::along().via_routes([format!("<sip:{BOB};lr>")])));
    world.request("MESSAGE", "sip:x@far.example:5060;a=1;maddr=10.0.0.9;transport=udp", &[]);
    world.request("MESSAGE", "sip:x@far.example:5060;maddr=10.0.0.7;transport=udp", &[]);
    world.request("MESSAGE", "sip:x@far.example:5060;maddr=10.0.0.9;transport=tcp", &[]);
    world.net.settle();
    let uris: Vec<_> =
        world.net[world.bob].received.iter().map(|r| String::from_utf8_lossy(r.uri_text()).into_owned()).collect();
    assert_eq!(
        uris,
        [
            "sip:x@far.example;a=1",
            "sip:x@far.example:5060;maddr=10.0.0.7;transport=udp",
            "sip:x@far.example:5060;maddr=10.0.0.9;transport=tcp"
        ]
    );
}

/// RFC 3261 §16.6 step 7: and without TLS it goes nowhere.
#[test]
fn a_sips_resource_is_never_reached_in_the_clear() {
    let mut world = World::along(10);
    world.request("MESSAGE", "sips:x@far.example", &[(Name::Route, &format!("<sip:{BOB};transport=tcp;lr>"))]);
    world.request("MESSAGE", &format!("sips:{BOB}"), &[]);
    world.net.settle();
    assert_eq!(world.statuses(), [500, 500]);
    assert!(world.net[world.bob].received.is_empty());
    world.assert_nothing_is_left();
}

#[test]
fn a_call_passes_two_proxies() {
    let mut world = World::new(9, |_| Plan::to(ForwardTo::along().via_routes([format!("<sip:{PROXY_2};lr>")])));
    let decide = Box::new(|_: &sip::Request, _: &sip_proxy::Preprocessed| Plan::to(ForwardTo::along()));
    let second = relay(&mut world.net, "second", PROXY_2, decide);
    world.carol_answers(&[(0, 180), (100, 200)]);
    world.invite(&format!("sip:carol@{CAROL}"));
    world.net.settle();
    world.net.node_mut(world.alice, |alice, now| alice.bye(now));
    world.net.settle();
    world.net.ladder_view().without(&["100 Trying", "180 Ringing"]).untimed().assert(
        "
        alice  -> proxy   INVITE
        proxy  -> second  INVITE
        second -> carol   INVITE
        carol  -> second  200 OK
        second -> proxy   200 OK
        proxy  -> alice   200 OK
        alice  -> proxy   ACK
        proxy  -> second  ACK
        second -> carol   ACK
        alice  -> proxy   BYE
        proxy  -> second  BYE
        second -> carol   BYE
        carol  -> second  200 OK
        second -> proxy   200 OK
        proxy  -> alice   200 OK
    ",
    );
    assert!(text(&world.net[world.carol].received[0]).contains("Max-Forwards: 68\r\n"));
    world.assert_nothing_is_left();
    assert_eq!((world.net[second].proxy.len(), world.net[second].stack.transactions()), (0, (0, 0)));
}
