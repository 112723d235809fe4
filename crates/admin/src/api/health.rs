use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::NodeStatus;
use crate::problem::Problem;
use crate::server::Shared;

/// Whether every node takes new work.
#[utoipa::path(get, path = "/readyz", responses(
    (status = 200, description = "All nodes are ready", body = [NodeStatus]),
    (status = 503, description = "One is not", body = [NodeStatus]),
))]
pub(crate) async fn ready(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    let nodes = shared.ask(|operator| operator.nodes()).await?;
    let is_ready = nodes.iter().all(|node| node.is_ready);
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((status, Json(nodes)).into_response())
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", responses((status = 200, description = "It does")))]
pub(crate) async fn live() -> StatusCode {
    StatusCode::OK
}

/// What Prometheus reads.
#[utoipa::path(get, path = "/metrics", responses(
    (status = 200, description = "OpenMetrics 1.0", body = String, content_type = "application/openmetrics-text"),
))]
pub(crate) async fn metrics(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    let measurements = shared.ask(|operator| operator.measurements()).await?;
    let text = crate::metrics::text(measurements)
        .map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the numbers cannot be written"))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
