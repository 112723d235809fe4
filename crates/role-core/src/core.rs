use std::net::SocketAddr;
use std::time::Duration;

use sip::{Method, Name, Request, Uri};
use sip_proxy::{Edits, ForwardTo, Plan, Preprocessed, Proxy, Reject, RouteKey, preprocess};
use sip_tx::{Event, Flow, Incoming, Options, Stack, Target};
use wire::{Entropy, Input, Instant, Node, Now, OncePerMinute, Output, Transport};

use crate::Config;
use crate::identity::{disbelieve, keep_from_clients};
use crate::kept::Kept;
use crate::location::{Binding, Location};
use crate::odi::Odi;
use crate::origin::Origin;
use crate::registrar::Registrar;
use crate::third_party::Series;

/// A SIP/IP core of one domain (in IMS: P-CSCF, I-CSCF and S-CSCF in one).
#[derive(Debug)]
pub struct Core {
    pub(crate) config: Config,
    pub(crate) stack: Stack,
    proxy: Proxy,
    pub(crate) location: Location,
    pub(crate) registrar: Registrar,
    /// What the participating function has been told.
    pub(crate) series: Series,
    /// What outlives us.
    pub(crate) kept: Kept,
    /// Our address as it stands in URIs that we hand out.
    pub(crate) host: String,
    /// The same for each transport, in their order.
    hosts: [String; 3],
    pub(crate) trigger: Option<SocketAddr>,
    pub(crate) key: RouteKey,
    /// Requests that pretended to be of a dialog.
    pub(crate) forged: u64,
    pub(crate) once: OncePerMinute,
}

/// All of them, in the order of [`Core::place`].
const TRANSPORTS: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

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
        let key = config.route_key.unwrap_or_else(|| RouteKey::drawn(&mut entropy));
        let mut stack = Stack::new(config.listeners.clone(), options, entropy);
        for peer in &config.peers {
            if !stack.name(peer.addr, &peer.domain) {
                tracing::warn!(domain = %peer.domain, addr = %peer.addr, "another domain is at this address already");
            }
        }
        let (forged, once) = (0, OncePerMinute::default());
        let hosts = TRANSPORTS.map(|transport| {
            let addr = stack.transports().local(transport);
            addr.map_or_else(|| host.clone(), |addr| addr.to_string())
        });
        Core {
            key,
            forged,
            once,
            config,
            stack,
            proxy,
            location: Location::default(),
            registrar,
            series: Series::new(),
            kept: Kept::default(),
            host,
            hosts,
            trigger,
        }
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

    /// Requests refused because they pretended to be of a dialog.
    pub const fn forged(&self) -> u64 {
        self.forged
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
                // The participating function was told of a registration. If it did not hear, it will at the next refresh.
                Some(Event::Response { response, .. }) if !response.is_success() => {
                    tracing::warn!(status = response.status(), "a third-party registration was refused");
                }
                Some(Event::Failed { .. }) => tracing::warn!("nobody answers third-party registrations"),
                // Everything else concerns requests that the proxy forwarded.
                Some(Event::Cancelled { .. } | Event::Response { .. } | Event::Unacknowledged { .. }) | None => {}
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
        let origin = self.origin(request, &incoming.flow)?;
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
            self.initial(request, origin, &incoming.flow, &pre, now)?
        } else {
            self.in_dialog(request, origin, &incoming.flow, &pre, now.at)?
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

    /// Where this core is found over a transport: host and port, and the parameter that a URI needs besides. Over one without
    /// a listener it is where it is found at all.
    pub(crate) const fn place(&self, transport: Transport) -> (&str, &'static str) {
        let [udp, tcp, tls] = &self.hosts;
        match transport {
            Transport::Udp => (udp.as_str(), ""),
            Transport::Tcp => (tcp.as_str(), ";transport=tcp"),
            Transport::Tls => (tls.as_str(), ";transport=tls"),
        }
    }

    pub(crate) fn is_home(&self, uri: &Uri<'_>) -> bool {
        uri.host().eq_ignore_ascii_case(self.config.domain.as_bytes())
    }

    /// The ACK of a 2xx goes the way of its dialog.
    fn on_ack(&mut self, ack: &Request, flow: &Flow, now: Now) {
        let Ok(pre) = self.preprocess(ack, flow) else { return };
        let Ok(origin) = self.origin(ack, flow) else { return };
        if !self.is_marked(ack, &pre) {
            return;
        }
        for to in self.ways_on(ack, &pre, now.at) {
            let mut edits = Edits::new();
            disbelieve(&mut edits, origin);
            if is_to_client(&to) {
                keep_from_clients(ack, &mut edits);
            }
            self.proxy.forward_ack(&mut self.stack, ack, &pre, to, &edits, &resolve);
        }
    }

    /// A request inside a dialog follows its route set, in which we must have been (RFC 3261 §16.4).
    fn in_dialog(
        &mut self,
        request: &Request,
        origin: Origin,
        flow: &Flow,
        pre: &Preprocessed,
        now: Instant,
    ) -> Result<Plan, Reject> {
        if pre.own().next().is_none() {
            return Err(Reject::new(481).because("not in the route set of this dialog"));
        }
        self.must_be_marked(request, flow, pre, now)?;
        if origin == Origin::Client {
            self.must_come_from_its_user(request, flow, now)?;
        }
        let ways = self.ways_on(request, pre, now);
        if ways.is_empty() {
            return Err(Reject::new(480));
        }
        let leaves = ways.iter().any(is_to_client);
        let mut plan = Plan::fork(ways);
        disbelieve(&mut plan.edits, origin);
        if leaves {
            keep_from_clients(request, &mut plan.edits);
            disbelieve(&mut plan.response_edits, Origin::Client);
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
    fn initial(
        &mut self,
        request: &Request,
        origin: Origin,
        flow: &Flow,
        pre: &Preprocessed,
        now: Now,
    ) -> Result<Plan, Reject> {
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
            (None, Origin::ApplicationServer) => self.onward(request, pre, Edits::new(), now.at),
            (None, Origin::Peer) => {
                self.must_be_for_us(request, pre)?;
                let mut edits = Edits::new();
                disbelieve(&mut edits, origin);
                self.onward(request, pre, edits, now.at)
            }
        }
    }
}

/// Whether a way inside a dialog ends at a client of ours, which has registered.
fn is_to_client(way: &ForwardTo) -> bool {
    way.target.is_some() || way.uri.is_some()
}

/// URIs whose hosts are addresses; names come from configuration.
fn resolve(uri: &Uri<'_>) -> Option<Target> {
    Target::from_uri(uri)
}

pub(crate) fn target_of(uri: &str) -> Option<Target> {
    Target::from_uri(&Uri::parse(uri.as_bytes()).ok()?)
}

impl Node for Core {
    fn handle_input(&mut self, input: Input, now: Now) {
        match input {
            Input::Recalled { value, .. } => self.recall_registration(&value, now),
            Input::Kept { ok, .. } => self.kept.note(ok),
            input @ (Input::Datagram { .. }
            | Input::Accepted { .. }
            | Input::Connected { .. }
            | Input::Stream { .. }
            | Input::Written { .. }
            | Input::Closed { .. }) => self.stack.handle_input(input, now),
        }
        self.work(now);
    }

    fn handle_lag(&mut self, lag: Duration, now: Now) {
        self.stack.handle_lag(lag, now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.stack.handle_timeout(now);
        self.proxy.handle_timeout(&mut self.stack, now);
        for aor in self.location.expire(now.at) {
            self.keep_registration(&aor, now);
            self.tell_of_registration(&aor, None, now);
        }
        self.work(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.stack.poll_output().or_else(|| self.kept.poll_output())
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.stack.poll_timeout(), self.proxy.poll_timeout(), self.location.next_look()].into_iter().flatten().min()
    }
}
