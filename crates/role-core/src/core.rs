use std::net::SocketAddr;

use cpm::{ServedUser, SessionCase, aor};
use sip::{Address, Method, Name, Request, Uri};
use sip_proxy::{Edits, ForwardTo, Plan, Preprocessed, Proxy, RecordRoute, Reject, preprocess};
use sip_tx::{Event, Flow, Incoming, Options, Stack, Target};
use wire::{Entropy, Input, Instant, Node, Now, Output};

use crate::Config;
use crate::location::{Binding, Location};
use crate::odi::Odi;
use crate::registrar::Registrar;

/// A SIP/IP core of one domain (in IMS: P-CSCF, I-CSCF and S-CSCF in one).
#[derive(Debug)]
pub struct Core {
    pub(crate) config: Config,
    pub(crate) stack: Stack,
    proxy: Proxy,
    pub(crate) location: Location,
    pub(crate) registrar: Registrar,
    /// Our address as it stands in URIs that we hand out.
    pub(crate) host: String,
    trigger: Option<SocketAddr>,
}

/// Who sent a request, as far as its way tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Origin {
    /// The core of another domain.
    Peer,
    /// The participating function.
    ApplicationServer,
    /// Anybody else: a client.
    Client,
}

/// What becomes of a request.
#[expect(
    clippy::large_enum_variant,
    reason = "made and taken apart once per request; a box would be an allocation on the hot path"
)]
enum Decision {
    /// It passes.
    Forward(Preprocessed, Plan),
    /// It is for the registrar.
    Register,
    /// Somebody asks whether we live.
    Probe,
}

impl Core {
    /// A core on sockets that the host has bound.
    pub fn new(config: Config, options: Options, mut entropy: Entropy) -> Core {
        let host = config.listeners.first().map_or_else(String::new, |l| l.addr.to_string());
        let registrar = Registrar::new(&config.domain, config.registration.digest, &mut entropy);
        let proxy = Proxy::new(&mut entropy);
        let trigger = config.trigger.as_ref().and_then(|t| target_of(&t.originating)).map(|t| t.addr);
        let stack = Stack::new(config.listeners.clone(), options, entropy);
        Core { config, stack, proxy, location: Location::default(), registrar, host, trigger }
    }

    /// How many contacts of a user are registered.
    pub fn contacts(&self, aor: &str, now: Now) -> usize {
        self.location.bindings(aor, now.at).len()
    }

    /// The transactions and response contexts that have not ended: none, once all is quiet.
    pub fn open(&self) -> (usize, usize, usize) {
        let (clients, servers) = self.stack.transactions();
        (clients, servers, self.proxy.len())
    }

    /// The protocol stack, for its counters.
    pub const fn stack(&self) -> &Stack {
        &self.stack
    }

    fn work(&mut self, now: Now) {
        while let Some(event) = self.stack.poll_event() {
            match self.proxy.handle(&mut self.stack, event, now) {
                Some(Event::Request(incoming)) => self.on_request(incoming, now),
                Some(Event::Ack { request, flow }) => self.on_ack(&request, &flow, now),
                // Everything else concerns requests that the proxy forwarded, or requests of our own, of which a core
                // has none.
                Some(
                    Event::Cancelled { .. }
                    | Event::Response { .. }
                    | Event::Failed { .. }
                    | Event::Unacknowledged { .. },
                )
                | None => {}
            }
        }
        while self.proxy.poll_event().is_some() {}
        self.location.check_invariants();
    }

    fn on_request(&mut self, incoming: Box<Incoming>, now: Now) {
        match self.decide(&incoming, now) {
            Ok(Decision::Forward(pre, plan)) => {
                self.proxy.forward(&mut self.stack, incoming, pre, plan, &resolve, now);
            }
            Ok(Decision::Register) => self.register(&incoming, now),
            Ok(Decision::Probe) => {
                let tag = self.stack.entropy().tag();
                let answer = incoming.request.respond(200, &tag).header(Name::Accept, "application/sdp").finish();
                self.stack.respond(incoming.tx, 200, answer, now);
            }
            Err(reject) => {
                tracing::debug!(status = reject.status, method = %incoming.request.method(), "request refused");
                reject.send(&mut self.stack, &incoming);
            }
        }
    }

    fn decide(&mut self, incoming: &Incoming, now: Now) -> Result<Decision, Reject> {
        let request = &incoming.request;
        let pre = self.preprocess(request, &incoming.flow)?;
        let is_for_us = pre.routes(request).next().is_none() && self.is_here(&pre.uri(request));
        if request.method() == Method::Register && is_for_us {
            return Ok(Decision::Register);
        }
        if request.method() == Method::Options && is_for_us && pre.uri(request).user().is_none() {
            return Ok(Decision::Probe);
        }
        self.proxy.validate(&self.stack, request, &[])?;
        let plan = if request.to_tag().is_empty() {
            self.initial(request, &incoming.flow, &pre, now)?
        } else {
            self.in_dialog(request, &incoming.flow, &pre, now.at)?
        };
        Ok(Decision::Forward(pre, plan))
    }

    fn preprocess(&self, request: &Request, flow: &Flow) -> Result<Preprocessed, Reject> {
        let transports = self.stack.transports();
        preprocess(request, flow, &|uri| transports.is_our_uri(uri))
    }

    /// Whether a URI means this core or its domain, not one of its users.
    fn is_here(&self, uri: &Uri<'_>) -> bool {
        uri.is_sip() && (self.is_home(uri) || self.stack.transports().is_our_uri(uri))
    }

    fn is_home(&self, uri: &Uri<'_>) -> bool {
        uri.host().eq_ignore_ascii_case(self.config.domain.as_bytes())
    }

    /// The ACK of a 2xx goes the way of its dialog.
    fn on_ack(&mut self, ack: &Request, flow: &Flow, now: Now) {
        let Ok(pre) = self.preprocess(ack, flow) else { return };
        if pre.own().next().is_none() {
            return;
        }
        for to in self.ways_on(ack, &pre, now.at) {
            self.proxy.forward_ack(&mut self.stack, ack, &pre, to, &Edits::new(), &resolve);
        }
    }

    /// A request inside a dialog follows its route set, in which we must have been (RFC 3261 §16.4).
    fn in_dialog(&self, request: &Request, flow: &Flow, pre: &Preprocessed, now: Instant) -> Result<Plan, Reject> {
        if pre.own().next().is_none() {
            return Err(Reject::new(481).because("not in the route set of this dialog"));
        }
        let ways = self.ways_on(request, pre, now);
        if ways.is_empty() {
            return Err(Reject::new(480));
        }
        let mut plan = Plan::fork(ways);
        if self.origin(request, flow) == Origin::Client {
            disbelieve(&mut plan.edits);
        }
        Ok(plan)
    }

    /// Where a request inside a dialog goes: along its Route; when none is left, to the contact on its request line, the
    /// way that it registered. Clients also name their address-of-record or a GRUU of theirs as Contact: then to whichever
    /// device it is, for the others are in no such dialog and say so.
    fn ways_on(&self, request: &Request, pre: &Preprocessed, now: Instant) -> Vec<ForwardTo> {
        let uri = pre.uri(request);
        if pre.routes(request).next().is_some() {
            return vec![ForwardTo::along()];
        }
        let user = self.user_at(&uri);
        if let Some(binding) = self.location.by_contact(&uri, user.as_deref(), now) {
            return vec![ForwardTo { target: binding.target(), ..ForwardTo::along() }];
        }
        let Some(user) = user else { return vec![ForwardTo::along()] };
        let instance = uri.param("gr");
        let bindings = self.location.bindings(&user, now);
        let is_meant = |b: &&&Binding| instance.is_none_or(|gr| gr.is_empty() || b.instance.as_deref() == Some(gr));
        bindings.iter().filter(is_meant).map(|b| b.way()).collect()
    }

    /// A request outside any dialog: where is it in the service chain?
    fn initial(&mut self, request: &Request, flow: &Flow, pre: &Preprocessed, now: Now) -> Result<Plan, Reject> {
        let origin = self.origin(request, flow);
        let own = pre.own().next();
        let odi = own.as_ref().and_then(Odi::parse);
        let says_originating = own.is_some_and(|uri| uri.has_param("orig"));
        match (odi, origin) {
            // Anybody could write such a Route: only the application server that was given it may come back with it.
            (Some(_), Origin::Peer | Origin::Client) => Err(Reject::new(403).because("not an application server")),
            (Some(odi), Origin::ApplicationServer) => self.resume(request, pre, &odi, now.at),
            (None, Origin::Client) => self.originate(request, flow, pre, now.at),
            (None, Origin::ApplicationServer) if says_originating => self.onward(request, pre, Edits::new(), now.at),
            // What an application server starts towards a user of its own domain is not sent through it again.
            (None, Origin::ApplicationServer) if self.is_home(&pre.uri(request)) => self.deliver(request, pre, now.at),
            (None, Origin::ApplicationServer | Origin::Peer) => self.onward(request, pre, Edits::new(), now.at),
        }
    }

    /// By the address that a request came from: datagrams show the sender's socket, streams only its host, so there the
    /// sent-by of its Via counts as well.
    fn origin(&self, request: &Request, flow: &Flow) -> Origin {
        let via = request.via();
        let host = std::str::from_utf8(via.host).ok().and_then(|h| h.trim_matches(['[', ']']).parse().ok());
        let sent_by =
            host.map(|ip| SocketAddr::new(ip, via.port.unwrap_or(5060))).filter(|a| a.ip() == flow.remote.ip());
        let is = |addr: SocketAddr| flow.remote == addr || (flow.conn.is_some() && sent_by == Some(addr));
        if self.trigger.is_some_and(is) {
            Origin::ApplicationServer
        } else if self.config.peers.iter().any(|p| is(p.addr)) {
            Origin::Peer
        } else {
            Origin::Client
        }
    }

    /// A client of ours sends a request (3GPP TS 24.229 §5.4.3.2).
    fn originate(&mut self, request: &Request, flow: &Flow, pre: &Preprocessed, now: Instant) -> Result<Plan, Reject> {
        // 1. No relay for strangers' routes.
        if pre.routes(request).next().is_some() {
            return Err(Reject::new(403).because("foreign Route"));
        }
        // 2. The client is one that has registered, from where it registered.
        let user = self.user_at(&request.from().uri()).ok_or(Reject::new(403).because("not a subscriber"))?;
        if !self.location.bindings(&user, now).iter().any(|b| b.is_from(request, flow)) {
            return Err(Reject::new(403).because("not registered"));
        }
        // 3. Its identity is asserted, its own assertions dropped.
        let edits = self.assert_identity(request, &user);
        // 4. The participating function sees what belongs to CPM.
        if self.matches_trigger(request) {
            let served = ServedUser { aor: user, case: SessionCase::Originating };
            return Ok(self.through_trigger(&served, true, edits));
        }
        self.onward(request, pre, edits, now)
    }

    /// A request comes back from the participating function: the chain goes on where it was left.
    fn resume(&mut self, request: &Request, pre: &Preprocessed, odi: &Odi, now: Instant) -> Result<Plan, Reject> {
        let is_retargeted = self.user_at(&pre.uri(request)).is_none_or(|user| user != odi.served);
        match odi.case {
            SessionCase::Terminating if !is_retargeted => self.deliver(request, pre, now),
            SessionCase::Originating | SessionCase::Terminating => self.onward(request, pre, Edits::new(), now),
        }
    }

    /// Routes by the Request-URI: to a user of ours, or to the domain that it names.
    fn onward(
        &mut self,
        request: &Request,
        pre: &Preprocessed,
        mut edits: Edits,
        now: Instant,
    ) -> Result<Plan, Reject> {
        edits.remove(Name::PServedUser);
        let translated = self.number_of(&pre.uri(request)).and_then(|n| self.config.numbers.get(&n).cloned());
        let text = translated.clone().unwrap_or_else(|| pre.uri(request).to_string());
        let uri = Uri::parse(text.as_bytes()).map_err(|_| Reject::new(404))?;
        if !uri.is_sip() {
            return Err(Reject::new(if uri.scheme() == sip::Scheme::Tel { 404 } else { 416 }));
        }
        if self.is_home(&uri) {
            return self.terminate(request, &uri, edits, now);
        }
        let host = String::from_utf8_lossy(uri.host()).to_ascii_lowercase();
        let peer = self
            .config
            .peers
            .iter()
            .find(|p| p.domain == host)
            .ok_or(Reject::new(404).because("no way to this domain"))?;
        let target = target_of(&peer.uri).ok_or(Reject::new(500).because("address of the other domain"))?;
        let to = ForwardTo { uri: translated.map(Into::into), ..ForwardTo::along() }.at(target);
        Ok(Plan { record_route: Some(RecordRoute::here("")), edits, ..Plan::to(to) })
    }

    /// A request for a user of ours (3GPP TS 24.229 §5.4.3.3).
    fn terminate(&mut self, request: &Request, uri: &Uri<'_>, edits: Edits, now: Instant) -> Result<Plan, Reject> {
        let user = self.user_at(uri).ok_or(Reject::new(404))?;
        let moved = uri.as_bytes() != request.uri_text();
        if !self.matches_trigger(request) {
            return self.to_contacts(request, uri, &user, edits, now);
        }
        let is_registered = self.location.is_registered(&user, now);
        let served = ServedUser { aor: user, case: SessionCase::Terminating };
        let mut plan = self.through_trigger(&served, is_registered, edits);
        if moved {
            plan.targets.iter_mut().for_each(|t| t.uri = Some(uri.as_bytes().to_vec().into()));
        }
        Ok(plan)
    }

    fn deliver(&mut self, request: &Request, pre: &Preprocessed, now: Instant) -> Result<Plan, Reject> {
        let uri = pre.uri(request);
        let user = self.user_at(&uri).ok_or(Reject::new(404))?;
        let mut edits = Edits::new();
        edits.remove(Name::PServedUser);
        self.to_contacts(request, &uri, &user, edits, now)
    }

    /// To the user's devices that can take it (RFC 3841 §7.2): at once those that it prefers alike, one preference after the
    /// other (RFC 3261 §16.6).
    fn to_contacts(
        &self,
        request: &Request,
        uri: &Uri<'_>,
        user: &str,
        mut edits: Edits,
        now: Instant,
    ) -> Result<Plan, Reject> {
        let bindings = self.location.bindings(user, now);
        let takers: Vec<_> = bindings.into_iter().filter(|b| b.can_take(request)).collect();
        let mut groups = takers.chunk_by(|a, b| a.q == b.q).map(|group| group.iter().map(|b| b.way()).collect());
        let targets = groups.next().ok_or(Reject::new(480))?;
        let then = groups.collect();
        edits.set(Name::PCalledPartyId, format!("<{uri}>"));
        // RFC 3325 §5: what the callee asserts of itself in its responses is not believed either.
        let mut response_edits = Edits::new();
        response_edits.set(Name::PAssertedIdentity, format!("<{user}>"));
        Ok(Plan { targets, then, record_route: Some(RecordRoute::here("")), edits, response_edits, ..Plan::default() })
    }

    /// Through the participating function, with the way back below it (3GPP TS 24.229 §5.4.3.2 step 4).
    fn through_trigger(&self, served: &ServedUser, is_registered: bool, mut edits: Edits) -> Plan {
        let trigger = self.config.trigger.as_ref().expect("a request matches the trigger only where there is one");
        let uri = match served.case {
            SessionCase::Originating => &trigger.originating,
            SessionCase::Terminating => &trigger.terminating,
        };
        let odi = Odi { case: served.case, served: served.aor.clone() };
        let transport = if uri.contains(";transport=tcp") { ";transport=tcp" } else { "" };
        let routes = [format!("<{uri};lr>"), format!("<{}{transport}>", odi.uri(&self.host))];
        let state = if is_registered { "reg" } else { "unreg" };
        edits.set(Name::PServedUser, format!("<{}>;sescase={};regstate={state}", served.aor, served.case.as_str()));
        Plan { record_route: Some(RecordRoute::here("")), edits, ..Plan::to(ForwardTo::along().via_routes(routes)) }
    }

    /// The initial filter criterion: requests that open something of CPM, and sessions with MSRP or without an offer.
    fn matches_trigger(&self, request: &Request) -> bool {
        let opens = match request.method() {
            Method::Invite => request.body().is_empty() || cpm::classify(request).is_some(),
            Method::Message | Method::Refer => cpm::classify(request).is_some(),
            Method::Ack
            | Method::Bye
            | Method::Cancel
            | Method::Register
            | Method::Options
            | Method::Update
            | Method::Prack
            | Method::Info
            | Method::Subscribe
            | Method::Notify
            | Method::Publish
            | Method::Extension => false,
        };
        opens && self.config.trigger.is_some()
    }

    /// The telephone number in a URI, `+…` and digits only.
    fn number_of(&self, uri: &Uri<'_>) -> Option<String> {
        let user = uri.user()?;
        let digits: String =
            user.iter().map(|b| char::from(*b)).filter(|c| !matches!(c, '-' | '.' | '(' | ')')).collect();
        (digits.starts_with('+') && digits[1..].bytes().all(|b| b.is_ascii_digit())).then_some(digits)
    }

    /// The address-of-record of the subscriber that a URI names.
    pub(crate) fn user_at(&self, uri: &Uri<'_>) -> Option<String> {
        if let Some(aor) = self.number_of(uri).and_then(|n| self.config.numbers.get(&n)) {
            let known = Uri::parse(aor.as_bytes()).ok()?;
            return self.is_home(&known).then(|| aor.clone());
        }
        let aor = aor(uri);
        let name = aor.strip_prefix("sip:")?.split_once('@')?.0;
        (self.is_home(uri) && self.config.subscribers.contains_key(name)).then_some(aor)
    }

    /// RFC 3325 §5 and RFC 6050 §4: what the client prefers is asserted if it may say so, what it asserts itself is dropped.
    fn assert_identity(&mut self, request: &Request, user: &str) -> Edits {
        let mut edits = Edits::new();
        disbelieve(&mut edits);
        let name = user.strip_prefix("sip:").and_then(|u| u.split('@').next()).unwrap_or_default();
        let number = self.config.subscribers.get(name).and_then(|s| s.number.clone());
        let preferred =
            request.addresses(Name::PPreferredIdentity).find_map(Result::ok).map(|a: Address<'_>| aor(&a.uri()));
        let tel = number.map(|n| format!("tel:{n}"));
        let first = if preferred.is_some() && preferred == tel { tel.clone() } else { None };
        let second = if first.is_some() { Some(user.to_owned()) } else { tel };
        edits.append(Name::PAssertedIdentity, format!("<{}>", first.as_deref().unwrap_or(user)));
        if let Some(second) = second {
            edits.append(Name::PAssertedIdentity, format!("<{second}>"));
        }
        if let Some(service) = request.header(Name::PPreferredService) {
            edits.append(Name::PAssertedService, service.to_vec());
            edits.remove(Name::PPreferredService);
        }
        let icid = self.stack.entropy().tag();
        edits.set(Name::PChargingVector, format!("icid-value={icid};orig-ioi={}", self.config.domain));
        edits
    }
}

/// Takes away what only the network may say of a client (RFC 3325 §5, RFC 6050 §4, RFC 5502 §4).
fn disbelieve(edits: &mut Edits) {
    for name in [Name::PPreferredIdentity, Name::PAssertedIdentity, Name::PServedUser, Name::PAssertedService] {
        edits.remove(name);
    }
}

/// URIs whose hosts are addresses; names come from configuration.
fn resolve(uri: &Uri<'_>) -> Option<Target> {
    Target::from_uri(uri)
}

fn target_of(uri: &str) -> Option<Target> {
    Target::from_uri(&Uri::parse(uri.as_bytes()).ok()?)
}

impl Node for Core {
    fn handle_input(&mut self, input: Input, now: Now) {
        self.stack.handle_input(input, now);
        self.work(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.stack.handle_timeout(now);
        self.proxy.handle_timeout(&mut self.stack, now);
        self.location.expire(now.at);
        self.work(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.stack.poll_output()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.stack.poll_timeout(), self.proxy.poll_timeout(), self.location.next_expiry()].into_iter().flatten().min()
    }
}
