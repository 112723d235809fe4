use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

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
///
/// Timers that run equally long are due in the order in which they were armed. Nearly all do, so a few first-in-first-out
/// lanes hold them, where a heap of a million entries would miss the cache on every level; the heap takes what is left.
#[derive(Debug)]
pub struct TimerQueue<K> {
    /// Each in order of its entries, which are those of one duration if there are no more durations than lanes.
    lanes: [Lane<K>; LANES],
    heap: BinaryHeap<Reverse<Entry<K>>>,
    armed: u64,
    /// The earliest deadline: asked for after every step, and changed by few.
    earliest: Option<Instant>,
}

/// Deadline, number, key: in this order they come up.
type Entry<K> = (Instant, u64, K);

/// First in, first out, in pieces: one that has grown moves no entry, and one that has shrunk keeps no room.
#[derive(Debug)]
struct Lane<K> {
    /// None is empty but the only one.
    pieces: VecDeque<VecDeque<Entry<K>>>,
    len: usize,
}

/// Entries of a piece.
const PIECE: usize = 1024;

/// A transaction layer has four durations: T1, T4, 64*T1, and, while it repeats something, others.
const LANES: usize = 4;

impl<K: Copy + Ord> TimerQueue<K> {
    /// An empty queue.
    pub fn new() -> TimerQueue<K> {
        TimerQueue { lanes: [const { Lane::new() }; LANES], heap: BinaryHeap::new(), armed: 0, earliest: None }
    }

    /// Adds an entry; equal deadlines come up in the order they were armed.
    pub fn arm(&mut self, key: K, at: Instant) {
        self.armed += 1;
        self.earliest = Some(self.earliest.map_or(at, |earliest| earliest.min(at)));
        let entry = (at, self.armed, key);
        // The lane that ends last before it, so that long timers leave the lanes of the short ones alone.
        let end = |lane: &Lane<K>| lane.back().map(|(last, _, _)| *last);
        let fitting = self.lanes.iter_mut().filter(|lane| end(lane).is_none_or(|last| last <= at));
        match fitting.max_by_key(|lane| end(lane)) {
            Some(lane) => lane.push_back(entry),
            None => self.heap.push(Reverse(entry)),
        }
    }

    /// The earliest deadline.
    pub const fn next(&self) -> Option<Instant> {
        self.earliest
    }

    /// Takes the earliest entry that is due at `at`, with its deadline.
    pub fn pop_due(&mut self, at: Instant) -> Option<(Instant, K)> {
        self.earliest.filter(|earliest| *earliest <= at)?;
        let ((due, _, key), lane) = self.first()?;
        match lane {
            Some(lane) => self.lanes[lane].pop_front(),
            None => drop(self.heap.pop()),
        }
        self.earliest = self.first().map(|((at, _, _), _)| at);
        Some((due, key))
    }

    /// How many entries wait, outdated ones included.
    pub fn len(&self) -> usize {
        self.heap.len() + self.lanes.iter().map(|lane| lane.len).sum::<usize>()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The earliest entry and its lane; `None` for the heap.
    fn first(&self) -> Option<(Entry<K>, Option<usize>)> {
        let in_lanes = self.lanes.iter().enumerate().filter_map(|(i, lane)| Some((*lane.front()?, Some(i))));
        let in_heap = self.heap.peek().map(|Reverse(entry)| (*entry, None));
        in_lanes.chain(in_heap).min_by_key(|(entry, _)| *entry)
    }
}

impl<K> Lane<K> {
    const fn new() -> Lane<K> {
        Lane { pieces: VecDeque::new(), len: 0 }
    }

    fn front(&self) -> Option<&Entry<K>> {
        self.pieces.front()?.front()
    }

    fn back(&self) -> Option<&Entry<K>> {
        self.pieces.back()?.back()
    }

    fn push_back(&mut self, entry: Entry<K>) {
        self.len += 1;
        match self.pieces.back_mut() {
            Some(last) if last.len() < PIECE => last.push_back(entry),
            Some(_) | None => {
                // Short lanes stay small.
                let mut piece = if self.pieces.is_empty() { VecDeque::new() } else { VecDeque::with_capacity(PIECE) };
                piece.push_back(entry);
                self.pieces.push_back(piece);
            }
        }
    }

    fn pop_front(&mut self) {
        let Some(first) = self.pieces.front_mut() else { return };
        self.len -= usize::from(first.pop_front().is_some());
        // The last piece is kept for what comes next.
        if first.is_empty() && self.pieces.len() > 1 {
            self.pieces.pop_front();
        }
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

    #[test]
    fn any_mix_of_durations_comes_up_in_order() {
        let mut entropy = crate::Entropy::from_seed(7);
        let (mut queue, mut plain, mut now) = (TimerQueue::new(), Vec::new(), 0);
        for key in 0..5000_u64 {
            now += entropy.below(3);
            // The durations of transactions mostly, others at times.
            let after = match entropy.below(8) {
                0 => entropy.below(40_000),
                1..=3 => 500,
                4 => 5000,
                _ => 32_000,
            };
            queue.arm(key, at(now + after));
            plain.push((at(now + after), key));
            plain.sort_unstable();
            assert_eq!((queue.len(), queue.next()), (plain.len(), Some(plain[0].0)));
            while let Some(popped) = queue.pop_due(at(now)) {
                assert_eq!(popped, plain.remove(0));
            }
            assert!(plain.first().is_none_or(|(due, _)| *due > at(now)), "all that is due has come up");
        }
        while let Some(popped) = queue.pop_due(at(now + 40_000)) {
            assert_eq!(popped, plain.remove(0));
        }
        assert!(queue.is_empty() && plain.is_empty());
    }
}
