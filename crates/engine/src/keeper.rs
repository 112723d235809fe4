//! The journal of a node: a thread that makes entries durable while the engine goes on.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use journal::{Damage, FileDisk, LockError, Log, Opened};
use net::Clock;
use wire::{Entry, Histogram, Input};

use crate::gauge::{Gauge, Queue};
use crate::handle::Signal;
use crate::trial::{Trial, Try};

/// Where the entries of a node become durable.
pub trait Keep: fmt::Debug + Send {
    /// Keeps a batch: all that is kept is durable when this returns. Whether each is kept, in order.
    fn keep(&mut self, batch: &[Entry]) -> Vec<bool>;

    /// Puts things in order that nobody waits for.
    fn maintain(&mut self) {}

    /// How it stands, for the log.
    fn state(&self) -> String;
}

impl Keep for Log<FileDisk> {
    fn keep(&mut self, batch: &[Entry]) -> Vec<bool> {
        self.commit(batch)
    }

    fn maintain(&mut self) {
        Log::maintain(self);
    }

    fn state(&self) -> String {
        format!("{:?}{}", self.counters(), if self.is_full() { ", full" } else { "" })
    }
}

/// A journal that has been read and is ready to be written.
#[derive(Debug)]
pub struct Journal {
    keep: Box<dyn Keep>,
    entries: Vec<(u64, Bytes)>,
    damage: Damage,
    trial: Box<dyn Try>,
}

/// Why there is no journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Its folder cannot be had.
    #[error("journal {0}")]
    Folder(#[from] LockError),
    /// It cannot be read or repaired.
    #[error("journal {0}: {1}")]
    Unreadable(PathBuf, io::Error),
}

impl Journal {
    /// Opens the journal in a folder, or makes one there.
    pub fn open(folder: &Path, options: journal::Options) -> Result<Journal, JournalError> {
        let disk = FileDisk::open(folder)?;
        let unreadable = |error| JournalError::Unreadable(folder.to_owned(), error);
        let Opened { log, entries, damage } = Log::open(disk, options).map_err(unreadable)?;
        let trial = Box::new(Trial::open(folder).map_err(unreadable)?);
        Ok(Journal { keep: Box::new(log), entries, damage, trial })
    }

    /// A journal that is kept elsewhere, and what earlier lives have left there, each entry to be tried.
    pub fn elsewhere(keep: Box<dyn Keep>, entries: Vec<(u64, Bytes)>, trial: Box<dyn Try>) -> Journal {
        Journal { keep, entries, damage: Damage::default(), trial }
    }

    /// What could not be read of it.
    pub const fn damage(&self) -> &Damage {
        &self.damage
    }

    /// How many keys have a value.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no key has one.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Entries that may wait for the disk; one beyond is refused.
const QUEUE: usize = 16_384;

/// Entries that are written together.
const BATCH: usize = 1_024;

/// What earlier lives have left, for the node to take up.
#[derive(Debug, Default)]
pub(crate) struct Recall {
    entries: std::vec::IntoIter<(u64, Bytes)>,
    trial: Option<Box<dyn Try>>,
}

impl Iterator for Recall {
    type Item = Input;

    /// Asking for the next one says that those before have been survived.
    fn next(&mut self) -> Option<Input> {
        for (key, value) in self.entries.by_ref() {
            if self.trial.as_mut().is_none_or(|trial| trial.admits(key)) {
                return Some(Input::Recalled { key, value });
            }
        }
        if let Some(trial) = &mut self.trial {
            trial.passed();
        }
        None
    }
}

/// The engine's end of the journal.
pub(crate) struct Keeper {
    /// `None` without a journal.
    jobs: Option<SyncSender<(u64, Entry)>>,
    waiting: Gauge,
    done: Receiver<Done>,
    /// How long batches took.
    took: Histogram,
    /// What has come to its end and the node has not heard of.
    results: VecDeque<(u64, bool)>,
    thread: Option<JoinHandle<()>>,
}

/// What became of a batch, and how long that took.
struct Done {
    kept: Vec<(u64, bool)>,
    took: Duration,
}

impl Keeper {
    /// Starts the thread, if there is a journal. Returns what the node is to be handed first.
    pub(crate) fn start(
        name: &str,
        journal: Option<Journal>,
        signal: &Arc<Signal>,
        clock: Clock,
    ) -> io::Result<(Keeper, Recall)> {
        let (report, done) = channel();
        let waiting = Gauge::new("journal", QUEUE);
        let took = Histogram::default();
        let mut keeper = Keeper { jobs: None, waiting, done, took, results: VecDeque::new(), thread: None };
        let Some(Journal { keep, entries, trial, .. }) = journal else { return Ok((keeper, Recall::default())) };
        let (jobs, queue) = sync_channel(QUEUE);
        let ends =
            Ends { jobs: queue, waiting: keeper.waiting.clone(), done: report, signal: Arc::clone(signal), clock };
        let thread = thread::Builder::new().name(format!("{name}-journal"));
        keeper.thread = Some(thread.spawn(move || write(keep, &ends))?);
        keeper.jobs = Some(jobs);
        Ok((keeper, Recall { entries: entries.into_iter(), trial: Some(trial) }))
    }

    /// Hands an entry to the thread; never waits.
    pub(crate) fn keep(&mut self, id: u64, entry: Entry) {
        let is_taken = self.jobs.as_ref().is_some_and(|jobs| self.waiting.put(|| jobs.try_send((id, entry))).is_ok());
        if !is_taken {
            self.results.push_back((id, false));
        }
    }

    /// The entries that wait, if there is a journal.
    pub(crate) fn queue(&self) -> Option<Queue> {
        self.jobs.as_ref().map(|_| self.waiting.read())
    }

    /// How long batches took until they were durable, if there is a journal.
    pub(crate) fn took(&self) -> Option<Histogram> {
        self.jobs.as_ref().map(|_| self.took)
    }

    /// Whether the node can be told something without anybody's doing.
    pub(crate) fn has_results(&self) -> bool {
        !self.results.is_empty()
    }

    /// What the node is to be told next.
    pub(crate) fn next_input(&mut self) -> Option<Input> {
        if self.results.is_empty() {
            for Done { kept, took } in self.done.try_iter() {
                self.took.add(took);
                self.results.extend(kept);
            }
        }
        self.results.pop_front().map(|(id, ok)| Input::Kept { id, ok })
    }
}

impl Drop for Keeper {
    /// What has been handed over is written before the engine is gone.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the journal's thread has panicked");
        }
    }
}

/// What the thread has of the others.
struct Ends {
    jobs: Receiver<(u64, Entry)>,
    waiting: Gauge,
    done: Sender<Done>,
    signal: Arc<Signal>,
    clock: Clock,
}

/// Writes what comes, all that waits at a time with one sync.
fn write(mut log: Box<dyn Keep>, Ends { jobs, waiting, done, signal, clock }: &Ends) {
    let mut was_ok = true;
    while let Ok(first) = jobs.recv() {
        let rest = jobs.try_iter().take(BATCH - 1);
        let (ids, batch): (Vec<u64>, Vec<Entry>) = std::iter::once(first).chain(rest).unzip();
        waiting.taken(batch.len());
        let begun = clock.at();
        let kept = log.keep(&batch);
        let took = clock.at() - begun;
        let is_ok = !kept.contains(&false);
        if was_ok && !is_ok {
            tracing::error!(state = %log.state(), "the journal cannot keep everything");
        } else if is_ok && !was_ok {
            tracing::warn!(state = %log.state(), "the journal keeps everything again");
        }
        was_ok = is_ok;
        if done.send(Done { kept: ids.into_iter().zip(kept).collect(), took }).is_err() {
            // The engine is gone.
            return;
        }
        // The waker is a counter of the kernel's in memory of our own.
        signal.waker.wake().expect("an open event counter takes one more");
        log.maintain();
    }
}
