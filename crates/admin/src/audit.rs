use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
