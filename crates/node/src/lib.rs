//! Starting a node: bind its sockets, tell its role their addresses, run it in an engine of its own.
//!
//! The lab and the server both start their nodes here, so what the lab shows is what the server runs.

mod bound;
mod records;
mod roles;
mod uri;

pub use bound::{Addresses, Bound};
pub use records::{Line as RecordLine, RecordSink, RecordsPlan};
pub use role_participating::Intervals;
pub use roles::{ClientPlan, CorePlan, MAX_SESSIONS, MEDIA_GRACE, Pf, PfPlan, SILENT_SESSION, Seat, StartError};
pub use sip_proxy::RouteKey;
pub use uri::{UriError, check_uri, peer, sip_uri, trigger};
