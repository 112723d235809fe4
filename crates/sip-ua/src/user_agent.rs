use std::collections::VecDeque;

use bytes::Bytes;
use sip::header::Contact;
use sip::{Address, Method, Name, ParseError, Request, Scheme, Uri};
use sip_tx::{ClientId, Event, Incoming, Owner, ServerId, Stack, Target};
use wire::{Instant, Key, Now, Slab, TimerQueue};

use crate::config::{Config, Parts, Prepared};
use crate::dialog::Route;
use crate::digest::Account;
use crate::draft::{Draft, Resolver};
use crate::entry::Entry;
use crate::index::{DialogParts, Index, Origin};
use crate::session::{Cx, Session, SessionTimer, check_interval};
use crate::{Body, Dialog, HalfDialog, Headers, Reject, SessionKey, Snapshot, State, UaEvent, WrongState, options};

/// The sessions of one role: what it is asked to do, and which session a message belongs to.
///
/// Every call that acts is given the role's stack. After each, and after each event or time-out handed in, take the
/// events with [`UserAgent::poll_event`].
#[derive(Debug)]
pub struct UserAgent {
    pub(crate) shared: Shared,
    sessions: Slab<Entry>,
    by_dialog: Index,
    /// The INVITEs that made sessions, for finding one that came a second time by another way.
    by_origin: Index,
    timers: TimerQueue<Key>,
    events: VecDeque<(SessionKey, UaEvent)>,
}

/// Entries of timers that wait beside those of the sessions.
const OUTDATED: usize = 1024;

/// Sessions that the tables keep room for while there are none.
const KEPT: usize = 1024;

/// What all sessions know.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Prepared,
    pub(crate) resolver: Resolver,
    pub(crate) account: Option<Account>,
}

/// How a session is called.
#[derive(Clone, Debug)]
pub struct InvitePlan {
    /// Where to.
    pub request_uri: Bytes,
    /// From, without a tag.
    pub from: Bytes,
    /// To, without a tag.
    pub to: Bytes,
    /// Call-ID; a new one when `None`.
    pub call_id: Option<Bytes>,
    /// Our Contact, with its parameters.
    pub contact: Bytes,
    /// Route, topmost first: the Service-Route of the registration, or what the core gave for coming back.
    pub routes: Vec<Bytes>,
    /// What else the INVITE says.
    pub headers: Headers,
    /// The offer; without one the callee makes it.
    pub body: Option<Body>,
    /// Where to send the INVITE, whatever its Route says.
    pub target: Option<Target>,
    /// Where to send all requests of the session, whatever their Route says: the connection to an outbound proxy.
    pub pinned: Option<Target>,
}

/// An INVITE that could not be sent.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InviteError {
    /// Its next hop leads nowhere, or the node has no such transport.
    #[error("the next hop of the INVITE cannot be reached")]
    NoRoute,
    /// The next hop has said that it is overloaded (RFC 7339), and this is one of the INVITEs to leave out.
    #[error("the next hop of the INVITE is overloaded")]
    LeftOut,
    /// The plan makes no valid request.
    #[error("the plan makes no valid INVITE: {0}")]
    Malformed(#[from] ParseError),
}

impl InvitePlan {
    /// Whether it makes a request that others can read.
    fn check(&self) -> Result<(), ParseError> {
        Uri::parse(&self.request_uri)?;
        for address in [&self.from, &self.to] {
            Address::parse(address)?;
        }
        for route in &self.routes {
            Address::parse(route)?;
        }
        Contact::parse(&self.contact)?;
        Ok(())
    }
}

/// Octets that the header fields of most INVITEs have room in.
const ROOM: usize = 2048;

impl UserAgent {
    /// A user agent without sessions.
    pub fn new(config: Config, resolver: Resolver) -> UserAgent {
        UserAgent {
            shared: Shared { config: config.into(), resolver, account: None },
            sessions: Slab::new(),
            by_dialog: Index::default(),
            by_origin: Index::default(),
            timers: TimerQueue::new(),
            events: VecDeque::new(),
        }
    }

    /// The name and password with which challenges are answered; without them they are refusals like any other.
    pub fn set_account(&mut self, account: Option<Account>) {
        self.shared.account = account;
    }

    /// A session that has not been buried.
    pub fn session(&self, key: SessionKey) -> Option<&Session> {
        self.sessions.get(key.0).and_then(Entry::session)
    }

    /// All of those.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionKey, &Session)> {
        self.sessions.iter().filter_map(|(key, entry)| Some((SessionKey(key), entry.session()?)))
    }

    /// How many there are, buried ones included.
    pub const fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether nothing is left of any session.
    pub const fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// The session that a request with a To tag, or an ACK, belongs to.
    pub fn find(&self, request: &Request) -> Option<SessionKey> {
        let seen = DialogParts::seen(request);
        let has_it = |entry: &Entry| entry.dialogs().any(|dialog| dialog == seen);
        self.by_dialog.find(seen, |key| self.sessions.get(key).is_some_and(has_it)).map(SessionKey)
    }

    /// What the user agent says about itself.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    // ---- the caller ----

    /// Sends an INVITE (RFC 3261 §13.2.1).
    pub fn invite(&mut self, stack: &mut Stack, plan: InvitePlan, now: Now) -> Result<SessionKey, InviteError> {
        plan.check()?;
        let (half, draft) = self.draft_invite(stack, &plan);
        let pinned = plan.pinned;
        let target = draft.target(plan.target.or(pinned).as_ref(), &self.shared.resolver);
        if target.is_some_and(|target| stack.is_left_out(&target, now)) {
            return Err(InviteError::LeftOut);
        }
        let (hop, bytes) =
            draft.route(stack, plan.target.or(pinned).as_ref(), &self.shared.resolver).ok_or(InviteError::NoRoute)?;
        let key = self.sessions.insert_with(|key| {
            let tx = stack.request(hop, Method::Invite, bytes, Owner::Session(key), now);
            Entry::new(Session::caller(tx, half, draft, plan.contact, pinned, self.shared.config.intervals))
        });
        Ok(SessionKey(key))
    }

    fn draft_invite(&self, stack: &mut Stack, plan: &InvitePlan) -> (HalfDialog, Draft) {
        let tag = stack.entropy().tag();
        let call_id = plan.call_id.clone().unwrap_or_else(|| stack.entropy().uuid().into());
        let route = Route::to(&plan.request_uri, &plan.routes);
        let half = HalfDialog {
            call_id,
            local: [&plan.from[..], b";tag=", tag.as_bytes()].concat().into(),
            local_tag: tag.into(),
            uri: route.uri.clone(),
            cseq: 1,
            secure: Uri::parse(&route.uri).is_ok_and(|uri| uri.scheme() == Scheme::Sips),
        };
        let fields = route
            .onto(Headers::with_room(ROOM).with(Name::MaxForwards, "70"))
            .with(Name::From, &half.local)
            .with(Name::To, &plan.to)
            .with(Name::CallId, &half.call_id)
            .with(Name::CSeq, "1 INVITE")
            .with(Name::Contact, &plan.contact);
        let fields = self.shared.config.describe(Method::Invite, fields, &plan.headers);
        let fields = SessionTimer::new(self.shared.config.intervals).ask(fields);
        let (uri, next_hop, body) = (route.uri, route.next_hop, plan.body.clone());
        (half, Draft { method: Method::Invite, uri, next_hop, fields, body })
    }

    /// Sends the ACK with our answer, where the 2xx made the offer.
    pub fn ack(&mut self, stack: &mut Stack, key: SessionKey, body: Body, now: Now) -> Result<(), WrongState> {
        self.act(stack, key, now, |session, cx| session.ack(&Headers::new(), body, cx))
    }

    /// Cancels an INVITE that has no final response (RFC 3261 §9). `headers` may have a Reason.
    pub fn cancel(
        &mut self,
        stack: &mut Stack,
        key: SessionKey,
        headers: &Headers,
        now: Now,
    ) -> Result<(), WrongState> {
        self.act(stack, key, now, |session, cx| session.cancel(headers, cx))
    }

    // ---- the callee ----

    /// Takes an INVITE outside a dialog as the callee. One that cannot be taken has been answered when this returns, with
    /// the status in the error.
    pub fn incoming(
        &mut self,
        stack: &mut Stack,
        incoming: Incoming,
        contact: impl Into<Bytes>,
        now: Now,
    ) -> Result<SessionKey, Reject> {
        if let Err(reject) = self.screen(&incoming.request) {
            self.refuse(stack, &incoming, &reject, now);
            return Err(reject);
        }
        stack.trying(&incoming, now);
        let tag = stack.entropy().tag();
        let dialog = match Dialog::as_uas(&incoming.request, &tag) {
            Ok(dialog) => dialog,
            Err(reject) => {
                self.refuse(stack, &incoming, &reject, now);
                return Err(reject);
            }
        };
        let (id, cseq) = (dialog.id().clone(), incoming.request.cseq().number);
        let Incoming { tx, request, .. } = incoming;
        let session = Session::callee(tx, request, dialog, contact.into(), self.shared.config.intervals);
        let key = self.sessions.insert(Entry::new(session));
        stack.set_owner(tx, Owner::Session(key));
        self.by_dialog.insert(DialogParts::of(&id), key);
        self.by_origin.insert(Origin::in_dialog(&id, cseq), key);
        Ok(SessionKey(key))
    }

    /// What every request that would make a session is checked for (RFC 3261 §8.2).
    fn screen(&self, request: &Request) -> Result<(), Reject> {
        // 1. A To tag names a dialog; this one is not ours (§12.2.2).
        if !request.to_tag().is_empty() {
            return Err(Reject::new(481));
        }

        // 2. The same request by another way: a fork that came together again (§8.2.2.2).
        let origin = Origin::of(request);
        let has_it = |entry: &Entry| entry.origin() == Some(origin);
        if self.by_origin.find(origin, |key| self.sessions.get(key).is_some_and(has_it)).is_some() {
            return Err(Reject::new(482));
        }

        // 3. What it requires (§8.2.2.3).
        let unsupported = self.shared.config.unsupported(request);
        if !unsupported.is_empty() {
            return Err(Reject::new(420).with(Name::Unsupported, unsupported.join(", ")));
        }

        // 4. How long it lives without a sign of life (RFC 4028 §9).
        check_interval(request, self.shared.config.intervals)
    }

    /// Answers a request outside every session with a refusal.
    pub fn refuse(&self, stack: &mut Stack, incoming: &Incoming, reject: &Reject, now: Now) {
        self.respond(stack, incoming, reject.status, &reject.headers, None, now);
    }

    /// Answers a request outside every session (RFC 3261 §8.2.6): MESSAGE, OPTIONS and their kin.
    pub fn respond(
        &self,
        stack: &mut Stack,
        incoming: &Incoming,
        status: u16,
        headers: &Headers,
        body: Option<&Body>,
        now: Now,
    ) {
        let tag = stack.entropy().tag();
        let parts = Parts { contact: None, headers, body };
        let bytes = self.shared.config.response(&incoming.request, status, tag.as_bytes(), &parts);
        stack.respond(incoming.tx, status, bytes, now);
    }

    /// Answers an OPTIONS outside every session (RFC 3261 §11.2).
    pub fn answer_options(&self, stack: &mut Stack, incoming: &Incoming, now: Now) {
        self.respond(stack, incoming, 200, &options::headers(&self.shared.config), None, now);
    }

    /// Sends a provisional response, 101 to 199.
    pub fn progress(
        &mut self,
        stack: &mut Stack,
        key: SessionKey,
        status: u16,
        headers: &Headers,
        body: Option<&Body>,
        now: Now,
    ) -> Result<(), WrongState> {
        self.act(stack, key, now, |session, cx| session.progress(status, headers, body, cx))
    }

    /// Answers 200 with the answer, or with the offer if the INVITE had none.
    pub fn accept(
        &mut self,
        stack: &mut Stack,
        key: SessionKey,
        headers: &Headers,
        body: Option<Body>,
        now: Now,
    ) -> Result<(), WrongState> {
        self.act(stack, key, now, |session, cx| session.accept(headers, body, cx))
    }

    /// Refuses the INVITE with 300 to 699.
    pub fn reject(&mut self, stack: &mut Stack, key: SessionKey, reject: &Reject, now: Now) -> Result<(), WrongState> {
        self.act(stack, key, now, |session, cx| session.reject(reject, cx))
    }

    // ---- after a restart ----

    /// Takes up a session of an earlier life, as established: what came of its last requests is not known. An error means
    /// that the snapshot makes no dialog.
    pub fn resume(&mut self, snapshot: &Snapshot) -> Result<SessionKey, ParseError> {
        let session = Session::resumed(snapshot, self.shared.config.intervals)?;
        let key = self.sessions.insert(Entry::new(session));
        self.by_dialog.insert(DialogParts::of(&snapshot.id()), key);
        Ok(SessionKey(key))
    }

    /// The peer's BYE in a resumed session was taken by the earlier life: the session is over, and a BYE that comes again
    /// is answered 200.
    pub fn resume_closed(&mut self, stack: &mut Stack, key: SessionKey, now: Now) {
        let _gone = self.act(stack, key, now, |session, cx| {
            session.end_as_closed(cx);
            Ok(())
        });
    }

    // ---- both ----

    /// Of a session that has ended, keeps only what its stragglers are answered with, until it is gone: nobody else asks for
    /// it any more. It depends on its state whether that is possible.
    pub fn bury(&mut self, key: SessionKey) {
        if let Some(entry) = self.sessions.get_mut(key.0) {
            entry.bury();
        }
    }

    /// Sends BYE, or arranges for it; `headers` may have a Reason. See [`UserAgent::close`] for when the state is not known.
    pub fn bye(&mut self, stack: &mut Stack, key: SessionKey, headers: &Headers, now: Now) -> Result<(), WrongState> {
        self.act(stack, key, now, |session, cx| session.bye(headers, cx))
    }

    /// Ends a session by what its state asks for: CANCEL, BYE, BYE after the ACK, or 480. Nothing if it is closing already
    /// or gone.
    pub fn close(&mut self, stack: &mut Stack, key: SessionKey, headers: &Headers, now: Now) {
        let _gone = self.act(stack, key, now, |session, cx| {
            session.close(headers, cx);
            Ok(())
        });
    }

    /// Ends an established session without a BYE, because its peer is known to be out of reach; one in any other state as
    /// [`UserAgent::close`] does.
    pub fn abandon(&mut self, stack: &mut Stack, key: SessionKey, now: Now) {
        let _gone = self.act(stack, key, now, |session, cx| {
            session.abandon(cx);
            Ok(())
        });
    }

    /// Sends a re-INVITE (RFC 3261 §14) or UPDATE (RFC 3311). One that meets the peer's is tried again by itself.
    pub fn modify(
        &mut self,
        stack: &mut Stack,
        key: SessionKey,
        method: Method,
        headers: Headers,
        body: Option<Body>,
        now: Now,
    ) -> Result<(), WrongState> {
        self.act(stack, key, now, |session, cx| session.modify(method, headers, body, cx))
    }

    /// Sends another request in an established session. The name it is given comes back in [`UaEvent::Response`] or
    /// [`UaEvent::Failed`].
    pub fn request(
        &mut self,
        stack: &mut Stack,
        key: SessionKey,
        method: Method,
        headers: &Headers,
        body: Option<Body>,
        now: Now,
    ) -> Result<ClientId, WrongState> {
        self.act(stack, key, now, |session, cx| session.send_request(method, headers, body, cx))
    }

    /// Answers a request that came in a session ([`UaEvent::Reinvite`], [`UaEvent::Update`], [`UaEvent::Request`]).
    #[expect(clippy::too_many_arguments, reason = "which request, and the parts of its answer")]
    pub fn answer(
        &mut self,
        stack: &mut Stack,
        key: SessionKey,
        tx: ServerId,
        status: u16,
        headers: &Headers,
        body: Option<Body>,
        now: Now,
    ) -> Result<(), WrongState> {
        self.act(stack, key, now, |session, cx| session.answer(tx, status, headers, body, cx))
    }

    // ---- input ----

    /// Takes what belongs to a session out of the stack's events; what does not is returned. A returned request with a To
    /// tag is of no dialog here: 481, unless the role is a proxy for it.
    pub fn handle(&mut self, stack: &mut Stack, event: Event, now: Now) -> Option<Event> {
        match event {
            Event::Request(incoming) => match self.find(&incoming.request) {
                Some(key) => {
                    stack.trying(&incoming, now);
                    self.run(stack, key, now, |session, cx| session.on_request(*incoming, cx))
                }
                None => return Some(Event::Request(incoming)),
            },
            Event::Ack { request, flow } => match self.find(&request) {
                Some(key) => self.run(stack, key, now, |session, cx| session.on_ack(request, cx)),
                None => return Some(Event::Ack { request, flow }),
            },
            Event::Cancelled { tx, owner: Some(Owner::Session(key)), cancel } => {
                self.run(stack, SessionKey(key), now, |session, cx| session.on_cancel(tx, cancel, cx))
            }
            Event::Response { tx, owner: Owner::Session(key), response } => {
                self.run(stack, SessionKey(key), now, |session, cx| session.on_response(tx, response, cx))
            }
            Event::Failed { tx, owner: Owner::Session(key), why } => {
                self.run(stack, SessionKey(key), now, |session, cx| session.on_failed(tx, why, cx))
            }
            // The refusal was sent for as long as it may be; the session ended with it.
            Event::Unacknowledged { owner: Some(Owner::Session(_)), .. } => Some(()),
            Event::Cancelled { .. } | Event::Response { .. } | Event::Failed { .. } | Event::Unacknowledged { .. } => {
                return Some(event);
            }
        };
        None
    }

    /// Fires what is due. To be called after the stack's.
    pub fn handle_timeout(&mut self, stack: &mut Stack, now: Now) {
        while let Some((_due, key)) = self.timers.pop_due(now.at) {
            let key = SessionKey(key);
            let Some(entry) = self.sessions.get(key.0) else { continue };
            if entry.next_timer().is_none_or(|at| at > now.at) {
                continue;
            }
            if entry.session().is_some() {
                self.run(stack, key, now, Session::on_timeout);
            }
            if self.sessions.get(key.0).is_some_and(|entry| entry.is_gone(now.at)) {
                self.forget(key);
            }
        }
    }

    /// When something is next due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<(SessionKey, UaEvent)> {
        self.events.pop_front()
    }

    fn forget(&mut self, key: SessionKey) {
        let Some(entry) = self.sessions.remove(key.0) else { return };
        self.tidy_timers();
        for dialog in entry.dialogs() {
            self.by_dialog.remove(dialog, key.0);
        }
        if let Some(origin) = entry.origin() {
            self.by_origin.remove(origin, key.0);
        }
        self.by_dialog.tidy(KEPT);
        self.by_origin.tidy(KEPT);
        self.events.push_back((key, UaEvent::Gone));
    }

    /// A session may have a timer half an hour ahead, and its entry in the queue would stay as long when it ends before:
    /// the queue is made anew when most of it belongs to nobody, and when all of it does, so that nobody is woken for it.
    fn tidy_timers(&mut self) {
        let is_due = self.sessions.is_empty() || self.timers.len() > 4 * self.sessions.len() + OUTDATED;
        if !is_due {
            return;
        }
        self.timers = TimerQueue::new();
        for (key, entry) in self.sessions.iter() {
            if let Some(at) = entry.next_timer() {
                self.timers.arm(key, at);
            }
        }
    }

    fn act<R>(
        &mut self,
        stack: &mut Stack,
        key: SessionKey,
        now: Now,
        act: impl FnOnce(&mut Session, &mut Cx<'_>) -> Result<R, WrongState>,
    ) -> Result<R, WrongState> {
        self.run(stack, key, now, act).unwrap_or(Err(WrongState(State::Terminated)))
    }

    /// Lets a session act, and carries out what it wants of its user agent.
    fn run<R>(
        &mut self,
        stack: &mut Stack,
        key: SessionKey,
        now: Now,
        act: impl FnOnce(&mut Session, &mut Cx<'_>) -> R,
    ) -> Option<R> {
        let session = self.sessions.get_mut(key.0)?.open(self.shared.config.intervals);
        let armed = session.next_timer();
        let mut cx = Cx {
            stack,
            shared: &self.shared,
            key: key.0,
            now,
            events: Vec::new(),
            opened: Vec::new(),
            closed: Vec::new(),
        };
        let result = act(session, &mut cx);
        let Cx { events, opened, closed, .. } = cx;
        if let Some(at) = session.next_timer().filter(|_| session.next_timer() != armed) {
            self.timers.arm(key.0, at);
        }
        #[cfg(debug_assertions)]
        session.check_invariants();
        for id in closed {
            self.by_dialog.remove(DialogParts::of(&id), key.0);
        }
        for id in opened {
            self.by_dialog.insert(DialogParts::of(&id), key.0);
        }
        self.events.extend(events.into_iter().map(|event| (key, event)));
        Some(result)
    }
}
