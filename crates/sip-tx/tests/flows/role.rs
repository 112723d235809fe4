//! A role that is nothing but its stack: it answers as told and notes what it is told.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use sim::{Net, NodeId, addr};
use sip::{Message, Method, Name, Response};
use sip_tx::{ClientId, Event, Failure, Incoming, Listener, Options, Owner, Stack, Target};
use wire::{Entropy, Input, Instant, Node, Now, Output, Transport};

pub(crate) struct Role {
    pub(crate) stack: Stack,
    ip: String,
    /// Statuses with which every request is answered at once.
    pub(crate) answers: Vec<u16>,
    /// Requests of the peer, in order.
    pub(crate) incoming: Vec<Incoming>,
    /// Acknowledges each 2xx to an INVITE.
    pub(crate) acknowledges: bool,
    /// What the stack reported: `MESSAGE`, `ACK`, `cancelled`, `200`, `timeout`, `transport`, `unacknowledged`.
    pub(crate) seen: Vec<String>,
    pub(crate) responses: Vec<Response>,
    requests: u32,
    /// As they were sent.
    sent: BTreeMap<ClientId, Bytes>,
}

pub(crate) fn options() -> Options {
    Options { auto_trying: false, ..Options::default() }
}

impl Role {
    /// A role on port 5060 of an address, by UDP and TCP.
    pub(crate) fn new(ip: &str, options: Options, seed: u64) -> Role {
        let here = addr(&format!("{ip}:5060"));
        let listeners = [Transport::Udp, Transport::Tcp].map(|transport| Listener { transport, addr: here });
        Role {
            stack: Stack::new(listeners.to_vec(), options, Entropy::from_seed(seed)),
            ip: ip.to_owned(),
            answers: Vec::new(),
            incoming: Vec::new(),
            acknowledges: true,
            seen: Vec::new(),
            responses: Vec::new(),
            requests: 0,
            sent: BTreeMap::new(),
        }
    }

    /// Sends a request to port 5060 of another address.
    pub(crate) fn send(&mut self, method: Method, transport: Transport, to: &str, now: Now) -> ClientId {
        self.send_to(method, &Target::new(transport, addr(&format!("{to}:5060"))), 0, now)
    }

    /// Sends a request with a body of so many octets.
    pub(crate) fn send_to(&mut self, method: Method, target: &Target, body: usize, now: Now) -> ClientId {
        self.requests += 1;
        let hop = self.stack.hop(target, 300 + body, "").unwrap();
        let builder = sip::Builder::request(method, format!("sip:peer@{}", target.addr))
            .header(Name::Via, hop.via())
            .header(Name::MaxForwards, "70")
            .header(Name::From, format!("<sip:me@{}>;tag=1", self.ip))
            .header(Name::To, "<sip:peer@x>")
            .header(Name::CallId, format!("call-{}", self.requests))
            .header(Name::CSeq, format!("{} {method}", self.requests));
        let bytes = if body > 0 { builder.body("text/plain", &vec![b'x'; body]) } else { builder.finish() };
        let tx = self.stack.request(hop, method, bytes.clone(), Owner::Role(u64::from(self.requests)), now);
        self.sent.insert(tx, bytes);
        tx
    }

    /// Answers the `n`-th request of the peer.
    pub(crate) fn respond(&mut self, n: usize, status: u16, now: Now) {
        let bytes = self.incoming[n].request.respond(status, "there").finish();
        self.stack.respond(self.incoming[n].tx, status, bytes, now);
    }

    fn work(&mut self, now: Now) {
        while let Some(event) = self.stack.poll_event() {
            match event {
                Event::Request(incoming) => {
                    self.seen.push(String::from_utf8_lossy(incoming.request.method_token()).into_owned());
                    self.stack.trying(&incoming, now);
                    self.incoming.push(*incoming);
                    for status in self.answers.clone() {
                        self.respond(self.incoming.len() - 1, status, now);
                    }
                }
                Event::Ack { .. } => self.seen.push("ACK".to_owned()),
                Event::Cancelled { .. } => self.seen.push("cancelled".to_owned()),
                Event::Response { tx, response, .. } => {
                    self.seen.push(response.status().to_string());
                    if self.acknowledges && response.is_success() && response.cseq().method == Method::Invite {
                        self.acknowledge(tx, &response);
                    }
                    self.responses.push(*response);
                }
                Event::Failed { why: Failure::Timeout, .. } => self.seen.push("timeout".to_owned()),
                Event::Failed { why: Failure::Transport, .. } => self.seen.push("transport".to_owned()),
                Event::Unacknowledged { .. } => self.seen.push("unacknowledged".to_owned()),
            }
        }
    }

    pub(crate) fn acknowledge(&mut self, tx: ClientId, response: &Response) {
        let invite = Message::parse_request(self.sent[&tx].clone()).unwrap();
        let target = Target::from_uri(&invite.uri()).unwrap();
        let hop = self.stack.hop(&target, 300, "").unwrap();
        let ack = sip::Builder::request(Method::Ack, invite.uri_text())
            .header(Name::Via, hop.via())
            .header(Name::From, invite.header(Name::From).unwrap())
            .header(Name::To, response.header(Name::To).unwrap())
            .header(Name::CallId, invite.call_id())
            .header(Name::CSeq, format!("{} ACK", invite.cseq().number))
            .finish();
        self.stack.send_ack(&hop, ack);
    }
}

impl Node for Role {
    fn handle_input(&mut self, input: Input, now: Now) {
        self.stack.handle_input(input, now);
        self.work(now);
    }
    fn handle_timeout(&mut self, now: Now) {
        self.stack.handle_timeout(now);
        self.work(now);
    }
    fn poll_output(&mut self) -> Option<Output> {
        self.stack.poll_output()
    }
    fn poll_timeout(&self) -> Option<Instant> {
        self.stack.poll_timeout()
    }
}

pub(crate) const ALICE: &str = "10.0.0.1";
pub(crate) const BOB: &str = "10.0.0.2";

pub(crate) struct Pair {
    pub(crate) net: Net,
    pub(crate) alice: NodeId<Role>,
    pub(crate) bob: NodeId<Role>,
}

impl Pair {
    /// Alice sends, Bob answers each request with `answers` at once.
    pub(crate) fn new(answers: &[u16]) -> Pair {
        Pair::with(answers, options())
    }

    pub(crate) fn with(answers: &[u16], bobs: Options) -> Pair {
        let mut net = Net::new(7);
        let alice = net.add("alice", &[addr("10.0.0.1:5060")], Role::new(ALICE, options(), 1));
        let bob = net.add("bob", &[addr("10.0.0.2:5060")], Role::new(BOB, bobs, 2));
        net[bob].answers = answers.to_vec();
        Pair { net, alice, bob }
    }

    pub(crate) fn send(&mut self, method: Method, transport: Transport) -> ClientId {
        self.net.node_mut(self.alice, |role, now| role.send(method, transport, BOB, now))
    }

    pub(crate) fn respond(&mut self, n: usize, status: u16) {
        self.net.node_mut(self.bob, |role, now| role.respond(n, status, now));
    }

    pub(crate) fn cancel(&mut self, id: ClientId) {
        self.net.node_mut(self.alice, |role, now| role.stack.cancel(id, None, now));
    }

    pub(crate) fn run(&mut self, millis: u64) {
        self.net.run_for(Duration::from_millis(millis));
    }

    /// Transactions of Alice's client side and Bob's server side.
    pub(crate) fn open(&self) -> (usize, usize) {
        (self.net[self.alice].stack.transactions().0, self.net[self.bob].stack.transactions().1)
    }

    /// Lets every timer run out; then nothing may be left on either side.
    pub(crate) fn finish(&mut self) {
        self.net.run_to_quiet(Duration::from_secs(300));
        for role in [self.alice, self.bob] {
            assert_eq!(self.net[role].stack.transactions(), (0, 0), "{}", self.net.name(role));
            self.net[role].stack.check_invariants();
        }
    }
}

/// A stack by itself, fed by hand.
pub(crate) struct Bench {
    pub(crate) role: Role,
    pub(crate) now: Now,
}

impl Bench {
    pub(crate) fn new(options: Options) -> Bench {
        Bench { role: Role::new(BOB, options, 3), now: Now::default() }
    }

    /// A datagram from 10.0.0.9:5060; what it caused to be sent.
    pub(crate) fn datagram(&mut self, data: impl Into<Bytes>) -> Vec<String> {
        let (local, remote) = (addr("10.0.0.2:5060"), addr("10.0.0.9:5060"));
        self.role.handle_input(Input::Datagram { local, remote, data: data.into() }, self.now);
        self.sent()
    }

    pub(crate) fn sent(&mut self) -> Vec<String> {
        let texts = std::iter::from_fn(|| self.role.poll_output()).filter_map(|output| match output {
            Output::Datagram { data, .. } | Output::Write { data, .. } => Some(data),
            Output::Connect { .. } | Output::Read { .. } | Output::Close { .. } | Output::Keep { .. } => None,
        });
        texts.map(|data| String::from_utf8_lossy(&data).into_owned()).collect()
    }

    /// The first lines of what was sent.
    pub(crate) fn lines(sent: &[String]) -> Vec<&str> {
        sent.iter().map(|text| text.lines().next().unwrap_or_default()).collect()
    }
}

/// A request from 10.0.0.9, with this much of a Via behind the transport.
pub(crate) fn request(method: &str, via: &str, to_tag: &str) -> String {
    format!(
        "{method} sip:b@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP {via}\r\nMax-Forwards: 70\r\nFrom: <sip:a@x>;tag=1\r\n\
         To: <sip:b@x>{to_tag}\r\nCall-ID: c\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    )
}
