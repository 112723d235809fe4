//! The words of CPM (OMA Converged IP Messaging): services, session identities, policies, records. Nothing that acts.

mod control;
mod headers;
mod identity;
mod media_path;
mod record;
mod refusal;
mod release;
mod service;

pub use control::{Profile, ServiceControl, Totals};
pub use headers::END_TO_END;
pub use identity::{ServedUser, SessionCase, Unserved, aor};
pub use media_path::{MediaPath, MediaPathPolicy, Reason, Reasons};
pub use record::{Closing, SessionRecord, Traffic};
pub use refusal::Refusal;
pub use release::Release;
pub use service::{Service, classify};
