//! What the tests share: a phone and a B2BUA for the simulation, and a raw peer that writes MSRP by hand.
#![expect(dead_code, unreachable_pub, reason = "every test file uses its own part")]
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use msrp::{
    Acknowledge, Bridge, Confirm, Endpoint, Event, IncomingId, Incomplete, Options, Outline, SessionId, SessionOptions,
};
use sdp::MsrpUri;
use wire::{ConnId, Entropy, Input, Instant, Node, Now, Output, Transport};

pub fn uri(addr: SocketAddr, id: &str) -> MsrpUri {
    MsrpUri::new(false, addr.ip(), addr.port(), id)
}

/// A client with one session: keeps what it is told.
pub struct Phone {
    pub endpoint: Endpoint,
    pub session: SessionId,
    pub events: Vec<Event>,
    /// Complete messages in the order in which they ended.
    pub inbox: Vec<Bytes>,
    partial: BTreeMap<IncomingId, Vec<u8>>,
    addr: SocketAddr,
    opened: u64,
}

impl Phone {
    pub fn new(
        entropy: Entropy,
        addr: SocketAddr,
        id: &str,
        change: impl FnOnce(&mut Options, &mut SessionOptions),
    ) -> Phone {
        let mut options = Options::default();
        let mut session = SessionOptions::new(uri(addr, id), Vec::new());
        change(&mut options, &mut session);
        let mut endpoint = Endpoint::new(options, entropy);
        let session = endpoint.open(session).unwrap();
        Phone { endpoint, session, events: Vec::new(), inbox: Vec::new(), partial: BTreeMap::new(), addr, opened: 0 }
    }

    pub fn meet(&mut self, peer: MsrpUri) {
        self.endpoint.set_remote(self.session, vec![peer]);
    }

    pub fn connect(&mut self, to: SocketAddr, now: Now) {
        let conn = ConnId::opened(self.opened);
        self.opened += 1;
        self.endpoint.connect(self.session, conn, self.addr, to, now);
    }

    pub fn send(&mut self, body: &[u8], now: Now) {
        let outline = Outline::new("text/plain").with_success_report();
        self.endpoint.send(self.session, outline, Bytes::copy_from_slice(body), now).unwrap();
        self.collect();
    }

    pub fn count(&self, is: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| is(event)).count()
    }

    pub fn sent(&self) -> usize {
        self.count(|event| matches!(event, Event::Sent { confirmed: true, .. }))
    }

    pub fn failed(&self) -> usize {
        self.count(|event| matches!(event, Event::Failed { .. }))
    }

    pub fn dropped(&self) -> usize {
        self.partial.len()
    }

    fn collect(&mut self) {
        while let Some(event) = self.endpoint.poll_event() {
            match &event {
                Event::Started { incoming, .. } => {
                    assert!(self.partial.insert(*incoming, Vec::new()).is_none());
                }
                Event::Piece { incoming, at, data, .. } => {
                    let body = self.partial.get_mut(incoming).unwrap();
                    assert_eq!(*at, body.len() as u64 + 1, "octets come in order");
                    body.extend_from_slice(data);
                }
                Event::Complete { incoming, total, .. } => {
                    let body = self.partial.remove(incoming).unwrap();
                    assert_eq!(*total, body.len() as u64);
                    self.inbox.push(body.into());
                }
                Event::Incomplete { incoming, .. } => {
                    self.partial.remove(incoming);
                }
                Event::Bound { .. }
                | Event::Disconnected { .. }
                | Event::WantsMore { .. }
                | Event::Sent { .. }
                | Event::Failed { .. }
                | Event::Report { .. }
                | Event::Drained { .. } => {}
            }
            if !matches!(event, Event::Piece { .. }) {
                self.events.push(event);
            }
        }
    }
}

impl Node for Phone {
    fn handle_input(&mut self, input: Input, now: Now) {
        self.endpoint.handle_input(input, now);
        self.collect();
    }

    fn handle_timeout(&mut self, now: Now) {
        self.endpoint.handle_timeout(now);
        self.collect();
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.collect();
        self.endpoint.poll_output()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.endpoint.poll_timeout()
    }
}

/// A PF on the media path: two sessions and the bridge between them.
pub struct Pf {
    pub endpoint: Endpoint,
    pub bridge: Bridge,
    pub events: Vec<Event>,
}

impl Pf {
    pub fn new(entropy: Entropy, addr: SocketAddr, ids: [&str; 2], acknowledge: Acknowledge, chunk: usize) -> Pf {
        let mut endpoint = Endpoint::new(Options::default(), entropy);
        let [a, b] = ids.map(|id| {
            let options =
                SessionOptions { confirm: Confirm::ByCaller, chunk, ..SessionOptions::new(uri(addr, id), Vec::new()) };
            endpoint.open(options).unwrap()
        });
        Pf { endpoint, bridge: Bridge::new(a, b, acknowledge), events: Vec::new() }
    }

    pub fn collect(&mut self, now: Now) {
        while let Some(event) = self.endpoint.poll_event() {
            self.events.extend(self.bridge.handle_event(event, &mut self.endpoint, now));
        }
    }
}

impl Node for Pf {
    fn handle_input(&mut self, input: Input, now: Now) {
        self.endpoint.handle_input(input, now);
        self.collect(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.endpoint.handle_timeout(now);
        self.collect(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.endpoint.poll_output()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.endpoint.poll_timeout()
    }
}

pub const LOCAL: &str = "msrp://127.0.0.1:2855/s3cr3t;tcp";
pub const REMOTE: &str = "msrp://127.0.0.1:9000/theirs;tcp";

/// An endpoint with one session, and a peer whose bytes are written by the test.
pub struct Raw {
    pub endpoint: Endpoint,
    pub session: SessionId,
    pub now: Now,
    pub conn: ConnId,
    pub events: Vec<Event>,
    /// Octets of complete messages.
    pub messages: Vec<Vec<u8>>,
    pub incomplete: Vec<Incomplete>,
    partial: BTreeMap<IncomingId, Vec<u8>>,
    pub closed: Vec<ConnId>,
    /// What the host was asked about reading.
    pub reading: Vec<bool>,
    accepted: u64,
}

impl Raw {
    /// Waits for a peer, on connection 0, which has not named its session yet.
    pub fn new(change: impl FnOnce(&mut Options, &mut SessionOptions)) -> Raw {
        let mut options = Options { write_budget: None, ..Options::default() };
        let mut session = SessionOptions::new(LOCAL.parse().unwrap(), vec![REMOTE.parse().unwrap()]);
        change(&mut options, &mut session);
        let mut endpoint = Endpoint::new(options, Entropy::from_seed(1));
        let session = endpoint.open(session).unwrap();
        let mut raw = Raw {
            endpoint,
            session,
            now: Now::default(),
            conn: ConnId::accepted(0),
            events: Vec::new(),
            messages: Vec::new(),
            incomplete: Vec::new(),
            partial: BTreeMap::new(),
            closed: Vec::new(),
            reading: Vec::new(),
            accepted: 0,
        };
        raw.accept();
        raw
    }

    /// The same with the session named.
    pub fn bound() -> Raw {
        let mut raw = Raw::new(|_, _| {});
        raw.bind();
        raw
    }

    pub fn bind(&mut self) {
        let bind = format!(
            "MSRP bind0 SEND\r\nTo-Path: {LOCAL}\r\nFrom-Path: {REMOTE}\r\nMessage-ID: bind0\r\n-------bind0$\r\n"
        );
        let answer = self.put(bind.as_bytes());
        assert!(answer.starts_with("MSRP bind0 200 OK\r\n"), "{answer}");
    }

    /// A further connection.
    pub fn accept(&mut self) -> ConnId {
        let conn = ConnId::accepted(self.accepted);
        self.accepted += 1;
        let (local, remote) = (sim::addr("127.0.0.1:2855"), sim::addr("127.0.0.1:9000"));
        self.endpoint
            .handle_input(Input::Accepted { conn, transport: Transport::Tcp, local, remote, peer: None }, self.now);
        self.conn = conn;
        conn
    }

    /// Writes to the endpoint; gives what it answers.
    pub fn put(&mut self, data: &[u8]) -> String {
        let input = Input::Stream { conn: self.conn, data: Bytes::copy_from_slice(data) };
        self.endpoint.handle_input(input, self.now);
        self.drain()
    }

    /// The host has written.
    pub fn written(&mut self, octets: usize) {
        self.endpoint.handle_input(Input::Written { conn: self.conn, octets }, self.now);
    }

    pub fn wait(&mut self, time: Duration) -> String {
        self.now.at += time;
        self.endpoint.handle_timeout(self.now);
        self.drain()
    }

    pub fn is_closed(&self) -> bool {
        self.closed.contains(&self.conn)
    }

    /// What the endpoint put out on the connection.
    pub fn drain(&mut self) -> String {
        let mut text = Vec::new();
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Write { conn, data } if conn == self.conn => text.extend_from_slice(&data),
                Output::Close { conn } => self.closed.push(conn),
                Output::Read { conn, on } if conn == self.conn => self.reading.push(on),
                Output::Write { .. }
                | Output::Read { .. }
                | Output::Connect { .. }
                | Output::Datagram { .. }
                | Output::Keep { .. } => {}
            }
        }
        while let Some(event) = self.endpoint.poll_event() {
            match &event {
                Event::Started { incoming, .. } => drop(self.partial.insert(*incoming, Vec::new())),
                Event::Piece { incoming, data, .. } => self.partial.get_mut(incoming).unwrap().extend_from_slice(data),
                Event::Complete { incoming, .. } => self.messages.push(self.partial.remove(incoming).unwrap()),
                Event::Incomplete { incoming, why, .. } => {
                    self.partial.remove(incoming);
                    self.incomplete.push(*why);
                }
                Event::Bound { .. }
                | Event::Disconnected { .. }
                | Event::WantsMore { .. }
                | Event::Sent { .. }
                | Event::Failed { .. }
                | Event::Report { .. }
                | Event::Drained { .. } => {}
            }
            self.events.push(event);
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}
