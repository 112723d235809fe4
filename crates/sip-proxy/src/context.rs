use sip::{Method, Response};
use sip_tx::{ClientId, Incoming, ServerId};
use smallvec::SmallVec;
use wire::{Instant, Key};

use crate::forward::Recipe;
use crate::print::Prepared;
use crate::{Edits, Plan, ProxyEvent};

/// The response context of one forwarded request (RFC 3261 §16.7): from forwarding until nothing more can come.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) key: Key,
    pub(crate) server: ServerId,
    pub(crate) method: Method,
    pub(crate) tag: u64,
    /// The request, until a final response has gone upstream.
    pub(crate) incoming: Option<Box<Incoming>>,
    /// Whether upstream is reached on a stream.
    pub(crate) stream: bool,
    pub(crate) response_edits: Edits,
    pub(crate) forks: SmallVec<[Fork; 1]>,
    /// What is tried when all forks refused.
    pub(crate) later: Option<Box<Later>>,
    pub(crate) cancelled: bool,
    /// The first final status that went upstream.
    pub(crate) status: Option<u16>,
    /// Further 2xx may come until then (RFC 6026 §7.2).
    pub(crate) linger: Option<Instant>,
}

/// The groups that have not been tried, and what is needed to try them.
#[derive(Debug)]
pub(crate) struct Later {
    pub(crate) groups: std::vec::IntoIter<SmallVec<[Prepared; 1]>>,
    pub(crate) recipe: Recipe,
}

/// One downstream try.
#[derive(Debug)]
pub(crate) struct Fork {
    pub(crate) client: Option<ClientId>,
    /// A provisional response has come.
    pub(crate) proceeding: bool,
    /// When Timer C is due (INVITE only).
    pub(crate) timer_c: Instant,
    pub(crate) outcome: Option<Outcome>,
}

/// How a fork ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// With a 2xx, which is upstream.
    Success,
    /// With another final response.
    Response(Box<Response>),
    /// Without one: what the proxy takes it for (RFC 3261 §16.9).
    Failed(u16),
}

impl Context {
    pub(crate) fn new(key: Key, incoming: Box<Incoming>, plan: &mut Plan) -> Context {
        Context {
            key,
            server: incoming.tx,
            method: incoming.request.method(),
            tag: plan.tag,
            stream: incoming.flow.transport.is_reliable(),
            incoming: Some(incoming),
            response_edits: std::mem::take(&mut plan.response_edits),
            forks: SmallVec::new(),
            later: None,
            cancelled: false,
            status: None,
            linger: None,
        }
    }

    pub(crate) fn is_invite(&self) -> bool {
        self.method == Method::Invite
    }

    /// Whether a final response has gone upstream.
    pub(crate) const fn is_answered(&self) -> bool {
        self.status.is_some()
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.forks.iter().all(|fork| fork.outcome.is_some())
    }

    pub(crate) fn fork(&mut self, client: ClientId) -> Option<&mut Fork> {
        self.forks.iter_mut().find(|fork| fork.client == Some(client))
    }

    pub(crate) fn report(&self, status: u16, response: Option<Box<Response>>) -> ProxyEvent {
        ProxyEvent::Response { context: self.key, tag: self.tag, method: self.method, status, response }
    }

    pub(crate) fn check_invariants(&self) {
        assert!(!self.forks.is_empty(), "a context has forks");
        assert!(!self.is_answered() || self.incoming.is_none(), "an answered request is not kept");
        assert!(!self.is_answered() || self.later.is_none(), "after a final response nothing more is tried");
        assert!(!self.is_settled() || self.linger.is_some(), "a settled context is over, or waits for further 2xx");
    }
}

impl Fork {
    pub(crate) const fn started(client: ClientId, timer_c: Instant) -> Fork {
        Fork { client: Some(client), proceeding: false, timer_c, outcome: None }
    }

    /// A fork that could not even be sent.
    pub(crate) const fn failed(status: u16) -> Fork {
        Fork { client: None, proceeding: false, timer_c: Instant::ZERO, outcome: Some(Outcome::Failed(status)) }
    }

    pub(crate) const fn is_pending(&self) -> bool {
        self.outcome.is_none()
    }
}

impl Outcome {
    pub(crate) fn status(&self) -> u16 {
        match self {
            Outcome::Success => 200,
            Outcome::Response(response) => response.status(),
            Outcome::Failed(status) => *status,
        }
    }
}
