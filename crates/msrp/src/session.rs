use std::collections::BTreeMap;

use bytes::Bytes;
use hashbrown::HashSet;
use wire::{ConnId, Instant, Verify};

use crate::history::History;
use crate::path;
use crate::{IncomingId, MessageId, OutgoingId, SessionOptions, Status};

/// What became of an incoming message that ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// It was taken: chunks of it that come again are answered 200 and dropped.
    Taken,
    /// It was refused: so are further chunks.
    Refused(Status),
}

/// Counters of a session since its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Complete messages that came.
    pub received: u64,
    /// Octets of all messages that came.
    pub octets_received: u64,
    /// Messages that the next hop took.
    pub sent: u64,
    /// Octets of all messages that were written.
    pub octets_sent: u64,
}

/// One MSRP session: two paths and what is under way between them.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) options: SessionOptions,
    /// The two paths as requests carry them.
    pub(crate) paths: Bytes,
    /// Who must be on its connection, over TLS.
    pub(crate) wanted: Option<Verify>,
    pub(crate) conn: Option<ConnId>,
    pub(crate) is_bound: bool,
    /// It has a new URI, and its peer's is to come.
    pub(crate) is_renewed: bool,
    pub(crate) is_paused: bool,
    pub(crate) incoming: BTreeMap<MessageId, IncomingId>,
    pub(crate) outgoing: Vec<OutgoingId>,
    /// The identifiers of these; only looked up, never walked.
    pub(crate) sending: HashSet<MessageId, foldhash::fast::RandomState>,
    pub(crate) ended: History<Outcome>,
    /// Messages that were sent and that reports may come on.
    pub(crate) reportable: History<()>,
    pub(crate) drain_by: Option<Instant>,
    pub(crate) is_drained: bool,
    pub(crate) armed: Option<Instant>,
    pub(crate) stats: Stats,
}

impl Session {
    pub(crate) fn new(options: SessionOptions, history: usize) -> Session {
        let mut session = Session {
            paths: Bytes::new(),
            options,
            wanted: None,
            conn: None,
            is_bound: false,
            is_renewed: false,
            is_paused: false,
            incoming: BTreeMap::new(),
            outgoing: Vec::new(),
            sending: HashSet::default(),
            ended: History::new(history),
            reportable: History::new(history),
            drain_by: None,
            is_drained: false,
            armed: None,
            stats: Stats::default(),
        };
        if !session.options.remote.is_empty() {
            session.print_paths();
        }
        session
    }

    pub(crate) fn print_paths(&mut self) {
        let to = path::print(self.options.relays.iter().chain(&self.options.remote));
        self.paths = ["To-Path: ", &to, "\r\nFrom-Path: ", self.options.local.as_str(), "\r\n"].concat().into();
    }

    /// Whether a request with this From-Path comes from the peer. Only session-ids are compared: what stands between may
    /// have changed hosts and ports in the descriptions (RFC 6714 §4).
    pub(crate) fn is_peer(&self, from: &str) -> bool {
        let Some(ours) = self.options.remote.last() else { return true };
        sdp::MsrpUri::parse(path::last(from)).is_ok_and(|theirs| theirs.session_id() == ours.session_id())
    }

    /// A message is no longer going out. Most end in the order in which they began.
    pub(crate) fn forget_outgoing(&mut self, outgoing: OutgoingId, id: &MessageId) {
        if let Some(at) = self.outgoing.iter().position(|other| *other == outgoing) {
            self.outgoing.remove(at);
        }
        self.sending.remove(id);
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.incoming.is_empty() && self.outgoing.is_empty()
    }

    pub(crate) const fn is_draining(&self) -> bool {
        self.drain_by.is_some() || self.is_drained
    }
}
