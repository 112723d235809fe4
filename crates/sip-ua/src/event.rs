use sip::{Request, Response};
use sip_tx::{ClientId, Failure, Incoming, Owner, ServerId};
use wire::Key;

/// Names a session of a user agent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionKey(pub(crate) Key);

impl SessionKey {
    /// The session that owns a transaction, if one does.
    pub const fn of(owner: Owner) -> Option<SessionKey> {
        match owner {
            Owner::Session(key) => Some(SessionKey(key)),
            Owner::Proxy(_) | Owner::Role(_) => None,
        }
    }
}

/// What happened in a session.
#[derive(Debug)]
pub enum UaEvent {
    /// UAC: a provisional response other than 100.
    Progress {
        /// The response.
        response: Box<Response>,
    },
    /// UAC: the first 2xx. The ACK is out, unless the 2xx made the offer: then [`crate::UserAgent::ack`] is due.
    Answered {
        /// The response, with the answer or the offer.
        response: Box<Response>,
        /// Whether we owe an answer in the ACK (RFC 3261 §13.2.1: the INVITE had no offer).
        owes_answer: bool,
    },
    /// UAC: a 2xx of another fork (RFC 3261 §13.2.2.4). It is acknowledged and closed by BYE: the session is the first's.
    Forked {
        /// The response.
        response: Box<Response>,
    },
    /// UAC: there will be no session. [`UaEvent::Ended`] follows.
    Rejected {
        /// The status; 408 or 503 when there is no response (RFC 3261 §8.1.3.1).
        status: u16,
        /// The response, if one came.
        response: Option<Box<Response>>,
    },
    /// UAS: the ACK of our 2xx came, for the INVITE or a re-INVITE.
    Acked {
        /// The ACK, with the answer if the 2xx made the offer.
        request: Box<Request>,
    },
    /// UAS: the caller cancelled; the INVITE is answered 487. [`UaEvent::Ended`] follows.
    Cancelled {
        /// The CANCEL, for its Reason.
        cancel: Box<Request>,
    },
    /// The peer's BYE came; it is answered.
    Bye {
        /// The BYE, for its Reason.
        request: Box<Request>,
        /// Whether it crossed ours: then there is nothing to do but wait for [`UaEvent::ByeDone`].
        crossed: bool,
    },
    /// The user agent closes the session without being asked: nobody refreshed it, no ACK came, or the dialog is lost. BYE is
    /// out; [`UaEvent::Ended`] follows.
    Closing {
        /// Why.
        cause: Cause,
    },
    /// Our BYE came to its end. The session is over whatever the outcome (RFC 3261 §15.1.1).
    ByeDone {
        /// How.
        outcome: ByeOutcome,
    },
    /// The peer wants to change the session: answer with [`crate::UserAgent::answer`].
    Reinvite {
        /// The request and its transaction.
        incoming: Box<Incoming>,
    },
    /// The peer wants to change or refresh the session: answer with [`crate::UserAgent::answer`].
    Update {
        /// The request and its transaction.
        incoming: Box<Incoming>,
    },
    /// Another request in the session (MESSAGE, INFO, REFER, …): answer with [`crate::UserAgent::answer`].
    Request {
        /// The request and its transaction.
        incoming: Box<Incoming>,
    },
    /// A request that waited for [`crate::UserAgent::answer`] has been answered 487: it was cancelled, or the session is
    /// closing.
    Withdrawn {
        /// Its transaction.
        tx: ServerId,
    },
    /// The final answer to our re-INVITE or UPDATE. A 2xx to a re-INVITE is acknowledged, unless it made an offer.
    Modified {
        /// The response.
        response: Box<Response>,
        /// Whether we owe an answer in the ACK.
        owes_answer: bool,
    },
    /// Our re-INVITE or UPDATE got no answer. A session that can no longer be reached ends.
    NotModified {
        /// Why.
        why: Failure,
    },
    /// The final answer to another request of ours in the session.
    Response {
        /// Which request.
        tx: ClientId,
        /// The response.
        response: Box<Response>,
    },
    /// Another request of ours in the session got no answer.
    Failed {
        /// Which request.
        tx: ClientId,
        /// Why.
        why: Failure,
    },
    /// The session is over: exactly once for each. It answers stragglers until [`UaEvent::Gone`].
    Ended {
        /// Why.
        cause: Cause,
    },
    /// Nothing is left of the session; its key finds nothing any more.
    Gone,
}

/// Why a session is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// We sent BYE.
    LocalBye,
    /// The peer sent BYE.
    RemoteBye,
    /// We cancelled, or closed before there was an answer.
    LocalCancel,
    /// The caller cancelled.
    RemoteCancel,
    /// The callee refused, or could not be reached (408, 503).
    Rejected(u16),
    /// We refused.
    Refused(u16),
    /// No ACK came for our 2xx (RFC 3261 §13.3.1.4).
    NoAck,
    /// A request of ours in the dialog was answered 481 or 408, or not at all (RFC 3261 §12.2.1.2).
    Lost,
    /// Nobody refreshed the session in time (RFC 4028 §10); we sent BYE.
    Expired,
}

/// How a BYE ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ByeOutcome {
    /// With this final status.
    Answered(u16),
    /// Without one.
    Failed(Failure),
}

impl ByeOutcome {
    /// Whether the peer is known to have left: 2xx, or 481 from one that had left already.
    pub const fn is_normal(self) -> bool {
        matches!(self, ByeOutcome::Answered(200..300 | 481))
    }
}
