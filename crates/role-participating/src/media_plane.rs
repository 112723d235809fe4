//! The media plane: one MSRP endpoint beside the SIP stack, and the way of inputs and events to each.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use bytes::Bytes;
use msrp::{Confirm, Endpoint, Event, Listeners, SessionOptions, Status};
use sdp::{Connector, Host, MsrpMedia, SessionDescription};
use sip_ua::SessionKey;
use wire::{ConnId, Entropy, Input, Now};

use crate::Participating;
use crate::media::LegMedia;

/// The lane of [`ConnId`]s that MSRP connections are drawn from.
const LANE: u8 = 1;

/// The MSRP endpoint of the node, which has a session for each leg.
#[derive(Debug)]
pub(crate) struct MediaPlane {
    pub(crate) endpoint: Endpoint,
    listeners: Listeners,
    /// Connections opened so far.
    opened: u64,
    /// Where we connect to, for the sessions in which that is up to us.
    places: BTreeMap<msrp::SessionId, Place>,
    /// Sessions that have lost their connection.
    lost: BTreeSet<msrp::SessionId>,
}

/// From which of our listeners to connect to where.
#[derive(Clone, Copy, Debug)]
struct Place {
    local: SocketAddr,
    remote: SocketAddr,
}

impl MediaPlane {
    pub(crate) fn new(listeners: Listeners, entropy: Entropy) -> MediaPlane {
        MediaPlane {
            endpoint: Endpoint::new(msrp::Options::default(), entropy),
            listeners,
            opened: 0,
            places: BTreeMap::new(),
            lost: BTreeSet::new(),
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
            let options = SessionOptions::new(leg.uri(), Vec::new());
            let max_size = max_size.unwrap_or(options.max_size);
            self.endpoint.open(SessionOptions { confirm: Confirm::ByCaller, max_size, ..options })
        });
        // Nothing accepted here can be lost here: what the far side has not taken is not answered 200.
        Some(msrp::Bridge::new(a?, b?, msrp::Acknowledge::WhenTaken))
    }

    /// Tells a session where its peer is.
    pub(crate) fn name_peer(&mut self, session: msrp::SessionId, theirs: &Bytes, now: Now) {
        if let Some(media) = msrp_media(theirs) {
            self.endpoint.set_peer(session, &media, now);
        }
    }

    /// Offer and answer of a leg are exchanged: connects if that is up to us. `we` wrote the offer or the answer.
    pub(crate) fn join(&mut self, session: msrp::SessionId, ours: &Bytes, theirs: &Bytes, we: Connector, now: Now) {
        let (Some(ours), Some(theirs)) = (msrp_media(ours), msrp_media(theirs)) else { return };
        let (offer, answer) = match we {
            Connector::Offerer => (ours.setup, theirs.setup),
            Connector::Answerer => (theirs.setup, ours.setup),
        };
        let place = sdp::connect_to(&theirs, ours.cema && theirs.cema);
        self.endpoint.set_peer(session, &theirs, now);
        if sdp::connector(offer, answer) != Some(we) || self.endpoint.connection(session).is_some() {
            return;
        }
        let Some((Host::Ip(ip), port)) = place.map(|place| (place.host, place.port)) else {
            // The session stands: the peer may connect, though it did not say so.
            tracing::warn!("the peer's MSRP path names no address to connect to");
            return;
        };
        let Some(listener) = self.listeners.over(ours.protocol) else { return };
        self.places.insert(session, Place { local: listener.addr, remote: SocketAddr::new(ip, port) });
        self.connect(session, now);
    }

    /// Whether a message to a session has a way or may wait for one: a connection that was lost is opened again if that is
    /// up to us. If it is up to the peer, waiting could take for ever.
    fn has_way(&mut self, session: msrp::SessionId, now: Now) -> bool {
        if !self.lost.contains(&session) || self.endpoint.connection(session).is_some() {
            return true;
        }
        self.connect(session, now)
    }

    fn connect(&mut self, session: msrp::SessionId, now: Now) -> bool {
        let Some(place) = self.places.get(&session).copied() else { return false };
        self.opened += 1;
        self.endpoint.connect(session, ConnId::opened_in(LANE, self.opened), place.local, place.remote, now);
        true
    }

    /// Takes a session away.
    pub(crate) fn close(&mut self, session: msrp::SessionId, now: Now) {
        self.endpoint.remove(session, now);
        self.places.remove(&session);
        self.lost.remove(&session);
    }
}

fn msrp_media(description: &Bytes) -> Option<MsrpMedia> {
    SessionDescription::parse(description).ok()?.msrp().cloned()
}

impl Participating {
    /// Offer and answer of a leg are exchanged: its side of the media may connect. `we` wrote the offer or the answer.
    pub(crate) fn join_leg(&mut self, leg: SessionKey, we: Connector, now: Now) {
        let Some(session) = self.bridges.media_of(leg) else { return };
        let Some(known) = self.ua.session(leg) else { return };
        if let (Some(ours), Some(theirs)) = (known.local_sdp(), known.remote_sdp()) {
            self.media.join(session, &ours.bytes, &theirs.bytes, we, now);
        }
    }

    /// A leg has its peer's offer and owes the answer.
    pub(crate) fn name_peer(&mut self, leg: SessionKey, now: Now) {
        let offer = self.ua.session(leg).and_then(|known| known.remote_sdp());
        if let (Some(session), Some(offer)) = (self.bridges.media_of(leg), offer) {
            self.media.name_peer(session, &offer.bytes, now);
        }
    }

    /// Something happened to a message or a connection: the bridge hands on what came.
    pub(crate) fn on_msrp_event(&mut self, event: Event, now: Now) {
        let Some(key) = self.bridges.bridge_of(event.session()) else { return };
        self.watch_media(key, &event, now);
        let Some((key, relay)) = self.bridges.relay_of(event.session()) else { return };
        if let Event::Started { session, incoming, .. } = &event
            && let Some(other) = relay.sides().into_iter().find(|side| side != session)
            && !self.media.has_way(other, now)
        {
            self.media.endpoint.refuse(*incoming, Status::TIMEOUT, now);
            return;
        }
        let event = relay.handle_event(event, &mut self.media.endpoint, now);
        if let Some(Event::Disconnected { session, refused }) = event {
            // The SIP session outlives its connection: the peer may connect again.
            tracing::info!(?refused, "an MSRP connection of a leg is gone");
            self.media.lost.insert(session);
        }
        self.bridges.look_at(key);
    }
}
