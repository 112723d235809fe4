//! Starting a node: bind its sockets, tell its role their addresses, run it in an engine of its own.
//!
//! The lab and the server both start their nodes here, so what the lab shows is what the server runs.

mod bound;
mod roles;
mod uri;

pub use bound::{Addresses, Bound};
pub use roles::{ClientPlan, CorePlan, MEDIA_GRACE, PfPlan, SILENT_SESSION, Seat, StartError};
pub use uri::{UriError, check_uri, peer, sip_uri, trigger};
