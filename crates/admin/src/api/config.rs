use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::server::Shared;

/// What came of it, in words.
#[derive(Serialize, ToSchema)]
pub(crate) struct Said {
    said: String,
}

/// Reads a configuration and changes nothing.
#[utoipa::path(post, path = "/api/v1/config/check", request_body(content = String, content_type = "application/toml"), responses(
    (status = 200, description = "It is right", body = Said),
    (status = 422, description = "It is wrong", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn check(State(shared): State<Arc<Shared>>, document: String) -> Result<Json<Said>, Problem> {
    let said = shared.ask(move |operator| operator.check(&document)).await?;
    said.map(|said| Json(Said { said })).map_err(|wrong| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, wrong))
}

/// Reads the configuration file again and applies what can be applied while the nodes run.
#[utoipa::path(post, path = "/api/v1/config/reload", responses(
    (status = 200, description = "What was applied, and what wants a restart", body = Said),
    (status = 422, description = "The file is wrong, and nothing has changed", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn reload(State(shared): State<Arc<Shared>>) -> Result<Json<Said>, Problem> {
    let said = shared.ask(|operator| operator.reload()).await?;
    said.map(|said| Json(Said { said })).map_err(|wrong| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, wrong))
}
