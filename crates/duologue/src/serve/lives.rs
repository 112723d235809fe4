//! Signs of life of others: this process looks for them, and takes over what a dead node has left.
//!
//! Clocks of machines are not compared. A node is dead when its sign has not changed for long, while the database answered us
//! all the time: after an outage everybody has that long again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use engine::{Caller, Clock, Try as _};
use role_participating::Participating;
use store::{Holder, Lease, Lives as _, Measured, Role, StoreError, Subscribers as _};
use wire::{Input, Instant, Node as _};

use super::heart::BEAT;
use super::trial::{LeftAlone, Trial};

/// A node that keeps its entries in the store.
pub(super) struct Life {
    pub(super) lease: Lease,
    pub(super) left_alone: LeftAlone,
    /// A participating function, which can take over from others.
    pub(super) pf: Option<Caller<Participating>>,
}

/// What is done when the subscribers in the store have changed.
pub(super) type Changed = Box<dyn Fn() + Send>;

/// The thread that looks. Dropping it ends it.
pub(super) struct Lives {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Lives {
    pub(super) fn start(
        store: Arc<Measured>,
        lives: Vec<Life>,
        take_over: Duration,
        changed: Changed,
    ) -> std::io::Result<Lives> {
        let (stop, stopped) = sync_channel(0);
        let (seen, clock) = (BTreeMap::new(), Clock::start());
        let watch = Watch { store, lives, take_over, changed, seen, clock, version: None, stopped };
        let thread = thread::Builder::new().name("lives".to_owned()).spawn(move || watch.run())?;
        Ok(Lives { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Lives {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that looks for signs of life has panicked");
        }
    }
}

struct Watch {
    store: Arc<Measured>,
    lives: Vec<Life>,
    take_over: Duration,
    changed: Changed,
    /// Other holders as they were last seen, and since when.
    seen: BTreeMap<String, (Holder, Instant)>,
    clock: Clock,
    /// Of the subscribers.
    version: Option<i64>,
    /// Says nothing until it is closed: then the process ends.
    stopped: Receiver<()>,
}

impl Watch {
    fn run(mut self) {
        let mut was_away = false;
        while self.stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
            match self.look() {
                Ok(()) if was_away => {
                    was_away = false;
                    tracing::warn!("the store answers again");
                }
                Ok(()) => {}
                // The process ends.
                Err(StoreError::Fenced(_)) => return,
                Err(error) => {
                    // Who could not be seen may have lived.
                    self.seen.clear();
                    if !was_away {
                        was_away = true;
                        tracing::error!(%error, "the store does not answer: sessions go on, records wait");
                    }
                }
            }
        }
    }

    /// One round.
    fn look(&mut self) -> Result<(), StoreError> {
        // 1. Users that an operator has entered elsewhere.
        let version = self.store.subscribers_version()?;
        if self.version.replace(version).is_some_and(|known| known != version) {
            (self.changed)();
        }

        // 2. Who else lives?
        let Some(heir) = self.lives.iter().position(|life| life.pf.is_some()) else { return Ok(()) };
        let mut others = self.store.holders(Role::Participating)?;
        others.retain(|other| !self.lives.iter().any(|life| life.lease.node == other.node));
        self.seen.retain(|node, _| others.iter().any(|other| other.node == *node));
        let now = self.clock.at();
        for other in others {
            let known = self.seen.get(&other.node).filter(|(known, _)| *known == other);
            match known {
                Some((_, since)) if now.saturating_since(*since) >= self.take_over => self.take_over(heir, &other)?,
                Some(_) => {}
                None => drop(self.seen.insert(other.node.clone(), (other, now))),
            }
        }
        Ok(())
    }

    fn take_over(&mut self, heir: usize, other: &Holder) -> Result<(), StoreError> {
        let Life { lease, left_alone, pf: Some(pf) } = &self.lives[heir] else { return Ok(()) };
        let taken = self.store.take_over(lease, other)?;
        self.seen.remove(&other.node);
        // Another one was faster, or it lives after all.
        let Some(mut entries) = taken else { return Ok(()) };
        let mut trial = Trial::of(&self.store, lease, &mut entries, left_alone);
        tracing::warn!(from = %other.node, by = %lease.node, entries = entries.len(), "taking over from a dead node");
        for (key, value) in entries {
            if self.stopped.try_recv() == Err(TryRecvError::Disconnected) {
                // The process ends. What is left is ours in the store: our next life recalls it.
                break;
            }
            if !trial.admits(key) {
                continue;
            }
            // One at a time: between them the node does its other work.
            if pf.call(move |pf, now| pf.handle_input(Input::Recalled { key, value }, now)).is_err() {
                // As above.
                tracing::error!(node = %lease.node, "the node has stopped");
                return Ok(());
            }
        }
        trial.passed();
        Ok(())
    }
}
