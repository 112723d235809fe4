//! A proxy node and toy user agents on the simulated network.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sim::{Net, NodeId, addr};
use sip::{Builder, Method, Name, Request, Response};
use sip_proxy::{Edits, ForwardTo, Plan, Preprocessed, Proxy, ProxyEvent, RecordRoute, preprocess};
use sip_tx::{ClientId, Event, Incoming, Listener, Options, Owner, Stack, Target};
use wire::{Entropy, Input, Instant, Node, Now, Output, Transport};

pub(crate) const ALICE: &str = "10.0.0.1:5060";
pub(crate) const PROXY: &str = "10.0.0.9:5060";
pub(crate) const PROXY_2: &str = "10.0.0.8:5060";
pub(crate) const BOB: &str = "10.0.0.2:5060";
pub(crate) const CAROL: &str = "10.0.0.3:5060";

fn stack(text: &str, entropy: Entropy, options: Options) -> Stack {
    let listener = |transport| Listener { transport, addr: addr(text) };
    Stack::new(vec![listener(Transport::Udp), listener(Transport::Tcp)], options, entropy)
}

/// Where a test wants requests to go: everything the role decides.
pub(crate) type Decide = Box<dyn Fn(&Request, &Preprocessed) -> Plan>;

/// A node that forwards everything.
pub(crate) struct Relay {
    pub(crate) stack: Stack,
    pub(crate) proxy: Proxy,
    pub(crate) decide: Decide,
    /// `INVITE 200`, in the order of their sending; `done 200` at the end.
    pub(crate) log: Vec<String>,
    /// The user parts of our own Route values, as they came back.
    pub(crate) own: Vec<String>,
    /// ACKs that were not forwarded.
    pub(crate) dropped_acks: usize,
}

impl Relay {
    fn drain(&mut self, now: Now) {
        while let Some(event) = self.stack.poll_event() {
            let Some(event) = self.proxy.handle(&mut self.stack, event, now) else { continue };
            match event {
                Event::Request(incoming) => self.on_request(incoming, now),
                Event::Ack { request, flow } => {
                    let ours = |uri: &sip::Uri<'_>| self.stack.transports().is_our_uri(uri);
                    let Ok(pre) = preprocess(&request, &flow, &ours) else { continue };
                    let mut plan = (self.decide)(&request, &pre);
                    let to = plan.targets.pop().unwrap_or_default();
                    let no = Edits::new();
                    let sent = self.proxy.forward_ack(&mut self.stack, &request, &pre, to, &no, &Target::from_uri);
                    self.dropped_acks += usize::from(!sent);
                }
                Event::Response { .. }
                | Event::Failed { .. }
                | Event::Cancelled { .. }
                | Event::Unacknowledged { .. } => {
                    panic!("not the role's: {event:?}")
                }
            }
        }
        while let Some(event) = self.proxy.poll_event() {
            self.log.push(match event {
                ProxyEvent::Response { method, status, .. } => format!("{method} {status}"),
                ProxyEvent::Done { status, .. } => format!("done {}", status.unwrap_or_default()),
            });
        }
    }

    fn on_request(&mut self, incoming: Box<Incoming>, now: Now) {
        let request = &incoming.request;
        if let Err(reject) = self.proxy.validate(&self.stack, request, &["known"]) {
            return reject.send(&mut self.stack, &incoming);
        }
        let ours = |uri: &sip::Uri<'_>| self.stack.transports().is_our_uri(uri);
        let pre = match preprocess(request, &incoming.flow, &ours) {
            Ok(pre) => pre,
            Err(reject) => return reject.send(&mut self.stack, &incoming),
        };
        self.own.extend(pre.own().filter_map(|uri| uri.user().map(|user| String::from_utf8_lossy(user).into_owned())));
        let mut plan = (self.decide)(request, &pre);
        if request.to_tag().is_empty() && request.method() == Method::Invite {
            plan.record_route.get_or_insert(RecordRoute::here("token"));
        }
        self.proxy.forward(&mut self.stack, incoming, pre, plan, &Target::from_uri, now);
    }
}

impl Node for Relay {
    fn handle_input(&mut self, input: Input, now: Now) {
        self.stack.handle_input(input, now);
        self.drain(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.stack.handle_timeout(now);
        self.proxy.handle_timeout(&mut self.stack, now);
        self.drain(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.stack.poll_output()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.stack.poll_timeout(), self.proxy.poll_timeout()].into_iter().flatten().min()
    }
}

/// What a phone answers to requests that are not INVITE, BYE or CANCEL, and to an INVITE.
pub(crate) type Answers = VecDeque<(Duration, u16)>;

/// A toy user agent: sends what it is told, answers as scripted.
pub(crate) struct Phone {
    pub(crate) stack: Stack,
    pub(crate) local: SocketAddr,
    /// Responses to the next INVITE, each after its time; then to every other request 200 at once, unless `silent`.
    pub(crate) answers: Answers,
    pub(crate) silent: bool,
    pub(crate) received: Vec<Request>,
    pub(crate) responses: Vec<Response>,
    pub(crate) extra: Vec<(Name, String)>,
    scheduled: Vec<(Instant, Box<Incoming>, u16)>,
    pub(crate) tag: String,
    /// The 200s of our own that nobody has acknowledged.
    unacknowledged: Vec<(Instant, Duration, sip_tx::ServerId, Bytes, u32)>,
    pub(crate) acks: usize,
    pub(crate) failures: usize,
    last: Option<ClientId>,
    /// What it sends its own first requests over.
    pub(crate) transport: Transport,
}

impl Phone {
    fn drain(&mut self, now: Now) {
        while let Some(event) = self.stack.poll_event() {
            match event {
                Event::Request(incoming) => self.on_request(incoming, now),
                Event::Ack { request, .. } => {
                    self.acks += 1;
                    self.unacknowledged.clear();
                    self.received.push(*request);
                }
                Event::Response { response, .. } => {
                    if response.is_success() && response.cseq().method == Method::Invite {
                        self.ack(&response, now);
                    }
                    self.responses.push(*response);
                }
                Event::Failed { .. } => self.failures += 1,
                Event::Cancelled { tx, cancel, .. } => {
                    self.received.push(*cancel);
                    if let Some(at) = self.scheduled.iter().position(|(_, incoming, _)| incoming.tx == tx) {
                        let (_, incoming, _) = self.scheduled.swap_remove(at);
                        self.scheduled.retain(|(_, incoming, _)| incoming.tx != tx);
                        self.stack.reject(&incoming, 487, now);
                    }
                }
                Event::Unacknowledged { .. } => {}
            }
        }
    }

    fn on_request(&mut self, incoming: Box<Incoming>, now: Now) {
        self.received.push(incoming.request.clone());
        if incoming.request.method() == Method::Invite {
            for (after, status) in std::mem::take(&mut self.answers) {
                let copy = Incoming { tx: incoming.tx, request: incoming.request.clone(), flow: incoming.flow };
                self.scheduled.push((now.at + after, Box::new(copy), status));
            }
            self.fire(now);
        } else if !self.silent {
            let status = self.answers.pop_front().map_or(200, |(_, status)| status);
            self.answer(&incoming, status, now);
        }
    }

    fn answer(&mut self, incoming: &Incoming, status: u16, now: Now) {
        let request = &incoming.request;
        let mut response = request.respond(status, &self.tag).copied(request, Name::RecordRoute);
        response = response.header(Name::Contact, format!("<sip:{}>", self.local));
        for (name, value) in &self.extra {
            response = response.header(*name, value.replace("{status}", &status.to_string()));
        }
        let bytes = response.finish();
        if request.method() == Method::Invite && (200..300).contains(&status) {
            let interval = Duration::from_millis(500);
            self.unacknowledged.push((now.at + interval, interval, incoming.tx, bytes.clone(), 0));
        }
        self.stack.respond(incoming.tx, status, bytes, now);
    }

    fn fire(&mut self, now: Now) {
        self.scheduled.sort_by_key(|(at, _, _)| *at);
        while self.scheduled.first().is_some_and(|(at, _, _)| *at <= now.at) {
            let (_, incoming, status) = self.scheduled.remove(0);
            self.answer(&incoming, status, now);
        }
        // RFC 3261 §13.3.1.4.
        for (due, interval, tx, bytes, count) in &mut self.unacknowledged {
            if *due <= now.at {
                *count += 1;
                *interval = (*interval * 2).min(Duration::from_secs(4));
                *due = now.at + *interval;
                self.stack.respond(*tx, 200, bytes.clone(), now);
            }
        }
        self.unacknowledged.retain(|(_, _, _, _, count)| *count < 9);
    }

    fn ack(&mut self, response: &Response, now: Now) {
        let bytes = self.in_dialog(response, Method::Ack, response.cseq().number);
        self.send(Method::Ack, &bytes, now);
    }

    /// A request in the dialog that a 2xx made, without Via.
    pub(crate) fn in_dialog(&self, response: &Response, method: Method, cseq: u32) -> Bytes {
        let contact = response.addresses(Name::Contact).next().unwrap().unwrap();
        let mut routes: Vec<_> = response.values(Name::RecordRoute).collect();
        routes.reverse();
        let mut request = Builder::request(method, contact.uri().as_bytes());
        for route in routes {
            request = request.header(Name::Route, route);
        }
        request
            .header(Name::MaxForwards, "70")
            .copied(response, Name::From)
            .copied(response, Name::To)
            .header(Name::CallId, response.call_id())
            .header(Name::CSeq, format!("{cseq} {method}"))
            .finish()
    }

    /// Sends a request that lacks its Via to where its Route or its URI leads.
    pub(crate) fn send(&mut self, method: Method, bytes: &Bytes, now: Now) {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let next = text.lines().find_map(|line| line.strip_prefix("Route: <")).map_or_else(
            || text.split(' ').nth(1).unwrap().to_owned(),
            |route| route.split('>').next().unwrap().to_owned(),
        );
        let target = Target::from_uri(&sip::Uri::parse(next.as_bytes()).unwrap()).unwrap();
        self.send_to(&target, method, bytes, now);
    }

    pub(crate) fn send_to(&mut self, target: &Target, method: Method, bytes: &Bytes, now: Now) {
        let hop = self.stack.hop(target, bytes.len(), "").unwrap();
        let line_end = memchr(bytes) + 2;
        let bytes = [&bytes[..line_end], b"Via: ", hop.via().as_bytes(), b"\r\n", &bytes[line_end..]].concat();
        if method == Method::Ack {
            self.stack.send_ack(&hop, bytes.into());
        } else {
            self.last = Some(self.stack.request(hop, method, bytes.into(), Owner::Role(0), now));
        }
    }

    /// Sends a new request to `user` through the proxy.
    pub(crate) fn request(&mut self, method: &str, uri: &str, headers: &[(Name, &str)], now: Now) {
        let bytes = self.new_request(method, uri, headers);
        self.send_to(&Target::new(self.transport, addr(PROXY)), Method::from_bytes(method.as_bytes()), &bytes, now);
    }

    pub(crate) fn new_request(&mut self, method: &str, uri: &str, headers: &[(Name, &str)]) -> Bytes {
        let has_max = headers.iter().any(|(name, _)| *name == Name::MaxForwards);
        let mut request = Builder::request_named(method, uri)
            .maybe(Name::MaxForwards, (!has_max).then_some("70"))
            .header(Name::From, "<sip:alice@a.example>;tag=a1")
            .header(Name::To, "<sip:bob@b.example>")
            .header(Name::CallId, "call-1@a.example")
            .header(Name::CSeq, format!("1 {method}"))
            .header(Name::Contact, format!("<sip:{}>", self.local));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        request.finish()
    }

    pub(crate) fn invite(&mut self, uri: &str, now: Now) {
        self.request("INVITE", uri, &[], now);
    }

    pub(crate) fn cancel(&mut self, reason: &str, now: Now) {
        let last = self.last.unwrap();
        self.stack.cancel(last, Some(reason.as_bytes()), now);
    }

    pub(crate) fn bye(&mut self, now: Now) {
        let response = self.responses.iter().find(|r| r.is_success()).unwrap().clone();
        let bytes = self.in_dialog(&response, Method::Bye, 2);
        self.send(Method::Bye, &bytes, now);
    }

    pub(crate) fn statuses(&self) -> Vec<u16> {
        self.responses.iter().map(|r| r.status()).collect()
    }
}

fn memchr(bytes: &[u8]) -> usize {
    bytes.windows(2).position(|pair| pair == b"\r\n").unwrap()
}

impl Node for Phone {
    fn handle_input(&mut self, input: Input, now: Now) {
        self.stack.handle_input(input, now);
        self.drain(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.stack.handle_timeout(now);
        self.fire(now);
        self.drain(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.stack.poll_output()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let scheduled = self.scheduled.iter().map(|(at, _, _)| *at).min();
        let repeats = self.unacknowledged.iter().map(|(at, ..)| *at).min();
        [self.stack.poll_timeout(), scheduled, repeats].into_iter().flatten().min()
    }
}

/// Alice, the proxy, Bob and Carol.
pub(crate) struct World {
    pub(crate) net: Net,
    pub(crate) alice: NodeId<Phone>,
    pub(crate) proxy: NodeId<Relay>,
    pub(crate) bob: NodeId<Phone>,
    pub(crate) carol: NodeId<Phone>,
}

pub(crate) fn phone(net: &mut Net, name: &str, local: &str) -> NodeId<Phone> {
    let entropy = net.entropy();
    let options = Options { auto_trying: false, ..Options::default() };
    let phone = Phone {
        stack: stack(local, entropy, options),
        local: addr(local),
        answers: VecDeque::new(),
        silent: false,
        received: Vec::new(),
        responses: Vec::new(),
        extra: Vec::new(),
        scheduled: Vec::new(),
        tag: format!("tag-{name}"),
        unacknowledged: Vec::new(),
        acks: 0,
        failures: 0,
        last: None,
        transport: Transport::Udp,
    };
    net.add(name, &[addr(local)], phone)
}

pub(crate) fn relay(net: &mut Net, name: &str, local: &str, decide: Decide) -> NodeId<Relay> {
    let mut entropy = net.entropy();
    let proxy = Proxy::new(&mut entropy);
    let stack = stack(local, entropy, Options::default());
    let relay = Relay { stack, proxy, decide, log: Vec::new(), own: Vec::new(), dropped_acks: 0 };
    net.add(name, &[addr(local)], relay)
}

impl World {
    /// Requests with a dialog go along their Route; others where `decide` says.
    pub(crate) fn new(seed: u64, decide: impl Fn(&Request) -> Plan + 'static) -> World {
        let mut net = Net::new(seed);
        let alice = phone(&mut net, "alice", ALICE);
        let decide: Decide =
            Box::new(
                move |request, _| {
                    if request.to_tag().is_empty() { decide(request) } else { Plan::to(ForwardTo::along()) }
                },
            );
        let proxy = relay(&mut net, "proxy", PROXY, decide);
        let bob = phone(&mut net, "bob", BOB);
        let carol = phone(&mut net, "carol", CAROL);
        World { net, alice, proxy, bob, carol }
    }

    pub(crate) fn along(seed: u64) -> World {
        World::new(seed, |_| Plan::to(ForwardTo::along()))
    }

    pub(crate) fn bob_answers(&mut self, answers: &[(u64, u16)]) {
        self.net[self.bob].answers = script(answers);
    }

    pub(crate) fn carol_answers(&mut self, answers: &[(u64, u16)]) {
        self.net[self.carol].answers = script(answers);
    }

    pub(crate) fn invite(&mut self, uri: &str) {
        self.net.node_mut(self.alice, |phone, now| phone.invite(uri, now));
    }

    pub(crate) fn request(&mut self, method: &str, uri: &str, headers: &[(Name, &str)]) {
        self.net.node_mut(self.alice, |phone, now| phone.request(method, uri, headers, now));
    }

    pub(crate) fn statuses(&self) -> Vec<u16> {
        self.net[self.alice].statuses()
    }

    /// Runs until every transaction is over, and says that nothing is left in the proxy.
    pub(crate) fn assert_nothing_is_left(&mut self) {
        self.net.run_to_quiet(Duration::from_secs(600));
        let relay = &self.net[self.proxy];
        assert_eq!(relay.proxy.len(), 0, "contexts");
        assert_eq!(relay.stack.transactions(), (0, 0), "transactions");
    }
}

pub(crate) fn script(answers: &[(u64, u16)]) -> Answers {
    answers.iter().map(|(ms, status)| (Duration::from_millis(*ms), *status)).collect()
}

pub(crate) fn sip(at: &str) -> String {
    format!("sip:bob@{at}")
}

pub(crate) fn to(at: &str) -> ForwardTo {
    ForwardTo::uri(sip(at))
}

/// The message as text.
pub(crate) fn text(message: &sip::Message) -> String {
    String::from_utf8_lossy(message.bytes()).into_owned()
}
