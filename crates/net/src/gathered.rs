use std::collections::VecDeque;

use wire::Key;

/// Steps of the node whose writes are gathered. A step takes some ten microseconds, so nothing waits for long. Where there are
/// hundreds of connections, more would save more wake-ups; where there are few, whoever waits for us would have nothing to do.
const STEPS: usize = 8;

/// Octets that are gathered: so many that a system call for them costs little beside what they cost themselves.
const OCTETS: usize = 128 * 1024;

/// Connections that the node has written to and whose octets the kernel was not handed yet.
///
/// What a few steps write leaves together: what is for one connection in one system call, and what is for several to a process
/// that waits for them with one wake-up, because the first one wakes it and the others find it awake.
pub(crate) struct Gathered {
    /// In the order in which they were first written to. Some may be gone.
    conns: VecDeque<Key>,
    octets: usize,
    steps: usize,
}

impl Gathered {
    pub(crate) const fn new() -> Gathered {
        Gathered { conns: VecDeque::new(), octets: 0, steps: 0 }
    }

    /// Notes octets, and their connection if it is not known here.
    pub(crate) fn add(&mut self, octets: usize, conn: Option<Key>) {
        self.octets += octets;
        self.conns.extend(conn);
    }

    /// A step of the node has ended: whether no more is to be gathered.
    pub(crate) fn is_enough(&mut self) -> bool {
        self.steps += usize::from(!self.is_empty());
        self.steps >= STEPS || self.octets >= OCTETS
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.conns.is_empty()
    }

    /// Takes the next connection; after the last one it begins anew.
    pub(crate) fn next(&mut self) -> Option<Key> {
        let next = self.conns.pop_front();
        if next.is_none() {
            (self.octets, self.steps) = (0, 0);
        }
        next
    }
}
