//! The media plane: one MSRP endpoint beside the SIP stack, and the way of inputs and events to each.

use std::collections::{BTreeMap, VecDeque};

use hashbrown::HashMap;
use msrp::{Confirm, Endpoint, Event, IncomingId, Link, Listeners, Remedy, SessionOptions, Status};
use sdp::{Connector, MsrpMedia, SessionDescription};
use sip::Method;
use sip_ua::{Body, Headers, SessionKey};
use wire::{ConnId, Entropy, Input, Instant, Now, TimerQueue};

use crate::Participating;
use crate::bridge::Leg;
use crate::media::LegMedia;
use crate::screen::{Screen, Screened, Taste};

/// The lane of [`ConnId`]s that MSRP connections are drawn from.
const LANE: u8 = 1;

/// Octets of the largest chunk that is sent. Large ones cost little and hold nobody up, because they are sent so that they
/// can be interrupted (RFC 4975 §7.1); several fit into the window, so that the peer's answers do not leave it empty.
const CHUNK: usize = 128 * 1024;

/// Messages of one leg that the other leg's peer has not answered yet. Senders need not wait for answers (RFC 4975 §7.1),
/// so these are many.
const MESSAGES: usize = 256;

/// The MSRP endpoint of the node, which has a session for each leg.
#[derive(Debug)]
pub(crate) struct MediaPlane {
    pub(crate) endpoint: Endpoint,
    listeners: Listeners,
    /// Connections opened so far.
    opened: u64,
    /// Each in memory of its own: the map is half empty. Never walked.
    sides: HashMap<msrp::SessionId, Box<Side>, foldhash::fast::RandomState>,
    /// Messages whose content has not been seen yet.
    screens: BTreeMap<IncomingId, Screen>,
    /// When something is due about a connection.
    timers: TimerQueue<msrp::SessionId>,
    /// What is to be done about a connection by SIP.
    remedies: VecDeque<(msrp::SessionId, Remedy)>,
}

/// The media session of one leg.
#[derive(Debug)]
struct Side {
    link: Link,
    /// When the link is next looked at.
    armed: Option<Instant>,
    /// Octets of the largest message that the served user may send or get.
    max_size: u64,
    /// What the peer of this leg takes.
    taste: Taste,
}

impl MediaPlane {
    pub(crate) fn new(listeners: Listeners, entropy: Entropy) -> MediaPlane {
        MediaPlane {
            endpoint: Endpoint::new(msrp::Options { messages: MESSAGES, ..msrp::Options::default() }, entropy),
            listeners,
            opened: 0,
            sides: HashMap::default(),
            screens: BTreeMap::new(),
            timers: TimerQueue::new(),
            remedies: VecDeque::new(),
        }
    }

    /// Whether an input is for the media plane.
    pub(crate) fn takes(&self, input: &Input) -> bool {
        self.listeners.iter().any(|listener| self.endpoint.takes(input, listener.addr))
    }

    /// Opens the sessions of two legs. They are open before their descriptions leave, because a peer that connects is
    /// faster on the direct way than its answer on the way through the cores.
    pub(crate) fn open(&mut self, legs: [&LegMedia; 2], max_size: Option<u64>) -> Option<msrp::Bridge> {
        let [a, b] = legs.map(|leg| {
            let options = SessionOptions::new(leg.uri().clone(), Vec::new());
            let max_size = max_size.unwrap_or(options.max_size);
            let options = SessionOptions { confirm: Confirm::ByCaller, max_size, chunk: CHUNK, ..options };
            let session = self.endpoint.open(options)?;
            let link = Link::new(session);
            self.sides.insert(session, Box::new(Side { link, armed: None, max_size, taste: Taste::default() }));
            Some(session)
        });
        // Nothing accepted here can be lost here: what the far side has not taken is not answered 200.
        Some(msrp::Bridge::new(a?, b?, msrp::Acknowledge::WhenTaken))
    }

    /// Offer and answer of a leg are exchanged: connects if that is up to us. `we` wrote the offer or the answer, `far` is
    /// the session of the other leg, which takes for this one's peer what that peer takes.
    fn join(
        &mut self,
        session: msrp::SessionId,
        far: msrp::SessionId,
        (ours, theirs): (&MsrpMedia, &MsrpMedia),
        we: Connector,
        now: Now,
    ) {
        let Some(side) = self.sides.get_mut(&session) else { return };
        side.taste = Taste::of(theirs);
        let max_size = theirs.max_size.unwrap_or(u64::MAX).min(side.max_size);
        self.endpoint.set_limits(far, side.taste.outer(), max_size);
        let remedy = side.link.join(ours, theirs, we, &mut self.endpoint, now);
        self.take_up(session, remedy, now);
    }

    /// Does what can be done without SIP, and keeps the rest for the node.
    fn take_up(&mut self, session: msrp::SessionId, remedy: Option<Remedy>, now: Now) {
        if let Some(side) = self.sides.get_mut(&session)
            && let Some(at) = side.link.poll_timeout()
            && side.armed.is_none_or(|armed| at < armed)
        {
            side.armed = Some(at);
            self.timers.arm(session, at);
        }
        match remedy {
            Some(Remedy::Connect(place)) => {
                self.opened += 1;
                let local = self.listeners.addr(self.endpoint.protocol(session));
                self.endpoint.connect(session, ConnId::opened_in(LANE, self.opened), local, place, now);
            }
            Some(Remedy::GiveUp) => tracing::info!("an MSRP connection of a leg does not come back"),
            Some(remedy) => self.remedies.push_back((session, remedy)),
            None => {}
        }
    }

    /// Asks the link of a session, and takes up what it says.
    fn ask(
        &mut self,
        session: msrp::SessionId,
        question: impl FnOnce(&mut Link, &mut Endpoint) -> Option<Remedy>,
        now: Now,
    ) {
        let Some(side) = self.sides.get_mut(&session) else { return };
        let remedy = question(&mut side.link, &mut self.endpoint);
        self.take_up(session, remedy, now);
    }

    /// Whether a message to a session has a way, or may wait for one.
    fn has_way(&mut self, session: msrp::SessionId, now: Now) -> bool {
        self.ask(session, |link, endpoint| link.wanted(endpoint, now), now);
        self.sides.get(&session).is_none_or(|side| side.link.has_hope())
    }

    /// What is to be done next by SIP about the connection of a session.
    pub(crate) fn next_remedy(&mut self) -> Option<(msrp::SessionId, Remedy)> {
        self.remedies.pop_front()
    }

    pub(crate) fn handle_timeout(&mut self, now: Now) {
        self.endpoint.handle_timeout(now);
        while let Some((_, session)) = self.timers.pop_due(now.at) {
            if let Some(side) = self.sides.get_mut(&session) {
                side.armed = None;
            }
            self.ask(session, |link, endpoint| link.handle_timeout(endpoint, now), now);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next().into_iter().chain(self.endpoint.poll_timeout()).min()
    }

    /// Takes a session away.
    pub(crate) fn close(&mut self, session: msrp::SessionId, now: Now) {
        self.endpoint.remove(session, now);
        self.sides.remove(&session);
    }
}

/// What a description says; `None` if it is none.
pub(crate) fn read(body: &Body) -> Option<SessionDescription> {
    SessionDescription::parse(&body.bytes).ok()
}

impl Participating {
    /// Offer and answer of a leg are exchanged: its side of the media may connect. `we` wrote the offer or the answer.
    pub(crate) fn join_leg(&mut self, leg: SessionKey, we: Connector, now: Now) {
        let Some(known) = self.ua.session(leg) else { return };
        let [ours, theirs] = [known.local_sdp(), known.remote_sdp()].map(|sdp| sdp.and_then(read));
        let [ours, theirs] = [&ours, &theirs].map(|read| read.as_ref().and_then(SessionDescription::msrp));
        if let Some(media) = ours.zip(theirs) {
            self.join_media(leg, media, we, now);
        }
    }

    /// As [`Participating::join_leg`], for who has read what we and the peer wrote.
    pub(crate) fn join_media(&mut self, leg: SessionKey, media: (&MsrpMedia, &MsrpMedia), we: Connector, now: Now) {
        if let Some([session, far]) = self.bridges.media_of(leg) {
            self.media.join(session, far, media, we, now);
        }
    }

    /// A leg has its peer's offer and owes the answer.
    pub(crate) fn name_peer(&mut self, leg: SessionKey, offer: &MsrpMedia, now: Now) {
        if let Some([session, _]) = self.bridges.media_of(leg) {
            self.media.endpoint.set_peer(session, offer, now);
        }
    }

    /// Whether the description that a leg's peer has just sent names another path than the one in use.
    pub(crate) fn has_moved(&mut self, leg: SessionKey) -> bool {
        let Some([session, _]) = self.bridges.media_of(leg) else { return false };
        let offer = self.ua.session(leg).and_then(|known| known.remote_sdp()).and_then(read);
        let media = offer.as_ref().and_then(SessionDescription::msrp);
        media.is_some_and(|media| !media.path.is_empty() && media.path != self.media.endpoint.remote(session))
    }

    /// A leg has a new path of ours.
    pub(crate) fn renew_leg(&mut self, leg: SessionKey, media: LegMedia, now: Now) {
        let Some([session, _]) = self.bridges.media_of(leg) else { return };
        if let Some(side) = self.media.sides.get_mut(&session) {
            side.link.renew(media.uri().clone(), &mut self.media.endpoint, now);
        }
        self.bridges.set_media(leg, media);
    }

    /// Does what SIP can do about a connection: offers a path on the leg that has lost it, and on no other.
    pub(crate) fn remedy(&mut self, session: msrp::SessionId, remedy: Remedy, now: Now) {
        let Some(leg) = self.bridges.leg_of(session) else { return };
        // A leg may be open while the BYE that came on it waits for the journal: its peer has left.
        if self.bridges.find(leg).is_some_and(|(_, bridge, _)| bridge.drain.is_some() || bridge.hold.is_closing()) {
            return;
        }
        match remedy {
            Remedy::Offer | Remedy::OfferWithoutCema => self.offer_path(leg, session, remedy, now),
            // How long a leg may be without its connection is for supervision to say.
            Remedy::End | Remedy::Connect(_) | Remedy::GiveUp => {}
        }
    }

    fn offer_path(&mut self, leg: SessionKey, session: msrp::SessionId, remedy: Remedy, now: Now) {
        let ours = self.ua.session(leg).and_then(|known| known.local_sdp()).and_then(read);
        let Some((media, ours)) = self.bridges.media_at(leg).zip(ours) else { return };
        let renewed = media.renewed(self.stack.entropy());
        let media = if remedy == Remedy::Offer { renewed } else { media.again_without_cema() };
        let Some(offer) = media.offer(&ours).map(|ours| ours.body) else { return };
        let sent = self.ua.modify(&mut self.stack, leg, Method::Invite, Headers::new(), Some(offer), now);
        if sent.is_err() {
            // The peer's own re-INVITE is open, or the leg is closing.
            return self.media.ask(
                session,
                |link, _| {
                    link.postpone(now);
                    None
                },
                now,
            );
        }
        tracing::info!("a new MSRP path is offered on a leg");
        if remedy == Remedy::Offer {
            self.renew_leg(leg, media, now);
        } else {
            self.bridges.set_media(leg, media);
            self.media.ask(
                session,
                |link, _| {
                    link.reoffered();
                    None
                },
                now,
            );
        }
    }

    /// The peer of a leg has answered a path of ours.
    pub(crate) fn on_path_answered(&mut self, leg: SessionKey, status: u16, now: Now) {
        if status < 300 {
            return self.join_leg(leg, Connector::Offerer, now);
        }
        if let Some([session, _]) = self.bridges.media_of(leg) {
            self.media.ask(session, |link, endpoint| link.refused(endpoint, now), now);
        }
    }

    /// Something happened to a message or a connection: the bridge hands on what came.
    pub(crate) fn on_msrp_event(&mut self, event: Event, now: Now) {
        let Some(key) = self.bridges.bridge_of(event.session()) else { return };
        self.watch_media(key, &event, now);
        let Some(relay) = self.bridges.relay(key) else { return };
        let far = relay.sides().into_iter().find(|side| *side != event.session());
        if let (Event::Started { incoming, .. }, Some(far)) = (&event, far)
            && !self.media.has_way(far, now)
        {
            self.media.endpoint.refuse(*incoming, Status::TIMEOUT, now);
            return;
        }
        let mut about_session = None;
        for event in self.media.screen(event, far, now) {
            about_session = relay.handle_event(event, &mut self.media.endpoint, now);
        }
        // Who closes takes the connection along: it is not made again.
        let is_closing = self.bridges.get_mut(key).is_some_and(|bridge| bridge.drain.is_some());
        if let Some(event) = about_session.filter(|_| !is_closing) {
            self.media.on_session_event(&event, now);
        }
        self.bridges.look_at(key);
    }
}

impl MediaPlane {
    /// Something happened to a session itself.
    fn on_session_event(&mut self, event: &Event, now: Now) {
        if let Event::Bound { session } = event
            && let Some(side) = self.sides.get_mut(session)
        {
            side.link.up();
        } else if let Event::Disconnected { session, refused } = event {
            // The SIP session outlives it.
            tracing::info!(?refused, "an MSRP connection of a leg is gone");
            self.ask(*session, |link, endpoint| link.lost(endpoint, now), now);
        }
    }

    /// Holds a message up until it is known what is inside its envelope, and refuses what its receiver does not take. Gives
    /// back what the bridge is to see.
    fn screen(&mut self, event: Event, far: Option<msrp::SessionId>, now: Now) -> Passing {
        if let Event::Started { incoming, outline, .. } = &event {
            let taste = far.and_then(|far| self.sides.get(&far)).map(|side| &side.taste);
            let Some(taste) = taste.filter(|taste| taste.asks(outline)).cloned() else {
                return Passing::One(Some(event));
            };
            let incoming = *incoming;
            self.screens.insert(incoming, Screen::new(event, taste));
            return Passing::One(None);
        }
        let Some(incoming) = event.incoming() else { return Passing::One(Some(event)) };
        let Some(screen) = self.screens.remove(&incoming) else { return Passing::One(Some(event)) };
        match screen.take(event) {
            Screened::NotYet(screen) => drop(self.screens.insert(incoming, screen)),
            Screened::Passes(events) => return Passing::Several(events.into_iter()),
            Screened::Refused => self.endpoint.refuse(incoming, Status::UNSUPPORTED_MEDIA_TYPE, now),
            Screened::Gone => {}
        }
        Passing::One(None)
    }
}

/// Events that the bridge is to see: mostly the one that came.
enum Passing {
    One(Option<Event>),
    Several(std::vec::IntoIter<Event>),
}

impl Iterator for Passing {
    type Item = Event;
    fn next(&mut self) -> Option<Event> {
        match self {
            Passing::One(event) => event.take(),
            Passing::Several(events) => events.next(),
        }
    }
}

impl Leg {
    /// Both sides of a relay, this leg's first.
    pub(crate) fn sides(self, relay: &msrp::Bridge) -> [msrp::SessionId; 2] {
        let [originating, terminating] = relay.sides();
        match self {
            Leg::Originating => [originating, terminating],
            Leg::Terminating => [terminating, originating],
        }
    }
}
