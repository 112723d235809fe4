use wire::Timestamp;

use crate::{MediaPath, Release, SessionCase};

/// What is written about a session when it has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionRecord {
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
    pub started: Timestamp,
    /// When it was over.
    pub ended: Timestamp,
    /// How it was closed.
    pub closing: Closing,
    /// The final status of the last BYE to the side that did not close: 200; 481 from one that had left already; 408 or 503
    /// when it could not be reached; anything else when it refused. `None` when it was sent none.
    pub bye: Option<u16>,
    /// Messages of the served user that the next hop took. None are seen off the media path.
    pub sent: Traffic,
    /// Messages for the served user that the next hop took. None are seen off the media path.
    pub received: Traffic,
}

/// Messages of one direction of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Traffic {
    /// Whole messages.
    pub messages: u64,
    /// Octets of messages, those of messages that were broken off among them.
    pub octets: u64,
}

/// Who ended a session, or why it ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
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
