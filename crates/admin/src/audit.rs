use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Entries that are kept; older ones are in the log alone.
const KEPT: usize = 1_000;

/// Who wanted what, and what became of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Seconds since 1970.
    pub at: u64,
    /// The name of the token; absent when none or a wrong one was shown.
    pub who: Option<String>,
    /// The address of the client.
    pub from: String,
    /// Method and path.
    pub what: String,
    /// The status of the answer.
    pub status: u16,
}

/// What was changed or refused, the last thousand times; everything is logged as well.
#[derive(Debug, Default)]
pub struct AuditLog {
    entries: RwLock<VecDeque<AuditEntry>>,
}

impl AuditLog {
    #[expect(clippy::disallowed_methods, reason = "a host of HTTP, with the wall clock")]
    pub(crate) fn note(&self, who: Option<&str>, from: IpAddr, what: String, status: u16) {
        tracing::info!(who = who.unwrap_or("nobody"), %from, %what, status, "admin");
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let entry = AuditEntry { at, who: who.map(str::to_owned), from: from.to_string(), what, status };
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == KEPT {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    /// The entries that are kept, the newest first.
    pub fn entries(&self) -> Vec<AuditEntry> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entries_go_first() {
        let log = AuditLog::default();
        for n in 0..KEPT + 5 {
            log.note(Some("ops"), IpAddr::from([127, 0, 0, 1]), n.to_string(), 200);
        }
        let entries = log.entries();
        assert_eq!((entries.len(), &*entries[0].what, &*entries[KEPT - 1].what), (KEPT, "1004", "5"));
    }
}
