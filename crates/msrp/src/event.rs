use bytes::Bytes;
use thiserror::Error;

use crate::{ByteRange, FailureReport, IncomingId, MessageId, OutgoingId, SessionId, Status};

/// What is known of a message before its octets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outline {
    /// Its identifier; drawn when it is `None`.
    pub message_id: Option<MessageId>,
    /// The MIME header fields, each with its CRLF; `Content-Type` is among them, at the end.
    pub mime: Bytes,
    /// Its size, if it is known.
    pub total: Option<u64>,
    /// Whether the receiver shall report success.
    pub success_report: bool,
    /// When failures shall be told.
    pub failure_report: FailureReport,
}

impl Outline {
    /// A message of a media type, of unknown size, with answers but without reports.
    pub fn new(media_type: &str) -> Outline {
        Outline {
            message_id: None,
            mime: format!("Content-Type: {media_type}\r\n").into(),
            total: None,
            success_report: false,
            failure_report: FailureReport::Yes,
        }
    }

    /// The same message with a success report asked for.
    #[must_use]
    pub fn with_success_report(self) -> Outline {
        Outline { success_report: true, ..self }
    }

    /// The value of `Content-Type`.
    pub fn content_type(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.mime).ok()?;
        let mut fields = text.rsplit('\n').filter_map(|line| line.split_once(':'));
        fields.find(|(name, _)| name.eq_ignore_ascii_case("Content-Type")).map(|(_, value)| value.trim())
    }
}

/// Why an outgoing message was not, or may not have been, taken by the next hop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// A chunk was answered with this error.
    Refused(Status),
    /// A chunk was not answered in time. It may have arrived.
    Timeout,
    /// It was not written as a whole, so nobody has it. It may be sent again.
    Unsent,
    /// It was written as a whole but not answered when the connection or the session ended: nobody here knows. To send it
    /// again, use the identifier by which the receiver drops duplicates.
    Unknown,
}

/// Why an incoming message ends incomplete. What came of it is to be forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Incomplete {
    /// Its sender gave it up.
    Aborted,
    /// We refused it with this status.
    Refused(Status),
    /// Nothing more of it came.
    Timeout,
    /// The session ended.
    Closed,
}

/// What an endpoint reports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The session has its connection: ours came up, or the peer's first SEND named the session.
    Bound {
        /// The session.
        session: SessionId,
    },
    /// The connection of the session is gone or could not be opened; outgoing messages that were begun have failed, others
    /// wait for the next connection. The peer may connect again, and so may we: see [`Link`](crate::Link).
    Disconnected {
        /// The session.
        session: SessionId,
        /// The status by which the peer refused to bind, 481 or 506.
        refused: Option<Status>,
    },
    /// The first chunk of a message begins.
    Started {
        /// The session.
        session: SessionId,
        /// The message.
        incoming: IncomingId,
        /// What is known of it. It has an identifier.
        outline: Box<Outline>,
    },
    /// Octets of an incoming message: every octet once, in order.
    Piece {
        /// The session.
        session: SessionId,
        /// The message.
        incoming: IncomingId,
        /// The place of the first octet, counted from 1 as in `Byte-Range`.
        at: u64,
        /// The octets, a slice of what was read.
        data: Bytes,
        /// There are no seven hyphens in a row in them, so that they hold no end-line, whatever its identifier. False when
        /// that is not known.
        plain: bool,
    },
    /// All octets have come. With [`Confirm::ByCaller`](crate::Confirm::ByCaller) it must be accepted or refused.
    Complete {
        /// The session.
        session: SessionId,
        /// The message.
        incoming: IncomingId,
        /// Its size.
        total: u64,
    },
    /// The rest will not come.
    Incomplete {
        /// The session.
        session: SessionId,
        /// The message.
        incoming: IncomingId,
        /// Why.
        why: Incomplete,
    },
    /// An outgoing message that is written bit by bit has room again.
    WantsMore {
        /// The session.
        session: SessionId,
        /// The message.
        outgoing: OutgoingId,
    },
    /// The next hop has taken an outgoing message as a whole.
    Sent {
        /// The session.
        session: SessionId,
        /// The message.
        outgoing: OutgoingId,
        /// Its identifier.
        message_id: MessageId,
        /// False when answers were not asked for: then it is only written.
        confirmed: bool,
    },
    /// An outgoing message failed.
    Failed {
        /// The session.
        session: SessionId,
        /// The message.
        outgoing: OutgoingId,
        /// Its identifier.
        message_id: MessageId,
        /// Why.
        why: Failure,
    },
    /// A report on a message that we sent in this session, or a late error where only errors are answered.
    Report {
        /// The session.
        session: SessionId,
        /// The message.
        message_id: MessageId,
        /// The octets that it is about.
        range: ByteRange,
        /// What became of them.
        status: Status,
    },
    /// The session has nothing under way any more, or its time for that is over: it may be removed.
    Drained {
        /// The session.
        session: SessionId,
    },
}

impl Event {
    /// The incoming message that it is about, if it is about one.
    pub const fn incoming(&self) -> Option<IncomingId> {
        match self {
            Event::Started { incoming, .. }
            | Event::Piece { incoming, .. }
            | Event::Complete { incoming, .. }
            | Event::Incomplete { incoming, .. } => Some(*incoming),
            Event::Bound { .. }
            | Event::Disconnected { .. }
            | Event::WantsMore { .. }
            | Event::Sent { .. }
            | Event::Failed { .. }
            | Event::Report { .. }
            | Event::Drained { .. } => None,
        }
    }

    /// The session that it is about.
    pub const fn session(&self) -> SessionId {
        match self {
            Event::Bound { session }
            | Event::Disconnected { session, .. }
            | Event::Started { session, .. }
            | Event::Piece { session, .. }
            | Event::Complete { session, .. }
            | Event::Incomplete { session, .. }
            | Event::WantsMore { session, .. }
            | Event::Sent { session, .. }
            | Event::Failed { session, .. }
            | Event::Report { session, .. }
            | Event::Drained { session } => *session,
        }
    }
}

/// Why a message is not taken for sending.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum SendError {
    /// There is no such session, or it is closing.
    #[error("the session is closed or closing")]
    Closed,
    /// The peer's path is not known yet.
    #[error("the peer's path is not known")]
    NoPath,
    /// The MIME header fields are no header fields.
    #[error("the MIME header fields break the grammar")]
    Mime,
    /// A message with this identifier is under way.
    #[error("the message identifier is in use")]
    Duplicate,
}
