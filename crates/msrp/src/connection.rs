use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use wire::{Instant, PeerCertificate};

use crate::decode::Decoder;
use crate::head::{Head, Name};
use crate::print::TransactionId;
use crate::{FailureReport, HeadLimits, IncomingId, MessageId, OutgoingId, SessionId};

/// A chunk of ours whose end-line is written and whose answer has not come.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) id: TransactionId,
    pub(crate) what: Sent,
    /// Octets of the body, which count against the window.
    pub(crate) octets: usize,
    /// How much had been handed to the host with its end-line.
    pub(crate) mark: u64,
    /// When it is given up; `None` until the host has written it.
    pub(crate) deadline: Option<Instant>,
}

/// What a transaction carried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Sent {
    /// A chunk that must be answered.
    Chunk(OutgoingId),
    /// A chunk that is answered only with an error; the message may be forgotten by then.
    Quiet(SessionId, MessageId),
    /// The bodiless SEND that names a session on a new connection.
    Bind(SessionId),
    /// The bodiless SEND that keeps a connection open.
    KeepAlive,
    /// AUTH, to a relay.
    Auth,
}

/// The chunk that is being written and can be interrupted.
#[derive(Debug)]
pub(crate) struct OpenChunk {
    pub(crate) outgoing: OutgoingId,
    pub(crate) id: TransactionId,
    pub(crate) octets: usize,
    /// The last octets of it, in which the end-line might begin.
    pub(crate) tail: Vec<u8>,
}

/// The chunk that is being read.
#[derive(Debug)]
pub(crate) struct ReadChunk {
    pub(crate) target: Target,
    /// The request, as long as it is not answered.
    pub(crate) request: Option<Box<Head>>,
    pub(crate) failure_report: FailureReport,
    /// The place of the next octet.
    pub(crate) next: u64,
    /// The announced last octet.
    pub(crate) end: Option<u64>,
    /// Octets that came after those that contradicted what was announced.
    pub(crate) astray: Option<usize>,
}

/// Where the octets of a chunk go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// Nowhere: a duplicate, a refused one, or a response.
    Nowhere,
    /// A SEND without body, to be reported on if asked.
    Empty(SessionId, Option<MessageId>),
    /// A message.
    Message(IncomingId),
}

/// The paths of the last request and where they led, so that those of the next one are only compared.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) to: Bytes,
    pub(crate) from: Bytes,
    pub(crate) session: SessionId,
}

impl Route {
    /// Whether a request has these paths.
    pub(crate) fn is_of(&self, head: &Head) -> bool {
        head.raw(Name::ToPath) == Some(&self.to[..]) && head.raw(Name::FromPath) == Some(&self.from[..])
    }
}

/// One connection: the stream that comes in, what goes out on it, and the sessions that it serves.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) is_up: bool,
    pub(crate) is_tls: bool,
    /// Where it came from, if it was accepted.
    pub(crate) source: Option<IpAddr>,
    /// What TLS has found out about the peer.
    pub(crate) peer: Option<Arc<PeerCertificate>>,
    /// It leads to a relay, and stays without a session, too.
    pub(crate) is_to_relay: bool,
    pub(crate) sessions: Vec<SessionId>,
    pub(crate) route: Option<Route>,
    pub(crate) strikes: usize,

    pub(crate) decoder: Decoder,
    pub(crate) inbox: VecDeque<Bytes>,
    pub(crate) inbox_octets: usize,
    pub(crate) chunk: Option<ReadChunk>,
    /// Whether the host was told to stop reading.
    pub(crate) told_to_stop: bool,

    /// Messages with something to write, the next one first.
    pub(crate) ready: VecDeque<OutgoingId>,
    pub(crate) open: Option<OpenChunk>,
    pub(crate) transactions: VecDeque<Transaction>,
    pub(crate) in_flight: usize,
    /// Messages that failed for want of an answer since the last answer came.
    pub(crate) silences: usize,
    /// Octets handed to the host so far, and those of them that it has not written.
    pub(crate) handed: u64,
    pub(crate) unsent: usize,

    pub(crate) bind_by: Option<Instant>,
    pub(crate) head_by: Option<Instant>,
    pub(crate) keep_alive_at: Option<Instant>,
    /// The earliest timer that is armed for this connection.
    pub(crate) armed: Option<Instant>,
}

impl Connection {
    pub(crate) fn new(limits: HeadLimits, is_up: bool, is_tls: bool) -> Connection {
        Connection {
            is_up,
            is_tls,
            source: None,
            peer: None,
            is_to_relay: false,
            sessions: Vec::new(),
            route: None,
            strikes: 0,
            decoder: Decoder::new(limits),
            inbox: VecDeque::new(),
            inbox_octets: 0,
            chunk: None,
            told_to_stop: false,
            ready: VecDeque::new(),
            open: None,
            transactions: VecDeque::new(),
            in_flight: 0,
            silences: 0,
            handed: 0,
            unsent: 0,
            bind_by: None,
            head_by: None,
            keep_alive_at: None,
            armed: None,
        }
    }

    /// Whether it is read, has nothing to read or to write, and stands between two chunks of ours.
    pub(crate) fn is_at_rest(&self) -> bool {
        !self.told_to_stop && self.inbox.is_empty() && self.ready.is_empty() && self.open.is_none()
    }

    /// When something is due on it.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let transaction = self.transactions.front().and_then(|transaction| transaction.deadline);
        let earlier = |a: Option<Instant>, b: Option<Instant>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        earlier(earlier(self.bind_by, self.head_by), earlier(self.keep_alive_at, transaction))
    }

    /// Takes the transaction with this identifier.
    pub(crate) fn take_transaction(&mut self, id: &[u8]) -> Option<Transaction> {
        let at = self.transactions.iter().position(|transaction| transaction.id.as_bytes() == id)?;
        self.forget(at)
    }

    /// Takes the oldest transaction, if it is due.
    pub(crate) fn take_due_transaction(&mut self, now: Instant) -> Option<Transaction> {
        let is_due = self.transactions.front()?.deadline.is_some_and(|deadline| deadline <= now);
        if is_due { self.forget(0) } else { None }
    }

    fn forget(&mut self, at: usize) -> Option<Transaction> {
        let transaction = self.transactions.remove(at)?;
        self.in_flight -= transaction.octets;
        Some(transaction)
    }
}
