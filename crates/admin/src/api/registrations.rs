use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use crate::Registration;
use crate::problem::Problem;
use crate::server::Shared;

/// The registrations at all cores, by user.
#[utoipa::path(get, path = "/api/v1/registrations", responses(
    (status = 200, description = "The contacts", body = [Registration]),
    (status = 503, description = "A node does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(State(shared): State<Arc<Shared>>) -> Result<Json<Vec<Registration>>, Problem> {
    Ok(Json(shared.ask(|operator| operator.registrations()).await??))
}
