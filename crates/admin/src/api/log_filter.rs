use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::server::Shared;

/// What is logged.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct LogFilter {
    /// A level, or levels by module: `info`, `info,net=debug`.
    filter: String,
}

/// What is logged.
#[utoipa::path(get, path = "/api/v1/log-filter", responses((status = 200, description = "The filter", body = LogFilter)))]
pub(crate) async fn show(State(shared): State<Arc<Shared>>) -> Result<Json<LogFilter>, Problem> {
    let filter = shared.ask(|operator| operator.log_filter()).await?;
    Ok(Json(LogFilter { filter }))
}

/// Logs by another filter, until the process ends.
#[utoipa::path(put, path = "/api/v1/log-filter", request_body = LogFilter, responses(
    (status = 200, description = "The filter", body = LogFilter),
    (status = 422, description = "It is none", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn set(
    State(shared): State<Arc<Shared>>,
    Json(LogFilter { filter }): Json<LogFilter>,
) -> Result<Json<LogFilter>, Problem> {
    let wanted = filter.clone();
    let set = shared.ask(move |operator| operator.set_log_filter(&wanted)).await?;
    set.map(|()| Json(LogFilter { filter })).map_err(|wrong| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, wrong))
}
