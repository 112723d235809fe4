use sip::{Request, Response};
use sip_transport::Flow;
use wire::Key;

/// Names a server transaction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServerId(pub(crate) Key);

/// Names a client transaction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientId(pub(crate) Key);

/// Which part of a role a transaction belongs to, and what it is called there. The stack keeps it and hands it back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Owner {
    /// A response context of the proxy.
    Proxy(Key),
    /// A session of the user agent.
    Session(Key),
    /// A request of the role's own, by a number that it chose.
    Role(u64),
}

/// A new request, for which a server transaction now waits.
#[derive(Debug)]
pub struct Incoming {
    /// The transaction to answer.
    pub tx: ServerId,
    /// The request.
    pub request: Request,
    /// The way it came.
    pub flow: Flow,
}

/// Why a client transaction ended without a final response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// Nobody answered in time (Timer B or F), or a cancelled INVITE got no final response.
    Timeout,
    /// The message could not be delivered.
    Transport,
}

/// What the transaction layer reports to the role.
#[derive(Debug)]
pub enum Event {
    /// A request that is not a retransmission, not an ACK and not a CANCEL. Must be answered.
    Request(Box<Incoming>),
    /// An ACK that belongs to no INVITE server transaction in Completed: the ACK of a 2xx.
    Ack {
        /// The ACK.
        request: Box<Request>,
        /// The way it came.
        flow: Flow,
    },
    /// A CANCEL came for an INVITE that has no final response. The CANCEL itself has been answered.
    Cancelled {
        /// The INVITE's transaction.
        tx: ServerId,
        /// Its owner, if it was given one.
        owner: Option<Owner>,
        /// The CANCEL, for its Reason.
        cancel: Box<Request>,
    },
    /// A response to one of our requests: provisional, final, or a further 2xx to an INVITE.
    Response {
        /// The transaction.
        tx: ClientId,
        /// Its owner.
        owner: Owner,
        /// The response.
        response: Box<Response>,
    },
    /// A client transaction ended without a final response.
    Failed {
        /// The transaction, gone by now.
        tx: ClientId,
        /// Its owner.
        owner: Owner,
        /// Why.
        why: Failure,
    },
    /// No ACK came for a final response other than 2xx (Timer H).
    Unacknowledged {
        /// The transaction, gone by now.
        tx: ServerId,
        /// Its owner, if it was given one.
        owner: Option<Owner>,
    },
}
