use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;

use crate::problem::Problem;
use crate::server::Shared;
use crate::{CloseError, Session, SessionQuery};

/// Which sessions.
#[derive(Deserialize)]
pub(crate) struct Which {
    /// Those of this served user.
    user: Option<String>,
    /// At most so many; a thousand if nobody says.
    limit: Option<usize>,
}

/// Sessions beyond which nobody is given any at a time.
const MOST: usize = 10_000;

/// The sessions of all participating functions.
#[utoipa::path(get, path = "/api/v1/sessions", params(
    ("user" = Option<String>, Query, description = "Those of this served user"),
    ("limit" = Option<usize>, Query, description = "At most so many, and 10,000; a thousand if nobody says"),
), responses(
    (status = 200, description = "The sessions", body = [Session]),
    (status = 503, description = "A node does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    Query(Which { user, limit }): Query<Which>,
) -> Result<Json<Vec<Session>>, Problem> {
    let query = SessionQuery { user, limit: limit.unwrap_or(1_000).min(MOST) };
    Ok(Json(shared.ask(move |operator| operator.sessions(&query)).await??))
}

/// One session.
#[utoipa::path(get, path = "/api/v1/sessions/{id}", params(("id" = String, Path)), responses(
    (status = 200, description = "The session", body = Session),
    (status = 404, description = "It has ended, or never was", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn show(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Result<Json<Session>, Problem> {
    let session = shared.ask(move |operator| operator.session(&id)).await??;
    session.map(Json).ok_or_else(|| CloseError::Unknown.into())
}

/// Begins to close a session on all its legs. It has ended when it is not listed any more.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", params(("id" = String, Path)), responses(
    (status = 202, description = "Its legs are being closed"),
    (status = 404, description = "It has ended, or never was", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "Its node is a proxy in it", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn close(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    shared.ask(move |operator| operator.close(&id)).await??;
    Ok(StatusCode::ACCEPTED)
}
