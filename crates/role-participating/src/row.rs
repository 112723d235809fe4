//! What a session looks like in the journal. JSON, so that an operator can read it and another version of us as well: what
//! one does not know is passed over, what is not there has a default.

use cpm::{Closing, ServedUser, SessionCase, SessionRecord, Traffic};
use serde::{Deserialize, Serialize};
use sip_ua::Snapshot;
use wire::Timestamp;

use crate::bridge::Leg;
use crate::facts::Facts;

/// The value of a session's key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "row", rename_all = "kebab-case")]
pub(crate) enum Row {
    /// On the media path.
    Bridge {
        session: About,
        /// Towards the caller, then towards the callee.
        legs: Box<[Snapshot; 2]>,
        /// A leg has closed: the other one is to be closed, whatever happens.
        #[serde(default)]
        intent: Option<Intent>,
    },
    /// Off the media path.
    Relay {
        session: About,
        caller_tag: String,
        /// Tags of the callee's dialogs.
        dialogs: Vec<String>,
    },
    /// Over, but the record may not have been taken.
    Over { record: SessionRecord },
}

/// Which session it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct About {
    served_user: String,
    case: SessionCase,
    peer: String,
    conversation_id: String,
    contribution_id: String,
    /// Microseconds since 1970.
    started: u64,
}

/// How a session on the media path is being closed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Intent {
    /// The leg that has closed already; without one both are to be closed.
    pub(crate) from: Option<Leg>,
    pub(crate) closing: Closing,
    /// The Reason of the BYE.
    #[serde(default)]
    pub(crate) cause: Option<String>,
    /// What has passed so far, by the leg that it came from.
    #[serde(default)]
    pub(crate) traffic: [Traffic; 2],
}

impl About {
    pub(crate) fn of(facts: &Facts, started: Timestamp) -> About {
        About {
            served_user: facts.served.aor.clone(),
            case: facts.served.case,
            peer: facts.peer.clone(),
            conversation_id: facts.conversation_id.clone(),
            contribution_id: facts.contribution_id.clone(),
            started: started.as_micros(),
        }
    }

    pub(crate) fn into_facts(self, key: u64) -> Facts {
        Facts {
            key,
            served: ServedUser { aor: self.served_user, case: self.case },
            peer: self.peer,
            conversation_id: self.conversation_id,
            contribution_id: self.contribution_id,
            started: Some(Timestamp::from_micros(self.started)),
        }
    }
}
