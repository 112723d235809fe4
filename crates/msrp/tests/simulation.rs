//! Endpoints over simulated TCP, whose segments are cut and merged at random.

mod common;

use std::time::Duration;

use common::{Pf, Phone, uri};
use msrp::{Acknowledge, Event, Failure, Outline, Status};
use sim::{Link, Net, NodeId, addr, for_each_seed};
use wire::Entropy;

/// Draws no arrows: for tests with megabytes, where arrows cost more than messages.
struct Blind;

impl sim::Labeller for Blind {
    fn frame(&self, buffer: &[u8]) -> sim::Frame {
        sim::Frame::Skip(buffer.len())
    }

    fn label(&self, _: &[u8]) -> Option<String> {
        None
    }
}

fn body(seed: u64, len: usize) -> Vec<u8> {
    let mut dice = Entropy::from_seed(seed);
    let mut body = Vec::with_capacity(len + 40);
    while body.len() < len {
        match dice.below(4) {
            0 => body.extend_from_slice(b"\r\n-------"),
            1 => body.extend_from_slice(&dice.token()),
            _ => body.extend_from_slice(&dice.u64().to_le_bytes()),
        }
    }
    body.truncate(len);
    body
}

/// Two phones; alice connects. Chunks of alice are of this size.
fn pair(seed: u64, chunk: usize) -> (Net, [NodeId<Phone>; 2]) {
    let mut net = Net::new(seed);
    let (at_a, at_b) = (addr("10.0.0.1:2855"), addr("10.0.0.2:2855"));
    let a = Phone::new(net.entropy(), at_a, "alice-id", |_, session| session.chunk = chunk);
    let b = Phone::new(net.entropy(), at_b, "bob-id", |_, _| {});
    let (a, b) = (net.add("alice", &[at_a], a), net.add("bob", &[at_b], b));
    net.node_mut(a, |phone, _| phone.meet(uri(at_b, "bob-id")));
    net.node_mut(b, |phone, _| phone.meet(uri(at_a, "alice-id")));
    net.node_mut(a, |phone, now| phone.connect(at_b, now));
    (net, [a, b])
}

/// The same with a PF between them, to which both connect.
fn bridged(seed: u64, acknowledge: Acknowledge, chunk: usize) -> (Net, [NodeId<Phone>; 2], NodeId<Pf>) {
    let mut net = Net::new(seed);
    net.set_labeller(Blind);
    let (at_a, at_b, at_pf) = (addr("10.0.0.1:2855"), addr("10.0.0.2:2855"), addr("10.0.0.9:2855"));
    let a = Phone::new(net.entropy(), at_a, "alice-id", |_, session| session.chunk = usize::MAX);
    let b = Phone::new(net.entropy(), at_b, "bob-id", |_, _| {});
    let pf = Pf::new(net.entropy(), at_pf, ["pf-a", "pf-b"], acknowledge, chunk);
    let (a, b) = (net.add("alice", &[at_a], a), net.add("bob", &[at_b], b));
    let pf = net.add("pf", &[at_pf], pf);
    net.node_mut(pf, |pf, _| {
        let [to_a, to_b] = pf.bridge.sides();
        pf.endpoint.set_remote(to_a, vec![uri(at_a, "alice-id")]);
        pf.endpoint.set_remote(to_b, vec![uri(at_b, "bob-id")]);
    });
    for (phone, id) in [(a, "pf-a"), (b, "pf-b")] {
        net.node_mut(phone, |phone, now| {
            phone.meet(uri(at_pf, id));
            phone.connect(at_pf, now);
        });
    }
    (net, [a, b], pf)
}

#[test]
fn the_connecting_side_names_the_session_and_a_message_is_answered_and_reported() {
    let (mut net, [a, _]) = pair(1, 2048);
    net.set_streams(sim::Streams { segmentation: false, ..Default::default() });
    net.settle();
    net.assert_ladder_untimed(
        "
        alice -> bob    MSRP SEND
        bob   -> alice  MSRP 200 OK
    ",
    );
    net.clear_ladder();
    net.node_mut(a, |phone, now| phone.send(b"hello", now));
    net.settle();
    net.assert_ladder_untimed(
        "
        alice -> bob    MSRP SEND
        bob   -> alice  MSRP 200 OK
        bob   -> alice  MSRP REPORT
    ",
    );
}

#[test]
fn a_message_that_waits_names_the_session_itself() {
    let (mut net, [a, b]) = pair(1, 2048);
    net.node_mut(a, |phone, now| phone.send(b"first", now));
    net.settle();
    assert_eq!(net.arrows().len(), 3, "{}", net.ladder());
    assert_eq!(net[b].inbox, ["first"]);
}

#[test]
fn messages_of_all_sizes_arrive_once_in_both_directions() {
    for_each_seed(8, |seed| {
        let chunk = [1, 100, 2048, 2049, 20_000, usize::MAX][seed as usize % 6];
        let (mut net, [a, b]) = pair(seed, chunk);
        net.set_labeller(Blind);
        let sizes: &[usize] = if chunk == 1 { &[0, 1, 300] } else { &[0, 1, 2047, 2048, 2049, 8192, 100_000] };
        for (n, size) in sizes.iter().enumerate() {
            let text = body(seed + n as u64, *size);
            net.node_mut(a, |phone, now| phone.send(&text, now));
            net.node_mut(b, |phone, now| phone.send(&text, now));
        }
        net.run_for(Duration::from_secs(20));
        for phone in [a, b] {
            let mut got: Vec<_> = net[phone].inbox.iter().map(|text| text.to_vec()).collect();
            let mut expected: Vec<_> = sizes.iter().enumerate().map(|(n, size)| body(seed + n as u64, *size)).collect();
            got.sort();
            expected.sort();
            assert!(got == expected, "the messages are not those that were sent");
            assert_eq!((net[phone].sent(), net[phone].failed()), (sizes.len(), 0));
            let reports = net[phone].count(|event| matches!(event, Event::Report { status: Status::OK, .. }));
            assert_eq!(reports, sizes.len());
        }
    });
}

#[test]
fn a_short_message_overtakes_a_long_one() {
    for chunk in [2048, usize::MAX] {
        let (mut net, [a, b]) = pair(3, chunk);
        net.set_labeller(Blind);
        net.node_mut(a, |phone, now| {
            phone.send(&body(1, 3_000_000), now);
            phone.send(b"short", now);
        });
        net.run_for(Duration::from_secs(20));
        let inbox = &net[b].inbox;
        assert_eq!((inbox.len(), &inbox[0][..]), (2, &b"short"[..]));
        assert!(inbox[1] == body(1, 3_000_000));
    }
}

#[test]
fn a_bridge_relays_both_ways_with_reports_and_other_chunks() {
    for_each_seed(6, |seed| {
        let acknowledge = if seed % 2 == 0 { Acknowledge::WhenTaken } else { Acknowledge::WhenQueued };
        let (mut net, [a, b], pf) = bridged(seed, acknowledge, [2048, 30_000, usize::MAX][seed as usize % 3]);
        for size in [0, 5, 2048, 5000, 400_000] {
            net.node_mut(a, |phone, now| phone.send(&body(size, size as usize), now));
            net.node_mut(b, |phone, now| phone.send(&body(size, size as usize), now));
        }
        net.run_for(Duration::from_secs(20));
        for phone in [a, b] {
            let phone = &net[phone];
            assert_eq!((phone.sent(), phone.failed(), phone.inbox.len()), (5, 0, 5));
            assert_eq!(phone.count(|event| matches!(event, Event::Report { status: Status::OK, .. })), 5);
            for text in &phone.inbox {
                assert!(*text == body(text.len() as u64, text.len()));
            }
        }
        assert!(net[pf].bridge.is_empty());
    });
}

#[test]
fn what_the_far_side_refuses_is_refused_to_the_sender() {
    let (mut net, [a, b], _) = bridged(2, Acknowledge::WhenTaken, 2048);
    net.settle();
    net.node_mut(a, |phone, now| {
        let outline = Outline::new("image/png");
        phone.endpoint.send(phone.session, outline, body(1, 50_000).into(), now).unwrap();
    });
    let session = net[b].session;
    net.node_mut(b, |phone, now| phone.endpoint.drain(session, Duration::from_secs(1), now));
    net.run_for(Duration::from_secs(5));
    let refused = |event: &Event| matches!(event, Event::Failed { why: Failure::Refused(Status::NO_SUCH_SESSION), .. });
    assert_eq!((net[a].count(refused), net[b].inbox.len()), (1, 0));
}

#[test]
fn a_connection_that_breaks_leaves_no_half_message_and_the_sender_knows() {
    for_each_seed(30, |seed| {
        let (mut net, [a, b], pf) = bridged(seed, Acknowledge::WhenTaken, 2048);
        net.run_for(Duration::from_secs(1));
        net.node_mut(a, |phone, now| {
            for n in 0..5 {
                phone.send(&body(n, 200_000), now);
            }
        });
        net.run_for(Duration::from_millis(5 + 7 * seed));
        let victim: sim::NodeRef = if seed % 2 == 0 { a.into() } else { b.into() };
        net.break_connections(victim, pf);
        net.run_for(Duration::from_secs(100));
        // What had not begun waits for the next connection, as long as there is a session.
        net.node_mut(a, |phone, now| phone.endpoint.remove(phone.session, now));
        net.run_for(Duration::from_secs(1));
        let (sent, failed, got) = (net[a].sent(), net[a].failed(), net[b].inbox.len());
        assert_eq!(sent + failed, 5, "every message is accounted for");
        assert!(sent <= got && got <= 5, "{sent} sent, {got} received");
        assert_eq!(net[b].dropped(), 0, "what is incomplete is dropped");
        for text in &net[b].inbox {
            assert_eq!(text.len(), 200_000);
        }
    });
}

#[test]
fn draining_ends_what_is_under_way_within_its_bound() {
    for (bound, all) in [(10_000, true), (15, false)] {
        let (mut net, [a, b]) = pair(5, 2048);
        net.set_labeller(Blind);
        net.set_link(Link { delay: Duration::from_millis(10), ..Link::default() });
        net.settle();
        net.node_mut(a, |phone, now| {
            for n in 0..3 {
                phone.send(&body(n, 1_000_000), now);
            }
            phone.endpoint.drain(phone.session, Duration::from_millis(bound), now);
            let late = phone.endpoint.send(phone.session, Outline::new("text/plain"), "late".into(), now);
            assert_eq!(late, Err(msrp::SendError::Closed));
        });
        net.run_for(Duration::from_millis(bound + 1));
        let phone = &net[a];
        assert_eq!(phone.count(|event| matches!(event, Event::Drained { .. })), 1);
        assert_eq!(phone.sent() + phone.failed(), 3);
        assert_eq!(phone.failed() == 0, all);
        net.node_mut(a, |phone, now| phone.endpoint.remove(phone.session, now));
        net.run_for(Duration::from_secs(100));
        assert_eq!(net.open_connections(a), 0);
        assert_eq!((net[b].inbox.len() == 3, net[b].dropped()), (all, 0));
    }
}

#[test]
fn a_peer_that_comes_back_after_a_break_goes_on_with_the_same_session() {
    let (mut net, [a, b]) = pair(6, 2048);
    net.settle();
    net.break_connections(a, b);
    net.settle();
    assert_eq!(net[b].count(|event| matches!(event, Event::Disconnected { .. })), 1);
    net.node_mut(a, |phone, now| {
        phone.send(b"again", now);
        phone.connect(addr("10.0.0.2:2855"), now);
    });
    net.settle();
    assert_eq!(net[b].inbox, ["again"]);
}

#[test]
fn a_large_message_is_held_up_by_a_reader_that_pauses_and_arrives_whole() {
    let (mut net, [a, b], pf) = bridged(4, Acknowledge::WhenTaken, 100_000);
    net.run_for(Duration::from_secs(1));
    let text = body(9, 10_000_000);
    net.node_mut(b, |phone, now| phone.endpoint.pause(phone.session, now));
    net.node_mut(a, |phone, now| phone.send(&text, now));
    let budget = 256 * 1024;
    let is_bounded = |net: &Net| {
        for (from, to) in [(a.into(), pf.into()), (sim::NodeRef::from(pf), sim::NodeRef::from(b))] {
            let [waiting, ..] = net.held_between(from, to);
            assert!(waiting < budget + 20_000, "{waiting} octets wait at a host");
        }
    };
    for _ in 0..1000 {
        net.run_for(Duration::from_millis(10));
        is_bounded(&net);
    }
    assert!(net[b].inbox.is_empty() && net[a].failed() == 0);
    assert!(net.held_between(a, pf)[2] > 0, "the bridge does not read on");
    net.node_mut(b, |phone, now| phone.endpoint.resume(phone.session, now));
    for _ in 0..1000 {
        net.run_for(Duration::from_millis(10));
        is_bounded(&net);
    }
    assert!(net[b].inbox == [text], "the message is that which was sent");
    assert_eq!((net[a].sent(), net[a].failed()), (1, 0));
}
