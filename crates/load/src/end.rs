//! What both ends have: SIP, MSRP, and perhaps a registration.

use std::net::SocketAddr;

use bytes::Bytes;
use cpm::Service;
use msrp::{Endpoint, SessionOptions};
use sdp::{Connector, Direction, Host, LocalMedia, MediaTypes, MsrpUri, OriginId, SessionDescription, Setup};
use sip_tx::{Event, Incoming, Listener, Owner, Stack, Target};
use sip_ua::digest::Account;
use sip_ua::{Headers, Registration, RegistrationEvent, RegistrationPlan, Resolver, SessionKey, UaEvent, UserAgent};
use wire::{ConnId, Entropy, Input, Instant, Now, Output, Transport};

use crate::Plan;
use crate::plan::User;

/// The owner of the registration's transactions.
const REGISTRATION: u64 = 1;
/// The lane of [`ConnId`]s that MSRP connections are drawn from.
const LANE: u8 = 1;
/// Seconds of registration to ask for: longer than a run.
const EXPIRES: u32 = 86_400;
/// What messages are, and what nobody looks at.
pub(crate) const MEDIA_TYPE: &str = "message/cpim";

/// One end: a SIP user agent and an MSRP endpoint on sockets that the host has bound.
pub(crate) struct End {
    pub(crate) stack: Stack,
    pub(crate) ua: UserAgent,
    pub(crate) endpoint: Endpoint,
    registration: Option<Registration>,
    contact: Bytes,
    service_route: Vec<Bytes>,
    msrp: SocketAddr,
    chunk: usize,
    opened: u64,
}

/// What an end is made of.
pub(crate) struct Place {
    /// Its name in SIP where nobody is registered.
    pub(crate) name: &'static str,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) msrp: SocketAddr,
    pub(crate) user: Option<User>,
    /// Where requests go whose next hop is a name.
    pub(crate) outbound: Option<Target>,
}

/// What happened at an end.
pub(crate) enum Happened {
    Invited(Box<Incoming>),
    Session(SessionKey, UaEvent),
    Message(msrp::Event),
    Registered,
    NotRegistered(u16),
}

impl End {
    pub(crate) fn new(place: Place, plan: &Plan, mut entropy: Entropy) -> End {
        let Place { name, listeners, msrp, user, outbound } = place;
        let endpoint = Endpoint::new(plan.msrp_options(), entropy.fork());
        let config = sip_ua::Config {
            product: concat!("duologue-load/", env!("CARGO_PKG_VERSION")).to_owned(),
            ..sip_ua::Config::default()
        };
        let resolver = move |uri: &sip::Uri<'_>| Target::from_uri(uri).or(outbound);
        let mut ua = UserAgent::new(config, Resolver::new(resolver));
        let sip = listeners.first().cloned();
        let sip_options = sip_tx::Options { auto_trying: false, ..sip_tx::Options::default() };
        let mut stack = Stack::new(listeners, sip_options, entropy);
        let name = user.as_ref().map_or(name, |user| name_of(&user.aor));
        let contact = contact(name, sip, msrp);
        let registration = user.map(|user| {
            ua.set_account(Some(Account::new(name_of(&user.aor), user.password)));
            let plan = RegistrationPlan {
                registrar: format!("sip:{}", user.aor.split('@').nth(1).unwrap_or_default()).into(),
                aor: format!("<{}>", user.aor).into(),
                contact: contact.clone(),
                routes: Vec::new(),
                expires: EXPIRES,
                headers: Headers::new(),
                target: Some(user.core),
            };
            Registration::new(plan, Owner::Role(REGISTRATION), &mut stack)
        });
        End {
            stack,
            ua,
            endpoint,
            registration,
            contact,
            service_route: Vec::new(),
            msrp,
            chunk: plan.chunk,
            opened: 0,
        }
    }

    /// Begins or ends the registration, if there is one.
    pub(crate) fn register(&mut self, on: bool, now: Now) {
        let Some(registration) = &mut self.registration else { return };
        if on {
            registration.register(&self.ua, &mut self.stack, now);
        } else {
            registration.unregister(&self.ua, &mut self.stack, now);
        }
    }

    pub(crate) fn contact(&self) -> Bytes {
        self.contact.clone()
    }

    pub(crate) fn service_route(&self) -> Vec<Bytes> {
        self.service_route.clone()
    }

    /// A fresh description of ours, for an offer or an answer.
    pub(crate) fn media(&mut self) -> (LocalMedia, OriginId) {
        let media = LocalMedia {
            address: self.msrp.ip(),
            port: self.msrp.port(),
            session_id: self.endpoint.draw_session_id(),
            tls: false,
            setup: Setup::ActPass,
            accept_types: MediaTypes::parse(MEDIA_TYPE),
            accept_wrapped_types: MediaTypes::parse("*"),
            cema: true,
            fingerprint: None,
            direction: Direction::SendRecv,
            max_size: None,
            relays: Vec::new(),
        };
        (media, OriginId { session_id: self.stack.entropy().u64() >> 2, version: 1 })
    }

    /// Opens an MSRP session; before its description leaves, because a peer that connects may be faster than SIP.
    pub(crate) fn open(&mut self, local: MsrpUri) -> Option<msrp::SessionId> {
        let options = SessionOptions::new(local, Vec::new());
        self.endpoint.open(SessionOptions { chunk: self.chunk, max_size: 1 << 30, ..options })
    }

    /// Offer and answer are exchanged: says where the peer is, and connects if that is up to us.
    pub(crate) fn join(
        &mut self,
        session: msrp::SessionId,
        ours: &[u8],
        theirs: &[u8],
        we: Connector,
        now: Now,
    ) -> bool {
        let media = |text| SessionDescription::parse(text).ok()?.msrp().filter(|media| media.port != 0).cloned();
        let (Some(ours), Some(theirs)) = (media(ours), media(theirs)) else { return false };
        let (offer, answer) = match we {
            Connector::Offerer => (ours.setup, theirs.setup),
            Connector::Answerer => (theirs.setup, ours.setup),
        };
        let place = sdp::connect_to(&theirs, ours.cema && theirs.cema);
        self.endpoint.set_remote(session, theirs.path);
        if sdp::connector(offer, answer) != Some(we) || self.endpoint.connection(session).is_some() {
            return true;
        }
        let Some((Host::Ip(ip), port)) = place.map(|place| (place.host, place.port)) else { return false };
        self.connect(session, SocketAddr::new(ip, port), now);
        true
    }

    pub(crate) fn connect(&mut self, session: msrp::SessionId, remote: SocketAddr, now: Now) {
        self.opened += 1;
        self.endpoint.connect(session, ConnId::opened_in(LANE, self.opened), self.msrp, remote, now);
    }

    pub(crate) fn handle_input(&mut self, input: Input, now: Now) {
        if self.endpoint.takes(&input, self.msrp) {
            self.endpoint.handle_input(input, now);
        } else {
            self.stack.handle_input(input, now);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Now) {
        self.stack.handle_timeout(now);
        self.ua.handle_timeout(&mut self.stack, now);
        if let Some(registration) = &mut self.registration {
            registration.handle_timeout(&self.ua, &mut self.stack, now);
        }
        self.endpoint.handle_timeout(now);
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.stack.poll_output().or_else(|| self.endpoint.poll_output())
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let registration = self.registration.as_ref().and_then(Registration::poll_timeout);
        [self.stack.poll_timeout(), self.ua.poll_timeout(), self.endpoint.poll_timeout(), registration]
            .into_iter()
            .flatten()
            .min()
    }

    /// The next thing that happened.
    pub(crate) fn next(&mut self, now: Now) -> Option<Happened> {
        while let Some(event) = self.stack.poll_event() {
            if let Some(happened) = self.on_stack_event(event, now) {
                return Some(happened);
            }
        }
        if let Some((session, event)) = self.ua.poll_event() {
            return Some(Happened::Session(session, event));
        }
        if let Some(event) = self.registration.as_mut().and_then(Registration::poll_event) {
            return Some(match event {
                RegistrationEvent::Registered { service_route, .. } => {
                    self.service_route = service_route;
                    Happened::Registered
                }
                RegistrationEvent::Failed { status, .. } => Happened::NotRegistered(status),
                // Whatever became of it, nobody is registered any more.
                RegistrationEvent::Unregistered => Happened::Registered,
            });
        }
        self.endpoint.poll_event().map(Happened::Message)
    }

    fn on_stack_event(&mut self, event: Event, now: Now) -> Option<Happened> {
        let event = match &mut self.registration {
            Some(registration) => registration.handle(&self.ua, &mut self.stack, event, now)?,
            None => event,
        };
        match self.ua.handle(&mut self.stack, event, now)? {
            Event::Request(incoming) if incoming.request.method() == sip::Method::Invite => {
                Some(Happened::Invited(incoming))
            }
            Event::Request(incoming) => {
                self.stack.reject(&incoming, 405, now);
                None
            }
            Event::Ack { .. }
            | Event::Cancelled { .. }
            | Event::Response { .. }
            | Event::Failed { .. }
            | Event::Unacknowledged { .. } => None,
        }
    }
}

/// Where an end listens, and what it can do.
fn contact(name: &str, sip: Option<Listener>, msrp: SocketAddr) -> Bytes {
    let (addr, transport) = sip.map_or((msrp, Transport::Udp), |sip| (sip.addr, sip.transport));
    let param = if transport == Transport::Udp { "" } else { ";transport=tcp" };
    format!("<sip:{name}@{addr}{param}>;{}", Service::Session.feature_tag()).into()
}

/// The user part of an address-of-record.
pub(crate) fn name_of(aor: &str) -> &str {
    aor.strip_prefix("sip:").unwrap_or(aor).split('@').next().unwrap_or_default()
}
