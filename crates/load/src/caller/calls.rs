//! Sessions: set up, and closed.

use std::time::Duration;

use bytes::Bytes;
use cpm::Service;
use sdp::Connector;
use sip::Name;
use sip_ua::{Body, Headers, InvitePlan, SessionKey, UaEvent};
use wire::{Instant, Key, Now};

use super::pair::{Pair, State};
use super::{Callee, Caller, Phase};
use crate::plan::Way;
use crate::run::reason;
use crate::{CloseBy, Sessions};

/// How long a session that is to be closed waits for the answers to its messages.
const LEAVE: Duration = Duration::from_secs(2);
/// How much longer than the callee the caller waits before it closes what was the callee's to close.
pub(crate) const YIELD: Duration = Duration::from_millis(1500);

impl Caller {
    /// Opens a session that was due at `due`.
    pub(super) fn call(&mut self, due: Instant, now: Now) {
        self.counts.tried += 1;
        let (media, origin) = self.end.media();
        let Some(msrp) = self.end.open(media.uri()) else { return self.tally.error("set-up: no MSRP session") };
        let offer = Bytes::from(sdp::offer(&media, origin));
        let state = State::Opening { is_answered: false, is_bound: false };
        let pair = Pair { sip: None, msrp, offer, state, due, in_flight: 0, number: 0 };
        let key = self.pairs.insert(pair);
        self.by_msrp.insert(msrp, key);
        self.settling += 1;
        self.dues.arm(key, now.at + self.plan.patience);
        match self.plan.way {
            Way::Relay(_) => self.call_relayed(key, now),
            Way::Cores { .. } | Way::Direct(_) => self.invite(key, now),
        }
    }

    fn invite(&mut self, key: Key, now: Now) {
        let Some((callee, pair)) = self.callee.as_ref().zip(self.pairs.get_mut(key)) else { return };
        let mut routes = self.end.service_route();
        routes.extend(callee.routes.iter().cloned());
        let plan = InvitePlan {
            request_uri: callee.uri.clone(),
            from: format!("<{}>", callee.from).into(),
            to: format!("<{}>", callee.to).into(),
            call_id: None,
            contact: self.end.contact(),
            routes,
            headers: headers(callee, self.end.stack.entropy()),
            body: Some(Body::sdp(pair.offer.clone())),
            target: Some(callee.target),
            pinned: None,
        };
        match self.end.ua.invite(&mut self.end.stack, plan, now) {
            Ok(session) => {
                pair.sip = Some(session);
                self.by_sip.insert(session, key);
            }
            Err(error) => self.fail(key, format!("set-up: {error}"), now),
        }
    }

    fn call_relayed(&mut self, key: Key, now: Now) {
        let Way::Relay(relay) = self.plan.way else { return };
        let Some((place, pair)) = self.places.pop_front().zip(self.pairs.get_mut(key)) else {
            return self.fail(key, "set-up: no place".to_owned(), now);
        };
        pair.state = State::Opening { is_answered: true, is_bound: false };
        let hop = sdp::MsrpUri::new(false, relay.address.ip(), relay.address.port(), "load");
        let path = if relay.in_path { vec![hop, place] } else { vec![place] };
        let msrp = pair.msrp;
        self.end.endpoint.set_remote(msrp, path);
        self.end.connect(msrp, relay.address, now);
    }

    pub(super) fn on_session(&mut self, session: SessionKey, event: UaEvent, now: Now) {
        let Some(key) = self.by_sip.get(&session).copied() else { return };
        match event {
            UaEvent::Answered { response, .. } => self.on_answered(key, response.body(), now),
            UaEvent::Rejected { status, .. } => self.tally.error(format!("set-up: {status}")),
            UaEvent::ByeDone { outcome } => {
                let since = self.pairs.get(key).and_then(|pair| match pair.state {
                    State::Closing { since } => Some(since),
                    State::Opening { .. } | State::Up | State::Leaving { .. } => None,
                });
                match since {
                    Some(since) if outcome.is_normal() => {
                        self.counts.closed += 1;
                        self.close.record(since, now);
                    }
                    Some(_) | None => self.tally.error(format!("close: {outcome:?}")),
                }
            }
            UaEvent::Bye { .. } | UaEvent::Cancelled { .. } => self.retire(key),
            UaEvent::Ended { cause } => {
                if matches!(cause, sip_ua::Cause::Lost | sip_ua::Cause::Expired) {
                    self.tally.error("session lost");
                }
                self.forget(key, now);
            }
            // A session that is held for long is refreshed (RFC 4028); nothing about it changes.
            UaEvent::Update { incoming } if incoming.request.body().is_empty() => {
                let none = Headers::new();
                let _closing = self.end.ua.answer(&mut self.end.stack, session, incoming.tx, 200, &none, None, now);
            }
            UaEvent::Reinvite { incoming } | UaEvent::Update { incoming } | UaEvent::Request { incoming } => {
                self.end.stack.reject(&incoming, 488, now);
            }
            UaEvent::Closing { .. }
            | UaEvent::Progress { .. }
            | UaEvent::Forked { .. }
            | UaEvent::Acked { .. }
            | UaEvent::Withdrawn { .. }
            | UaEvent::Modified { .. }
            | UaEvent::NotModified { .. }
            | UaEvent::Response { .. }
            | UaEvent::Failed { .. }
            | UaEvent::Gone => {}
        }
    }

    fn on_answered(&mut self, key: Key, answer: &[u8], now: Now) {
        let Some(pair) = self.pairs.get_mut(key) else { return };
        let State::Opening { is_bound, .. } = pair.state else { return };
        pair.state = State::Opening { is_answered: true, is_bound };
        let (due, msrp, offer) = (pair.due, pair.msrp, pair.offer.clone());
        if matches!(self.plan.sessions, Sessions::Held(_)) {
            self.set_up.record(due, now);
        } else {
            self.tally.record(&mut self.set_up, due, now);
        }
        if self.end.join(msrp, &offer, answer, Connector::Offerer, now) {
            self.check_up(key, now);
        } else {
            self.fail(key, "set-up: no MSRP in the answer".to_owned(), now);
        }
    }

    pub(super) fn on_bound(&mut self, key: Key, now: Now) {
        if let Some(pair) = self.pairs.get_mut(key)
            && let State::Opening { is_answered, .. } = pair.state
        {
            pair.state = State::Opening { is_answered, is_bound: true };
            self.check_up(key, now);
        }
    }

    fn check_up(&mut self, key: Key, now: Now) {
        let Some(pair) = self.pairs.get_mut(key) else { return };
        if pair.state != (State::Opening { is_answered: true, is_bound: true }) {
            return;
        }
        pair.state = State::Up;
        self.settling -= 1;
        self.counts.opened += 1;
        self.up.push(key);
        if let Sessions::PerSecond { hold, .. } = self.plan.sessions {
            self.dues.arm(key, now.at + hold);
        }
        if matches!(self.phase, Phase::Running { .. }) {
            self.begin_sending(now);
            self.fill(key, now);
        }
    }

    /// Something is due for a session: it was to be up by now, or it has been up long enough.
    pub(super) fn on_due(&mut self, key: Key, now: Now) {
        let Some(pair) = self.pairs.get_mut(key) else { return };
        match pair.state {
            State::Opening { .. } if pair.due + self.plan.patience <= now.at => {
                self.fail(key, "set-up: no answer or no connection".to_owned(), now);
            }
            State::Up => self.leave(key, now),
            State::Leaving { since } if since + LEAVE <= now.at => self.hang_up(key, now),
            State::Opening { .. } | State::Leaving { .. } | State::Closing { .. } => {}
        }
    }

    /// A session has been up for its time: it takes no more messages, and is closed.
    fn leave(&mut self, key: Key, now: Now) {
        self.retire(key);
        let Some(pair) = self.pairs.get_mut(key) else { return };
        pair.state = State::Leaving { since: now.at };
        self.check_left(key, now);
        self.dues.arm(key, now.at + LEAVE);
    }

    /// Closes a session whose last message is answered.
    pub(super) fn check_left(&mut self, key: Key, now: Now) {
        let is_ours = self.plan.close_by == CloseBy::Caller;
        if let Some(pair) = self.pairs.get(key)
            && matches!(pair.state, State::Leaving { .. })
            && pair.in_flight == 0
            && is_ours
        {
            self.hang_up(key, now);
        }
    }

    /// Closes a session: BYE, CANCEL, or only its MSRP session.
    pub(super) fn hang_up(&mut self, key: Key, now: Now) {
        self.retire(key);
        let Some(pair) = self.pairs.get_mut(key) else { return };
        self.settling -= usize::from(pair.is_opening());
        pair.state = State::Closing { since: now.at };
        self.closing += 1;
        match pair.sip {
            Some(session) => self.end.ua.close(&mut self.end.stack, session, &reason(), now),
            None => {
                self.counts.closed += 1;
                self.forget(key, now);
            }
        }
    }

    /// A session that could not be set up.
    fn fail(&mut self, key: Key, why: String, now: Now) {
        self.tally.error(why);
        if self.pairs.get(key).is_some_and(|pair| pair.sip.is_some()) {
            self.hang_up(key, now);
        } else {
            self.forget(key, now);
        }
    }

    /// A session takes no more messages.
    fn retire(&mut self, key: Key) {
        self.up.retain(|other| *other != key);
    }

    /// Nothing is left of a session.
    pub(super) fn forget(&mut self, key: Key, now: Now) {
        self.retire(key);
        let Some(pair) = self.pairs.remove(key) else { return };
        self.settling -= usize::from(pair.is_opening());
        self.closing -= usize::from(pair.is_closing());
        self.in_flight -= pair.in_flight;
        for _ in 0..pair.in_flight {
            self.tally.error("message without an answer");
        }
        if let Some(session) = pair.sip {
            self.by_sip.remove(&session);
        }
        self.by_msrp.remove(&pair.msrp);
        self.end.endpoint.remove(pair.msrp, now);
    }
}

/// What an INVITE says besides what every INVITE says. Where no core stands between, what it would assert is asserted here.
fn headers(callee: &Callee, entropy: &mut wire::Entropy) -> Headers {
    let service = Service::Session;
    let (identity, asserted) = if callee.is_asserted {
        (Name::PPreferredIdentity, Name::PPreferredService)
    } else {
        (Name::PAssertedIdentity, Name::PAssertedService)
    };
    Headers::new()
        .with(identity, format!("<{}>", callee.from))
        .with(asserted, service.icsi())
        .with(Name::AcceptContact, format!("*;{};require;explicit", service.feature_tag()))
        .with(Name::ConversationId, entropy.uuid())
        .with(Name::ContributionId, entropy.uuid())
}
