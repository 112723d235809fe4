use std::cell::OnceCell;
use std::time::Duration;

use bytes::Bytes;
use cpm::{MediaPath, Refusal, ServedUser, Service, ServiceControl, SessionCase, SessionRecord, Unserved};
use sip::header::MinSe;
use sip::{Method, Name, Request, Uri};
use sip_proxy::{Edits, ForwardTo, Plan, Preprocessed, Proxy, ProxyEvent, RecordRoute, Reject, RouteKey, preprocess};
use sip_tx::{Event, Flow, Incoming, Options, Stack};
use sip_ua::{Resolver, UserAgent};
use wire::{Entropy, Input, Instant, Node, Now, Output};

use crate::Config;
use crate::admit::{Admission, admit};
use crate::attempts::{Attempts, Watchman};
use crate::bridges::Bridges;
use crate::journal::{Journal, Kept};
use crate::media_plane::MediaPlane;
use crate::overload;
use crate::registrations::Registrations;
use crate::relay::{Ended, Relays};
use crate::sender::must_be_from;
use crate::token::Token;

/// User-Agent and Server of what a participating function sends by itself.
const PRODUCT: &str = "CPM-serv/OMA2.2 RCS-serv/UP_2.4 duologue/0.1";

/// The CPM participating function.
#[derive(Debug)]
pub struct Participating {
    pub(crate) config: Config,
    /// Our Contact over each transport, once it is asked for.
    pub(crate) contacts: [OnceCell<Bytes>; 3],
    pub(crate) stack: Stack,
    proxy: Proxy,
    pub(crate) ua: UserAgent,
    pub(crate) control: ServiceControl,
    pub(crate) relays: Relays,
    pub(crate) bridges: Bridges,
    pub(crate) media: MediaPlane,
    pub(crate) registrations: Registrations,
    /// See [`Participating::turned_away`].
    pub(crate) turned_away: u64,
    key: RouteKey,
    watchman: Watchman,
    pub(crate) journal: Journal,
    /// No new sessions.
    pub(crate) is_shutting_down: bool,
}

/// What a node holds: all zero, once every session and transaction is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Open {
    /// Client and server transactions.
    pub transactions: usize,
    /// Response contexts of the proxy.
    pub contexts: usize,
    /// Sessions off the media path.
    pub relays: usize,
    /// Sessions on the media path, until all is done for them.
    pub bridges: usize,
    /// Legs, tombstones included.
    pub legs: usize,
    /// Sessions whose release waits for its turn.
    pub releases: usize,
    /// Sessions that service control counts.
    pub counted: usize,
    /// MSRP sessions: one for each leg.
    pub msrp_sessions: usize,
    /// MSRP connections.
    pub msrp_connections: usize,
}

impl Participating {
    /// A participating function on sockets that the host has bound.
    pub fn new(config: Config, options: Options, mut entropy: Entropy) -> Participating {
        let proxy = Proxy::new(&mut entropy);
        let ua_config = sip_ua::Config {
            product: PRODUCT.to_owned(),
            methods: Vec::new(),
            intervals: config.intervals,
            ..sip_ua::Config::default()
        };
        let control = ServiceControl::new(config.default_profile.clone(), config.profiles.clone());
        let key = config.route_key.unwrap_or_else(|| RouteKey::drawn(&mut entropy));
        let hosts = config.hosts.clone();
        let media = MediaPlane::new(config.msrp.clone(), entropy.fork());
        Participating {
            media,
            stack: Stack::new(config.listeners.clone(), options, entropy),
            proxy,
            ua: UserAgent::new(ua_config, Resolver::new(move |uri| hosts.target(uri))),
            control,
            relays: Relays::new(config.silent_session),
            bridges: Bridges::default(),
            registrations: Registrations::default(),
            turned_away: 0,
            key,
            watchman: Watchman::default(),
            journal: Journal::new(config.durable),
            is_shutting_down: false,
            contacts: Default::default(),
            config,
        }
    }

    /// Sessions that are open or being set up.
    pub fn open_sessions(&self) -> usize {
        self.control.open_sessions()
    }

    /// Takes the record of a session that has ended, oldest first.
    pub fn take_record(&mut self) -> Option<SessionRecord> {
        self.control.take_record()
    }

    /// A record that was taken is where it will not be lost: the journal may forget it.
    pub fn record_written(&mut self, key: u64) {
        self.journal.forget(key);
    }

    /// What there was so far, and how many records nobody has fetched in time.
    pub const fn totals(&self) -> (&cpm::Totals, u64) {
        (self.control.totals(), self.control.lost_records())
    }

    /// Records that nobody has taken, and how many may wait.
    pub fn waiting_records(&self) -> (usize, usize) {
        self.control.waiting_records()
    }

    /// Sessions of all users that there may be.
    pub const fn max_sessions(&self) -> usize {
        self.config.max_sessions
    }

    /// Whether it takes new sessions.
    pub const fn is_ready(&self) -> bool {
        !self.is_shutting_down
    }

    /// What became of what was to be kept.
    pub const fn kept(&self) -> Kept {
        self.journal.counters
    }

    /// What the node holds.
    pub fn open(&self) -> Open {
        let (clients, servers) = self.stack.transactions();
        let (msrp_sessions, msrp_connections) = self.media.endpoint.len();
        Open {
            transactions: clients + servers,
            contexts: self.proxy.len(),
            relays: self.relays.len(),
            bridges: self.bridges.len(),
            legs: self.ua.len(),
            releases: self.bridges.releases.len(),
            counted: self.control.open_sessions(),
            msrp_sessions,
            msrp_connections,
        }
    }

    /// What others have tried to do to sessions that are not theirs.
    pub const fn attempts(&self) -> Attempts {
        self.watchman.attempts
    }

    /// What came to the MSRP port from somebody who is in no session.
    pub const fn refusals(&self) -> msrp::Refusals {
        self.media.endpoint.refusals()
    }

    /// MSRP requests either way, and their answers.
    pub const fn msrp_traffic(&self) -> msrp::Traffic {
        self.media.endpoint.traffic()
    }

    /// Users that the cores have told of, and how many were refused because there were too many.
    pub fn registered(&self) -> (usize, u64) {
        (self.registrations.len(), self.registrations.refused())
    }

    /// Octets of messages that have come and not gone on, bounded whatever the size of a message.
    pub fn buffered_octets(&self) -> usize {
        self.media.endpoint.buffered_octets()
    }

    /// The protocol stack, for its counters.
    pub const fn stack(&self) -> &Stack {
        &self.stack
    }

    /// Works until nothing is left to do at this moment.
    pub(crate) fn work(&mut self, now: Now) {
        loop {
            if let Some(event) = self.stack.poll_event() {
                self.on_stack_event(event, now);
            } else if let Some(event) = self.proxy.poll_event() {
                self.on_proxy_event(event, now);
            } else if let Some((session, event)) = self.ua.poll_event() {
                self.on_session_event(session, event, now);
            } else if let Some(event) = self.media.endpoint.poll_event() {
                self.on_msrp_event(event, now);
            } else if let Some((session, remedy)) = self.media.next_remedy() {
                self.remedy(session, remedy, now);
            } else if let Some(key) = self.bridges.next_moved() {
                self.go_on_closing(key, now);
            } else {
                return;
            }
        }
    }

    /// What must hold after every input; looked at in debug builds only.
    fn check_invariants(&self) {
        // Counting is not free: a node with many sessions is checked by who tests it.
        if !cfg!(debug_assertions) || self.control.open_sessions() > 64 {
            return;
        }
        let sessions = self.relays.len() + self.bridges.live();
        assert_eq!(self.control.open_sessions(), sessions, "every session is counted until it is over");
        assert!(self.relays.requests() <= self.proxy.len(), "what is watched is being forwarded");
        assert!(self.bridges.legs() <= self.ua.len(), "every leg is a session");
        assert_eq!(self.media.endpoint.len().0, self.bridges.media(), "every MSRP session is a leg's");
        assert!(self.bridges.len() * 2 >= self.bridges.legs(), "every leg is a bridge's");
    }

    fn on_stack_event(&mut self, event: Event, now: Now) {
        match self.proxy.handle(&mut self.stack, event, now) {
            Some(Event::Request(incoming)) => self.on_request(incoming, now),
            Some(Event::Ack { request, flow }) => self.on_ack(request, flow, now),
            Some(event) => {
                if let Some(event) = self.hold_answer(event, now) {
                    drop(self.ua.handle(&mut self.stack, event, now));
                }
            }
            None => {}
        }
    }

    fn on_request(&mut self, incoming: Box<Incoming>, now: Now) {
        match self.decide(&incoming, now) {
            Ok(Decision::Forward(pre, plan)) => {
                let resolve = |uri: &Uri<'_>| self.config.hosts.target(uri);
                self.proxy.forward(&mut self.stack, incoming, pre, plan, &resolve, now);
            }
            Ok(Decision::Session) => {
                let Some(event) = self.hold_bye(Event::Request(incoming), now) else { return };
                let unknown = self.ua.handle(&mut self.stack, event, now);
                if let Some(Event::Request(incoming)) = unknown {
                    self.watchman.no_dialog(&incoming.flow, now.at).send(&mut self.stack, &incoming);
                }
            }
            Ok(Decision::Bridge(pre, served, admission)) => self.open_bridge(*incoming, &pre, served, &admission, now),
            Ok(Decision::ThirdParty) => self.on_third_party(&incoming, now),
            Ok(Decision::Answer(status)) => self.answer(&incoming, status, now),
            Err(reject) => {
                tracing::debug!(status = reject.status, method = %incoming.request.method(), "request refused");
                reject.send(&mut self.stack, &incoming);
            }
        }
    }

    /// Where a request belongs.
    fn decide(&mut self, incoming: &Incoming, now: Now) -> Result<Decision, Reject> {
        let request = &incoming.request;
        if !self.config.trusted.contains(&incoming.flow.remote.ip()) {
            return Err(self.watchman.untrusted(&incoming.flow, now.at));
        }
        let pre = self.preprocess(request, &incoming.flow)?;
        let token = Token::of(&pre);
        if !request.to_tag().is_empty() {
            // With our token in the Route the dialog passes through; without it, one end of the dialog is here.
            let Some(token) = token else { return Ok(Decision::Session) };
            if !token.is_of(request, &self.key) {
                return Err(self.watchman.forged(&incoming.flow, now.at));
            }
            self.proxy.validate(&self.stack, request, &[])?;
            self.check_interval(request)?;
            let tag = self.relays.pass(token, request, now);
            return Ok(Decision::Forward(pre, Plan { tag, ..Plan::to(ForwardTo::along()) }));
        }
        if pre.routes(request).next().is_none() && self.is_here(&pre.uri(request)) {
            return self.for_us(request);
        }
        self.proxy.validate(&self.stack, request, &[])?;
        self.initial(request, pre, now)
    }

    /// RFC 4028 §8.1: whoever stands in the path of a dialog may want fewer refreshes.
    fn check_interval(&self, request: &Request) -> Result<(), Reject> {
        let refuse = |min_se: MinSe| Err(Reject::new(422).with(Name::MinSe, min_se.to_string()));
        sip_ua::too_small(request, self.config.intervals).map_or(Ok(()), refuse)
    }

    fn preprocess(&self, request: &Request, flow: &Flow) -> Result<Preprocessed, Reject> {
        let transports = self.stack.transports();
        preprocess(request, flow, &|uri| transports.is_our_uri(uri))
    }

    fn is_here(&self, uri: &Uri<'_>) -> bool {
        self.stack.transports().is_our_uri(uri)
    }

    /// A request that ends at this node: the core tells of a registration (3GPP TS 24.229 §5.7.1.1), or probes.
    fn for_us(&self, request: &Request) -> Result<Decision, Reject> {
        if request.method() == Method::Register {
            Ok(Decision::ThirdParty)
        } else if request.method() == Method::Options {
            Ok(Decision::Answer(200))
        } else {
            Err(Reject::new(404).because("no served user here without a Route"))
        }
    }

    /// A request outside any dialog, which the core sent through us for a served user.
    fn initial(&mut self, request: &Request, pre: Preprocessed, now: Now) -> Result<Decision, Reject> {
        if self.is_shutting_down || self.is_full() {
            return Err(overload::come_back(self.stack.entropy()));
        }
        // Two URIs, one per session case, work with every core; P-Served-User alone is not sent by all of them.
        let by_uri = pre.own().find_map(|uri| SessionCase::from_bytes(uri.user()?));
        let served = ServedUser::of(request, &pre.uri(request), by_uri).map_err(unserved)?;
        if request.method() != Method::Invite {
            return self.standalone(request, pre, &served);
        }
        self.check_interval(request)?;
        if let Some(seconds) = self.journal.full_for(now) {
            return Err(Reject::new(503).with(Name::RetryAfter, seconds.to_string()).because("no room in the journal"));
        }
        let admission = admit(request, &served, &self.control, &self.config.media_path).map_err(|r| self.refuse(&r))?;
        match admission.media_path {
            MediaPath::Off => Ok(self.open_relay(request, pre, served, &admission, now)),
            MediaPath::On => Ok(Decision::Bridge(pre, served, admission)),
        }
    }

    /// A standalone request (MESSAGE and the like): authorised, then passed on.
    fn standalone(&self, request: &Request, pre: Preprocessed, served: &ServedUser) -> Result<Decision, Reject> {
        if request.method() == Method::Message {
            must_be_from(request, served).map_err(|r| self.refuse(&r))?;
            let service = cpm::classify(request).unwrap_or(Service::PagerMessage);
            self.control.authorise(&served.aor, service).map_err(|r| self.refuse(&r))?;
        }
        Ok(Decision::Forward(pre, Plan::to(ForwardTo::along())))
    }

    /// Off the media path: the INVITE goes on as it is, and the dialog passes here.
    fn open_relay(
        &mut self,
        request: &Request,
        pre: Preprocessed,
        served: ServedUser,
        admission: &Admission,
        now: Now,
    ) -> Decision {
        let token = Token::new(served.case, request, &self.key, self.stack.entropy());
        tracing::info!(case = served.case.as_str(), "session off the media path is being set up");
        self.control.opened(&served.aor);
        let tag = self.relays.open(token, served, request, now);
        let record_route = Some(RecordRoute::here(token.user()));
        let edits = assert_service(admission);
        Decision::Forward(pre, Plan { record_route, edits, tag, ..Plan::to(ForwardTo::along()) })
    }

    fn on_ack(&mut self, ack: Box<Request>, flow: Flow, now: Now) {
        if !self.config.trusted.contains(&flow.remote.ip()) {
            return drop(self.watchman.untrusted(&flow, now.at));
        }
        let Ok(pre) = self.preprocess(&ack, &flow) else { return };
        if let Some(token) = Token::of(&pre) {
            if !token.is_of(&ack, &self.key) {
                return drop(self.watchman.forged(&flow, now.at));
            }
            let resolve = |uri: &Uri<'_>| self.config.hosts.target(uri);
            self.proxy.forward_ack(&mut self.stack, &ack, &pre, ForwardTo::along(), &Edits::new(), &resolve);
        } else {
            drop(self.ua.handle(&mut self.stack, Event::Ack { request: ack, flow }, now));
        }
    }

    fn on_proxy_event(&mut self, event: ProxyEvent, now: Now) {
        let ended = match event {
            ProxyEvent::Response { tag, status, response, .. } => {
                self.relays.on_response(tag, response.as_deref(), status, now)
            }
            ProxyEvent::Done { tag, .. } => self.relays.on_done(tag, now),
        };
        if self.journal.is_on()
            && let Some((key, row)) = self.relays.take_changed()
        {
            self.journal.keep(key, &row);
        }
        self.ended(ended);
    }

    fn ended(&mut self, ended: Option<Ended>) {
        let Some(Ended { aor, record }) = ended else { return };
        if let Some(record) = &record {
            self.journal.over(record.key, Some(record));
        }
        self.control.closed(&aor, record);
    }

    pub(crate) fn answer(&mut self, incoming: &Incoming, status: u16, now: Now) {
        let tag = self.stack.entropy().tag();
        let request = &incoming.request;
        let answer =
            request.respond(status, &tag).copied(request, Name::Expires).header(Name::Server, PRODUCT).finish();
        self.stack.respond(incoming.tx, status, answer, now);
    }

    pub(crate) fn refuse(&self, refusal: &Refusal) -> Reject {
        let reject = Reject::new(refusal.status);
        // RFC 3261 §21.4.13: 415 says what would have been taken.
        let reject = if refusal.status == 415 { reject.with(Name::Accept, "application/sdp") } else { reject };
        match refusal.warning_value(&self.config.name) {
            Some(warning) => reject.with(Name::Warning, warning),
            None => reject,
        }
    }
}

/// Where a request belongs.
#[expect(
    clippy::large_enum_variant,
    reason = "made and taken apart once per request; a box would be an allocation on the hot path"
)]
enum Decision {
    /// It passes.
    Forward(Preprocessed, Plan),
    /// It opens a session that we bridge.
    Bridge(Preprocessed, ServedUser, Admission),
    /// It belongs to a leg of ours, if to anything.
    Session,
    /// The core tells of a registration.
    ThirdParty,
    /// It ends here.
    Answer(u16),
}

fn unserved(why: Unserved) -> Reject {
    Reject::new(403).because(match why {
        Unserved::NoCase => "session case unknown: neither sip:orig@ or sip:term@ nor P-Served-User",
        Unserved::NoIdentity => "no asserted identity",
    })
}

/// Where the core asserted no service, the authorised preference is asserted in its place.
pub(crate) fn assert_service(admission: &Admission) -> Edits {
    let mut edits = Edits::new();
    if let Some(service) = admission.assert_service {
        edits.remove(Name::PPreferredService).append(Name::PAssertedService, service.icsi());
    }
    edits
}

impl Node for Participating {
    fn handle_input(&mut self, input: Input, now: Now) {
        if let Input::Recalled { key, value } = &input {
            self.on_recalled(*key, value, now);
        } else if let Input::Kept { id, ok } = input {
            self.on_kept(id, ok, now);
        } else if self.media.takes(&input) {
            self.media.endpoint.handle_input(input, now);
        } else {
            self.stack.handle_input(input, now);
        }
        self.work(now);
        self.check_invariants();
    }

    fn handle_lag(&mut self, lag: Duration, now: Now) {
        self.stack.handle_lag(lag, now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.stack.handle_timeout(now);
        self.proxy.handle_timeout(&mut self.stack, now);
        self.ua.handle_timeout(&mut self.stack, now);
        self.media.handle_timeout(now);
        for ended in self.relays.expire(now) {
            self.ended(Some(ended));
        }
        self.expire_drains(now);
        self.expire_unkept(now);
        self.expire_watches(now);
        self.expire_registrations(now);
        self.carry_out_releases(now);
        self.work(now);
        self.check_invariants();
    }

    fn poll_output(&mut self) -> Option<Output> {
        // What is to be kept goes first: the disk works while the rest is written.
        let kept = self.journal.poll_output();
        kept.or_else(|| self.stack.poll_output()).or_else(|| self.media.endpoint.poll_output())
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let due = [
            self.stack.poll_timeout(),
            self.proxy.poll_timeout(),
            self.ua.poll_timeout(),
            self.media.poll_timeout(),
            self.relays.next_timeout(),
            self.bridges.next_timeout(),
            self.registrations.next_timeout(),
            self.journal.poll_timeout(),
        ];
        due.into_iter().flatten().min()
    }
}
