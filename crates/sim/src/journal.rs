use std::time::Duration;

use journal::{Damage, Log, Opened, Options};
use wire::{Entropy, Entry};

use crate::Disk;

/// The journal of a simulated node: the log that runs in production, on a disk that crashes.
#[derive(Debug)]
pub(crate) struct Journal {
    state: State,
    options: Options,
    /// How long the disk takes for a batch.
    pub(crate) latency: Duration,
    waiting: Vec<(u64, Entry)>,
    /// What could not be read when it was last opened.
    pub(crate) damage: Damage,
}

#[derive(Debug)]
enum State {
    /// The node runs.
    Open(Box<Log<Disk>>),
    /// It does not.
    Closed(Disk),
}

impl Journal {
    pub(crate) fn new(options: Options, latency: Duration) -> Journal {
        let state = State::Closed(Disk::new());
        Journal { state, options, latency, waiting: Vec::new(), damage: Damage::default() }
    }

    /// Opens the log; what was kept in an earlier life.
    ///
    /// # Panics
    /// When the disk cannot be read: a node does not start then.
    pub(crate) fn open(&mut self) -> Vec<(u64, bytes::Bytes)> {
        let State::Closed(disk) = std::mem::replace(&mut self.state, State::Closed(Disk::new())) else {
            unreachable!("a node starts once")
        };
        let Opened { log, entries, damage } = Log::open(disk, self.options).expect("the disk can be read");
        (self.state, self.damage) = (State::Open(Box::new(log)), damage);
        entries
    }

    /// One more for the next batch; whether it is the first.
    pub(crate) fn keep(&mut self, id: u64, entry: Entry) -> bool {
        self.waiting.push((id, entry));
        self.waiting.len() == 1
    }

    /// The disk has done what it was given: what is kept.
    pub(crate) fn commit(&mut self) -> Vec<(u64, bool)> {
        let State::Open(log) = &mut self.state else { return Vec::new() };
        let (ids, batch): (Vec<u64>, Vec<Entry>) = std::mem::take(&mut self.waiting).into_iter().unzip();
        let kept = log.commit(&batch);
        while log.maintain() {}
        ids.into_iter().zip(kept).collect()
    }

    /// The machine dies while the last batch is being written.
    pub(crate) fn crash(&mut self, dice: &mut Entropy) {
        let State::Open(log) = &mut self.state else { return };
        let batch: Vec<Entry> = std::mem::take(&mut self.waiting).into_iter().map(|(_, entry)| entry).collect();
        if !batch.is_empty() {
            log.disk_mut().fail_syncs(1);
            log.commit(&batch);
            log.disk_mut().fail_syncs(0);
        }
        log.disk_mut().crash(dice);
        let disk = std::mem::take(log.disk_mut());
        self.state = State::Closed(disk);
    }

    pub(crate) fn disk(&mut self) -> &mut Disk {
        match &mut self.state {
            State::Open(log) => log.disk_mut(),
            State::Closed(disk) => disk,
        }
    }

    /// Keys that have a value, while the node runs.
    pub(crate) fn len(&self) -> usize {
        match &self.state {
            State::Open(log) => log.len(),
            State::Closed(_) => 0,
        }
    }
}
