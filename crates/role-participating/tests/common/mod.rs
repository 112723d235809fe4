//! One or two participating functions between two ends of a session: each end a SIP user agent and an MSRP endpoint.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use cpm::{MediaPathPolicy, Profile};
use msrp::{Endpoint, Event, Failure, IncomingId, Outline, SessionOptions, Status};
use role_participating::{Config, Participating};
use sdp::{Connector, Direction, Host, LocalMedia, MediaTypes, OriginId, SessionDescription, Setup};
use sim::{Net, NodeId, addr};
use sip::Name;
use sip_tx::{Event as TxEvent, Incoming, Listener, Options, Stack};
use sip_ua::{Body, Headers, InvitePlan, Resolver, SessionKey, UaEvent, UserAgent};
use wire::{ConnId, Entropy, Input, Instant, Node, Now, Output, Transport};

/// One end: what it was told and what came.
#[derive(Debug)]
pub(crate) struct End {
    stack: Stack,
    ua: UserAgent,
    pub(crate) endpoint: Endpoint,
    pub(crate) session: msrp::SessionId,
    pub(crate) sip: Option<SessionKey>,
    address: SocketAddr,
    media: LocalMedia,
    opened: u64,
    versions: u64,
    connects: bool,
    partial: BTreeMap<IncomingId, (Outline, Vec<u8>)>,
    /// Whole messages, in order.
    pub(crate) inbox: Vec<(Outline, Vec<u8>)>,
    /// Messages that the next hop took, by identifier.
    pub(crate) sent: Vec<String>,
    /// Messages that failed, by identifier.
    pub(crate) failed: Vec<(String, Failure)>,
    /// What was reported on messages.
    pub(crate) reports: Vec<(String, Status)>,
    /// The offers of re-INVITEs that came.
    pub(crate) offers: Vec<String>,
    /// When the peer's BYE came.
    pub(crate) bye_at: Option<Instant>,
    /// Whether the session is over.
    pub(crate) is_over: bool,
}

impl End {
    fn new(host: &str, setup: Setup, wrapped: &str, entropy: &mut Entropy) -> End {
        let address = addr(&format!("{host}:5060"));
        let msrp = addr(&format!("{host}:2855"));
        let mut endpoint = Endpoint::new(msrp::Options::default(), entropy.fork());
        let media = LocalMedia {
            address: msrp.ip(),
            port: msrp.port(),
            session_id: endpoint.draw_session_id(),
            tls: false,
            setup,
            accept_types: MediaTypes::parse("message/cpim text/plain"),
            accept_wrapped_types: MediaTypes::parse(wrapped),
            cema: false,
            fingerprint: None,
            direction: Direction::SendRecv,
            max_size: None,
            relays: Vec::new(),
        };
        let options = SessionOptions { accept: media.accept_types.clone(), ..SessionOptions::new(media.uri(), vec![]) };
        let session = endpoint.open(options).expect("a session-id of its own");
        let listeners = [Transport::Udp, Transport::Tcp].map(|transport| Listener { transport, addr: address });
        End {
            stack: Stack::new(listeners.to_vec(), options_of_sip(), entropy.fork()),
            ua: UserAgent::new(sip_ua::Config::default(), Resolver::default()),
            endpoint,
            session,
            sip: None,
            address,
            media,
            opened: 0,
            versions: 0,
            connects: true,
            partial: BTreeMap::new(),
            inbox: Vec::new(),
            sent: Vec::new(),
            failed: Vec::new(),
            reports: Vec::new(),
            offers: Vec::new(),
            bye_at: None,
            is_over: false,
        }
    }

    fn call(&mut self, routes: &[String], has_offer: bool, now: Now) {
        let headers = Headers::new()
            .with(Name::PAssertedIdentity, "<sip:alice@home1.test>")
            .with(Name::ConversationId, "conversation")
            .with(Name::ContributionId, "contribution");
        let origin = OriginId { session_id: 1, version: 1 };
        let plan = InvitePlan {
            request_uri: "sip:bob@home2.test".into(),
            from: "<sip:alice@home1.test>".into(),
            to: "<sip:bob@home2.test>".into(),
            call_id: None,
            contact: self.contact(),
            routes: routes.iter().map(|route| Bytes::copy_from_slice(route.as_bytes())).collect(),
            headers,
            body: has_offer.then(|| Body::sdp(sdp::offer(&self.media, origin))),
            target: None,
            pinned: None,
        };
        self.sip = self.ua.invite(&mut self.stack, plan, now).ok();
        self.work(now);
    }

    /// Sends a message; returns its identifier.
    pub(crate) fn send(&mut self, outline: Outline, body: impl Into<Bytes>, now: Now) -> String {
        let id = outline.message_id.clone().unwrap_or_else(|| self.endpoint.draw_message_id());
        let outline = Outline { message_id: Some(id.clone()), ..outline };
        self.endpoint.send(self.session, outline, body.into(), now).expect("an open session");
        self.work(now);
        id.as_str().to_owned()
    }

    /// Sends BYE.
    pub(crate) fn close(&mut self, now: Now) {
        let key = self.sip.expect("a session");
        self.ua.close(&mut self.stack, key, &Headers::new(), now);
        self.work(now);
    }

    /// Leaves the media session without a word.
    pub(crate) fn hang_up(&mut self, now: Now) {
        self.endpoint.remove(self.session, now);
        self.work(now);
    }

    /// Stops reading, or goes on.
    pub(crate) fn read(&mut self, wanted: bool, now: Now) {
        if wanted {
            self.endpoint.resume(self.session, now);
        } else {
            self.endpoint.pause(self.session, now);
        }
        self.work(now);
    }

    fn contact(&self) -> Bytes {
        format!("<sip:end@{}>", self.address).into()
    }

    fn work(&mut self, now: Now) {
        loop {
            if let Some(event) = self.stack.poll_event() {
                if let Some(TxEvent::Request(incoming)) = self.ua.handle(&mut self.stack, event, now) {
                    self.on_invite(*incoming, now);
                }
            } else if let Some((key, event)) = self.ua.poll_event() {
                self.on_session_event(key, event, now);
            } else if let Some(event) = self.endpoint.poll_event() {
                self.on_msrp_event(event);
            } else {
                return;
            }
        }
    }

    fn on_invite(&mut self, incoming: Incoming, now: Now) {
        let contact = self.contact();
        let key = self.ua.incoming(&mut self.stack, incoming, contact, now).expect("an INVITE in order");
        self.sip = Some(key);
        let origin = OriginId { session_id: 2, version: 1 };
        let offer = self.ua.session(key).and_then(|session| session.remote_sdp()).map(|body| body.bytes.clone());
        let body = match &offer {
            Some(offer) => {
                let offer = SessionDescription::parse(offer).expect("an offer");
                sdp::answer(&offer, &self.media, origin).expect("MSRP in the offer")
            }
            None => sdp::offer(&self.media, origin),
        };
        self.ua.accept(&mut self.stack, key, &Headers::new(), Some(Body::sdp(body)), now).expect("a pending INVITE");
        if offer.is_some() {
            self.join(key, Connector::Answerer, now);
        }
    }

    fn on_session_event(&mut self, key: SessionKey, event: UaEvent, now: Now) {
        if let UaEvent::Answered { response, owes_answer } = &event {
            if *owes_answer {
                let offer = SessionDescription::parse(response.body()).expect("an offer");
                let answer = sdp::answer(&offer, &self.media, OriginId { session_id: 3, version: 1 });
                let body = Body::sdp(answer.expect("MSRP in the offer"));
                self.ua.ack(&mut self.stack, key, body, now).expect("an answer is owed");
                self.join(key, Connector::Answerer, now);
            } else {
                self.join(key, Connector::Offerer, now);
            }
        } else if let UaEvent::Acked { request } = &event {
            if !request.body().is_empty() {
                self.join(key, Connector::Offerer, now);
            }
        } else if let UaEvent::Reinvite { incoming } = &event {
            self.on_reinvite(key, incoming, now);
        } else if let UaEvent::Modified { response, .. } = &event {
            assert!(response.is_success(), "{}", response.status());
            self.join(key, Connector::Offerer, now);
        } else if let UaEvent::Bye { .. } = &event {
            self.bye_at = Some(now.at);
        } else if let UaEvent::Ended { .. } = &event {
            self.is_over = true;
        }
    }

    /// Answers an offer with a new path; in one without a path of its own nothing is new.
    fn on_reinvite(&mut self, key: SessionKey, incoming: &Incoming, now: Now) {
        let offer = SessionDescription::parse(incoming.request.body()).expect("an offer");
        self.offers.push(String::from_utf8_lossy(incoming.request.body()).into_owned());
        self.renew(now);
        let origin = self.next_origin();
        let answer = sdp::answer(&offer, &self.media, origin).expect("MSRP in the offer");
        let body = Some(Body::sdp(answer));
        self.ua
            .answer(&mut self.stack, key, incoming.tx, 200, &Headers::new(), body, now)
            .expect("a pending re-INVITE");
        self.join(key, Connector::Answerer, now);
    }

    /// Loses its connection and offers a new path.
    pub(crate) fn move_away(&mut self, now: Now) {
        self.renew(now);
        let origin = self.next_origin();
        let offer = Some(Body::sdp(sdp::offer(&self.media, origin)));
        let key = self.sip.expect("a session");
        let method = sip::Method::Invite;
        self.ua.modify(&mut self.stack, key, method, Headers::new(), offer, now).expect("a quiet session");
        self.work(now);
    }

    fn renew(&mut self, now: Now) {
        self.media.session_id = self.endpoint.draw_session_id();
        assert!(self.endpoint.renew(self.session, self.media.uri(), now));
    }

    fn next_origin(&mut self) -> OriginId {
        self.versions += 1;
        OriginId { session_id: 4, version: 1 + self.versions }
    }

    fn join(&mut self, key: SessionKey, we: Connector, now: Now) {
        let known = self.ua.session(key).expect("the session");
        let read = |body: Option<&Body>| {
            let description = SessionDescription::parse(&body.expect("SDP").bytes).expect("SDP");
            description.msrp().cloned().expect("MSRP")
        };
        let (ours, theirs) = (read(known.local_sdp()), read(known.remote_sdp()));
        self.endpoint.set_remote(self.session, theirs.path.clone());
        let setups = if we == Connector::Offerer { (ours.setup, theirs.setup) } else { (theirs.setup, ours.setup) };
        if sdp::connector(setups.0, setups.1) == Some(we) && self.connects {
            let place = sdp::connect_to(&theirs, false).expect("a place");
            let Host::Ip(ip) = place.host else { panic!("an address, not {:?}", place.host) };
            self.opened += 1;
            let (conn, local) = (ConnId::opened_in(1, self.opened), SocketAddr::new(self.address.ip(), 2855));
            self.endpoint.connect(self.session, conn, local, SocketAddr::new(ip, place.port), now);
        }
    }

    fn on_msrp_event(&mut self, event: Event) {
        match event {
            Event::Started { incoming, outline, .. } => drop(self.partial.insert(incoming, (*outline, Vec::new()))),
            Event::Piece { incoming, data, .. } => {
                self.partial.get_mut(&incoming).expect("a message that began").1.extend_from_slice(&data);
            }
            Event::Complete { incoming, .. } => self.inbox.extend(self.partial.remove(&incoming)),
            Event::Incomplete { incoming, .. } => drop(self.partial.remove(&incoming)),
            Event::Sent { message_id, .. } => self.sent.push(message_id.to_string()),
            Event::Failed { message_id, why, .. } => self.failed.push((message_id.to_string(), why)),
            Event::Report { message_id, status, .. } => self.reports.push((message_id.to_string(), status)),
            Event::Bound { .. } | Event::Disconnected { .. } | Event::WantsMore { .. } | Event::Drained { .. } => {}
        }
    }
}

impl Node for End {
    fn handle_input(&mut self, input: Input, now: Now) {
        let is_media = self.endpoint.takes(&input, SocketAddr::new(self.address.ip(), 2855));
        if is_media {
            self.endpoint.handle_input(input, now);
        } else {
            self.stack.handle_input(input, now);
        }
        self.work(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.stack.handle_timeout(now);
        self.ua.handle_timeout(&mut self.stack, now);
        self.endpoint.handle_timeout(now);
        self.work(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.stack.poll_output().or_else(|| self.endpoint.poll_output())
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let due = [self.stack.poll_timeout(), self.ua.poll_timeout(), self.endpoint.poll_timeout()];
        due.into_iter().flatten().min()
    }
}

fn options_of_sip() -> Options {
    Options { path_mtu: Some(65_535), ..Options::default() }
}

/// How a session is set up.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Participating functions in a row, one or two.
    pub(crate) pfs: usize,
    /// `a=setup` that Alice and Bob would like.
    pub(crate) setups: [Setup; 2],
    /// Whether the INVITE makes the offer.
    pub(crate) has_offer: bool,
    pub(crate) max_message_size: Option<u64>,
    /// `a=accept-wrapped-types` of Bob.
    pub(crate) wrapped: &'static str,
    /// Whether Bob connects when that is up to him.
    pub(crate) bob_connects: bool,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            seed: 1,
            pfs: 2,
            setups: [Setup::ActPass; 2],
            has_offer: true,
            max_message_size: None,
            wrapped: "*",
            bob_connects: true,
        }
    }
}

/// Alice, Bob and what is between them.
pub(crate) struct World {
    pub(crate) net: Net,
    pub(crate) alice: NodeId<End>,
    pub(crate) bob: NodeId<End>,
    pub(crate) pfs: Vec<NodeId<Participating>>,
}

impl World {
    /// A session that is up.
    pub(crate) fn new(plan: &Plan) -> World {
        let mut net = Net::new(plan.seed);
        let mut dice = Entropy::from_seed(plan.seed);
        let [a, b] = plan.setups;
        let alice = net.add("alice", &[addr("10.0.0.1:5060")], End::new("10.0.0.1", a, "*", &mut dice));
        let bob_end = End { connects: plan.bob_connects, ..End::new("10.0.0.2", b, plan.wrapped, &mut dice) };
        let bob = net.add("bob", &[addr("10.0.0.2:5060")], bob_end);
        net.listen(alice, Transport::Tcp, addr("10.0.0.1:2855"));
        net.listen(bob, Transport::Tcp, addr("10.0.0.2:2855"));
        let mut routes = Vec::new();
        let pfs = (0..plan.pfs).map(|n| {
            let host = format!("10.0.0.{}", 3 + n);
            routes.push(format!("<sip:{}@{host}:5060;lr>", ["orig", "term"][n]));
            let (sip, msrp) = (addr(&format!("{host}:5060")), addr(&format!("{host}:2855")));
            let pf = Participating::new(config(sip, msrp, plan), options_of_sip(), dice.fork());
            let pf = net.add(["pf-a", "pf-b"][n], &[sip], pf);
            net.listen(pf, Transport::Tcp, msrp);
            pf
        });
        let pfs = pfs.collect();
        routes.push("<sip:10.0.0.2:5060;lr>".to_owned());
        net.node_mut(alice, |alice, now| alice.call(&routes, plan.has_offer, now));
        net.run_for(Duration::from_secs(1));
        World { net, alice, bob, pfs }
    }

    /// Everything is over: nobody holds anything.
    pub(crate) fn assert_empty(&mut self) {
        self.net.run_for(Duration::from_secs(70));
        for pf in &self.pfs {
            assert_eq!(self.net[*pf].open(), role_participating::Open::default(), "{}", self.net.ladder());
        }
    }
}

fn config(sip: SocketAddr, msrp: SocketAddr, plan: &Plan) -> Config {
    Config {
        name: "pf.test".to_owned(),
        listeners: [Transport::Udp, Transport::Tcp].map(|transport| Listener { transport, addr: sip }).to_vec(),
        msrp: msrp.into(),
        media_path: MediaPathPolicy::On,
        default_profile: Profile { max_message_size: plan.max_message_size, ..Profile::default() },
        profiles: BTreeMap::new(),
        trusted: ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1"].map(|host| addr(host).ip()).to_vec(),
        hosts: sip_tx::Hosts::default(),
        silent_session: Duration::from_secs(86_400),
        intervals: role_participating::Intervals::default(),
        durable: false,
        media_grace: Some(Duration::from_secs(5)),
        max_sessions: 1000,
        route_key: None,
    }
}
