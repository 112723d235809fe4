use cpm::{Closing, MediaPath, ServedUser, SessionCase, SessionRecord};
use sip::{Name, Request};
use sip_ua::SessionKey;
use wire::{Now, Timestamp};

use crate::media::LegMedia;

/// A session on the media path: two legs, each a dialog of its own.
#[derive(Debug)]
pub(crate) struct Bridge {
    served: ServedUser,
    peer: String,
    pub(crate) conversation_id: String,
    pub(crate) contribution_id: String,
    legs: [LegState; 2],
    started: Option<Timestamp>,
    closing: Option<Closing>,
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
    /// `legs`: originating, then terminating.
    pub(crate) fn new(served: ServedUser, invite: &Request, legs: [(SessionKey, LegMedia); 2]) -> Bridge {
        let text = |name| String::from_utf8_lossy(invite.header(name).unwrap_or_default()).into_owned();
        let peer = match served.case {
            SessionCase::Originating => invite.to(),
            SessionCase::Terminating => invite.from(),
        };
        Bridge {
            peer: cpm::aor(&peer.uri()),
            served,
            conversation_id: text(Name::ConversationId),
            contribution_id: text(Name::ContributionId),
            legs: legs.map(|(session, media)| LegState { session, media, is_over: false, is_gone: false }),
            started: None,
            closing: None,
        }
    }

    pub(crate) const fn session(&self, leg: Leg) -> SessionKey {
        self.legs[leg as usize].session
    }

    pub(crate) const fn media(&self, leg: Leg) -> &LegMedia {
        &self.legs[leg as usize].media
    }

    pub(crate) fn served(&self) -> &str {
        &self.served.aor
    }

    pub(crate) const fn is_over(&self, leg: Leg) -> bool {
        self.legs[leg as usize].is_over
    }

    /// Whether both legs are over.
    pub(crate) fn is_closed(&self) -> bool {
        self.legs.iter().all(|leg| leg.is_over)
    }

    /// The callee has answered and the caller was told: there is a session.
    pub(crate) fn started(&mut self, now: Now) {
        self.started.get_or_insert(now.utc);
    }

    /// Notes who closes; the first one counts.
    pub(crate) fn closed_on(&mut self, leg: Leg) {
        let is_served_side = (leg == Leg::Originating) == (self.served.case == SessionCase::Originating);
        self.closing.get_or_insert(if is_served_side { Closing::ServedUser } else { Closing::Peer });
    }

    /// A leg has ended. Returns the record when it was the last one.
    pub(crate) fn leg_over(&mut self, leg: Leg, now: Now) -> Option<Option<SessionRecord>> {
        self.legs[leg as usize].is_over = true;
        if !self.is_closed() {
            return None;
        }
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
        }))
    }

    /// Nothing is left of a leg. Returns whether nothing is left of the bridge.
    pub(crate) fn leg_gone(&mut self, leg: Leg) -> bool {
        self.legs[leg as usize].is_gone = true;
        self.legs.iter().all(|leg| leg.is_gone)
    }
}
