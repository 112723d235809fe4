use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use crate::problem::Problem;
use crate::server::Shared;
use crate::{User, UserEntry};

/// The users, those of the configuration file and those of the store.
#[utoipa::path(get, path = "/api/v1/users", responses(
    (status = 200, description = "The users", body = [User]),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(State(shared): State<Arc<Shared>>) -> Result<Json<Vec<User>>, Problem> {
    Ok(Json(shared.ask(|operator| operator.users()).await??))
}

/// Enters a user into the store, in place of the one with the same address-of-record if there is one.
#[utoipa::path(put, path = "/api/v1/users/{user}", params(("user" = String, Path)), request_body = UserEntry, responses(
    (status = 204, description = "The user is served"),
    (status = 409, description = "There is no store, or the user is in the file", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "Something is wrong with it", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn put(
    State(shared): State<Arc<Shared>>,
    Path(user): Path<String>,
    Json(entry): Json<UserEntry>,
) -> Result<StatusCode, Problem> {
    shared.ask(move |operator| operator.put_user(&user, entry)).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a user out of the store. What the user has registered expires.
#[utoipa::path(delete, path = "/api/v1/users/{user}", params(("user" = String, Path)), responses(
    (status = 204, description = "The user is not served any more"),
    (status = 404, description = "There is none", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "There is no store, or the user is in the file", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn remove(State(shared): State<Arc<Shared>>, Path(user): Path<String>) -> Result<StatusCode, Problem> {
    shared.ask(move |operator| operator.remove_user(&user)).await??;
    Ok(StatusCode::NO_CONTENT)
}
