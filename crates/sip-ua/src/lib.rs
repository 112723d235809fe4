//! SIP dialogs and their usages (RFC 3261 §12-15), sans-IO: the invite session at both ends, registration, digest; and
//! MESSAGE outside of them (RFC 3428).
//!
//! A [`UserAgent`] holds the sessions of a role. It works on the role's [`sip_tx::Stack`]: the role hands it the stack's
//! events, asks it to invite, answer and close, and takes [`UaEvent`]s. A B2BUA is two sessions side by side.

mod config;
mod dialog;
pub mod digest;
mod draft;
mod entry;
mod event;
mod headers;
mod index;
mod options;
mod registration;
mod reject;
mod session;
mod snapshot;
mod standalone;
mod user_agent;

pub use config::{Config, Intervals};
pub use dialog::{Dialog, DialogId, HalfDialog};
pub use draft::Resolver;
pub use event::{ByeOutcome, Cause, SessionKey, UaEvent};
pub use headers::{Body, Headers};
pub use registration::{Registration, RegistrationEvent, RegistrationPlan};
pub use reject::Reject;
pub use session::{EXPIRED, Session, State, WrongState, too_small};
pub use snapshot::Snapshot;
pub use standalone::{MessagePlan, Standalone};
pub use user_agent::{InviteError, InvitePlan, UserAgent};
