mod pager;
mod path;
mod relay;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use cpm::Service;
use sdp::Connector;
use sip::{Method, Name, Request, Response};
use sip_tx::{Event as TxEvent, Incoming, Options, Owner, Stack};
use sip_ua::digest::{self, Account};
use sip_ua::{Body, Cause, Headers, InvitePlan, Reject, Resolver, SessionKey, UaEvent, UserAgent};
use sip_ua::{Registration, RegistrationEvent, RegistrationPlan, Standalone};
use wire::{Entropy, Input, Instant, Node, Now, Output, Transport};

use crate::invite::{self, SessionMedia};
use crate::messages::{Leaving, Messages};
use crate::{ClosedBy, Config, Event, SessionId};

/// The owner of the registration's transactions.
const REGISTRATION: u64 = 1;
/// The owner of the transactions of MESSAGEs outside sessions.
const STANDALONE: u64 = 2;

/// A CPM client: one device of one user.
#[derive(Debug)]
pub struct Client {
    config: Config,
    stack: Stack,
    ua: UserAgent,
    registration: Registration,
    standalone: Standalone,
    messages: Messages,
    /// Receipts on their way by SIP MESSAGE: for which message, by the name of the MESSAGE.
    receipts: BTreeMap<u64, (SessionId, String)>,
    /// Answers the challenges of the MSRP relay.
    relay_digest: digest::Client,
    /// To register is wanted as soon as the relay has granted a path.
    waits_for_relay: bool,
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
    /// There was never a way for messages.
    unreachable: bool,
    failed_with: Option<u16>,
    /// What the user is told when the last messages have been read.
    ending: Option<Event>,
    /// SIP has nothing left of the session.
    gone: bool,
}

impl Client {
    /// A client on sockets that the host has bound.
    pub fn new(config: Config, options: Options, mut entropy: Entropy) -> Client {
        let mut messages = Messages::new(config.msrp.clone(), config.max_message, entropy.fork());
        if let Some(relay) = &config.relay {
            messages.use_relay(relay);
        }
        let options = Options { auto_trying: false, ..options };
        let core = config.core;
        let ua_config = sip_ua::Config {
            product: config.user_agent.clone(),
            methods: vec![Method::Message],
            supported: vec!["path".to_owned()],
            intervals: config.intervals,
            ..sip_ua::Config::default()
        };
        // Everything goes to the core first: it stands in every route set.
        let resolver = move |uri: &sip::Uri<'_>| sip_tx::Target::from_uri(uri).or(Some(core));
        let mut ua = UserAgent::new(ua_config, Resolver::new(resolver));
        let account = Account::new(user_of(&config.aor), &config.password);
        ua.set_account(Some(account.clone()));
        let mut stack = Stack::new(config.listeners.clone(), options, entropy);
        // RFC 5922 §7: over TLS the core must prove to be the user's domain.
        stack.name(config.core.addr, domain_of(&config.aor));
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
            standalone: Standalone::new(Owner::Role(STANDALONE)),
            messages,
            receipts: BTreeMap::new(),
            relay_digest: digest::Client::new(account),
            waits_for_relay: false,
            sessions: BTreeMap::new(),
            events: VecDeque::new(),
            config,
        }
    }

    /// Registers with the core, and keeps the registration up from then on. With an MSRP relay that is asked first, since
    /// who is registered can be called.
    pub fn register(&mut self, now: Now) {
        if self.messages.is_reachable() {
            self.registration.register(&self.ua, &mut self.stack, now);
        } else {
            self.waits_for_relay = true;
            self.messages.start_relay();
        }
        self.work(now);
    }

    /// Ends the registration.
    pub fn deregister(&mut self, now: Now) {
        self.waits_for_relay = false;
        self.registration.unregister(&self.ua, &mut self.stack, now);
        self.work(now);
    }

    /// Opens a one-to-one session with `to`, a SIP or telephone URI. `None` when there is no way to the core, or none for
    /// messages because the MSRP relay is away.
    pub fn invite(&mut self, to: &str, now: Now) -> Option<SessionId> {
        if !self.messages.is_reachable() {
            return None;
        }
        let media = self.new_media(None);
        let conversation_id = self.stack.entropy().uuid();
        let plan = InvitePlan {
            request_uri: Bytes::copy_from_slice(to.as_bytes()),
            from: format!("<{}>", self.config.aor).into(),
            to: format!("<{to}>").into(),
            call_id: None,
            contact: self.contact(),
            routes: self.service_route.clone(),
            headers: invite::headers(&self.config.aor, &conversation_id, self.stack.entropy()),
            body: Some(Body::sdp(media.offer())),
            target: Some(self.config.core),
            pinned: None,
        };
        let key = self.ua.invite(&mut self.stack, plan, now).ok()?;
        self.messages.open(key, media.uri(), to, &conversation_id);
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
    ///
    /// No message is taken from here on. If answers to messages are outstanding, BYE waits for them, at most a second; what
    /// is not answered then is told as [`Event::NotSent`].
    pub fn close(&mut self, session: SessionId, now: Now) {
        if self.sessions.get(&session.0).is_some_and(|chat| chat.was_up) && self.messages.is_open(session.0) {
            self.messages.close(session.0, now);
        } else {
            self.bye(session.0, now);
        }
        self.work(now);
    }

    /// Sends a text and asks for receipts. Returns its imdn.Message-ID; `None` when it is not taken, because the session is
    /// closing or gone or too much waits. One that is taken ends with [`Event::Sent`] or [`Event::NotSent`].
    pub fn send(&mut self, session: SessionId, text: &str, now: Now) -> Option<String> {
        self.send_content(session, "text/plain;charset=UTF-8", text.as_bytes(), now)
    }

    /// Sends content of any media type, as [`Client::send`] does.
    pub fn send_content(&mut self, session: SessionId, media_type: &str, content: &[u8], now: Now) -> Option<String> {
        let id = self.messages.send(session.0, media_type, content, now);
        self.work(now);
        id
    }

    /// Sends a message again that was not sent, or may not have been, under its old identifier, so that its receiver can
    /// tell. Says whether it is taken.
    pub fn send_again(&mut self, session: SessionId, id: &str, media_type: &str, content: &[u8], now: Now) -> bool {
        let is_taken = self.messages.send_as(session.0, id, media_type, content, now);
        self.work(now);
        is_taken
    }

    /// The user has seen a message of a session: its sender is told if it asked. Says whether it is.
    pub fn displayed(&mut self, session: SessionId, message_id: &str, now: Now) -> bool {
        let is_told = self.messages.displayed(session.0, message_id, now);
        self.work(now);
        is_told
    }

    /// The user is typing: to be called with each key press, the peer is told as often as it must be (RFC 3994).
    pub fn typing(&mut self, session: SessionId, now: Now) {
        self.messages.typing(session.0, now);
        self.work(now);
    }

    /// MSRP sessions and connections.
    pub fn media(&self) -> (usize, usize) {
        self.messages.len()
    }

    /// RFC 3261 §15.1.1: with BYE the media ends, whatever is answered.
    fn bye(&mut self, key: SessionKey, now: Now) {
        let headers = Headers::new().with(Name::Reason, "SIP;cause=200;text=\"Call completed\"");
        self.ua.close(&mut self.stack, key, &headers, now);
        self.messages.remove(key, now);
    }

    /// The messages of a session are over: BYE is due, or the user is told of the end.
    fn on_left(&mut self, key: SessionKey, leaving: Leaving, now: Now) {
        match leaving {
            Leaving::BeforeBye(_) => self.bye(key, now),
            Leaving::AfterBye(_) | Leaving::No => self.messages.remove(key, now),
        }
        self.tell_messages();
        let Some(chat) = self.sessions.get_mut(&key) else { return };
        self.events.extend(chat.ending.take());
        if chat.gone {
            self.sessions.remove(&key);
        }
    }

    fn tell_messages(&mut self) {
        self.events.extend(std::iter::from_fn(|| self.messages.poll_event()));
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
                let event = event.and_then(|e| self.standalone.handle(&self.ua, &mut self.stack, e, now));
                let Some(event) = event.and_then(|e| self.ua.handle(&mut self.stack, e, now)) else { continue };
                if let TxEvent::Request(incoming) = event {
                    self.on_request(*incoming, now);
                }
            } else if let Some((key, event)) = self.ua.poll_event() {
                self.on_session_event(key, event, now);
            } else if let Some(event) = self.registration.poll_event() {
                self.on_registration_event(event);
            } else if let Some((key, leaving)) = self.messages.poll_left(now) {
                self.on_left(key, leaving, now);
            } else if let Some((key, remedy)) = self.messages.next_remedy() {
                self.remedy(key, remedy, now);
            } else if let Some(stray) = self.messages.next_stray() {
                self.send_receipt(stray, now);
            } else if let Some((name, status)) = self.standalone.poll_event() {
                self.on_receipt_ended(name, status);
            } else if let Some(event) = self.messages.next_relay_event(now) {
                self.on_relay(event, now);
            } else {
                self.tell_messages();
                return self.check_invariants();
            }
        }
    }

    /// What must hold after every input; looked at in debug builds only.
    fn check_invariants(&self) {
        let gone = self.sessions.values().filter(|chat| chat.gone).count();
        debug_assert_eq!(self.sessions.len() - gone, self.ua.len(), "every session is known to the role");
    }

    /// A request outside any dialog.
    fn on_request(&mut self, incoming: Incoming, now: Now) {
        let method = incoming.request.method();
        if method == Method::Invite {
            return self.on_invite(incoming, now);
        }
        if method == Method::Options {
            return self.ua.answer_options(&mut self.stack, &incoming, now);
        }
        let in_dialog = !incoming.request.to_tag().is_empty();
        if method == Method::Message && !in_dialog {
            return self.on_message(&incoming, now);
        }
        let reject =
            if in_dialog { Reject::new(481) } else { Reject::new(405).with(Name::Allow, self.ua.config().allow()) };
        self.ua.refuse(&mut self.stack, &incoming, &reject, now);
    }

    fn on_invite(&mut self, incoming: Incoming, now: Now) {
        if !self.messages.is_reachable() {
            return self.ua.refuse(&mut self.stack, &incoming, &Reject::new(480), now);
        }
        let (from, conversation_id) = (caller(&incoming.request), text(&incoming.request, Name::ConversationId));
        let media = self.new_media(Some(incoming.request.body()));
        let contact = self.contact();
        let Ok(key) = self.ua.incoming(&mut self.stack, incoming, contact, now) else { return };
        self.messages.open(key, media.uri(), &from, &conversation_id);
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
            Some(ref offer) => chat.media.answer(offer),
            None => Some(chat.media.offer()),
        };
        let Some(body) = body else {
            let _withdrawn = self.ua.reject(&mut self.stack, key, &Reject::new(488), now);
            return;
        };
        let accepted = self.ua.accept(&mut self.stack, key, &Headers::new(), Some(Body::sdp(body.clone())), now);
        if let Some(offer) = offer.filter(|_| accepted.is_ok()) {
            self.messages.agree(key, &body, &offer, Connector::Answerer, now);
        }
    }

    fn on_session_event(&mut self, key: SessionKey, event: UaEvent, now: Now) {
        let session = SessionId(key);
        match event {
            UaEvent::Progress { response } if response.status() == 180 => {
                self.events.push_back(Event::Ringing { session })
            }
            UaEvent::Answered { response, owes_answer } => self.on_answered(key, &response, owes_answer, now),
            UaEvent::Acked { request } => self.on_acked(key, &request, now),
            UaEvent::Rejected { status, .. } => self.note(key, |chat| chat.failed_with = Some(status)),
            UaEvent::Bye { crossed, .. } => self.note(key, |chat| chat.crossed = crossed),
            UaEvent::Reinvite { incoming } | UaEvent::Update { incoming } => self.on_refresh(key, &incoming, now),
            UaEvent::Modified { response, .. } => self.on_path_answered(key, &response, now),
            UaEvent::Request { incoming } => self.stack.reject(&incoming, 405, now),
            UaEvent::Ended { cause } => self.on_ended(key, cause, now),
            UaEvent::Gone => self.on_gone(key),
            UaEvent::Progress { .. }
            | UaEvent::Forked { .. }
            | UaEvent::Cancelled { .. }
            | UaEvent::Closing { .. }
            | UaEvent::ByeDone { .. }
            | UaEvent::Withdrawn { .. }
            | UaEvent::NotModified { .. }
            | UaEvent::Response { .. }
            | UaEvent::Failed { .. } => {}
        }
    }

    fn on_answered(&mut self, key: SessionKey, response: &Response, owes_answer: bool, now: Now) {
        let Some(chat) = self.sessions.get(&key) else { return };
        let ours =
            if owes_answer { chat.media.answer(response.body()).unwrap_or_default() } else { chat.media.offer() };
        if owes_answer {
            let _closed = self.ua.ack(&mut self.stack, key, Body::sdp(ours.clone()), now);
        }
        self.on_up(key);
        let we = if owes_answer { Connector::Answerer } else { Connector::Offerer };
        self.messages.agree(key, &ours, response.body(), we, now);
    }

    /// The ACK of our 200 has the answer if we made the offer.
    fn on_acked(&mut self, key: SessionKey, ack: &Request, now: Now) {
        self.on_up(key);
        if let Some(chat) = self.sessions.get(&key).filter(|_| !ack.body().is_empty()) {
            self.messages.agree(key, &chat.media.offer(), ack.body(), Connector::Offerer, now);
        }
    }

    fn on_up(&mut self, key: SessionKey) {
        let Some(chat) = self.sessions.get_mut(&key) else { return };
        if !chat.was_up {
            chat.was_up = true;
            self.events.push_back(Event::Established { session: SessionId(key) });
        }
    }

    /// The media of a session that we offer, or that an INVITE offers in this body.
    fn new_media(&mut self, offer: Option<&[u8]>) -> SessionMedia {
        let listeners = &self.config.msrp;
        // Over another protocol than was offered there is no answer: 488.
        let listener = offer.and_then(|offer| listeners.answering(offer)).unwrap_or(listeners.offered());
        let media = SessionMedia::new(listener, self.config.max_message, self.stack.entropy());
        media.behind(self.messages.relay_path())
    }

    /// The end is told when the messages that have come are read.
    fn on_ended(&mut self, key: SessionKey, cause: Cause, now: Now) {
        let Some(event) = self.end(key, cause) else { return };
        let is_left = cause == Cause::RemoteBye && matches!(event, Event::Closed { .. });
        if is_left && self.messages.is_open(key) {
            self.messages.on_bye(key, now);
            self.note(key, |chat| chat.ending = Some(event));
        } else {
            self.messages.remove(key, now);
            self.tell_messages();
            self.events.push_back(event);
        }
    }

    fn on_gone(&mut self, key: SessionKey) {
        match self.sessions.get_mut(&key) {
            Some(chat) if chat.ending.is_some() => chat.gone = true,
            Some(_) | None => drop(self.sessions.remove(&key)),
        }
    }

    fn end(&self, key: SessionKey, cause: Cause) -> Option<Event> {
        let chat = self.sessions.get(&key)?;
        let session = SessionId(key);
        Some(if chat.was_up {
            let by = match cause {
                Cause::LocalBye | Cause::RemoteBye if chat.crossed => ClosedBy::Both,
                Cause::LocalBye if chat.unreachable => ClosedBy::Nobody,
                Cause::LocalBye | Cause::LocalCancel | Cause::Refused(_) => ClosedBy::Us,
                Cause::RemoteBye | Cause::RemoteCancel | Cause::Rejected(_) => ClosedBy::Peer,
                Cause::NoAck | Cause::Lost | Cause::Expired => ClosedBy::Nobody,
            };
            Event::Closed { session, by }
        } else {
            let status = match cause {
                Cause::Rejected(status) | Cause::Refused(status) => chat.failed_with.unwrap_or(status),
                Cause::LocalBye | Cause::RemoteBye | Cause::LocalCancel | Cause::RemoteCancel => 487,
                Cause::NoAck | Cause::Lost | Cause::Expired => 408,
            };
            Event::Failed { session, status }
        })
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
    let addr = stack.transports().local(transport).unwrap_or(config.msrp.offered().addr);
    let param = match transport {
        Transport::Udp => "",
        Transport::Tcp => ";transport=tcp",
        Transport::Tls => ";transport=tls",
    };
    let services = Service::feature_tag_of(&[Service::Session, Service::PagerMessage]);
    format!("<sip:{}@{addr}{param}>;{services}", user_of(&config.aor)).into()
}

impl Chat {
    const fn new(media: SessionMedia) -> Chat {
        Chat { media, was_up: false, crossed: false, unreachable: false, failed_with: None, ending: None, gone: false }
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
        if self.messages.takes(&input) {
            self.messages.handle_input(input, now);
        } else {
            self.stack.handle_input(input, now);
        }
        self.work(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.stack.handle_timeout(now);
        self.ua.handle_timeout(&mut self.stack, now);
        self.registration.handle_timeout(&self.ua, &mut self.stack, now);
        self.messages.handle_timeout(now);
        self.work(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.stack.poll_output().or_else(|| self.messages.poll_output())
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let of_sip = [self.stack.poll_timeout(), self.ua.poll_timeout(), self.registration.poll_timeout()];
        of_sip.into_iter().chain([self.messages.poll_timeout()]).flatten().min()
    }
}
