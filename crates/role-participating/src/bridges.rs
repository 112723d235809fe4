//! Sessions on the media path: a B2BUA with a leg to each side.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use cpm::{Closing, END_TO_END, ServedUser, Service};
use hashbrown::HashMap;
use sdp::{Connector, SessionDescription};
use sip::{Name, Request, Response};
use sip_proxy::Preprocessed;
use sip_tx::{Incoming, Stack};
use sip_ua::{Body, ByeOutcome, Cause, Headers, InvitePlan, Reject, SessionKey, State, UaEvent};
use wire::{Instant, Key, Now, Slab, TimerQueue, Transport};

use crate::admit::Admission;
use crate::bridge::{Bridge, Leg, Offers};
use crate::facts::Facts;
use crate::lapses::Lapses;
use crate::media::LegMedia;
use crate::media_plane::read;
use crate::release::Releases;
use crate::{Participating, close};

/// The bridges of a node, found by their legs.
#[derive(Debug, Default)]
pub(crate) struct Bridges {
    bridges: Slab<Box<Bridge>>,
    legs: BTreeMap<SessionKey, (Key, Leg)>,
    /// Looked up for all that happens to a message, and never walked in an order that matters.
    media: HashMap<msrp::SessionId, Key, foldhash::fast::RandomState>,
    /// By the served user.
    users: BTreeMap<String, BTreeSet<Key>>,
    /// Until when messages may be under way in a session that is being closed.
    pub(crate) drains: TimerQueue<Key>,
    /// When those that are up must be looked at.
    pub(crate) watches: Lapses<Key>,
    pub(crate) releases: Releases,
    /// Those being closed in which something has moved.
    moved: BTreeSet<Key>,
}

/// Octets that what an INVITE carries from one leg to the other has room in.
const ROOM: usize = 1024;

impl Bridges {
    pub(crate) const fn len(&self) -> usize {
        self.bridges.len()
    }

    /// Those that have not been counted as closed.
    pub(crate) fn live(&self) -> usize {
        self.bridges.iter().filter(|(_, bridge)| !bridge.is_recorded()).count()
    }

    /// The same by their keys.
    pub(crate) fn live_keys(&self) -> Vec<Key> {
        self.bridges.iter().filter(|(_, bridge)| !bridge.is_recorded()).map(|(key, _)| key).collect()
    }

    /// Those of a served user, those that are over but not done included.
    pub(crate) fn of_user(&self, aor: &str) -> Vec<Key> {
        self.users.get(aor).into_iter().flatten().copied().collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &Bridge)> {
        self.bridges.iter().map(|(key, bridge)| (key, &**bridge))
    }

    /// When something of a session is next due.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let due = [self.drains.next(), self.watches.next(), self.releases.next_timeout()];
        due.into_iter().flatten().min()
    }

    /// How many legs there are.
    pub(crate) fn legs(&self) -> usize {
        self.legs.len()
    }

    /// How many sessions of the media plane legs have.
    pub(crate) fn media(&self) -> usize {
        self.media.len()
    }

    pub(crate) fn insert(&mut self, bridge: Bridge) -> Key {
        let sessions = Leg::BOTH.map(|leg| (bridge.session(leg), leg));
        let media = bridge.relay.as_ref().map(msrp::Bridge::sides);
        let user = bridge.served().to_owned();
        let key = self.bridges.insert(Box::new(bridge));
        self.users.entry(user).or_default().insert(key);
        self.legs.extend(sessions.map(|(session, leg)| (session, (key, leg))));
        self.media.extend(media.into_iter().flatten().map(|session| (session, key)));
        key
    }

    pub(crate) fn get(&self, key: Key) -> Option<&Bridge> {
        self.bridges.get(key).map(Box::as_ref)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut Bridge> {
        self.bridges.get_mut(key).map(Box::as_mut)
    }

    pub(crate) fn find(&mut self, session: SessionKey) -> Option<(Key, &mut Bridge, Leg)> {
        let (key, leg) = *self.legs.get(&session)?;
        Some((key, self.bridges.get_mut(key)?, leg))
    }

    fn of(&mut self, session: SessionKey) -> Option<(&mut Bridge, Leg)> {
        self.find(session).map(|(_, bridge, leg)| (bridge, leg))
    }

    /// The session of the media plane that a leg has, and that of the other leg.
    pub(crate) fn media_of(&mut self, session: SessionKey) -> Option<[msrp::SessionId; 2]> {
        let (bridge, leg) = self.of(session)?;
        bridge.relay.as_ref().map(|relay| leg.sides(relay))
    }

    /// The MSRP endpoint of a leg.
    pub(crate) fn media_at(&mut self, session: SessionKey) -> Option<LegMedia> {
        self.of(session).map(|(bridge, leg)| bridge.media(leg).clone())
    }

    /// Gives a leg another MSRP endpoint.
    pub(crate) fn set_media(&mut self, session: SessionKey, media: LegMedia) {
        if let Some((bridge, leg)) = self.of(session) {
            bridge.set_media(leg, media);
        }
    }

    /// The leg that a session of the media plane belongs to.
    pub(crate) fn leg_of(&mut self, session: msrp::SessionId) -> Option<SessionKey> {
        let bridge = self.bridges.get(*self.media.get(&session)?)?;
        let sides = bridge.relay.as_ref()?.sides();
        Leg::BOTH.into_iter().zip(sides).find(|(_, side)| *side == session).map(|(leg, _)| bridge.session(leg))
    }

    /// The bridge that a session of the media plane belongs to.
    pub(crate) fn bridge_of(&self, session: msrp::SessionId) -> Option<Key> {
        self.media.get(&session).copied()
    }

    /// The messages of a bridge.
    pub(crate) fn relay(&mut self, key: Key) -> Option<&mut msrp::Bridge> {
        self.bridges.get_mut(key)?.relay.as_mut()
    }

    /// Something has moved in a bridge: if it is being closed, it may go on.
    pub(crate) fn look_at(&mut self, key: Key) {
        if self.bridges.get(key).is_some_and(|bridge| bridge.drain.is_some()) {
            self.moved.insert(key);
        }
    }

    /// Takes the next bridge that may go on closing.
    pub(crate) fn next_moved(&mut self) -> Option<Key> {
        self.moved.pop_first()
    }

    /// No more messages pass.
    pub(crate) fn end_relay(&mut self, key: Key) {
        let relay = self.bridges.get_mut(key).and_then(|bridge| bridge.relay.take());
        for session in relay.iter().flat_map(msrp::Bridge::sides) {
            self.media.remove(&session);
        }
    }

    /// Nothing is left of a leg; the other one may take longer to end than this one to be forgotten.
    fn leg_gone(&mut self, session: SessionKey) {
        self.legs.remove(&session);
    }

    /// Takes a bridge away for which nothing is left to do, and says what its legs were.
    pub(crate) fn remove_if_done(&mut self, key: Key) -> Option<[SessionKey; 2]> {
        self.bridges.get(key).filter(|bridge| bridge.is_done())?;
        let bridge = self.bridges.remove(key)?;
        let legs = Leg::BOTH.map(|leg| bridge.session(leg));
        for session in &legs {
            self.legs.remove(session);
        }
        self.forget_user(bridge.served(), key);
        let armed = self.bridges.iter().filter_map(|(key, bridge)| Some((key, bridge.watch.armed?)));
        self.watches.sweep(self.bridges.len(), armed);
        self.check_invariants();
        Some(legs)
    }

    fn forget_user(&mut self, aor: &str, key: Key) {
        if let Some(sessions) = self.users.get_mut(aor) {
            sessions.remove(&key);
            if sessions.is_empty() {
                self.users.remove(aor);
            }
        }
    }

    /// What holds between any two calls.
    fn check_invariants(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        for key in self.media.values().chain(self.legs.values().map(|(key, _)| key)) {
            debug_assert!(self.bridges.get(*key).is_some(), "a leg and its media belong to a bridge");
        }
        let relays = self.bridges.iter().filter(|(_, bridge)| bridge.relay.is_some()).count();
        debug_assert_eq!(self.media.len(), 2 * relays, "a bridge is found by both sides of its media, or has none");
    }
}

impl Participating {
    /// On the media path: the INVITE ends here, and a new one in a dialog of its own goes on (digest of RFC 3261 §6
    /// "B2BUA": UAS and UAC side by side).
    pub(crate) fn open_bridge(
        &mut self,
        incoming: Incoming,
        pre: &Preprocessed,
        served: ServedUser,
        admission: &Admission,
        now: Now,
    ) {
        // The caller is answered over what it offers, the callee is offered what this node prefers.
        let Some(answering) = self.config.msrp.answering(incoming.request.body()).cloned() else {
            tracing::info!("MSRP is offered over a protocol that has no listener here");
            return self.ua.refuse(&mut self.stack, &incoming, &Reject::new(488), now);
        };
        let max_size = self.control.profile(&served.aor).max_message_size;
        let offered = self.config.msrp.offered().clone();
        let [toward_caller, toward_callee] =
            [answering, offered].map(|listener| LegMedia::new(listener, max_size, self.stack.entropy()));
        let invite = incoming.request.clone();
        let transport = incoming.flow.transport;
        let offer = Body::of(&invite).filter(Body::is_sdp).as_ref().and_then(read);
        let ours = offer.as_ref().and_then(|offer| toward_callee.offer(offer));
        let offers = offer.as_ref().and_then(SessionDescription::msrp).cloned().zip(ours);
        let body = offers.as_ref().map(|(_, ours)| ours.body.clone());
        let offers = offers.map(|(callers, ours)| Box::new(Offers { callers, ours: ours.media }));
        let plan = self.invite_plan(&invite, pre, admission, body, transport);
        let contact = self.contact(transport);
        // Refused requests (RFC 3261 §8.2) have been answered.
        let Ok(caller) = self.ua.incoming(&mut self.stack, incoming, contact, now) else { return };
        match self.ua.invite(&mut self.stack, plan, now) {
            Ok(callee) => {
                tracing::info!(case = served.case.as_str(), "session on the media path is being set up");
                self.control.opened(&served.aor);
                let relay = self.media.open([&toward_caller, &toward_callee], max_size);
                let legs = [(caller, toward_caller), (callee, toward_callee)];
                let facts = Facts::new(self.stack.entropy().u64(), served, &invite);
                let bridge = Bridge::new(facts, admission.service, legs, relay);
                let key = self.bridges.insert(bridge);
                if let Some(offers) = offers {
                    self.name_peer(caller, &offers.callers, now);
                    if let Some(bridge) = self.bridges.get_mut(key) {
                        bridge.offers = Some(offers);
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the second leg could not be called");
                let reject = Reject::new(503);
                let _ended_meanwhile = self.ua.reject(&mut self.stack, caller, &reject, now);
            }
        }
    }

    /// The INVITE of the second leg: what means something from end to end as it came, everything else our own. The Route
    /// that the core gave for coming back stays on top, unchanged, or the core would begin its service chain anew.
    fn invite_plan(
        &self,
        invite: &Request,
        pre: &Preprocessed,
        admission: &Admission,
        body: Option<Body>,
        transport: Transport,
    ) -> InvitePlan {
        let mut headers = Headers::with_room(ROOM);
        let hops = invite.max_forwards().unwrap_or(70).saturating_sub(1);
        headers = headers.with(Name::MaxForwards, hops.to_string());
        for name in END_TO_END {
            headers = headers.copied(invite, name);
        }
        headers = match admission.assert_service {
            Some(service) => headers.with(Name::PAssertedService, service.icsi()),
            None => headers,
        };
        InvitePlan {
            request_uri: Bytes::copy_from_slice(pre.uri(invite).as_bytes()),
            from: without_tag(invite.header(Name::From).unwrap_or_default()),
            to: without_tag(invite.header(Name::To).unwrap_or_default()),
            call_id: None,
            contact: self.contact(transport),
            routes: pre.routes(invite).map(Bytes::copy_from_slice).collect(),
            headers,
            body,
            target: None,
            pinned: None,
        }
    }

    fn contact(&self, transport: Transport) -> Bytes {
        let transports = self.stack.transports();
        self.contacts[transport as usize]
            .get_or_init(|| {
                let addr = transports.local(transport).unwrap_or(self.config.msrp.offered().addr);
                let param = match transport {
                    Transport::Udp => "",
                    Transport::Tcp => ";transport=tcp",
                    Transport::Tls => ";transport=tls",
                };
                format!("<sip:{addr}{param}>;{}", Service::Session.feature_tag()).into()
            })
            .clone()
    }

    pub(crate) fn on_session_event(&mut self, session: SessionKey, event: UaEvent, now: Now) {
        match event {
            UaEvent::Progress { response } => self.on_progress(session, &response, now),
            UaEvent::Answered { response, owes_answer } => self.on_answered(session, &response, owes_answer, now),
            UaEvent::Rejected { status, response } => self.on_rejected(session, status, response.as_deref(), now),
            UaEvent::Acked { request } => self.on_acked(session, &request, now),
            UaEvent::Cancelled { cancel } => self.on_leg_closing(session, Some(&cancel), now),
            UaEvent::Bye { request, .. } => self.on_leg_closing(session, Some(&request), now),
            UaEvent::Reinvite { incoming } | UaEvent::Update { incoming } => self.on_refresh(session, *incoming, now),
            UaEvent::Request { incoming } => self.stack.reject(&incoming, 405, now),
            UaEvent::ByeDone { outcome } => self.on_bye_done(session, outcome),
            UaEvent::Closing { cause } => self.on_leg_lost(session, cause, now),
            UaEvent::Ended { .. } => self.on_leg_over(session, now),
            // As a rule the bridge has gone before.
            UaEvent::Gone => self.bridges.leg_gone(session),
            UaEvent::Modified { response, .. } => self.on_path_answered(session, response.status(), now),
            // A fork that lost has been closed already; what nobody answers ends in `Closing`.
            UaEvent::Forked { .. }
            | UaEvent::Withdrawn { .. }
            | UaEvent::NotModified { .. }
            | UaEvent::Response { .. }
            | UaEvent::Failed { .. } => {}
        }
    }

    /// The callee is being alerted: so is the caller told.
    fn on_progress(&mut self, session: SessionKey, response: &Response, now: Now) {
        let Some((bridge, Leg::Terminating)) = self.bridges.of(session) else { return };
        let caller = bridge.session(Leg::Originating);
        let _answered_meanwhile =
            self.ua.progress(&mut self.stack, caller, response.status(), &Headers::new(), None, now);
    }

    /// The callee has answered: so do we, with its answer (or, if the INVITE had none, its offer) as this leg's own.
    fn on_answered(&mut self, session: SessionKey, response: &Response, owes_answer: bool, now: Now) {
        let Some((bridge, Leg::Terminating)) = self.bridges.of(session) else { return };
        let caller = bridge.session(Leg::Originating);
        let media = bridge.media(Leg::Originating).clone();
        let offers = bridge.offers.take();
        let theirs = Body::of(response).filter(Body::is_sdp);
        if owes_answer && !theirs.as_ref().is_some_and(|offer| self.answer_over(session, &offer.bytes)) {
            let _left_meanwhile = self.ua.reject(&mut self.stack, caller, &Reject::new(488), now);
            return self.close_unasked(session, now);
        }
        let theirs = theirs.as_ref().and_then(read);
        let ours = theirs.as_ref().and_then(|theirs| match (&offers, owes_answer) {
            (Some(offers), false) => media.answer(theirs, &offers.callers),
            (_, _) => media.offer(theirs),
        });
        // A callee that answers without MSRP cannot be talked to, and an INVITE cannot be left without an answer.
        let Some((theirs, ours)) = theirs.as_ref().and_then(SessionDescription::msrp).zip(ours) else {
            let _left_meanwhile = self.ua.reject(&mut self.stack, caller, &Reject::new(488), now);
            return self.close_unasked(session, now);
        };
        let headers = Headers::new().copied(response, Name::PAssertedIdentity);
        match self.ua.accept(&mut self.stack, caller, &headers, Some(ours.body), now) {
            Ok(()) => {
                if let Some((bridge, _)) = self.bridges.of(session) {
                    bridge.started(now);
                }
                match offers.filter(|_| !owes_answer) {
                    Some(offers) => {
                        self.join_media(session, (&offers.ours, theirs), Connector::Offerer, now);
                        self.join_media(caller, (&ours.media, &offers.callers), Connector::Answerer, now);
                    }
                    None => self.name_peer(session, theirs, now),
                }
            }
            // The caller has left while the callee answered (R10, R22): the ACK is out, now the BYE. There was no session.
            Err(_) => self.close_unasked(session, now),
        }
    }

    /// The callee makes the offer: its leg is over what it offers. False when there is no listener for that.
    fn answer_over(&mut self, callee: SessionKey, offer: &[u8]) -> bool {
        let Some(listener) = self.config.msrp.answering(offer).cloned() else { return false };
        let Some((bridge, leg)) = self.bridges.of(callee) else { return false };
        let uri = bridge.listen_on(leg, listener);
        if let Some([media, _]) = self.bridges.media_of(callee) {
            self.media.endpoint.set_local(media, uri);
        }
        true
    }

    /// The callee refused: so do we, in its words.
    fn on_rejected(&mut self, session: SessionKey, status: u16, response: Option<&Response>, now: Now) {
        let Some((bridge, Leg::Terminating)) = self.bridges.of(session) else { return };
        let caller = bridge.session(Leg::Originating);
        let mut reject = Reject::new(status);
        for name in [Name::Warning, Name::RetryAfter, Name::Reason] {
            for value in response.into_iter().flat_map(|r| r.headers(name)) {
                reject = reject.with(name, value);
            }
        }
        let _left_meanwhile = self.ua.reject(&mut self.stack, caller, &reject, now);
    }

    /// An ACK. The caller's first one says that the session is up.
    fn on_acked(&mut self, session: SessionKey, ack: &Request, now: Now) {
        let Some((bridge, leg)) = self.bridges.of(session) else { return };
        let is_first = leg == Leg::Originating && !bridge.watch.is_on;
        if let Some(theirs) = Body::of(ack).filter(Body::is_sdp) {
            self.on_answer_in_ack(session, &theirs, now);
        }
        if is_first {
            self.start_watching(session, now);
        }
    }

    /// An ACK with the answer to an offer in a 2xx: to ours on this leg, and from the caller to the callee's, if the callee
    /// made one.
    fn on_answer_in_ack(&mut self, session: SessionKey, theirs: &Body, now: Now) {
        let Some((bridge, leg)) = self.bridges.of(session) else { return };
        let callee = bridge.session(Leg::Terminating);
        let media = bridge.media(Leg::Terminating).clone();
        let offer = self.ua.session(callee).and_then(|s| s.remote_sdp()).and_then(read);
        if let (Leg::Originating, Some(offer)) = (leg, offer.as_ref().and_then(SessionDescription::msrp))
            && let Some(ours) = read(theirs).and_then(|theirs| media.answer(&theirs, offer))
            && self.ua.ack(&mut self.stack, callee, ours.body, now).is_ok()
        {
            self.join_media(callee, (&ours.media, offer), Connector::Answerer, now);
        }
        self.join_leg(session, Connector::Offerer, now);
    }

    /// A refresh ends here: the other leg's media does not change with this one's (RFC 3261 §14.2). An offer that has no
    /// MSRP any more is refused, and the session goes on as it was. One with a new path is answered with a new path of ours:
    /// the connection is made again, on this leg alone.
    fn on_refresh(&mut self, session: SessionKey, incoming: Incoming, now: Now) {
        let Some((bridge, leg)) = self.bridges.of(session) else { return };
        let media = bridge.media(leg).clone();
        let is_moved = self.has_moved(session);
        let media = if is_moved { media.renewed(self.stack.entropy()) } else { media };
        let ours = self.ua.session(session).and_then(|s| s.local_sdp()).cloned();
        let offer = Body::of(&incoming.request).filter(Body::is_sdp);
        let body = match (&offer, ours) {
            (Some(offer), Some(ours)) => {
                let answer = read(&ours).zip(read(offer)).and_then(|(ours, offer)| media.answer(&ours, offer.msrp()?));
                answer.map(|ours| ours.body)
            }
            (None, Some(ours)) if incoming.request.method() == sip::Method::Invite => Some(ours),
            (_, _) => None,
        };
        let status = if offer.is_some() && body.is_none() { 488 } else { 200 };
        let is_moved = is_moved && status == 200;
        if is_moved {
            self.renew_leg(session, media, now);
        }
        let answered = self.ua.answer(&mut self.stack, session, incoming.tx, status, &Headers::new(), body, now);
        if is_moved && answered.is_ok() {
            self.join_leg(session, Connector::Answerer, now);
        }
    }

    /// A BYE or CANCEL ended one leg: the other one is closed, whatever becomes of the first (C.2.3.1, Figure 10).
    fn on_leg_closing(&mut self, session: SessionKey, cause: Option<&Request>, now: Now) {
        let Some((bridge, leg)) = self.bridges.of(session) else { return };
        bridge.closed_on(leg, cause);
        self.drain(session, now);
    }

    /// A leg closes by itself: the other one with it, for the same Reason.
    fn on_leg_lost(&mut self, session: SessionKey, cause: Cause, now: Now) {
        let Some((bridge, _)) = self.bridges.of(session) else { return };
        if cause == Cause::Expired {
            bridge.closed_by(Closing::Expired, Some(sip_ua::EXPIRED.to_owned()));
        }
        self.drain(session, now);
    }

    /// A leg is over, by whatever cause: the other one must not outlive it.
    fn on_leg_over(&mut self, session: SessionKey, now: Now) {
        let Some((key, bridge, leg)) = self.bridges.find(session) else { return };
        bridge.leg_over(leg);
        self.drain(session, now);
        // A BYE that was to be answered after the other leg has waited for this.
        self.release_held(key, now);
    }

    /// Our BYE has ended. What a leg of an earlier life says to it tells who had closed while we were dead.
    fn on_bye_done(&mut self, session: SessionKey, outcome: ByeOutcome) {
        let Some((bridge, leg)) = self.bridges.of(session) else { return };
        if outcome == ByeOutcome::Answered(481) {
            bridge.had_closed(leg);
        }
        let status = match outcome {
            ByeOutcome::Answered(status) => status,
            ByeOutcome::Failed(why) => Stack::status_of(why),
        };
        bridge.bye_done(leg, status);
    }

    /// Closes a leg that nobody has closed.
    pub(crate) fn close_unasked(&mut self, session: SessionKey, now: Now) {
        let Some((bridge, _)) = self.bridges.of(session) else { return };
        let headers = close::headers(bridge);
        self.close_leg(session, &headers, now);
    }

    /// BYE, CANCEL or nothing, as the state of the leg asks for.
    pub(crate) fn close_leg(&mut self, session: SessionKey, headers: &Headers, now: Now) {
        let is_closing =
            |s: &sip_ua::Session| matches!(s.state(), State::Closing | State::PendingBye | State::Terminated);
        if self.ua.session(session).is_some_and(|s| !is_closing(s)) {
            self.ua.close(&mut self.stack, session, headers, now);
        }
    }
}

/// From or To without its tag: the new leg has its own.
fn without_tag(value: &[u8]) -> Bytes {
    let Ok(address) = sip::Address::parse(value) else { return Bytes::copy_from_slice(value) };
    let mut out = Vec::with_capacity(value.len());
    if !address.display().is_empty() {
        out.extend_from_slice(address.display());
        out.push(b' ');
    }
    out.push(b'<');
    out.extend_from_slice(address.uri().as_bytes());
    out.push(b'>');
    Bytes::from(out)
}
