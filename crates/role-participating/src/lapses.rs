use wire::{Instant, TimerQueue};

/// Deadlines of the sessions in a table, which are put off far more often than they come up: each session has one entry, and
/// its owner looks at the session when that comes up.
///
/// A deadline may be a day away, and the entry of a session that has ended would stay as long: the queue is made anew when
/// most of it belongs to nobody.
#[derive(Debug)]
pub(crate) struct Lapses<K> {
    queue: TimerQueue<K>,
}

/// Entries of ended sessions that may wait beside as many as there are sessions.
pub(crate) const OUTDATED: usize = 1024;

impl<K: Copy + Ord> Lapses<K> {
    pub(crate) fn new() -> Lapses<K> {
        Lapses { queue: TimerQueue::new() }
    }

    pub(crate) fn arm(&mut self, key: K, at: Instant) {
        self.queue.arm(key, at);
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.queue.next()
    }

    /// Takes the earliest entry that is due, with its deadline.
    pub(crate) fn pop_due(&mut self, at: Instant) -> Option<(Instant, K)> {
        self.queue.pop_due(at)
    }

    /// How many entries wait, outdated ones included.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// A session has gone: `live` are left, whose entries these are.
    pub(crate) fn sweep(&mut self, live: usize, entries: impl Iterator<Item = (K, Instant)>) {
        if self.queue.len() > 2 * live + OUTDATED {
            self.queue = TimerQueue::new();
            entries.for_each(|(key, at)| self.queue.arm(key, at));
        }
    }
}

impl<K: Copy + Ord> Default for Lapses<K> {
    fn default() -> Lapses<K> {
        Lapses::new()
    }
}
