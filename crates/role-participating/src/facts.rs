use cpm::{Closing, MediaPath, ServedUser, SessionCase, SessionRecord, Traffic};
use sip::{Name, Request};
use wire::{Now, Timestamp};

use crate::view::{SessionId, SessionView};

/// What is known of a session from its INVITE on, wherever the function stands in it.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// Names the session in the journal and its record.
    pub(crate) key: u64,
    pub(crate) served: ServedUser,
    pub(crate) peer: String,
    pub(crate) conversation_id: String,
    pub(crate) contribution_id: String,
    /// When it was set up, if it was.
    pub(crate) started: Option<Timestamp>,
}

/// How a session ended.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) closing: Closing,
    pub(crate) cause: Option<String>,
    /// What the last BYE was answered.
    pub(crate) bye: Option<u16>,
    /// What the served user sent, then what it received.
    pub(crate) traffic: [Traffic; 2],
}

impl From<Closing> for End {
    fn from(closing: Closing) -> End {
        End { closing, cause: None, bye: None, traffic: [Traffic::default(); 2] }
    }
}

impl Facts {
    pub(crate) fn new(key: u64, served: ServedUser, invite: &Request) -> Facts {
        let text = |name| String::from_utf8_lossy(invite.header(name).unwrap_or_default()).into_owned();
        let peer = match served.case {
            SessionCase::Originating => invite.to(),
            SessionCase::Terminating => invite.from(),
        };
        Facts {
            key,
            peer: cpm::aor(&peer.uri()),
            served,
            conversation_id: text(Name::ConversationId),
            contribution_id: text(Name::ContributionId),
            started: None,
        }
    }

    /// The session as an operator sees it.
    pub(crate) fn view(&self, id: SessionId, media_path: MediaPath) -> SessionView {
        SessionView {
            id,
            served_user: self.served.aor.clone(),
            case: self.served.case,
            peer: self.peer.clone(),
            conversation_id: self.conversation_id.clone(),
            contribution_id: self.contribution_id.clone(),
            media_path,
            started: self.started,
        }
    }

    /// The record of the session, if there was one.
    pub(crate) fn record(&self, media_path: MediaPath, end: End, now: Now) -> Option<SessionRecord> {
        let started = self.started?;
        Some(SessionRecord {
            key: self.key,
            served_user: self.served.aor.clone(),
            case: self.served.case,
            peer: self.peer.clone(),
            conversation_id: self.conversation_id.clone(),
            contribution_id: self.contribution_id.clone(),
            media_path,
            started,
            // The wall clock may have been stepped back meanwhile.
            ended: now.utc.max(started),
            closing: end.closing,
            cause: end.cause,
            bye: end.bye,
            sent: end.traffic[0],
            received: end.traffic[1],
        })
    }
}
