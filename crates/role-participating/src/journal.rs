//! What the function keeps beyond its own life, and what waits until it is kept.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use cpm::SessionRecord;
use wire::{Entry, Instant, Key, Now, Output, TimerQueue};

use crate::row::Row;

/// After an entry for a new session was refused, new sessions are refused for so long; then one asks again.
const FULL: Duration = Duration::from_secs(5);

/// The journal as the function sees it.
#[derive(Debug)]
pub(crate) struct Journal {
    /// Whether there is one.
    is_on: bool,
    /// Entries written so far.
    written: u64,
    /// The bridges that wait for an entry.
    waiting: BTreeMap<u64, Key>,
    out: VecDeque<Output>,
    full_until: Option<Instant>,
    /// Until when a BYE waits whose intent could not be kept.
    pub(crate) unkept: TimerQueue<Key>,
    pub(crate) counters: Kept,
}

/// What became of what was to be kept, since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Kept {
    /// Sessions of an earlier life that were taken up.
    pub resumed: u64,
    /// Entries of an earlier life that could not be read: they stay where they are.
    pub unreadable: u64,
    /// Sessions refused because they could not be kept.
    pub refused: u64,
    /// Closes whose intent could not be kept: the other leg was closed before the first was answered.
    pub unkept: u64,
}

impl Journal {
    pub(crate) fn new(is_on: bool) -> Journal {
        Journal {
            is_on,
            written: 0,
            waiting: BTreeMap::new(),
            out: VecDeque::new(),
            full_until: None,
            unkept: TimerQueue::new(),
            counters: Kept::default(),
        }
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.is_on
    }

    /// Keeps a row, for which nobody waits.
    pub(crate) fn keep(&mut self, key: u64, row: &Row) {
        self.put(key, Some(row), false);
    }

    /// Keeps a row for which a bridge waits.
    pub(crate) fn keep_for(&mut self, bridge: Key, key: u64, row: &Row, opens: bool) {
        let id = self.put(key, Some(row), opens);
        self.waiting.insert(id, bridge);
    }

    /// A session is over: its record is kept until somebody has taken it.
    pub(crate) fn over(&mut self, key: u64, record: Option<&SessionRecord>) {
        if !self.is_on {
            return;
        }
        match record {
            Some(record) => self.keep(key, &Row::Over { record: record.clone() }),
            None => self.forget(key),
        }
    }

    /// Nothing is left to be known of a session.
    pub(crate) fn forget(&mut self, key: u64) {
        if self.is_on {
            self.put(key, None, false);
        }
    }

    fn put(&mut self, key: u64, row: Option<&Row>, opens: bool) -> u64 {
        self.written += 1;
        let id = self.written;
        let print = |row| serde_json::to_vec(row).expect("rows have text for keys, so they can be printed");
        let value = row.map(print).map(Bytes::from);
        self.out.push_back(Output::Keep { id, entry: Entry { key, value, opens } });
        id
    }

    /// An entry came to its end: the bridge that waits for it.
    pub(crate) fn kept(&mut self, id: u64) -> Option<Key> {
        self.waiting.remove(&id)
    }

    /// A new session could not be kept.
    pub(crate) fn note_full(&mut self, now: Now) {
        self.counters.refused += 1;
        self.full_until = Some(now.at + FULL);
    }

    /// For how many seconds more no new session is taken.
    pub(crate) fn full_for(&self, now: Now) -> Option<u64> {
        let left = self.full_until?.saturating_since(now.at);
        (!left.is_zero()).then(|| left.as_secs() + 1)
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.unkept.next()
    }
}
