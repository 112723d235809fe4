//! A phone: the smallest role that has a user agent. It logs what it is told.

use std::time::Duration;

use bytes::Bytes;
use sim::{Net, NodeId, addr};
use sip::{Method, Name};
use sip_transport::Listener;
use sip_tx::{Event, Incoming, Options, Owner, Stack};
use sip_ua::digest::{Authenticator, Check, Secret, Side};
use sip_ua::{
    Body, Cause, Config, Headers, InvitePlan, Registration, RegistrationPlan, Reject, Resolver, Session, SessionKey,
    State, UaEvent, UserAgent, WrongState,
};
use wire::{Entropy, Input, Instant, Node, Now, Output, Transport};

/// What a phone does with requests that ask for a decision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Policy {
    Answer,
    Wait,
}

pub(crate) struct Phone {
    pub(crate) stack: Stack,
    pub(crate) ua: UserAgent,
    contact: String,
    /// What to do with an INVITE: 200 at once, or wait for the test.
    pub(crate) on_invite: Policy,
    /// What to do with re-INVITE, UPDATE and MESSAGE.
    pub(crate) on_request: Policy,
    /// The last session, called or taken.
    pub(crate) session: Option<SessionKey>,
    pub(crate) waiting: Vec<Incoming>,
    pub(crate) registration: Option<Registration>,
    /// Demands credentials of callers, with this password.
    pub(crate) authenticator: Option<(Authenticator, Secret)>,
    pub(crate) log: Vec<String>,
    /// How the last session ended, if one has.
    ended: Option<(SessionKey, Cause)>,
}

pub(crate) const ALICE: &str = "10.0.0.1:5060";
pub(crate) const BOB: &str = "10.0.0.2:5060";
pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// Longer than any transaction, 2xx or tombstone lasts, and than a session that nobody refreshes.
pub(crate) const LONG: Duration = Duration::from_secs(2_000);

impl Phone {
    pub(crate) fn new(name: &str, address: &str, entropy: Entropy) -> Phone {
        let address = addr(address);
        let listeners = [Transport::Udp, Transport::Tcp].map(|transport| Listener { transport, addr: address });
        let stack = Stack::new(listeners.to_vec(), Options::default(), entropy);
        Phone {
            stack,
            ua: UserAgent::new(Config::default(), Resolver::default()),
            contact: format!("<sip:{name}@{address}>"),
            on_invite: Policy::Answer,
            on_request: Policy::Answer,
            session: None,
            waiting: Vec::new(),
            registration: None,
            authenticator: None,
            log: Vec::new(),
            ended: None,
        }
    }

    pub(crate) fn plan(&self, to: &str) -> InvitePlan {
        InvitePlan {
            request_uri: to.to_owned().into(),
            from: self.contact.clone().into(),
            to: format!("<{to}>").into(),
            call_id: None,
            contact: self.contact.clone().into(),
            routes: Vec::new(),
            headers: Headers::new(),
            body: Some(Body::sdp("offer")),
            target: None,
            pinned: None,
        }
    }

    pub(crate) fn call(&mut self, to: &str, now: Now) {
        let plan = self.plan(to);
        self.call_as(plan, now);
    }

    pub(crate) fn call_as(&mut self, plan: InvitePlan, now: Now) {
        self.session = Some(self.ua.invite(&mut self.stack, plan, now).unwrap());
    }

    pub(crate) fn ring(&mut self, now: Now) {
        let key = self.session.unwrap();
        self.ua.progress(&mut self.stack, key, 180, &Headers::new(), None, now).unwrap();
    }

    pub(crate) fn accept(&mut self, now: Now) {
        self.accept_with(Some(Body::sdp("answer")), now);
    }

    pub(crate) fn accept_with(&mut self, body: Option<Body>, now: Now) {
        let key = self.session.unwrap();
        self.ua.accept(&mut self.stack, key, &Headers::new(), body, now).unwrap();
    }

    pub(crate) fn bye(&mut self, now: Now) -> Result<(), WrongState> {
        let reason = Headers::new().with(Name::Reason, "SIP;cause=200;text=\"Call completed\"");
        let done = self.ua.bye(&mut self.stack, self.session.unwrap(), &reason, now);
        self.drain(now);
        done
    }

    pub(crate) fn cancel(&mut self, now: Now) -> Result<(), WrongState> {
        self.ua.cancel(&mut self.stack, self.session.unwrap(), &Headers::new(), now)
    }

    pub(crate) fn modify(&mut self, method: Method, body: Option<Body>, now: Now) -> Result<(), WrongState> {
        self.ua.modify(&mut self.stack, self.session.unwrap(), method, Headers::new(), body, now)
    }

    /// Answers what waits.
    pub(crate) fn answer(&mut self, status: u16, body: Option<Body>, now: Now) {
        let incoming = self.waiting.remove(0);
        let key = self.session.unwrap();
        self.ua.answer(&mut self.stack, key, incoming.tx, status, &Headers::new(), body, now).unwrap();
    }

    pub(crate) fn state(&self) -> Option<State> {
        let buried = self.ended.filter(|(key, _)| Some(*key) == self.session).map(|_| State::Terminated);
        self.ua.session(self.session?).map(Session::state).or(buried)
    }

    pub(crate) fn ended(&self) -> Option<Cause> {
        self.ended.filter(|(key, _)| Some(*key) == self.session).map(|(_, cause)| cause)
    }

    pub(crate) fn remote_sdp(&self) -> Option<Bytes> {
        self.ua.session(self.session?).and_then(|session| session.remote_sdp()).map(|body| body.bytes.clone())
    }

    /// Whether nothing is left: no session, no transaction.
    pub(crate) fn is_clean(&self) -> bool {
        self.ua.is_empty() && self.stack.transactions() == (0, 0)
    }

    fn drain(&mut self, now: Now) {
        while let Some(event) = self.stack.poll_event() {
            let event = match &mut self.registration {
                Some(registration) => registration.handle(&self.ua, &mut self.stack, event, now),
                None => Some(event),
            };
            if let Some(event) = event
                && let Some(event) = self.ua.handle(&mut self.stack, event, now)
            {
                self.on_event(event, now);
            }
        }
        while let Some((key, event)) = self.ua.poll_event() {
            self.on_ua_event(key, event, now);
        }
        while let Some(event) = self.registration.as_mut().and_then(Registration::poll_event) {
            self.log.push(format!("{event:?}"));
        }
        self.bury();
    }

    /// Whatever still comes for a session that is over, its tomb answers.
    fn bury(&mut self) {
        let is_over = |(key, session): (SessionKey, &Session)| session.ended().map(|_| key);
        for key in self.ua.sessions().filter_map(is_over).collect::<Vec<_>>() {
            self.ua.bury(key);
        }
    }

    pub(crate) fn plan_registration(&mut self, registrar: &str, expires: u32) {
        let plan = RegistrationPlan {
            registrar: registrar.to_owned().into(),
            aor: "<sip:alice@home.example>".into(),
            contact: format!("{};+sip.instance=\"<urn:uuid:1>\"", self.contact).into(),
            routes: Vec::new(),
            expires,
            headers: Headers::new().with(Name::Supported, "path"),
            target: None,
        };
        self.registration = Some(Registration::new(plan, Owner::Role(1), &mut self.stack));
    }

    pub(crate) fn register(&mut self, now: Now) {
        self.registration.as_mut().unwrap().register(&self.ua, &mut self.stack, now);
    }

    pub(crate) fn unregister(&mut self, now: Now) {
        self.registration.as_mut().unwrap().unregister(&self.ua, &mut self.stack, now);
    }

    /// Whether the caller has shown who he is; if not, he has been told to.
    fn knows_caller(&mut self, incoming: &Incoming, now: Now) -> bool {
        let Some((authenticator, secret)) = &mut self.authenticator else { return true };
        let stale = match authenticator.check(&incoming.request, Side::Proxy, now, |_| Some(secret)) {
            Check::Granted { .. } => return true,
            Check::Missing { stale } => stale,
            Check::Refused => false,
        };
        let demand = authenticator.demand(Side::Proxy, stale, now);
        self.ua.refuse(&mut self.stack, incoming, &demand, now);
        false
    }

    fn on_event(&mut self, event: Event, now: Now) {
        let Event::Request(incoming) = event else { return };
        let (method, is_new) = (incoming.request.method(), incoming.request.to_tag().is_empty());
        if method == Method::Invite && is_new {
            self.on_invite(*incoming, now);
        } else if method == Method::Options {
            self.ua.answer_options(&mut self.stack, &incoming, now);
        } else {
            self.ua.refuse(&mut self.stack, &incoming, &Reject::new(481), now);
        }
    }

    fn on_invite(&mut self, incoming: Incoming, now: Now) {
        if !self.knows_caller(&incoming, now) {
            return self.log.push("challenged".to_owned());
        }
        match self.ua.incoming(&mut self.stack, incoming, self.contact.clone(), now) {
            Ok(key) => {
                self.session = Some(key);
                self.log.push("invited".to_owned());
                if self.on_invite == Policy::Answer {
                    self.accept(now);
                }
            }
            Err(reject) => self.log.push(format!("refused {}", reject.status)),
        }
    }

    fn on_ua_event(&mut self, key: SessionKey, event: UaEvent, now: Now) {
        let said = match event {
            UaEvent::Progress { response } => format!("progress {}", response.status()),
            UaEvent::Answered { owes_answer: false, .. } => "answered".to_owned(),
            UaEvent::Answered { owes_answer: true, .. } => {
                self.ua.ack(&mut self.stack, key, Body::sdp("late answer"), now).unwrap();
                "answered with an offer".to_owned()
            }
            UaEvent::Forked { .. } => "forked".to_owned(),
            UaEvent::Rejected { status, .. } => format!("rejected {status}"),
            UaEvent::Acked { .. } => "acked".to_owned(),
            UaEvent::Cancelled { .. } => "cancelled".to_owned(),
            UaEvent::Bye { crossed: false, .. } => "bye".to_owned(),
            UaEvent::Bye { crossed: true, .. } => "bye crossed".to_owned(),
            UaEvent::Closing { cause } => format!("closing {cause:?}"),
            UaEvent::ByeDone { outcome } => format!("bye done {outcome:?}"),
            UaEvent::Reinvite { incoming } => self.on_asked("re-invite", *incoming, now),
            UaEvent::Update { incoming } => self.on_asked("update", *incoming, now),
            UaEvent::Request { incoming } => self.on_asked("request", *incoming, now),
            UaEvent::Withdrawn { .. } => "withdrawn".to_owned(),
            UaEvent::Modified { response, .. } => format!("modified {}", response.status()),
            UaEvent::NotModified { why } => format!("not modified {why:?}"),
            UaEvent::Response { response, .. } => format!("response {}", response.status()),
            UaEvent::Failed { why, .. } => format!("failed {why:?}"),
            UaEvent::Ended { cause } => {
                self.ended = Some((key, cause));
                format!("ended {cause:?}")
            }
            UaEvent::Gone => "gone".to_owned(),
        };
        self.log.push(said);
    }

    fn on_asked(&mut self, what: &str, incoming: Incoming, now: Now) -> String {
        let has_body = !incoming.request.body().is_empty();
        self.waiting.push(incoming);
        if self.on_request == Policy::Answer {
            self.answer(200, has_body.then(|| Body::sdp("new answer")), now);
        }
        what.to_owned()
    }
}

impl Node for Phone {
    fn handle_input(&mut self, input: Input, now: Now) {
        self.stack.handle_input(input, now);
        self.drain(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.stack.handle_timeout(now);
        self.drain(now);
        self.ua.handle_timeout(&mut self.stack, now);
        if let Some(registration) = &mut self.registration {
            registration.handle_timeout(&self.ua, &mut self.stack, now);
        }
        self.drain(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.stack.poll_output()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [
            self.stack.poll_timeout(),
            self.ua.poll_timeout(),
            self.registration.as_ref().and_then(Registration::poll_timeout),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// Two phones on one network, over UDP.
pub(crate) fn phones(seed: u64) -> (Net, NodeId<Phone>, NodeId<Phone>) {
    let mut net = Net::new(seed);
    let (a, b) = (net.entropy(), net.entropy());
    let alice = net.add("alice", &[addr(ALICE)], Phone::new("alice", ALICE, a));
    let bob = net.add("bob", &[addr(BOB)], Phone::new("bob", BOB, b));
    (net, alice, bob)
}

pub(crate) const BOB_URI: &str = "sip:bob@10.0.0.2:5060";

/// Two phones in a session that Alice called, with an empty ladder and log.
pub(crate) fn in_session(seed: u64) -> (Net, NodeId<Phone>, NodeId<Phone>) {
    let (mut net, alice, bob) = phones(seed);
    net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
    net.settle();
    for phone in [alice, bob] {
        assert_eq!(net[phone].state(), Some(State::Established));
        net.node_mut(phone, |phone, _| phone.log.clear());
    }
    net.clear_ladder();
    (net, alice, bob)
}

/// Lets everything run out, and fails if a phone keeps anything.
#[track_caller]
pub(crate) fn run_out(net: &mut Net, phones: &[NodeId<Phone>]) {
    net.run_to_quiet(LONG);
    for phone in phones {
        assert!(net[*phone].is_clean(), "{} keeps something: {:?}", net.name(*phone), net[*phone].ua);
        let ended = net[*phone].log.iter().filter(|line| line.starts_with("ended")).count();
        let gone = net[*phone].log.iter().filter(|line| *line == "gone").count();
        assert_eq!(ended, gone, "{}: {:?}", net.name(*phone), net[*phone].log);
    }
}
