//! A client and its relay (RFC 4976): AUTH by hand.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use bytes::Bytes;
use msrp::{Endpoint, Event, Options, Outline, Relay, RelayEvent, SessionId, SessionOptions, Status};
use sdp::MsrpUri;
use wire::{ConnId, Entropy, Input, Now, Output};

const RELAY: &str = "msrp://127.0.0.9:2855;tcp";
const PATH: &str = "msrp://127.0.0.9:2855/granted;tcp";
const OURS: &str = "msrp://127.0.0.1:2855/ours;tcp";
const THEIRS: &str = "msrp://127.0.0.2:2855/theirs;tcp";
const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n";

struct Client {
    endpoint: Endpoint,
    relay: Relay,
    now: Now,
    dialled: u64,
    events: Vec<RelayEvent>,
}

impl Client {
    fn new() -> Client {
        let endpoint = Endpoint::new(Options { write_budget: None, ..Options::default() }, Entropy::from_seed(1));
        let us = MsrpUri::parse("msrp://127.0.0.1:2855/asks;tcp").unwrap();
        let relay = Relay::new(MsrpUri::parse(RELAY).unwrap(), us).unwrap();
        let mut client = Client { endpoint, relay, now: Now::default(), dialled: 0, events: Vec::new() };
        client.relay.start();
        client.settle();
        client
    }

    fn conn(&self) -> ConnId {
        ConnId::opened(self.dialled)
    }

    /// Carries out what the relay wants, and gives what is written.
    fn settle(&mut self) -> String {
        self.relay.work(&mut self.endpoint, self.now);
        while let Some(event) = self.relay.poll_event() {
            match event {
                RelayEvent::Dial => {
                    self.dialled += 1;
                    let (conn, local) = (self.conn(), "127.0.0.1:2855".parse().unwrap());
                    self.relay.dial(conn, local, &mut self.endpoint, self.now);
                }
                RelayEvent::Challenged { .. } | RelayEvent::Granted | RelayEvent::Refused { .. } | RelayEvent::Lost => {
                    self.events.push(event)
                }
            }
        }
        let mut text = String::new();
        while let Some(output) = self.endpoint.poll_output() {
            if let Output::Write { data, .. } = output {
                text.push_str(std::str::from_utf8(&data).unwrap());
            }
        }
        text
    }

    fn input(&mut self, input: Input) -> String {
        self.endpoint.handle_input(input, self.now);
        self.settle()
    }

    fn up(&mut self) -> String {
        self.input(Input::Connected { conn: self.conn(), local: "127.0.0.1:4000".parse().unwrap(), peer: None })
    }

    /// The relay answers a request.
    fn answer(&mut self, request: &str, status: &str, fields: &str) -> String {
        let id = request.split(' ').nth(1).unwrap();
        let text = format!("MSRP {id} {status}\r\nTo-Path: {OURS}\r\nFrom-Path: {RELAY}\r\n{fields}-------{id}$\r\n");
        self.input(Input::Stream { conn: self.conn(), data: text.into() })
    }

    fn wait(&mut self, time: Duration) -> String {
        self.now.at += time;
        self.endpoint.handle_timeout(self.now);
        self.relay.handle_timeout(&mut self.endpoint, self.now);
        self.settle()
    }

    /// With a path for 100 s.
    fn granted() -> Client {
        let mut client = Client::new();
        let auth = client.up();
        client.answer(&auth, "200 OK", &format!("Use-Path: {PATH}\r\nExpires: 100\r\n"));
        assert_eq!(client.events.pop(), Some(RelayEvent::Granted));
        client
    }

    fn session(&mut self) -> SessionId {
        let relays = self.relay.path().to_vec();
        let remote = vec![MsrpUri::parse(THEIRS).unwrap()];
        let options = SessionOptions { relays, ..SessionOptions::new(MsrpUri::parse(OURS).unwrap(), remote) };
        self.endpoint.open(options).unwrap()
    }
}

#[test]
fn a_challenge_is_answered_once_and_the_path_is_granted() {
    let mut client = Client::new();
    let first = client.up();
    assert!(first.contains(&format!("AUTH\r\nTo-Path: {RELAY}\r\nFrom-Path: ")), "{first}");
    assert!(!first.contains("Authorization"), "{first}");
    client.answer(&first, "401 Unauthorized", CHALLENGE);
    let RelayEvent::Challenged { challenges } = client.events.pop().unwrap() else { panic!("not challenged") };
    assert_eq!(challenges, [Bytes::from("Digest realm=\"r\", nonce=\"n\", qop=\"auth\"")]);
    client.relay.authorize("Digest username=\"alice\"", &mut client.endpoint, client.now);
    let second = client.settle();
    assert!(second.contains("Authorization: Digest username=\"alice\"\r\n"), "{second}");
    client.answer(&second, "200 OK", &format!("Use-Path: {PATH}\r\nExpires: 100\r\n"));
    assert_eq!(client.events, [RelayEvent::Granted]);
    assert_eq!(client.relay.path(), [MsrpUri::parse(PATH).unwrap()]);
    // With a fifth of the time in hand the path is asked for again.
    assert_eq!(client.wait(Duration::from_secs(79)), "");
    assert!(client.wait(Duration::from_secs(1)).contains(" AUTH\r\n"));
    assert!(!client.relay.path().is_empty(), "and stays as long as there is no answer");
}

#[test]
fn whoever_is_challenged_again_or_has_no_answer_is_refused_for_good() {
    for has_credentials in [true, false] {
        let mut client = Client::new();
        let auth = client.up();
        client.answer(&auth, "401 Unauthorized", CHALLENGE);
        if has_credentials {
            client.relay.authorize("Digest username=\"alice\"", &mut client.endpoint, client.now);
            let auth = client.settle();
            client.answer(&auth, "401 Unauthorized", CHALLENGE);
        } else {
            client.relay.refuse(&mut client.endpoint, client.now);
            client.settle();
        }
        assert_eq!(client.events.last(), Some(&RelayEvent::Refused { status: Status::UNAUTHORIZED }));
        assert_eq!((client.relay.poll_timeout(), client.endpoint.len()), (None, (0, 0)));
    }
}

#[test]
fn a_relay_that_is_silent_or_goes_is_asked_again() {
    let mut silent = Client::new();
    silent.up();
    silent.wait(Duration::from_secs(30));
    let mut gone = Client::granted();
    gone.input(Input::Closed { conn: gone.conn(), failed: false });
    let mut never = Client::new();
    never.wait(Duration::from_secs(10));
    for client in [&mut silent, &mut gone, &mut never] {
        assert_eq!(client.events, [RelayEvent::Lost]);
        assert!(client.relay.path().is_empty());
        client.wait(Duration::from_secs(1));
        assert_eq!(client.dialled, 2);
        assert!(client.up().contains(" AUTH\r\n"));
    }
}

#[test]
fn sessions_share_the_connection_to_the_relay_and_it_outlives_them() {
    let mut client = Client::granted();
    let session = client.session();
    // To-Path has the relay first; the peer binds the session through it.
    let bind = format!(
        "MSRP bind SEND\r\nTo-Path: {OURS}\r\nFrom-Path: {PATH} {THEIRS}\r\nMessage-ID: m1\r\n-------bind$\r\n"
    );
    let answer = client.input(Input::Stream { conn: client.conn(), data: bind.into() });
    assert!(answer.starts_with("MSRP bind 200 OK\r\n"), "{answer}");
    assert!(answer.contains(&format!("To-Path: {PATH}\r\n")), "hop by hop: {answer}");
    assert_eq!(client.endpoint.poll_event(), Some(Event::Bound { session }));
    client.endpoint.send(session, Outline::new("text/plain"), Bytes::from("hello"), client.now).unwrap();
    let sent = client.settle();
    assert!(sent.contains(&format!("To-Path: {PATH} {THEIRS}\r\nFrom-Path: {OURS}\r\n")), "{sent}");
    client.endpoint.remove(session, client.now);
    client.settle();
    assert_eq!(client.endpoint.len(), (0, 1));
}
