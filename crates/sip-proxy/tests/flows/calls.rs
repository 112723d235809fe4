//! A call through one proxy that stays in its path.

use std::time::Duration;

use bytes::Bytes;
use sim::{Link, addr, for_each_seed};
use sip::{Method, Name};
use sip_proxy::{ForwardTo, Plan};
use sip_tx::Target;
use wire::Transport;

use crate::node::{BOB, PROXY, World, sip, text};

#[test]
fn a_call_is_set_up_and_closed_through_the_proxy() {
    let mut world = World::along(1);
    world.bob_answers(&[(0, 180), (1000, 200)]);
    world.invite(&sip(BOB));
    world.net.settle();
    world.net.node_mut(world.alice, |alice, now| alice.bye(now));
    world.net.settle();
    world.net.assert_ladder(
        "
        0.000  alice -> proxy  INVITE
        0.010  proxy -> alice  100 Trying
        0.010  proxy -> bob    INVITE
        0.020  bob   -> proxy  180 Ringing
        0.030  proxy -> alice  180 Ringing
        1.020  bob   -> proxy  200 OK
        1.030  proxy -> alice  200 OK
        1.040  alice -> proxy  ACK
        1.050  proxy -> bob    ACK
        1.060  alice -> proxy  BYE
        1.070  proxy -> bob    BYE
        1.080  bob   -> proxy  200 OK
        1.090  proxy -> alice  200 OK
    ",
    );
    assert_eq!(world.net[world.proxy].log, ["INVITE 180", "INVITE 200", "BYE 200", "done 200"]);
    assert_eq!(world.net[world.proxy].own, ["token"]);
    world.assert_nothing_is_left();
    assert_eq!(world.net[world.proxy].log[4..], ["done 200"]);
}

#[test]
fn over_tcp_the_call_looks_the_same() {
    let mut world = World::along(2);
    world.net[world.alice].transport = Transport::Tcp;
    world.bob_answers(&[(0, 180), (100, 200)]);
    world.invite(&format!("{};transport=tcp", sip(BOB)));
    world.net.settle();
    world.net.node_mut(world.alice, |alice, now| alice.bye(now));
    world.net.settle();
    world.net.assert_ladder_untimed(
        "
        alice -> proxy  INVITE
        proxy -> alice  100 Trying
        proxy -> bob    INVITE
        bob   -> proxy  180 Ringing
        proxy -> alice  180 Ringing
        bob   -> proxy  200 OK
        proxy -> alice  200 OK
        alice -> proxy  ACK
        proxy -> bob    ACK
        alice -> proxy  BYE
        proxy -> bob    BYE
        bob   -> proxy  200 OK
        proxy -> alice  200 OK
    ",
    );
    assert!(
        text(&world.net[world.bob].received[0])
            .contains("Record-Route: <sip:token@10.0.0.9:5060;transport=tcp;lr>\r\n")
    );
    world.assert_nothing_is_left();
}

#[test]
fn what_is_lost_is_repeated_hop_by_hop() {
    let mut world = World::along(3);
    world.bob_answers(&[(0, 200)]);
    world.net.lose_next_matching(|packet| packet.from == "proxy" && packet.label == "INVITE", 1);
    world.net.lose_next_matching(|packet| packet.from == "proxy" && packet.label == "ACK", 1);
    world.net.lose_next_matching(|packet| packet.from == "proxy" && packet.label == "200 OK", 1);
    world.invite(&sip(BOB));
    world.net.settle();
    world.net.assert_ladder(
        "
        0.000  alice -> proxy  INVITE
        0.010  proxy -> alice  100 Trying
        0.010  proxy -> bob    INVITE   (lost)
        0.510  proxy -> bob    INVITE
        0.520  bob   -> proxy  200 OK
        0.530  proxy -> alice  200 OK   (lost)
        1.020  bob   -> proxy  200 OK
        1.030  proxy -> alice  200 OK
        1.040  alice -> proxy  ACK
        1.050  proxy -> bob    ACK   (lost)
        2.020  bob   -> proxy  200 OK
        2.030  proxy -> alice  200 OK
        2.040  alice -> proxy  ACK
        2.050  proxy -> bob    ACK
    ",
    );
    assert_eq!(world.net.pending_faults(), 0);
    world.assert_nothing_is_left();
}

#[test]
fn on_a_bad_network_nothing_is_left_behind() {
    for_each_seed(40, |seed| {
        let mut world = World::along(seed);
        world.net.set_link(Link::bad(0.3));
        world.bob_answers(&[(0, 180), (300, 200)]);
        world.invite(&sip(BOB));
        world.net.run_for(Duration::from_secs(40));
        if world.statuses().contains(&200) {
            world.net.node_mut(world.alice, |alice, now| alice.bye(now));
        }
        world.assert_nothing_is_left();
    });
}

/// What a proxy need not touch, it does not touch: methods, names, order, spelling, folding, octets beyond ASCII.
#[test]
fn what_the_proxy_does_not_know_passes_byte_for_byte() {
    let mut world = World::along(4);
    let rest: &[u8] =
        b"m: <sip:alice@10.0.0.1>\r\nX-Latin: caf\xe9 \xff\r\nx-folded: a\r\n  b\r\nROUTE-less:   spaced\t\r\n\
        f: \"A\" <sip:alice@a.example>;tag=a1\r\nt: <sip:bob@b.example>\r\ni: c1\r\nCSeq: 1 FROBNICATE\r\n\
        Content-Type: application/x\r\nl: 4\r\n";
    let bytes =
        [b"FROBNICATE sip:bob@10.0.0.2 SIP/2.0\r\nMax-Forwards: 70\r\n", rest, b"\r\n\x00\x01\xfe\xff"].concat();
    world.net.node_mut(world.alice, |alice, now| {
        let proxy = Target::new(Transport::Udp, addr(PROXY));
        alice.send_to(&proxy, Method::Extension, &Bytes::from(bytes.clone()), now);
    });
    world.net.settle();
    let received = world.net[world.bob].received[0].bytes().clone();
    let alices = received.windows(6).rposition(|w| w == b"\r\nVia:").unwrap();
    let head = received.windows(18).position(|w| w == b"\r\nMax-Forwards: 69").unwrap();
    assert!(alices < head);
    let expected = [b"\r\nMax-Forwards: 69\r\n", rest, b"Max-Breadth: 60\r\n\r\n\x00\x01\xfe\xff"].concat();
    assert_eq!(received[head..], expected);
    assert_eq!(world.statuses(), [200]);
    world.assert_nothing_is_left();
}

#[test]
fn on_a_stream_every_message_has_a_content_length() {
    let mut world = World::along(5);
    let bytes = "MESSAGE sip:bob@10.0.0.2;transport=tcp SIP/2.0\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: c\r\n\
        CSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\n\r\nhello";
    world.net.node_mut(world.alice, |alice, now| {
        alice.send_to(&Target::new(Transport::Udp, addr(PROXY)), Method::Message, &bytes.into(), now);
    });
    world.net.settle();
    let received = text(&world.net[world.bob].received[0]);
    // Nor did it say how far it may go: 70 (RFC 3261 §16.6 step 3).
    assert!(received.ends_with("Max-Forwards: 70\r\nMax-Breadth: 60\r\nContent-Length: 5\r\n\r\nhello"), "{received}");
    assert_eq!(world.statuses(), [200]);
}

#[test]
fn the_role_changes_header_fields_both_ways() {
    let mut world = World::new(6, |_| {
        let mut plan = Plan::to(ForwardTo::along());
        plan.edits.remove(Name::PPreferredIdentity).append(Name::PAssertedIdentity, "<sip:alice@a.example>");
        plan.response_edits.set(Name::PAssertedIdentity, "<sip:bob@b.example>");
        plan
    });
    world.net[world.bob].extra = vec![(Name::PAssertedIdentity, "<sip:liar@b.example>".to_owned())];
    world.request("MESSAGE", &sip(BOB), &[(Name::PPreferredIdentity, "<sip:alice@x>")]);
    world.net.settle();
    let received = &world.net[world.bob].received[0];
    assert_eq!(received.header(Name::PAssertedIdentity), Some(&b"<sip:alice@a.example>"[..]));
    assert!(!received.has(Name::PPreferredIdentity));
    let response = &world.net[world.alice].responses[0];
    let asserted: Vec<_> = response.headers(Name::PAssertedIdentity).collect();
    assert_eq!(asserted, [b"<sip:bob@b.example>"]);
}

#[test]
fn an_ack_that_may_go_no_further_is_dropped() {
    let mut world = World::along(7);
    world.bob_answers(&[(0, 200)]);
    world.invite(&sip(BOB));
    world.net.settle();
    let acks = world.net[world.bob].acks;
    world.net.node_mut(world.alice, |alice, now| {
        let response = alice.responses.iter().find(|r| r.is_success()).unwrap().clone();
        let ack = String::from_utf8(alice.in_dialog(&response, Method::Ack, 1).to_vec()).unwrap();
        alice.send(Method::Ack, &ack.replace("Max-Forwards: 70", "Max-Forwards: 0").into(), now);
    });
    world.net.settle();
    assert_eq!((world.net[world.bob].acks, world.net[world.proxy].dropped_acks), (acks, 1));
}
