use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderName, header};

use crate::problem::Problem;
use crate::server::Shared;

/// Headers and contents of a capture file.
type File = ([(HeaderName, &'static str); 1], Vec<u8>);

/// The SIP and MSRP messages of a session on all its legs, as its node sent and received them, as far as they are kept: a capture
/// file that Wireshark reads. Wants a token that may change things, and is written into the audit log.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/pcap", params(("id" = String, Path)), responses(
    (status = 200, description = "The capture file", body = Vec<u8>, content_type = "application/vnd.tcpdump.pcap"),
    (status = 403, description = "The token may only look", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "The session has ended, or never was, or no message of it is kept any more", body = Problem,
        content_type = "application/problem+json"),
    (status = 409, description = "No messages are kept", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn of_session(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Result<File, Problem> {
    let file = shared.ask(move |operator| operator.pcap(&id)).await??;
    Ok(([(header::CONTENT_TYPE, "application/vnd.tcpdump.pcap")], file))
}
