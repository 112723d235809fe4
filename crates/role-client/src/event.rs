use bytes::Bytes;

/// A session of a client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionId(pub(crate) sip_ua::SessionKey);

/// Who ended a session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ClosedBy {
    /// Our user.
    Us,
    /// The other one.
    Peer,
    /// Both at once: the BYEs crossed.
    Both,
    /// Nobody: the network failed.
    Nobody,
}

/// What a client tells its user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The registration stands.
    Registered {
        /// For how many seconds.
        expires: u32,
    },
    /// The registration was refused or nobody answered.
    RegistrationFailed {
        /// The status of the answer; 408 when there was none.
        status: u16,
    },
    /// The client has de-registered.
    Unregistered,
    /// The MSRP relay has granted a path: sessions go through it.
    RelayUp,
    /// The MSRP relay has refused us, or is away.
    RelayFailed {
        /// The MSRP status of the refusal, after which the relay is not asked again; 408 when it was not reached or its
        /// connection was lost, after which it is.
        status: u16,
    },
    /// Somebody wants a session: accept or decline it, unless the client answers by itself.
    Incoming {
        /// The session.
        session: SessionId,
        /// The identity that the network asserts, else From.
        from: String,
        /// Conversation-ID.
        conversation_id: String,
    },
    /// The other side is being alerted.
    Ringing {
        /// The session.
        session: SessionId,
    },
    /// The session is up: 200 and ACK have been exchanged as far as this side can know.
    Established {
        /// The session.
        session: SessionId,
    },
    /// The session was not set up.
    Failed {
        /// The session.
        session: SessionId,
        /// The status of the refusal; 487 when cancelled, 408 when nobody answered.
        status: u16,
    },
    /// A session that was up is over: our BYE has been answered or the other side's has, once.
    Closed {
        /// The session.
        session: SessionId,
        /// By whom.
        by: ClosedBy,
    },
    /// The MSRP connection of a session is up: messages flow.
    MediaUp {
        /// The session.
        session: SessionId,
    },
    /// A message came, whole, and for the first time.
    Message {
        /// The session.
        session: SessionId,
        /// Its imdn.Message-ID; if it has none, the Message-ID of MSRP.
        message_id: String,
        /// The media type of the content, with parameters.
        content_type: String,
        /// The content, out of its envelope.
        content: Bytes,
        /// Who sent it: the peer of the session, as SIP says.
        from: String,
    },
    /// The next hop has taken a message of ours as a whole.
    Sent {
        /// The session.
        session: SessionId,
        /// Its imdn.Message-ID.
        message_id: String,
    },
    /// The receipt came: a message of ours reached the peer.
    Delivered {
        /// The session.
        session: SessionId,
        /// Its imdn.Message-ID.
        message_id: String,
    },
    /// The receipt came: a message of ours was shown.
    Displayed {
        /// The session.
        session: SessionId,
        /// Its imdn.Message-ID.
        message_id: String,
    },
    /// A message of ours was not, or may not have been, taken. It may be sent again with the same identifier.
    NotSent {
        /// The session.
        session: SessionId,
        /// Its imdn.Message-ID.
        message_id: String,
        /// Whether it may have arrived all the same.
        unknown: bool,
    },
    /// A receipt of ours for a message of a session that is over did not reach the peer, who may be offline. It is not sent
    /// again: who sent the message does not learn what became of it.
    ReceiptLost {
        /// The session in which the message came.
        session: SessionId,
        /// The imdn.Message-ID of the message.
        message_id: String,
        /// The status of the answer to the SIP MESSAGE; 408 or 503 when there was none.
        status: u16,
    },
    /// The peer began or stopped typing.
    Composing {
        /// The session.
        session: SessionId,
        /// Whether it is typing.
        active: bool,
    },
}

impl Event {
    /// The session that it is about, if it is about one.
    pub const fn session(&self) -> Option<SessionId> {
        match self {
            Event::Registered { .. }
            | Event::RegistrationFailed { .. }
            | Event::Unregistered
            | Event::RelayUp
            | Event::RelayFailed { .. } => None,
            Event::Incoming { session, .. }
            | Event::Ringing { session }
            | Event::Established { session }
            | Event::Failed { session, .. }
            | Event::Closed { session, .. }
            | Event::MediaUp { session }
            | Event::Message { session, .. }
            | Event::Sent { session, .. }
            | Event::Delivered { session, .. }
            | Event::Displayed { session, .. }
            | Event::NotSent { session, .. }
            | Event::ReceiptLost { session, .. }
            | Event::Composing { session, .. } => Some(*session),
        }
    }
}
