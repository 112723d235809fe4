use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;

use crate::problem::Problem;
use crate::server::Shared;
use crate::{CloseError, Session};

/// Which sessions.
#[derive(Deserialize)]
pub(crate) struct Which {
    /// Those of this served user.
    user: Option<String>,
    /// At most so many; a thousand if nobody says.
    limit: Option<usize>,
}

/// The sessions of all participating functions.
#[utoipa::path(get, path = "/api/v1/sessions", params(
    ("user" = Option<String>, Query, description = "Those of this served user"),
    ("limit" = Option<usize>, Query, description = "At most so many; a thousand if nobody says"),
), responses(
    (status = 200, description = "The sessions", body = [Session]),
    (status = 503, description = "A node does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    Query(which): Query<Which>,
) -> Result<Json<Vec<Session>>, Problem> {
    let sessions = shared.ask(|operator| operator.sessions()).await??;
    let is_meant = |session: &Session| which.user.as_ref().is_none_or(|user| *user == session.served_user);
    Ok(Json(sessions.into_iter().filter(is_meant).take(which.limit.unwrap_or(1_000)).collect()))
}

/// One session.
#[utoipa::path(get, path = "/api/v1/sessions/{id}", params(("id" = String, Path)), responses(
    (status = 200, description = "The session", body = Session),
    (status = 404, description = "It has ended, or never was", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn show(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Result<Json<Session>, Problem> {
    let sessions = shared.ask(|operator| operator.sessions()).await??;
    let session = sessions.into_iter().find(|session| session.id == id);
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
