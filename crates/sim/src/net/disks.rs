//! What nodes keep beyond their processes.

use std::time::Duration;

use journal::{Damage, Options};
use wire::{Entry, Input};

use super::{Event, Net};
use crate::journal::Journal;
use crate::{Disk, NodeRef};

impl Net {
    /// Gives a node a disk with a journal, which takes `latency` for everything that is kept at a time.
    pub fn give_disk(&mut self, node: impl Into<NodeRef>, options: Options, latency: Duration) {
        let NodeRef(node) = node.into();
        self.hosts[node].journal = Some(Journal::new(options, latency));
        self.recall(node);
    }

    /// The disk of a node, to play with.
    ///
    /// # Panics
    /// When it has none.
    #[track_caller]
    pub fn disk_mut(&mut self, node: impl Into<NodeRef>) -> &mut Disk {
        self.journal_mut(node.into()).disk()
    }

    /// What could not be read of a node's journal when it last started.
    ///
    /// # Panics
    /// When it has none.
    #[track_caller]
    pub fn damage(&self, node: impl Into<NodeRef>) -> &Damage {
        &self.journal(node.into()).damage
    }

    /// How many keys the journal of a running node holds.
    ///
    /// # Panics
    /// When it has none.
    #[track_caller]
    pub fn kept(&self, node: impl Into<NodeRef>) -> usize {
        self.journal(node.into()).len()
    }

    #[track_caller]
    fn journal(&self, NodeRef(node): NodeRef) -> &Journal {
        let host = &self.hosts[node];
        let Some(journal) = &host.journal else { panic!("{} has no disk", host.name) };
        journal
    }

    #[track_caller]
    fn journal_mut(&mut self, NodeRef(node): NodeRef) -> &mut Journal {
        let host = &mut self.hosts[node];
        let Some(journal) = &mut host.journal else { panic!("{} has no disk", host.name) };
        journal
    }

    /// A node that starts is handed what it kept.
    pub(super) fn recall(&mut self, node: usize) {
        let Some(journal) = &mut self.hosts[node].journal else { return };
        for (key, value) in journal.open() {
            self.deliver(node, Input::Recalled { key, value });
        }
    }

    pub(super) fn keep(&mut self, node: usize, id: u64, entry: Entry) {
        let journal = self.journal_mut(NodeRef(node));
        if journal.keep(id, entry) {
            let latency = journal.latency;
            self.wire.push(self.now + latency, Event::Disk { node });
        }
    }

    pub(super) fn on_disk(&mut self, node: usize) {
        let Some(journal) = &mut self.hosts[node].journal else { return };
        for (id, ok) in journal.commit() {
            self.deliver(node, Input::Kept { id, ok });
        }
    }

    pub(super) fn crash_disk(&mut self, node: usize) {
        if let Some(journal) = &mut self.hosts[node].journal {
            journal.crash(&mut self.dice);
        }
    }
}
