//! Two clients and a B2BUA over pipes of small capacity, moved in random order: everything arrives, nothing grows.

mod common;

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};
use common::uri;
use msrp::{
    Acknowledge, Bridge, Confirm, Endpoint, Event, FailureReport, IncomingId, Options, OutgoingId, Outline, SessionId,
    SessionOptions,
};
use proptest::prelude::*;
use wire::{ConnId, Entropy, Input, Now, Output, Transport};

/// Octets that a pipe holds, as a socket buffer does.
const CAPACITY: usize = 3000;

struct Node {
    endpoint: Endpoint,
    bridge: Option<Bridge>,
    session: SessionId,
    /// What the host has not written yet, and whether it reads, by connection.
    unsent: BTreeMap<ConnId, VecDeque<Bytes>>,
    stopped: BTreeMap<ConnId, bool>,
    partial: BTreeMap<IncomingId, Vec<u8>>,
    inbox: Vec<Vec<u8>>,
    sent: usize,
    /// A message that is given bit by bit: what is left, and whether there is room.
    source: Option<(OutgoingId, Vec<u8>, bool)>,
    largest_backlog: usize,
}

impl Node {
    fn new(seed: u64, options: &Options, sessions: Vec<SessionOptions>) -> Node {
        let mut endpoint = Endpoint::new(options.clone(), Entropy::from_seed(seed));
        let ids: Vec<_> =
            sessions.into_iter().map(|session| endpoint.open(session).expect("a new session-id")).collect();
        let bridge = (ids.len() == 2).then(|| Bridge::new(ids[0], ids[1], Acknowledge::WhenTaken));
        Node {
            endpoint,
            bridge,
            session: ids[0],
            unsent: BTreeMap::new(),
            stopped: BTreeMap::new(),
            partial: BTreeMap::new(),
            inbox: Vec::new(),
            sent: 0,
            source: None,
            largest_backlog: 0,
        }
    }

    fn settle(&mut self, now: Now) {
        while let Some(event) = self.endpoint.poll_event() {
            let event = match &mut self.bridge {
                Some(bridge) => bridge.handle_event(event, &mut self.endpoint, now),
                None => Some(event),
            };
            match event {
                Some(Event::Started { incoming, .. }) => drop(self.partial.insert(incoming, Vec::new())),
                Some(Event::Piece { incoming, data, .. }) => {
                    self.partial.get_mut(&incoming).expect("a message that began").extend_from_slice(&data);
                }
                Some(Event::Complete { incoming, .. }) => self.inbox.extend(self.partial.remove(&incoming)),
                Some(Event::Sent { .. }) => self.sent += 1,
                Some(Event::WantsMore { .. }) => {
                    if let Some((_, _, has_room)) = &mut self.source {
                        *has_room = true;
                    }
                }
                Some(Event::Bound { .. } | Event::Report { .. } | Event::Drained { .. }) | None => {}
                Some(event @ (Event::Failed { .. } | Event::Incomplete { .. } | Event::Disconnected { .. })) => {
                    panic!("{event:?}")
                }
            }
        }
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Write { conn, data } => self.unsent.entry(conn).or_default().push_back(data),
                Output::Read { conn, on } => drop(self.stopped.insert(conn, !on)),
                other @ (Output::Connect { .. }
                | Output::Close { .. }
                | Output::Datagram { .. }
                | Output::Keep { .. }) => {
                    panic!("{other:?}")
                }
            }
        }
        let backlog = self.unsent.values().flatten().map(Bytes::len).sum();
        self.largest_backlog = self.largest_backlog.max(backlog);
    }

    /// Gives the next octets of the message that is given bit by bit.
    fn feed(&mut self, len: usize, now: Now) {
        let Some((outgoing, rest, has_room)) = &mut self.source else { return };
        if !*has_room {
            return;
        }
        let piece: Vec<u8> = rest.drain(..len.min(rest.len())).collect();
        *has_room = self.endpoint.push(*outgoing, piece.into(), now);
        if rest.is_empty() {
            self.endpoint.finish(*outgoing, now);
            self.source = None;
        }
        self.settle(now);
    }
}

/// One direction of a connection.
struct Pipe {
    from: usize,
    to: usize,
    out: ConnId,
    into: ConnId,
    octets: BytesMut,
}

impl Pipe {
    /// The sender's host writes, or the receiver's host reads, up to `len` octets. False when there was nothing to do.
    fn step(&mut self, nodes: &mut [Node], write: bool, len: usize, now: Now) -> bool {
        if write {
            let node = &mut nodes[self.from];
            let room = (CAPACITY - self.octets.len()).min(len);
            let Some(queue) = node.unsent.get_mut(&self.out) else { return false };
            let Some(front) = queue.front_mut() else { return false };
            let piece = front.split_to(room.min(front.len()));
            if front.is_empty() {
                queue.pop_front();
            }
            if piece.is_empty() {
                return false;
            }
            self.octets.extend_from_slice(&piece);
            node.endpoint.handle_input(Input::Written { conn: self.out, octets: piece.len() }, now);
            node.settle(now);
        } else {
            let node = &mut nodes[self.to];
            let len = len.min(self.octets.len());
            if len == 0 || node.stopped.get(&self.into) == Some(&true) {
                return false;
            }
            let data = self.octets.split_to(len).freeze();
            node.endpoint.handle_input(Input::Stream { conn: self.into, data }, now);
            node.settle(now);
        }
        true
    }
}

struct World {
    nodes: Vec<Node>,
    pipes: Vec<Pipe>,
    now: Now,
}

/// Alice and Bob, each connected to a PF by a connection that the client opened.
fn world(seed: u64, chunks: [usize; 3]) -> World {
    let options = Options {
        write_budget: Some(2000),
        queue: 4000,
        window: 6000,
        inbox: 4000,
        backlog: 50_000,
        ..Options::default()
    };
    let at = ["10.0.0.1:1", "10.0.0.9:9", "10.0.0.2:2"].map(sim::addr);
    let session = |local, id, remote, peer, chunk| SessionOptions {
        chunk,
        ..SessionOptions::new(uri(local, id), vec![uri(remote, peer)])
    };
    let legs = [session(at[1], "pf-a", at[0], "alice", chunks[1]), session(at[1], "pf-b", at[2], "bob", chunks[1])];
    let legs = legs.map(|leg| SessionOptions { confirm: Confirm::ByCaller, ..leg });
    let mut nodes = vec![
        Node::new(seed, &options, vec![session(at[0], "alice", at[1], "pf-a", chunks[0])]),
        Node::new(seed + 1, &options, legs.to_vec()),
        Node::new(seed + 2, &options, vec![session(at[2], "bob", at[1], "pf-b", chunks[2])]),
    ];
    let now = Now::default();
    let mut pipes = Vec::new();
    for (n, client) in [0, 2].into_iter().enumerate() {
        let (out, into) = (ConnId::opened(0), ConnId::accepted(n as u64));
        let session = nodes[client].session;
        nodes[client].endpoint.connect(session, out, at[client], at[1], now);
        let _connect = nodes[client].endpoint.poll_output();
        let accepted =
            Input::Accepted { conn: into, transport: Transport::Tcp, local: at[1], remote: at[client], peer: None };
        nodes[1].endpoint.handle_input(accepted, now);
        nodes[client].endpoint.handle_input(Input::Connected { conn: out, local: at[client], peer: None }, now);
        nodes[client].settle(now);
        pipes.push(Pipe { from: client, to: 1, out, into, octets: BytesMut::new() });
        pipes.push(Pipe { from: 1, to: client, out: into, into: out, octets: BytesMut::new() });
    }
    World { nodes, pipes, now }
}

fn any_body(large: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        prop::collection::vec(any::<u8>(), 2000..large),
        (1_usize..200).prop_map(|n| b"\r\n-------0123456789abcdef$\r\n".repeat(n)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everything_arrives_through_a_bridge_and_nothing_grows(
        seed in 0_u64..1000,
        chunks in prop::array::uniform3(prop_oneof![Just(100), Just(2048), Just(5000), Just(usize::MAX)]),
        bodies in prop::array::uniform2(prop::collection::vec(any_body(12_000), 1..6)),
        streamed in prop::array::uniform2(any_body(30_000)),
        lens in prop::collection::vec(1_usize..2500, 1..30),
    ) {
        let mut world = world(seed, chunks);
        let now = world.now;
        for (client, (bodies, streamed)) in [0, 2].into_iter().zip(bodies.iter().zip(&streamed)) {
            let node = &mut world.nodes[client];
            for (n, body) in bodies.iter().enumerate() {
                let failure_report = if n % 3 == 2 { FailureReport::No } else { FailureReport::Yes };
                let outline = Outline { failure_report, ..Outline::new("text/plain").with_success_report() };
                node.endpoint.send(node.session, outline, body.clone().into(), now).expect("an open session");
            }
            let total = (seed % 2 == 0).then_some(streamed.len() as u64);
            let outline = Outline { total, ..Outline::new("text/plain") };
            let outgoing = node.endpoint.begin(node.session, outline).expect("an open session");
            node.source = Some((outgoing, streamed.clone(), true));
            node.settle(now);
        }

        let mut dice = Entropy::from_seed(seed);
        let mut lens = lens.iter().copied().cycle();
        let mut idle = 0;
        while idle < 400 {
            let len = lens.next().unwrap_or(1);
            let (pipe, write) = (dice.below(4) as usize, dice.below(2) == 0);
            let moved = world.pipes[pipe].step(&mut world.nodes, write, len, now);
            idle = if moved { 0 } else { idle + 1 };
            world.nodes[[0, 2][dice.below(2) as usize]].feed(len, now);
        }

        for (client, peer) in [(0, 1), (2, 0)] {
            let mut expected: Vec<_> = bodies[peer].iter().chain([&streamed[peer]]).cloned().collect();
            let node = &mut world.nodes[client];
            node.inbox.sort();
            expected.sort();
            prop_assert!(node.inbox == expected, "{} of {} messages arrived", node.inbox.len(), expected.len());
            prop_assert_eq!(node.sent, bodies[1 - peer].len() + 1);
        }
        let pf = &world.nodes[1];
        prop_assert!(pf.bridge.as_ref().is_some_and(Bridge::is_empty));
        prop_assert!(pf.largest_backlog < 60_000, "{} octets waited in the PF's host", pf.largest_backlog);
    }
}
