use std::collections::VecDeque;

use wire::{Input, Key, TimerQueue};

use crate::tap::Probe;
use crate::{Clock, Counters, Limits};

/// What the parts of [`crate::Sockets`] write to.
pub(crate) struct Effects {
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    pub(crate) counters: Counters,
    pub(crate) probe: Probe,
    /// What the node is to be told before anything more is read.
    pub(crate) pending: VecDeque<Input>,
    /// Connections of which the kernel took something that the node has not been told of. It is told before anything is read:
    /// what the report is about has just been at hand, which it would not be when all others have had their turn.
    pub(crate) written: VecDeque<Key>,
    /// Who may have something to read. A source leaves only after the kernel said that it has nothing: readiness is reported
    /// once (edge triggered).
    pub(crate) ready: VecDeque<Source>,
    pub(crate) deadlines: TimerQueue<Deadline>,
}

/// Something that can be read: a listening socket by its place in the configuration, a connection by its key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Port(usize),
    Conn(Key),
}

/// What is to be looked at later, if it is still there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Deadline {
    /// A peer must have accepted the connection.
    Connect { key: Key },
    /// The handshake of TLS must be done.
    Handshake { key: Key },
    /// A closed connection must have made progress.
    Linger { key: Key },
    /// A listener that could not accept tries again.
    Accept { port: usize },
}

/// What came of reading a source once.
pub(crate) enum Step {
    /// Something for the node; there may be more.
    Input(Input),
    /// Nothing for the node; there may be more.
    Again,
    /// Nothing more until the kernel says so.
    Done,
}

impl Effects {
    pub(crate) fn new(limits: Limits) -> Effects {
        Effects {
            limits,
            clock: Clock::start(),
            counters: Counters::default(),
            probe: Probe::default(),
            pending: VecDeque::new(),
            written: VecDeque::new(),
            ready: VecDeque::new(),
            deadlines: TimerQueue::new(),
        }
    }
}
