use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use wire::{ConnId, Input, Instant, Node, Now, Output, Transport};

use crate::{Frame, Labeller, Net, NodeId, TextLabeller, addr};

const T1: Duration = Duration::from_millis(500);
const TRIES: u32 = 4;

/// Sends pings and answers them. Over UDP it repeats a ping after T1, doubled each time, until it is answered.
pub(super) struct Toy {
    local: SocketAddr,
    out: VecDeque<Output>,
    unanswered: Option<Ping>,
    opened: u64,
    buffers: BTreeMap<ConnId, Vec<u8>>,
    /// What happened, as the toy saw it.
    pub(super) log: Vec<String>,
    /// How many stream inputs came in.
    pub(super) reads: usize,
    /// Two of these bounce a message for ever.
    pub(super) answers_answers: bool,
}

struct Ping {
    remote: SocketAddr,
    data: Bytes,
    sent: u32,
    due: Instant,
}

impl Toy {
    pub(super) fn new(local: SocketAddr) -> Toy {
        Toy {
            local,
            out: VecDeque::new(),
            unanswered: None,
            opened: 0,
            buffers: BTreeMap::new(),
            log: Vec::new(),
            reads: 0,
            answers_answers: false,
        }
    }

    /// Sends a ping over UDP and repeats it.
    pub(super) fn ping(&mut self, remote: SocketAddr, now: Now) {
        let data = message("PING 1 SIP/2.0", "");
        self.send(remote, &data);
        self.unanswered = Some(Ping { remote, data, sent: 1, due: now.at + T1 });
    }

    /// Sends a datagram once.
    pub(super) fn send(&mut self, remote: SocketAddr, data: &Bytes) {
        self.out.push_back(Output::Datagram { local: self.local, remote, data: data.clone() });
    }

    /// Opens a connection.
    pub(super) fn open(&mut self, remote: SocketAddr) -> ConnId {
        let conn = ConnId::opened(self.opened);
        self.opened += 1;
        self.out.push_back(Output::Connect {
            conn,
            transport: Transport::Tcp,
            local: self.local,
            remote,
            verify: None,
        });
        conn
    }

    pub(super) fn write(&mut self, conn: ConnId, data: &Bytes) {
        self.out.push_back(Output::Write { conn, data: data.clone() });
    }

    pub(super) fn close(&mut self, conn: ConnId) {
        self.out.push_back(Output::Close { conn });
    }

    fn on_message(&mut self, bytes: &[u8]) -> Option<Bytes> {
        let label = TextLabeller.label(bytes).unwrap_or_default();
        let is_answer = label.starts_with("200");
        self.log.push(label);
        if is_answer {
            self.unanswered = None;
        }
        (!is_answer || self.answers_answers).then(|| message("SIP/2.0 200 OK", ""))
    }

    fn on_stream(&mut self, conn: ConnId, data: &[u8]) {
        self.reads += 1;
        let mut buffer = self.buffers.remove(&conn).unwrap_or_default();
        buffer.extend_from_slice(data);
        while let Frame::Message(length) = TextLabeller.frame(&buffer) {
            let rest = buffer.split_off(length);
            if let Some(answer) = self.on_message(&buffer) {
                self.write(conn, &answer);
            }
            buffer = rest;
            if buffer.is_empty() {
                break;
            }
        }
        self.buffers.insert(conn, buffer);
    }
}

impl Node for Toy {
    fn handle_input(&mut self, input: Input, _now: Now) {
        match input {
            Input::Datagram { remote, data, .. } => {
                if let Some(answer) = self.on_message(&data) {
                    self.send(remote, &answer);
                }
            }
            Input::Stream { conn, data } => self.on_stream(conn, &data),
            Input::Written { .. } | Input::Recalled { .. } | Input::Kept { .. } => {}
            Input::Accepted { .. } => self.log.push("accepted".to_owned()),
            Input::Connected { .. } => self.log.push("connected".to_owned()),
            Input::Closed { failed, .. } => self.log.push(if failed { "failed" } else { "closed" }.to_owned()),
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        let Some(ping) = self.unanswered.as_mut().filter(|ping| ping.due <= now.at) else { return };
        if ping.sent == TRIES {
            self.unanswered = None;
            self.log.push("timed out".to_owned());
            return;
        }
        ping.due = now.at + T1 * 2u32.pow(ping.sent);
        ping.sent += 1;
        let (remote, data) = (ping.remote, ping.data.clone());
        self.send(remote, &data);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.unanswered.as_ref().map(|ping| ping.due)
    }
}

/// A message that frames itself on a stream.
pub(super) fn message(start_line: &str, body: &str) -> Bytes {
    format!("{start_line}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into()
}

pub(super) fn alice_addr() -> SocketAddr {
    addr("10.0.0.1:5060")
}

pub(super) fn bob_addr() -> SocketAddr {
    addr("10.0.0.2:5060")
}

/// Two toys on one network.
pub(super) fn pair(seed: u64) -> (Net, NodeId<Toy>, NodeId<Toy>) {
    let mut net = Net::new(seed);
    let alice = net.add("alice", &[alice_addr()], Toy::new(alice_addr()));
    let bob = net.add("bob", &[bob_addr()], Toy::new(bob_addr()));
    (net, alice, bob)
}

/// Alice pings Bob over UDP.
pub(super) fn ping(net: &mut Net, alice: NodeId<Toy>) {
    net.node_mut(alice, |toy, now| toy.ping(bob_addr(), now));
}

/// Alice opens a connection to Bob.
pub(super) fn open(net: &mut Net, alice: NodeId<Toy>) -> ConnId {
    net.node_mut(alice, |toy, _| toy.open(bob_addr()))
}

/// Sends a ping on a connection.
pub(super) fn write_ping(net: &mut Net, node: NodeId<Toy>, conn: ConnId) {
    net.node_mut(node, |toy, _| toy.write(conn, &message("PING 1 SIP/2.0", "")));
}
