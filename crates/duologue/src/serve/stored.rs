//! What the nodes have in the database: their journals, their records, and the right to write them.

use std::sync::Arc;

use anyhow::Context as _;
use cpm::SessionRecord;
use engine::{Journal, Keep};
use node::RecordSink;
use store::{Lease, Lives as _, Measured, Role, Store, StoreError};
use wire::Entry;

use super::config::StorePlan;
use super::trial::{LeftAlone, Trial};

/// Opens the database. What it is asked is measured from then on.
pub(super) fn open(plan: &StorePlan) -> anyhow::Result<Arc<Measured>> {
    let store = store::open(&plan.locator).with_context(|| format!("{:?} cannot be opened", plan.locator))?;
    tracing::info!(store = ?plan.locator, "store opened");
    Ok(Arc::new(Measured::new(store)))
}

/// Begins a life of a node: what it keeps is in the store from now on, and what earlier lives have left is in the journal.
pub(super) fn begin(
    store: &Arc<Measured>,
    node: &str,
    role: Role,
    left_alone: &LeftAlone,
) -> anyhow::Result<(Lease, Journal)> {
    let begun = || -> Result<_, StoreError> {
        let lease = store.begin(node, role)?;
        let mut entries = store.recall(&lease)?;
        let trial = Trial::of(store, &lease, &mut entries, left_alone);
        Ok((lease, entries, trial))
    };
    let (lease, entries, trial) = begun().with_context(|| format!("node {node}"))?;
    tracing::info!(%node, life = lease.epoch, entries = entries.len(), "entries recalled from the store");
    let keep = Kept { store: Arc::<Measured>::clone(store), lease: lease.clone(), error: None };
    Ok((lease, Journal::elsewhere(Box::new(keep), entries, Box::new(trial))))
}

/// The journal of a node in the store.
struct Kept {
    store: Arc<dyn Store>,
    lease: Lease,
    /// Why the last batch was not kept, if it was not.
    error: Option<StoreError>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("lease", &self.lease).field("error", &self.error).finish_non_exhaustive()
    }
}

impl Keep for Kept {
    fn keep(&mut self, batch: &[Entry]) -> Vec<bool> {
        self.error = self.store.keep(&self.lease, batch).err();
        vec![self.error.is_none(); batch.len()]
    }

    fn state(&self) -> String {
        self.error.as_ref().map_or_else(|| "the store answers".to_owned(), StoreError::to_string)
    }
}

/// The session records in the store.
pub(super) struct Records(pub(super) Arc<dyn Store>);

impl RecordSink for Records {
    fn add(&mut self, records: &[SessionRecord]) -> Result<(), String> {
        if records.is_empty() {
            return Ok(());
        }
        self.0.add_records(records).map_err(|error| error.to_string())
    }

    fn name(&self) -> String {
        "the store".to_owned()
    }
}
