//! Closing with messages under way: what has come is handed on while the far side still listens, then the leg is closed.

use std::time::Duration;

use cpm::Traffic;
use sip_ua::{Headers, SessionKey};
use wire::{Key, Now};

use crate::bridge::{Bridge, Drain, Leg};
use crate::{Participating, close};

/// How long messages that are under way when a leg closes may still take, and so the longest that the BYE of the other leg
/// waits for them.
const T_DRAIN: Duration = Duration::from_secs(2);

impl Participating {
    /// A leg closes or is lost; its BYE is answered by now, and the other leg gets one.
    pub(crate) fn drain(&mut self, session: SessionKey, now: Now) {
        let Some((key, bridge, leg)) = self.bridges.find(session) else { return };
        if bridge.drain.is_none() {
            let bye = close::headers(bridge);
            self.start_draining(key, leg, Some(bye), now);
        }
        self.go_on_closing(key, now);
    }

    /// A session begins to close, unless it has begun.
    pub(crate) fn start_draining(&mut self, key: Key, from: Leg, bye: Option<Headers>, now: Now) {
        if let Some(bridge) = self.bridges.get_mut(key).filter(|bridge| bridge.drain.is_none()) {
            let closed = bye.is_some().then_some(from);
            bridge.drain = Some(Drain { from, bye, is_late: false });
            self.bridges.drains.arm(key, now.at + T_DRAIN);
            self.note_intent(key, closed, now);
        }
    }

    /// The time that bridges had for their messages is over.
    pub(crate) fn expire_drains(&mut self, now: Now) {
        while let Some((_, key)) = self.bridges.drains.pop_due(now.at) {
            if let Some(drain) = self.bridges.get_mut(key).and_then(|bridge| bridge.drain.as_mut()) {
                drain.is_late = true;
                self.go_on_closing(key, now);
            }
        }
    }

    /// Closes a session as far as its messages let it.
    pub(crate) fn go_on_closing(&mut self, key: Key, now: Now) {
        // 1. The BYE of the other leg leaves at once, unless messages of the leg that closed are on their way there. Those
        //    get their time, no more: the session must not outlive its user.
        let Some(bridge) = self.bridges.get_mut(key) else { return };
        let Some((from, is_late)) = bridge.drain.as_ref().map(|drain| (drain.from, drain.is_late)) else { return };
        let other = bridge.session(from.other());
        if (is_late || !self.media.is_awaited(bridge, from))
            && let Some(headers) = bridge.drain.as_mut().and_then(|drain| drain.bye.take())
        {
            self.close_leg(other, &headers, now);
        }

        // 2. When nobody is left who could send or take a message, or time is over, the media ends.
        let Some(bridge) = self.bridges.get_mut(key) else { return };
        let is_idle = bridge.is_closed() && !Leg::BOTH.iter().any(|leg| self.media.is_awaited(bridge, *leg));
        if is_idle || is_late {
            self.end_media(key, from, now);
        }

        // 3. Now all is known that the record says.
        let Some(bridge) = self.bridges.get_mut(key) else { return };
        if let Some(record) = bridge.record(now) {
            let served = bridge.served().to_owned();
            if bridge.hold.has_row {
                self.journal.over(bridge.facts.key, record.as_ref());
            }
            self.control.closed(&served, record);
        }
        self.bury_if_done(key);
    }

    /// Forgets a session once nothing is left to do for it.
    pub(crate) fn bury_if_done(&mut self, key: Key) {
        for session in self.bridges.remove_if_done(key).into_iter().flatten() {
            self.ua.bury(session);
        }
    }

    /// Takes the media of a bridge away. Messages of `from` that did not come as a whole are aborted towards the other leg,
    /// so that it keeps no half of one; to the sender nothing positive is said.
    fn end_media(&mut self, key: Key, from: Leg, now: Now) {
        for leg in [from, from.other()] {
            let Some(bridge) = self.bridges.get_mut(key) else { return };
            let Some(session) = bridge.relay.as_ref().map(|relay| relay.sides()[leg as usize]) else { return };
            bridge.traffic[leg.other() as usize] = self.media.taken_by(session);
            self.media.close(session, now);
            while let Some(event) = self.media.endpoint.poll_event() {
                self.on_msrp_event(event, now);
            }
        }
        self.bridges.end_relay(key);
    }
}

impl crate::media_plane::MediaPlane {
    /// What a side has taken, which is what the other one sent.
    fn taken_by(&self, session: msrp::SessionId) -> Traffic {
        let taken = self.endpoint.stats(session).unwrap_or_default();
        Traffic { messages: taken.sent, octets: taken.octets_sent }
    }

    /// What has passed so far, by the leg that it came from.
    pub(crate) fn passed(&self, bridge: &Bridge) -> [Traffic; 2] {
        let Some(relay) = &bridge.relay else { return bridge.traffic };
        let [a, b] = relay.sides().map(|side| self.taken_by(side));
        [b, a]
    }

    /// Whether messages of a leg are on their way that can still arrive: all of it is here, or the rest can still come.
    fn is_awaited(&self, bridge: &Bridge, from: Leg) -> bool {
        let Some(relay) = &bridge.relay else { return false };
        let session = relay.sides()[from as usize];
        let (whole, partial) = relay.under_way(session);
        whole > 0 || (partial > 0 && self.endpoint.connection(session).is_some())
    }
}
