use serde::{Deserialize, Serialize};
use wire::Timestamp;

use crate::{MediaPath, Release, SessionCase};

/// What is written about a session when it has ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Drawn when the session was set up. Whoever takes records twice with one key has been handed one record twice, by a
    /// node that died before it heard that the record had been taken.
    pub key: u64,
    /// The served user's address-of-record.
    pub served_user: String,
    /// The session case.
    pub case: SessionCase,
    /// The other party, as the INVITE named it.
    pub peer: String,
    /// Conversation-ID.
    pub conversation_id: String,
    /// Contribution-ID.
    pub contribution_id: String,
    /// Where the participating function stood.
    pub media_path: MediaPath,
    /// When the session was set up.
    #[serde(with = "micros")]
    pub started: Timestamp,
    /// When it was over.
    #[serde(with = "micros")]
    pub ended: Timestamp,
    /// How it was closed.
    pub closing: Closing,
    /// The Reason of the BYE that closed it (RFC 3326), if it gave one.
    pub cause: Option<String>,
    /// The final status of the last BYE to the side that did not close: 200; 481 from one that had left already; 408 or 503
    /// when it could not be reached; anything else when it refused. `None` when it was sent none.
    #[serde(default)]
    pub bye: Option<u16>,
    /// Messages of the served user that the next hop took. None are seen off the media path.
    pub sent: Traffic,
    /// Messages for the served user that the next hop took. None are seen off the media path.
    pub received: Traffic,
}

impl SessionRecord {
    /// A minute between Alice and Bob, for the tests of whoever takes records.
    pub fn example(key: u64) -> SessionRecord {
        SessionRecord {
            key,
            served_user: "sip:alice@home1.test".to_owned(),
            case: SessionCase::Originating,
            peer: "sip:bob@home2.test".to_owned(),
            conversation_id: "c1".to_owned(),
            contribution_id: "d2".to_owned(),
            media_path: MediaPath::On,
            started: Timestamp::from_micros(1_000_000),
            ended: Timestamp::from_micros(61_500_000),
            closing: Closing::Peer,
            cause: Some("SIP;cause=200;text=\"Bye\"".to_owned()),
            bye: Some(200),
            sent: Traffic { messages: 2, octets: 40 },
            received: Traffic::default(),
        }
    }
}

/// Messages of one direction of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// Whole messages.
    pub messages: u64,
    /// Octets of messages, those of messages that were broken off among them.
    pub octets: u64,
}

/// Who ended a session, or why it ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Closing {
    /// The served user.
    ServedUser,
    /// The other party.
    Peer,
    /// A leg was lost: no ACK, no answer, no dialog.
    Lost,
    /// The session timer ran out, or nobody was heard of for too long.
    Expired,
    /// The participating function itself.
    Released(Release),
}

impl Closing {
    /// Its word in records and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Closing::ServedUser => "served-user",
            Closing::Peer => "peer",
            Closing::Lost => "lost",
            Closing::Expired => "expired",
            Closing::Released(_) => "network",
        }
    }
}

/// A point in time as a number, in the participating function's journal.
mod micros {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use wire::Timestamp;

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(at.as_micros())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        u64::deserialize(deserializer).map(Timestamp::from_micros)
    }
}
