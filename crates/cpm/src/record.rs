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
    /// Ended without a BYE that we saw.
    Expired,
    /// The participating function itself.
    Released(Release),
}
