use std::time::Duration;

use sdp::{MediaTypes, MsrpUri};

use crate::HeadLimits;

/// How an endpoint behaves, and the bounds on what it keeps.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bounds on heads.
    pub heads: HeadLimits,
    /// How long an accepted connection may stay without a session.
    pub bind_timeout: Duration,
    /// How long a peer may take over one head.
    pub head_timeout: Duration,
    /// How long a sender waits for the answer to a chunk: 30 s (RFC 4975 §7.1.1).
    pub transaction_timeout: Duration,
    /// How long a message may stay incomplete without a further octet.
    pub message_timeout: Duration,
    /// After how much silence of ours a bodiless SEND keeps a connection open. Off by default.
    pub keep_alive: Option<Duration>,
    /// Octets handed to the host and not yet written, above which messages wait; answers never do. Far below what a host
    /// lets gather before it gives a connection up. `None` is for a host that does not report
    /// [`Input::Written`](wire::Input::Written): then only the window bounds what is handed to it.
    pub write_budget: Option<usize>,
    /// Octets handed to the host and not yet written, answers included, above which the connection is not read any more.
    /// Counts only with a write budget. Keep it far above what a peer may ask for in one breath: two sides that both stop
    /// reading because they cannot write would wait for each other.
    pub backlog: usize,
    /// Octets in chunks without an answer on one connection, above which messages wait.
    pub window: usize,
    /// Octets of one outgoing message that wait, above which its source is asked to stop.
    pub queue: usize,
    /// Octets of one incoming message that are kept because octets before them are missing.
    pub reorder: usize,
    /// Octets kept unread on one connection while it is paused, for a host that was asked not to read and goes on for a
    /// while; more ends the connection.
    pub inbox: usize,
    /// Messages coming in at a time in one session, those included that the caller has not confirmed yet; a further one is
    /// answered 413.
    pub messages: usize,
    /// Ended messages remembered in each session and direction, to know duplicates and what reports are about.
    pub history: usize,
    /// Connections without a session; a further one is closed at once.
    pub unbound: usize,
    /// Errors answered to a connection without a session before it is closed.
    pub strikes: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            heads: HeadLimits::default(),
            bind_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(30),
            transaction_timeout: Duration::from_secs(30),
            message_timeout: Duration::from_secs(60),
            keep_alive: None,
            write_budget: Some(256 * 1024),
            backlog: 1024 * 1024,
            window: 512 * 1024,
            queue: 64 * 1024,
            reorder: 64 * 1024,
            inbox: 1024 * 1024,
            messages: 32,
            history: 256,
            unbound: 1024,
            strikes: 16,
        }
    }
}

/// Who answers the chunk that completes a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Confirm {
    /// The endpoint: 200 at once, and the success report if one was asked for. For the side that the message is meant for.
    AtOnce,
    /// The caller, by [`Endpoint::accept`](crate::Endpoint::accept) or [`Endpoint::refuse`](crate::Endpoint::refuse), when
    /// it has handed the message on; reports are its own too. For a B2BUA.
    ByCaller,
}

/// What one session is made with.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// Our URI, its session-id from [`Endpoint::draw_session_id`](crate::Endpoint::draw_session_id).
    pub local: MsrpUri,
    /// Where our requests go, the next hop first. Empty as long as the peer's description has not come.
    pub remote: Vec<MsrpUri>,
    /// Relays of ours that they pass before that, the nearest first (RFC 4976 §5.1).
    pub relays: Vec<MsrpUri>,
    /// Media types that we take; others are answered 415. What is inside `message/cpim` is not looked at.
    pub accept: MediaTypes,
    /// Octets of the largest message that we take; more is answered 413.
    pub max_size: u64,
    /// Octets of the largest chunk that we send. Those above 2048 are sent so that they can be interrupted.
    pub chunk: usize,
    /// Who answers complete messages.
    pub confirm: Confirm,
}

impl SessionOptions {
    /// A session that takes anything up to 100 MiB and sends chunks of 2048 octets.
    pub fn new(local: MsrpUri, remote: Vec<MsrpUri>) -> SessionOptions {
        SessionOptions {
            local,
            remote,
            relays: Vec::new(),
            accept: MediaTypes::parse("*"),
            max_size: 100 << 20,
            chunk: 2048,
            confirm: Confirm::AtOnce,
        }
    }
}
