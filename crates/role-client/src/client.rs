use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use cpm::Service;
use sip::{Method, Name, Request, Response};
use sip_tx::{Event as TxEvent, Incoming, Options, Owner, Stack};
use sip_ua::digest::Account;
use sip_ua::{Body, Cause, Headers, InvitePlan, Reject, Resolver, SessionKey, UaEvent, UserAgent};
use sip_ua::{Registration, RegistrationEvent, RegistrationPlan};
use wire::{Entropy, Input, Instant, Node, Now, Output, Transport};

use crate::invite::{self, SessionMedia};
use crate::{ClosedBy, Config, Event, SessionId};

/// The owner of the registration's transactions: the only ones that are the role's own.
const REGISTRATION: u64 = 1;

/// A CPM client: one device of one user.
#[derive(Debug)]
pub struct Client {
    config: Config,
    stack: Stack,
    ua: UserAgent,
    registration: Registration,
    /// Route of what the client sends from here on (RFC 3608).
    service_route: Vec<Bytes>,
    sessions: BTreeMap<SessionKey, Chat>,
    events: VecDeque<Event>,
}

/// A one-to-one session of the client.
#[derive(Debug)]
struct Chat {
    media: SessionMedia,
    /// The session was up, so its end is a close and not a failure.
    was_up: bool,
    /// The BYEs crossed.
    crossed: bool,
    failed_with: Option<u16>,
}

impl Client {
    /// A client on sockets that the host has bound.
    pub fn new(config: Config, options: Options, entropy: Entropy) -> Client {
        let options = Options { auto_trying: false, ..options };
        let core = config.core;
        let ua_config = sip_ua::Config {
            product: config.user_agent.clone(),
            methods: Vec::new(),
            supported: vec!["path".to_owned()],
            ..sip_ua::Config::default()
        };
        // Everything goes to the core first: it stands in every route set.
        let resolver = move |uri: &sip::Uri<'_>| sip_tx::Target::from_uri(uri).or(Some(core));
        let mut ua = UserAgent::new(ua_config, Resolver::new(resolver));
        ua.set_account(Some(Account::new(user_of(&config.aor), &config.password)));
        let mut stack = Stack::new(config.listeners.clone(), options, entropy);
        let plan = RegistrationPlan {
            registrar: format!("sip:{}", domain_of(&config.aor)).into(),
            aor: format!("<{}>", config.aor).into(),
            contact: contact(&config, &stack),
            routes: Vec::new(),
            expires: config.expires,
            headers: Headers::new(),
            target: Some(config.core),
        };
        let registration = Registration::new(plan, Owner::Role(REGISTRATION), &mut stack);
        Client {
            stack,
            ua,
            service_route: Vec::new(),
            registration,
            sessions: BTreeMap::new(),
            events: VecDeque::new(),
            config,
        }
    }

    /// Registers with the core, and keeps the registration up from then on.
    pub fn register(&mut self, now: Now) {
        self.registration.register(&self.ua, &mut self.stack, now);
        self.work(now);
    }

    /// Ends the registration.
    pub fn deregister(&mut self, now: Now) {
        self.registration.unregister(&self.ua, &mut self.stack, now);
        self.work(now);
    }

    /// Opens a one-to-one session with `to`, a SIP or telephone URI.
    pub fn invite(&mut self, to: &str, now: Now) -> Option<SessionId> {
        let media = SessionMedia::new(self.config.msrp, self.stack.entropy());
        let plan = InvitePlan {
            request_uri: Bytes::copy_from_slice(to.as_bytes()),
            from: format!("<{}>", self.config.aor).into(),
            to: format!("<{to}>").into(),
            call_id: None,
            contact: self.contact(),
            routes: self.service_route.clone(),
            headers: invite::headers(&self.config.aor, self.stack.entropy()),
            body: Some(Body::sdp(media.offer())),
            target: Some(self.config.core),
            pinned: None,
        };
        let key = self.ua.invite(&mut self.stack, plan, now).ok()?;
        self.sessions.insert(key, Chat::new(media));
        self.work(now);
        Some(SessionId(key))
    }

    /// Accepts an invitation.
    pub fn accept(&mut self, session: SessionId, now: Now) {
        self.answer(session.0, now);
        self.work(now);
    }

    /// Declines an invitation: 603, as RCS clients do.
    pub fn decline(&mut self, session: SessionId, now: Now) {
        let _gone = self.ua.reject(&mut self.stack, session.0, &Reject::new(603), now);
        self.work(now);
    }

    /// Closes a session: BYE with a Reason that says the user did it, or CANCEL if it is not up yet.
    pub fn close(&mut self, session: SessionId, now: Now) {
        let headers = Headers::new().with(Name::Reason, "SIP;cause=200;text=\"Call completed\"");
        self.ua.close(&mut self.stack, session.0, &headers, now);
        self.work(now);
    }

    /// The next thing for the user.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Transactions and sessions that have not ended, tombstones included.
    pub fn open(&self) -> (usize, usize) {
        let (clients, servers) = self.stack.transactions();
        (clients + servers, self.ua.len())
    }

    /// The protocol stack, for its counters.
    pub const fn stack(&self) -> &Stack {
        &self.stack
    }

    fn work(&mut self, now: Now) {
        loop {
            if let Some(event) = self.stack.poll_event() {
                let event = self.registration.handle(&self.ua, &mut self.stack, event, now);
                let Some(event) = event.and_then(|e| self.ua.handle(&mut self.stack, e, now)) else { continue };
                if let TxEvent::Request(incoming) = event {
                    self.on_request(*incoming, now);
                }
            } else if let Some((key, event)) = self.ua.poll_event() {
                self.on_session_event(key, event, now);
            } else if let Some(event) = self.registration.poll_event() {
                self.on_registration_event(event);
            } else {
                return self.check_invariants();
            }
        }
    }

    /// What must hold after every input; looked at in debug builds only.
    fn check_invariants(&self) {
        debug_assert_eq!(self.sessions.len(), self.ua.len(), "every session is known to the role");
    }

    /// A request outside any dialog.
    fn on_request(&mut self, incoming: Incoming, now: Now) {
        match incoming.request.method() {
            Method::Invite => self.on_invite(incoming, now),
            Method::Options => self.ua.answer_options(&mut self.stack, &incoming, now),
            Method::Ack
            | Method::Bye
            | Method::Cancel
            | Method::Register
            | Method::Message
            | Method::Update
            | Method::Prack
            | Method::Info
            | Method::Subscribe
            | Method::Notify
            | Method::Refer
            | Method::Publish
            | Method::Extension => {
                let in_dialog = !incoming.request.to_tag().is_empty();
                let reject = if in_dialog {
                    Reject::new(481)
                } else {
                    Reject::new(405).with(Name::Allow, self.ua.config().allow())
                };
                self.ua.refuse(&mut self.stack, &incoming, &reject, now);
            }
        }
    }

    fn on_invite(&mut self, incoming: Incoming, now: Now) {
        let (from, conversation_id) = (caller(&incoming.request), text(&incoming.request, Name::ConversationId));
        let media = SessionMedia::new(self.config.msrp, self.stack.entropy());
        let contact = self.contact();
        let Ok(key) = self.ua.incoming(&mut self.stack, incoming, contact, now) else { return };
        self.sessions.insert(key, Chat::new(media));
        self.events.push_back(Event::Incoming { session: SessionId(key), from, conversation_id });
        if self.config.auto_accept {
            self.answer(key, now);
        } else {
            let _withdrawn = self.ua.progress(&mut self.stack, key, 180, &Headers::new(), None, now);
        }
    }

    /// 200 with the answer to the offer, or with our offer if there was none; 488 when we cannot answer.
    fn answer(&mut self, key: SessionKey, now: Now) {
        let Some(chat) = self.sessions.get(&key) else { return };
        let offer = self.ua.session(key).and_then(|s| s.remote_sdp()).map(|b| b.bytes.clone());
        let body = match offer {
            Some(offer) => chat.media.answer(&offer),
            None => Some(chat.media.offer()),
        };
        let _withdrawn = match body {
            Some(body) => self.ua.accept(&mut self.stack, key, &Headers::new(), Some(Body::sdp(body)), now),
            None => self.ua.reject(&mut self.stack, key, &Reject::new(488), now),
        };
    }

    fn on_session_event(&mut self, key: SessionKey, event: UaEvent, now: Now) {
        let session = SessionId(key);
        match event {
            UaEvent::Progress { response } if response.status() == 180 => {
                self.events.push_back(Event::Ringing { session })
            }
            UaEvent::Answered { response, owes_answer } => self.on_answered(key, &response, owes_answer, now),
            UaEvent::Acked { .. } => self.on_up(key),
            UaEvent::Rejected { status, .. } => self.note(key, |chat| chat.failed_with = Some(status)),
            UaEvent::Bye { crossed, .. } => self.note(key, |chat| chat.crossed = crossed),
            UaEvent::Reinvite { incoming } | UaEvent::Update { incoming } => self.on_refresh(key, &incoming, now),
            UaEvent::Request { incoming } => self.stack.reject(&incoming, 405, now),
            UaEvent::Ended { cause } => self.on_ended(key, cause),
            UaEvent::Gone => drop(self.sessions.remove(&key)),
            UaEvent::Progress { .. }
            | UaEvent::Forked { .. }
            | UaEvent::Cancelled { .. }
            | UaEvent::ByeDone { .. }
            | UaEvent::Withdrawn { .. }
            | UaEvent::Modified { .. }
            | UaEvent::NotModified { .. }
            | UaEvent::Response { .. }
            | UaEvent::Failed { .. } => {}
        }
    }

    fn on_answered(&mut self, key: SessionKey, response: &Response, owes_answer: bool, now: Now) {
        if owes_answer {
            let answer = self.sessions.get(&key).and_then(|chat| chat.media.answer(response.body()));
            let body = answer.map(Body::sdp).unwrap_or_else(|| Body::sdp(Bytes::new()));
            let _closed = self.ua.ack(&mut self.stack, key, body, now);
        }
        self.on_up(key);
    }

    fn on_up(&mut self, key: SessionKey) {
        let Some(chat) = self.sessions.get_mut(&key) else { return };
        if !chat.was_up {
            chat.was_up = true;
            self.events.push_back(Event::Established { session: SessionId(key) });
        }
    }

    /// A refresh without change: the description stays as it is (RFC 3264 §8).
    fn on_refresh(&mut self, key: SessionKey, incoming: &Incoming, now: Now) {
        let offer = Body::of(&incoming.request).filter(Body::is_sdp);
        let media = self.sessions.get(&key).map(|chat| &chat.media);
        let body = match (&offer, media) {
            (Some(offer), Some(media)) => media.answer(&offer.bytes),
            (None, Some(media)) if incoming.request.method() == Method::Invite => Some(media.offer()),
            (_, _) => None,
        };
        let status = if offer.is_some() && body.is_none() { 488 } else { 200 };
        let body = body.map(Body::sdp);
        let _closing = self.ua.answer(&mut self.stack, key, incoming.tx, status, &Headers::new(), body, now);
    }

    fn on_ended(&mut self, key: SessionKey, cause: Cause) {
        let Some(chat) = self.sessions.get(&key) else { return };
        let session = SessionId(key);
        let event = if chat.was_up {
            let by = match cause {
                Cause::LocalBye | Cause::RemoteBye if chat.crossed => ClosedBy::Both,
                Cause::LocalBye | Cause::LocalCancel | Cause::Refused(_) => ClosedBy::Us,
                Cause::RemoteBye | Cause::RemoteCancel | Cause::Rejected(_) => ClosedBy::Peer,
                Cause::NoAck | Cause::Lost => ClosedBy::Nobody,
            };
            Event::Closed { session, by }
        } else {
            let status = match cause {
                Cause::Rejected(status) | Cause::Refused(status) => chat.failed_with.unwrap_or(status),
                Cause::LocalBye | Cause::RemoteBye | Cause::LocalCancel | Cause::RemoteCancel => 487,
                Cause::NoAck | Cause::Lost => 408,
            };
            Event::Failed { session, status }
        };
        self.events.push_back(event);
    }

    fn on_registration_event(&mut self, event: RegistrationEvent) {
        self.events.push_back(match event {
            RegistrationEvent::Registered { expires, service_route, .. } => {
                self.service_route = service_route;
                Event::Registered { expires }
            }
            RegistrationEvent::Failed { status, .. } => Event::RegistrationFailed { status },
            RegistrationEvent::Unregistered => Event::Unregistered,
        });
    }

    fn note(&mut self, key: SessionKey, change: impl FnOnce(&mut Chat)) {
        if let Some(chat) = self.sessions.get_mut(&key) {
            change(chat);
        }
    }

    fn contact(&self) -> Bytes {
        contact(&self.config, &self.stack)
    }
}

/// The client's Contact: where it listens, and what it can do.
fn contact(config: &Config, stack: &Stack) -> Bytes {
    let transport = config.core.transport;
    let addr = stack.transports().local(transport).unwrap_or(config.msrp);
    let param = match transport {
        Transport::Udp => "",
        Transport::Tcp => ";transport=tcp",
        Transport::Tls => ";transport=tls",
    };
    format!("<sip:{}@{addr}{param}>;{}", user_of(&config.aor), Service::Session.feature_tag()).into()
}

impl Chat {
    const fn new(media: SessionMedia) -> Chat {
        Chat { media, was_up: false, crossed: false, failed_with: None }
    }
}

fn user_of(aor: &str) -> &str {
    aor.strip_prefix("sip:").unwrap_or(aor).split('@').next().unwrap_or_default()
}

fn domain_of(aor: &str) -> &str {
    aor.split('@').nth(1).unwrap_or_default()
}

/// Who calls: the identity that the network asserts, else From.
fn caller(invite: &Request) -> String {
    let asserted = invite.addresses(Name::PAssertedIdentity).find_map(Result::ok);
    asserted.unwrap_or(invite.from()).uri().to_string()
}

fn text(request: &Request, name: Name) -> String {
    String::from_utf8_lossy(request.header(name).unwrap_or_default()).into_owned()
}

impl Node for Client {
    fn handle_input(&mut self, input: Input, now: Now) {
        self.stack.handle_input(input, now);
        self.work(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.stack.handle_timeout(now);
        self.ua.handle_timeout(&mut self.stack, now);
        self.registration.handle_timeout(&self.ua, &mut self.stack, now);
        self.work(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.stack.poll_output()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.stack.poll_timeout(), self.ua.poll_timeout(), self.registration.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }
}
