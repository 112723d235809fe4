use cpm::{Closing, MediaPath, Release, ServedUser, Service, SessionCase, SessionRecord, Traffic};
use sip::{Name, Request};
use sip_ua::{Headers, SessionKey};
use wire::{Now, Timestamp};

use crate::media::LegMedia;
use crate::release::{SessionId, SessionView};
use crate::supervise::Watch;

/// A session on the media path: two legs, each a dialog of its own.
#[derive(Debug)]
pub(crate) struct Bridge {
    served: ServedUser,
    pub(crate) service: Service,
    peer: String,
    pub(crate) conversation_id: String,
    pub(crate) contribution_id: String,
    legs: [LegState; 2],
    started: Option<Timestamp>,
    closing: Option<Closing>,
    /// The messages between the legs, until the session is closed.
    pub(crate) relay: Option<msrp::Bridge>,
    /// What has passed, by the leg that it came from, once no more passes.
    pub(crate) traffic: [Traffic; 2],
    /// How far it is closed.
    pub(crate) drain: Option<Drain>,
    /// What the function ends it for, from when it has been decided.
    pub(crate) release: Option<Release>,
    pub(crate) watch: Watch,
    is_recorded: bool,
}

/// The closing of a session whose messages may still be under way.
#[derive(Debug)]
pub(crate) struct Drain {
    /// The leg that closed first.
    pub(crate) from: Leg,
    /// The BYE of the other leg, as long as messages for it keep it waiting.
    pub(crate) bye: Option<Headers>,
    /// The time for messages is over.
    pub(crate) is_late: bool,
}

/// The two legs of a bridge.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Leg {
    /// Towards the caller: we are UAS.
    Originating,
    /// Towards the callee: we are UAC.
    Terminating,
}

impl Leg {
    pub(crate) const BOTH: [Leg; 2] = [Leg::Originating, Leg::Terminating];

    pub(crate) const fn other(self) -> Leg {
        match self {
            Leg::Originating => Leg::Terminating,
            Leg::Terminating => Leg::Originating,
        }
    }
}

#[derive(Debug)]
struct LegState {
    session: SessionKey,
    media: LegMedia,
    is_over: bool,
    is_gone: bool,
}

impl Bridge {
    /// `legs`: originating, then terminating; so are the sides of the relay.
    pub(crate) fn new(
        served: ServedUser,
        service: Service,
        invite: &Request,
        legs: [(SessionKey, LegMedia); 2],
        relay: Option<msrp::Bridge>,
    ) -> Bridge {
        let text = |name| String::from_utf8_lossy(invite.header(name).unwrap_or_default()).into_owned();
        let peer = match served.case {
            SessionCase::Originating => invite.to(),
            SessionCase::Terminating => invite.from(),
        };
        Bridge {
            peer: cpm::aor(&peer.uri()),
            served,
            service,
            conversation_id: text(Name::ConversationId),
            contribution_id: text(Name::ContributionId),
            legs: legs.map(|(session, media)| LegState { session, media, is_over: false, is_gone: false }),
            started: None,
            closing: None,
            relay,
            traffic: [Traffic::default(); 2],
            drain: None,
            release: None,
            watch: Watch::default(),
            is_recorded: false,
        }
    }

    pub(crate) const fn session(&self, leg: Leg) -> SessionKey {
        self.legs[leg as usize].session
    }

    pub(crate) const fn media(&self, leg: Leg) -> &LegMedia {
        &self.legs[leg as usize].media
    }

    /// Chooses another listener for a leg; its URI there.
    pub(crate) fn listen_on(&mut self, leg: Leg, listener: msrp::Listener) -> sdp::MsrpUri {
        let media = &mut self.legs[leg as usize].media;
        media.listener = listener;
        media.uri()
    }

    /// Gives a leg another MSRP endpoint.
    pub(crate) fn set_media(&mut self, leg: Leg, media: LegMedia) {
        self.legs[leg as usize].media = media;
    }

    pub(crate) fn served(&self) -> &str {
        &self.served.aor
    }

    /// The callee has answered and the caller was told: there is a session.
    pub(crate) fn started(&mut self, now: Now) {
        self.started.get_or_insert(now.utc);
    }

    /// Notes who closes; the first one counts.
    pub(crate) fn closed_on(&mut self, leg: Leg) {
        self.closed_by(if leg == self.served_leg() { Closing::ServedUser } else { Closing::Peer });
    }

    /// Notes how it closes; the first cause counts.
    pub(crate) fn closed_by(&mut self, closing: Closing) {
        self.closing.get_or_insert(closing);
    }

    /// There is a session, and nothing ends it yet.
    pub(crate) const fn is_up(&self) -> bool {
        self.started.is_some() && self.drain.is_none() && self.release.is_none()
    }

    /// The session as an operator sees it.
    pub(crate) fn view(&self, id: SessionId) -> SessionView {
        SessionView {
            id,
            served_user: self.served.aor.clone(),
            case: self.served.case,
            peer: self.peer.clone(),
            conversation_id: self.conversation_id.clone(),
            contribution_id: self.contribution_id.clone(),
            media_path: MediaPath::On,
            started: self.started,
        }
    }

    /// A leg has ended.
    pub(crate) fn leg_over(&mut self, leg: Leg) {
        self.legs[leg as usize].is_over = true;
    }

    /// Both legs have ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.legs.iter().all(|leg| leg.is_over)
    }

    /// When both legs have ended and no message passes any more: the record, if there was a session. Once.
    pub(crate) fn record(&mut self, now: Now) -> Option<Option<SessionRecord>> {
        if !self.is_closed() || self.relay.is_some() || std::mem::replace(&mut self.is_recorded, true) {
            return None;
        }
        let sent_by = |leg| self.traffic[leg as usize];
        let ours = self.served_leg();
        Some(self.started.map(|started| SessionRecord {
            served_user: self.served.aor.clone(),
            case: self.served.case,
            peer: self.peer.clone(),
            conversation_id: self.conversation_id.clone(),
            contribution_id: self.contribution_id.clone(),
            media_path: MediaPath::On,
            started,
            ended: now.utc,
            closing: self.closing.unwrap_or(Closing::Lost),
            sent: sent_by(ours),
            received: sent_by(ours.other()),
        }))
    }

    /// Whether the session has been counted as closed.
    pub(crate) const fn is_recorded(&self) -> bool {
        self.is_recorded
    }

    /// Nothing is left of a leg.
    pub(crate) fn leg_gone(&mut self, leg: Leg) {
        self.legs[leg as usize].is_gone = true;
    }

    /// Nothing is left of the session.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_recorded && self.legs.iter().all(|leg| leg.is_gone)
    }

    /// The leg towards the served user.
    pub(crate) const fn served_leg(&self) -> Leg {
        match self.served.case {
            SessionCase::Originating => Leg::Originating,
            SessionCase::Terminating => Leg::Terminating,
        }
    }
}
