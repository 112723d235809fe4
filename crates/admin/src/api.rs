//! The resources, a file each, and their description.

mod audit;
mod config;
mod health;
mod log_filter;
mod pcap;
mod records;
mod registrations;
mod sessions;
mod users;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router, middleware};
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Description;

use crate::guard;
use crate::problem::Problem;
use crate::server::Shared;

/// A configuration file that is to be checked is the largest body.
const LARGEST_BODY: usize = 1024 * 1024;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Duologue admin",
        description = "Sessions, registrations, users, records, configuration and logs of the nodes of one process."
    ),
    paths(
        sessions::list,
        sessions::show,
        sessions::close,
        pcap::of_session,
        registrations::list,
        users::list,
        users::put,
        users::remove,
        records::list,
        config::check,
        config::reload,
        log_filter::show,
        log_filter::set,
        audit::list,
        health::ready,
        health::live,
        health::metrics,
    ),
    components(schemas(
        crate::Session,
        crate::Registration,
        crate::User,
        crate::UserEntry,
        crate::Record,
        crate::Traffic,
        crate::NodeStatus,
        crate::AuditEntry,
        Problem,
        config::Said,
        log_filter::LogFilter,
    ))
)]
struct Documented;

/// The OpenAPI description of the interface.
pub fn description() -> Description {
    Documented::openapi()
}

/// Everything; all but health wants a token.
pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    let guarded = Router::new()
        .route("/api/v1/sessions", get(sessions::list))
        .route("/api/v1/sessions/{id}", get(sessions::show).delete(sessions::close))
        .route("/api/v1/registrations", get(registrations::list))
        .route("/api/v1/users", get(users::list))
        .route("/api/v1/users/{user}", put(users::put).delete(users::remove))
        .route("/api/v1/records", get(records::list))
        .route("/api/v1/config/check", post(config::check))
        .route("/api/v1/config/reload", post(config::reload))
        .route("/api/v1/log-filter", get(log_filter::show).put(log_filter::set))
        .route("/api/v1/audit", get(audit::list))
        .route("/api/v1/openapi.json", get(async || Json(description())))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is no such resource; see /api/v1/openapi.json"))
        .layer(middleware::from_fn_with_state(Arc::clone(shared), guard::check))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(Arc::clone(shared));
    // What users have said to each other is not for everybody who may look.
    let private = Router::new()
        .route("/api/v1/sessions/{id}/pcap", get(pcap::of_session))
        .route_layer(middleware::from_fn_with_state(Arc::clone(shared), guard::check_private))
        .with_state(Arc::clone(shared));
    open_router(shared).merge(guarded).merge(private)
}

/// What wants no token.
pub(crate) fn open_router(shared: &Arc<Shared>) -> Router {
    Router::new()
        .route("/readyz", get(health::ready))
        .route("/healthz", get(health::live))
        .route("/metrics", get(health::metrics))
        .with_state(Arc::clone(shared))
}
