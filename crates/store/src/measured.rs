//! How long a database takes for what it is asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use cpm::SessionRecord;
use wire::{Entry, Histogram};

use crate::{
    Audit, AuditEntry, Holder, Lease, Lives, RecordQuery, Records, Role, Store, StoreError, Subscriber, Subscribers,
};

/// A store that knows how long each operation has taken, waiting for a connection or another caller included.
pub struct Measured {
    inner: Arc<dyn Store>,
    took: Mutex<BTreeMap<(&'static str, Outcome), Histogram>>,
}

/// What became of an operation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Outcome {
    /// It was done.
    Ok,
    /// It was not, or nobody knows.
    Error,
}

impl Outcome {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Error => "error",
        }
    }
}

impl Measured {
    /// Measures a store.
    pub fn new(inner: Arc<dyn Store>) -> Measured {
        Measured { inner, took: Mutex::new(BTreeMap::new()) }
    }

    /// How long operations have taken, by name and outcome: those that there have been.
    pub fn durations(&self) -> Vec<(&'static str, Outcome, Histogram)> {
        let took = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        took.iter().map(|((operation, outcome), took)| (*operation, *outcome, *took)).collect()
    }

    fn measure<R>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&dyn Store) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let begun = now();
        let result = work(&*self.inner);
        let took = begun.elapsed();
        let outcome = if result.is_ok() { Outcome::Ok } else { Outcome::Error };
        let mut all = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry((operation, outcome)).or_default().add(took);
        result
    }
}

#[expect(clippy::disallowed_methods, reason = "what waits for a database has a clock")]
fn now() -> Instant {
    Instant::now()
}

impl Store for Measured {
    fn ping(&self) -> Result<(), StoreError> {
        self.measure("ping", |store| store.ping())
    }
}

impl Subscribers for Measured {
    fn subscribers(&self) -> Result<Vec<Subscriber>, StoreError> {
        self.measure("subscribers", |store| store.subscribers())
    }

    fn put_subscriber(&self, subscriber: &Subscriber) -> Result<(), StoreError> {
        self.measure("put_subscriber", |store| store.put_subscriber(subscriber))
    }

    fn remove_subscriber(&self, aor: &str) -> Result<bool, StoreError> {
        self.measure("remove_subscriber", |store| store.remove_subscriber(aor))
    }

    fn subscribers_version(&self) -> Result<i64, StoreError> {
        self.measure("subscribers_version", |store| store.subscribers_version())
    }
}

impl Lives for Measured {
    fn begin(&self, node: &str, role: Role) -> Result<Lease, StoreError> {
        self.measure("begin", |store| store.begin(node, role))
    }

    fn recall(&self, lease: &Lease) -> Result<Vec<(u64, Bytes)>, StoreError> {
        self.measure("recall", |store| store.recall(lease))
    }

    fn keep(&self, lease: &Lease, batch: &[Entry]) -> Result<(), StoreError> {
        self.measure("keep", |store| store.keep(lease, batch))
    }

    fn tries(&self, lease: &Lease) -> Result<Vec<(u64, u32)>, StoreError> {
        self.measure("tries", |store| store.tries(lease))
    }

    fn set_tries(&self, lease: &Lease, tries: &[(u64, u32)]) -> Result<(), StoreError> {
        self.measure("set_tries", |store| store.set_tries(lease, tries))
    }

    fn beat(&self, lease: &Lease) -> Result<(), StoreError> {
        self.measure("beat", |store| store.beat(lease))
    }

    fn holders(&self, role: Role) -> Result<Vec<Holder>, StoreError> {
        self.measure("holders", |store| store.holders(role))
    }

    fn take_over(&self, lease: &Lease, from: &Holder) -> Result<Option<Vec<(u64, Bytes)>>, StoreError> {
        self.measure("take_over", |store| store.take_over(lease, from))
    }
}

impl Records for Measured {
    fn add_records(&self, records: &[SessionRecord]) -> Result<(), StoreError> {
        self.measure("add_records", |store| store.add_records(records))
    }

    fn records(&self, query: &RecordQuery) -> Result<Vec<SessionRecord>, StoreError> {
        self.measure("records", |store| store.records(query))
    }
}

impl Audit for Measured {
    fn add_audit(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        self.measure("add_audit", |store| store.add_audit(entries))
    }

    fn audit(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.measure("audit", |store| store.audit(limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memory;

    #[test]
    fn each_operation_is_measured_under_its_name_and_with_its_outcome() {
        let store = Measured::new(Arc::new(Memory::default()));
        assert_eq!(store.durations(), []);
        let lease = store.begin("pf", Role::Participating).unwrap();
        store.beat(&lease).unwrap();
        store.beat(&lease).unwrap();
        let void = Lease { epoch: lease.epoch + 1, ..lease };
        store.beat(&void).unwrap_err();
        let counted: Vec<_> =
            store.durations().into_iter().map(|(name, how, took)| (name, how, took.count())).collect();
        assert_eq!(counted, [("beat", Outcome::Ok, 2), ("beat", Outcome::Error, 1), ("begin", Outcome::Ok, 1)]);
    }
}
