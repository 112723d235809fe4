use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{CloseError, PcapError, StoreProblem, Unavailable};

/// Why a request was not carried out (RFC 9457).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The status code again.
    status: u16,
    /// What the status code means.
    title: String,
    /// What was wrong this time, and what would help.
    detail: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        let title = status.canonical_reason().unwrap_or_default().to_owned();
        Problem { status: status.as_u16(), title, detail: detail.into() }
    }
}

impl From<Unavailable> for Problem {
    fn from(error: Unavailable) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

impl From<CloseError> for Problem {
    fn from(error: CloseError) -> Problem {
        let status = match error {
            CloseError::Unknown => StatusCode::NOT_FOUND,
            CloseError::Refused(_) => StatusCode::CONFLICT,
            CloseError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Problem::new(status, error.to_string())
    }
}

impl From<PcapError> for Problem {
    fn from(error: PcapError) -> Problem {
        let status = match error {
            PcapError::Unknown | PcapError::Displaced => StatusCode::NOT_FOUND,
            PcapError::NotKept => StatusCode::CONFLICT,
            PcapError::Lost(_) => StatusCode::INTERNAL_SERVER_ERROR,
            PcapError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Problem::new(status, error.to_string())
    }
}

impl From<StoreProblem> for Problem {
    fn from(error: StoreProblem) -> Problem {
        let status = match error {
            StoreProblem::None | StoreProblem::InFile => StatusCode::CONFLICT,
            StoreProblem::Away(_) => StatusCode::SERVICE_UNAVAILABLE,
            StoreProblem::Wrong(_) => StatusCode::UNPROCESSABLE_ENTITY,
            StoreProblem::Unknown => StatusCode::NOT_FOUND,
        };
        Problem::new(status, error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}
