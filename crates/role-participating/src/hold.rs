//! Events that wait until the journal has what they lead to.

use std::time::Duration;

use sip::Method;
use sip_tx::Event;
use sip_ua::{Dialog, Reject, SessionKey, Snapshot, State};
use wire::{Key, Now};

use crate::Participating;
use crate::bridge::{Bridge, Leg};
use crate::row::{About, Intent, Row};

/// What a bridge has in the journal, and what waits for it.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    /// The session is there.
    pub(crate) has_row: bool,
    /// How it is being closed is there, or could not be put there.
    pub(crate) has_intent: bool,
    /// What is being written.
    writing: Option<Writing>,
    /// What happened meanwhile, or waits for nothing but its time.
    events: Vec<Event>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Writing {
    /// That there is a session: the callee's 2xx waits.
    Row,
    /// That it is being closed: the BYE waits.
    Intent(Leg),
}

/// Events of one session that wait. What is beyond is dropped as if it had been lost on the way: it comes again.
const MAX_HELD: usize = 16;

/// How long a BYE waits for the other leg if the intent could not be kept: shorter than what repeats it takes to give up
/// (64*T1), longer than a round trip.
const UNKEPT: Duration = Duration::from_secs(4);

impl Hold {
    /// Of a session that an earlier life has put there.
    pub(crate) fn resumed() -> Hold {
        Hold { has_row: true, ..Hold::default() }
    }

    /// Whether a BYE waits: the session is as good as closed.
    pub(crate) fn is_closing(&self) -> bool {
        matches!(self.writing, Some(Writing::Intent(_)))
    }

    /// Whether nothing is being written and nothing waits.
    pub(crate) const fn is_idle(&self) -> bool {
        self.writing.is_none() && self.events.is_empty()
    }

    /// Keeps an event back.
    fn push(&mut self, event: Event) {
        if self.events.len() < MAX_HELD {
            self.events.push(event);
        }
    }
}

impl Participating {
    /// The callee's 2xx is not looked at before the session is in the journal: from the ACK on, somebody relies on us.
    /// Returns what need not wait.
    pub(crate) fn hold_answer(&mut self, event: Event, now: Now) -> Option<Event> {
        let Event::Response { owner, response, .. } = &event else { return Some(event) };
        let is_answer = response.is_success() && response.cseq().method == Method::Invite;
        let Some(session) = SessionKey::of(*owner).filter(|_| self.journal.is_on() && is_answer) else {
            return Some(event);
        };
        let Some((key, bridge, Leg::Terminating)) = self.bridges.find(session) else { return Some(event) };
        if bridge.hold.writing == Some(Writing::Row) {
            bridge.hold.push(event);
            return None;
        }
        let (Some(caller), Some(callee)) =
            (self.ua.session(bridge.session(Leg::Originating)), self.ua.session(session))
        else {
            return Some(event);
        };
        let is_awaited = matches!(callee.state(), State::Calling | State::Proceeding | State::Early);
        let (Some(dialog), Some(half)) = (caller.dialog(), callee.half_dialog()) else { return Some(event) };
        if !is_awaited || bridge.hold.has_row {
            return Some(event);
        }
        let legs =
            [Snapshot::of(dialog, caller.contact()), Snapshot::of(&Dialog::as_uac(half, response), callee.contact())];
        let row = Row::Bridge { session: About::of(&bridge.facts, now.utc), legs: Box::new(legs), intent: None };
        bridge.hold.has_row = true;
        bridge.hold.writing = Some(Writing::Row);
        bridge.hold.push(event);
        self.journal.keep_for(key, bridge.facts.key, &row, true);
        None
    }

    /// A BYE is not looked at, and so not answered, before the journal has it that the other leg is to be closed. What comes
    /// behind it on the same leg keeps its place. Returns what need not wait.
    pub(crate) fn hold_bye(&mut self, event: Event, now: Now) -> Option<Event> {
        let Event::Request(incoming) = &event else { return Some(event) };
        let Some(session) = self.ua.find(&incoming.request).filter(|_| self.journal.is_on()) else {
            return Some(event);
        };
        let Some((key, bridge, leg)) = self.bridges.find(session) else { return Some(event) };
        let is_bye = incoming.request.method() == Method::Bye;
        if let Some(Writing::Intent(first)) = bridge.hold.writing {
            // Both may close at once: what is being written tells enough.
            if is_bye || first == leg {
                bridge.hold.push(event);
                return None;
            }
        }
        let Some(known) = self.ua.session(session) else { return Some(event) };
        let is_up = matches!(known.state(), State::Established | State::AnsweredNoAck | State::PendingBye);
        let last = known.dialog().and_then(Dialog::remote_cseq);
        let is_in_order = last.is_none_or(|last| incoming.request.cseq().number >= last);
        if !(is_bye && is_up && is_in_order && bridge.hold.has_row) || bridge.hold.has_intent {
            return Some(event);
        }
        bridge.closed_on(leg, Some(&incoming.request));
        bridge.hold.has_intent = true;
        bridge.hold.writing = Some(Writing::Intent(leg));
        bridge.hold.push(event);
        self.keep_intent(key, Some(leg), true, now);
        None
    }

    /// A session is being closed, `from` a leg that needs no BYE any more: writes that down, if that is not done. Nobody waits
    /// for it.
    pub(crate) fn note_intent(&mut self, key: Key, from: Option<Leg>, now: Now) {
        let Some(bridge) = self.bridges.get_mut(key) else { return };
        if bridge.hold.has_row && !std::mem::replace(&mut bridge.hold.has_intent, true) {
            self.keep_intent(key, from, false, now);
        }
    }

    fn keep_intent(&mut self, key: Key, from: Option<Leg>, is_awaited: bool, now: Now) {
        let Some(bridge) = self.bridges.get_mut(key) else { return };
        let Some(legs) = snapshots(&self.ua, bridge) else { return };
        let end = bridge.end();
        let traffic = self.media.passed(bridge);
        let intent = Intent { from, closing: end.closing, cause: end.cause, traffic };
        let started = bridge.facts.started.unwrap_or(now.utc);
        let row =
            Row::Bridge { session: About::of(&bridge.facts, started), legs: Box::new(legs), intent: Some(intent) };
        if is_awaited {
            self.journal.keep_for(key, bridge.facts.key, &row, false);
        } else {
            self.journal.keep(bridge.facts.key, &row);
        }
    }

    /// An entry of the journal came to its end, well or not.
    pub(crate) fn on_kept(&mut self, id: u64, ok: bool, now: Now) {
        let Some(key) = self.journal.kept(id) else {
            if !ok {
                tracing::warn!("the journal could not keep what nobody waits for");
            }
            return;
        };
        let Some(bridge) = self.bridges.get_mut(key) else { return };
        let writing = bridge.hold.writing.take();
        match writing {
            Some(Writing::Row) if !ok => {
                tracing::error!("a session is refused: the journal could not keep it");
                self.journal.note_full(now);
                let caller = bridge.session(Leg::Originating);
                let reject = Reject::new(503).with(sip::Name::RetryAfter, "5");
                // The 2xx is acknowledged and closed, since its caller is not there any more.
                let _left_meanwhile = self.ua.reject(&mut self.stack, caller, &reject, now);
            }
            Some(Writing::Intent(leg)) if !ok => return self.close_unkept(key, leg, now),
            Some(Writing::Row | Writing::Intent(_)) | None => {}
        }
        self.release_held(key, now);
    }

    /// The intent could not be kept, and so the order is turned round: the other leg is closed first, and who closed is
    /// answered when that is done, or a little later. Whatever dies now, somebody who is not answered tries again.
    fn close_unkept(&mut self, key: Key, from: Leg, now: Now) {
        tracing::error!("a close goes on without the journal");
        self.journal.counters.unkept += 1;
        self.journal.unkept.arm(key, now.at + UNKEPT);
        let Some(bridge) = self.bridges.get_mut(key) else { return };
        let session = bridge.session(from);
        self.drain(session, now);
    }

    /// BYEs whose other leg has not been heard of in time are answered.
    pub(crate) fn expire_unkept(&mut self, now: Now) {
        while let Some((_, key)) = self.journal.unkept.pop_due(now.at) {
            self.release_held(key, now);
        }
    }

    /// What waited goes on.
    pub(crate) fn release_held(&mut self, key: Key, now: Now) {
        let Some(bridge) = self.bridges.get_mut(key).filter(|bridge| bridge.hold.writing.is_none()) else { return };
        for event in std::mem::take(&mut bridge.hold.events) {
            if let Some(Event::Request(incoming)) = self.ua.handle(&mut self.stack, event, now) {
                self.stack.reject(&incoming, 481, now);
            }
        }
        self.bury_if_done(key);
    }
}

fn snapshots(ua: &sip_ua::UserAgent, bridge: &Bridge) -> Option<[Snapshot; 2]> {
    let [a, b] = Leg::BOTH.map(|leg| {
        let session = ua.session(bridge.session(leg))?;
        Some(Snapshot::of(session.dialog()?, session.contact()))
    });
    Some([a?, b?])
}
