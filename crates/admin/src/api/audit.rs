use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use crate::AuditEntry;
use crate::server::Shared;

/// What was changed or refused by way of this interface, the newest first.
#[utoipa::path(get, path = "/api/v1/audit", responses((status = 200, description = "The entries", body = [AuditEntry])))]
pub(crate) async fn list(State(shared): State<Arc<Shared>>) -> Json<Vec<AuditEntry>> {
    Json(shared.audit.entries())
}
