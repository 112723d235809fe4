use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use crate::AuditEntry;
use crate::problem::Problem;
use crate::server::Shared;

/// What was changed or refused by way of this interface, the newest first: the last thousand times.
#[utoipa::path(get, path = "/api/v1/audit", responses(
    (status = 200, description = "The entries", body = [AuditEntry]),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(State(shared): State<Arc<Shared>>) -> Result<Json<Vec<AuditEntry>>, Problem> {
    Ok(Json(shared.ask(|operator| operator.audit(1_000)).await??))
}
