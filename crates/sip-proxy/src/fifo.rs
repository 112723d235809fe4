use std::collections::VecDeque;

use wire::Instant;

/// Timers that all run equally long, so that they are due in the order they were armed: cheaper than a heap.
///
/// Nothing is cancelled; entries that lost their meaning are taken off the front by [`Fifo::prune`] and ignored by their
/// owner when they come up.
#[derive(Debug)]
pub(crate) struct Fifo<K> {
    entries: VecDeque<(Instant, K)>,
}

impl<K: Copy> Fifo<K> {
    pub(crate) const fn new() -> Fifo<K> {
        Fifo { entries: VecDeque::new() }
    }

    pub(crate) fn arm(&mut self, key: K, at: Instant) {
        debug_assert!(self.entries.back().is_none_or(|(last, _)| *last <= at), "every timer runs equally long");
        self.entries.push_back((at, key));
    }

    /// Takes entries off the front that no longer mean anything.
    pub(crate) fn prune(&mut self, is_live: impl Fn(K) -> bool) {
        while self.entries.front().is_some_and(|(_, key)| !is_live(*key)) {
            self.entries.pop_front();
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.entries.front().map(|(at, _)| *at)
    }

    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<K> {
        self.entries.front().filter(|(at, _)| *at <= now)?;
        self.entries.pop_front().map(|(_, key)| key)
    }
}
