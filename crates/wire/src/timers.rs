use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::Instant;

/// The few timers of one machine, one deadline per kind: arming again moves it.
#[derive(Clone, Debug)]
pub struct Timers<K> {
    armed: Vec<(Instant, K)>,
}

impl<K: Copy + Ord> Timers<K> {
    /// None armed.
    pub const fn new() -> Timers<K> {
        Timers { armed: Vec::new() }
    }

    /// Arms `timer` for `at`, in place of any earlier deadline of the same kind.
    pub fn arm(&mut self, timer: K, at: Instant) {
        self.cancel(timer);
        self.armed.push((at, timer));
    }

    /// Disarms `timer`.
    pub fn cancel(&mut self, timer: K) {
        self.armed.retain(|(_, k)| *k != timer);
    }

    /// Disarms all.
    pub fn clear(&mut self) {
        self.armed.clear();
    }

    /// When `timer` is due, if it is armed.
    pub fn deadline(&self, timer: K) -> Option<Instant> {
        self.armed.iter().find(|(_, k)| *k == timer).map(|(at, _)| *at)
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.armed.iter().map(|(at, _)| *at).min()
    }

    /// Takes the earliest timer that is due at `at`; ties in the order of `K`.
    pub fn pop_due(&mut self, at: Instant) -> Option<K> {
        let (i, _) =
            self.armed.iter().enumerate().filter(|(_, (due, _))| *due <= at).min_by_key(|(_, entry)| **entry)?;
        Some(self.armed.swap_remove(i).1)
    }
}

impl<K: Copy + Ord> Default for Timers<K> {
    fn default() -> Timers<K> {
        Timers::new()
    }
}

/// The many timers of a table of machines. Cheap to arm; not cancelled but ignored: an entry that comes up late is checked
/// by its owner against its own state.
#[derive(Debug)]
pub struct TimerQueue<K> {
    heap: BinaryHeap<Reverse<(Instant, u64, K)>>,
    armed: u64,
}

impl<K: Copy + Ord> TimerQueue<K> {
    /// An empty queue.
    pub fn new() -> TimerQueue<K> {
        TimerQueue { heap: BinaryHeap::new(), armed: 0 }
    }

    /// Adds an entry; equal deadlines come up in the order they were armed.
    pub fn arm(&mut self, key: K, at: Instant) {
        self.armed += 1;
        self.heap.push(Reverse((at, self.armed, key)));
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _, _))| *at)
    }

    /// Takes the earliest entry that is due at `at`, with its deadline.
    pub fn pop_due(&mut self, at: Instant) -> Option<(Instant, K)> {
        if self.next()? > at {
            return None;
        }
        self.heap.pop().map(|Reverse((due, _, key))| (due, key))
    }

    /// How many entries wait, outdated ones included.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

impl<K: Copy + Ord> Default for TimerQueue<K> {
    fn default() -> TimerQueue<K> {
        TimerQueue::new()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn arming_again_moves_the_deadline() {
        let mut timers = Timers::new();
        timers.arm('A', at(10));
        timers.arm('B', at(20));
        timers.arm('A', at(30));
        assert_eq!(timers.next(), Some(at(20)));
        assert_eq!(timers.pop_due(at(30)), Some('B'));
        assert_eq!(timers.pop_due(at(30)), Some('A'));
        assert_eq!(timers.pop_due(at(99)), None);
    }

    #[test]
    fn the_queue_keeps_the_order_of_arming_among_equals() {
        let mut queue = TimerQueue::new();
        queue.arm(2, at(5));
        queue.arm(1, at(5));
        queue.arm(3, at(1));
        assert_eq!(queue.pop_due(at(0)), None);
        let order: Vec<_> = std::iter::from_fn(|| queue.pop_due(at(5))).map(|(_, k)| k).collect();
        assert_eq!(order, [3, 2, 1]);
    }
}
