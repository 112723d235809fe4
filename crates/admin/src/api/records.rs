use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;

use crate::Record;
use crate::problem::Problem;
use crate::server::Shared;

/// Which records.
#[derive(Deserialize)]
pub(crate) struct Which {
    /// Those of this served user.
    user: Option<String>,
    /// At most so many.
    limit: Option<u32>,
}

/// Records beyond which nobody is given any at a time.
const MOST: u32 = 10_000;

/// Records of sessions, the one that ended last first.
#[utoipa::path(get, path = "/api/v1/records", params(
    ("user" = Option<String>, Query, description = "Those of this served user"),
    ("limit" = Option<u32>, Query, description = "At most so many, and 10,000; a hundred if nobody says"),
), responses(
    (status = 200, description = "The records", body = [Record]),
    (status = 409, description = "There is no store", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    Query(Which { user, limit }): Query<Which>,
) -> Result<Json<Vec<Record>>, Problem> {
    let limit = limit.unwrap_or(100).min(MOST);
    Ok(Json(shared.ask(move |operator| operator.records(user, limit)).await??))
}
