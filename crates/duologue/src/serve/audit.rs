//! What was done by way of the admin interface: in the store, or as long as the process lives.

use std::sync::Arc;

use admin::{AuditEntry, StoreProblem};
use store::{Audit, Measured, Memory};

use super::users::away;

/// Where it is written.
pub(super) struct AuditLog(Arc<dyn Audit + Send + Sync>);

impl AuditLog {
    pub(super) fn new(store: Option<&Arc<Measured>>) -> AuditLog {
        AuditLog(store.map_or_else(|| Arc::new(Memory::default()) as Arc<_>, |store| Arc::clone(store) as Arc<_>))
    }

    pub(super) fn add(&self, entry: AuditEntry) {
        let AuditEntry { at, who, from, what, status } = entry;
        if let Err(error) = self.0.add_audit(&[store::AuditEntry { at, who, from, what, status }]) {
            // The log of the process has it.
            tracing::error!(%error, "the audit log has not been written");
        }
    }

    pub(super) fn latest(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreProblem> {
        let entries = self.0.audit(limit).map_err(away)?.into_iter();
        let entry = |store::AuditEntry { at, who, from, what, status }| AuditEntry { at, who, from, what, status };
        Ok(entries.map(entry).collect())
    }
}
