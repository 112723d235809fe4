//! Typed header fields, one file each. `parse` reads one value; `Display` or `print` writes it.
//!
//! [`Message::typed`](crate::Message::typed) and [`typed_list`](crate::Message::typed_list) find and read those that have one name. Route, Record-Route, Path,
//! Service-Route, Refer-To and their kin are plain [`Address`](crate::Address) lists: `message.addresses(name)`.

mod auth;
mod challenge;
mod contact;
mod content_type;
mod correlation;
mod credentials;
mod cseq;
mod delta_seconds;
mod features;
mod identity;
mod privacy;
mod rack;
mod reason;
mod retry_after;
mod served_user;
mod session_expires;
mod subscription_state;
mod typed;
mod urn;
mod via;
mod warning;

pub use auth::{Algorithm, AuthParams, Qop};
pub use challenge::{Challenge, DigestChallenge};
pub use contact::{Contact, ContactAddress, Qvalue};
pub use content_type::ContentType;
pub use correlation::CorrelationId;
pub use credentials::{Credentials, DigestCredentials};
pub use cseq::CSeq;
pub use delta_seconds::DeltaSeconds;
pub use features::{AcceptContact, FeatureSet};
pub use identity::{Identities, Identity};
pub use privacy::Privacy;
pub use rack::{RAck, RSeq};
pub use reason::Reason;
pub use retry_after::RetryAfter;
pub use served_user::{PServedUser, RegistrationState, SessionCase};
pub use session_expires::{MinSe, Refresher, SessionExpires};
pub use subscription_state::{SubscriptionState, SubscriptionStatus};
pub use typed::{Typed, TypedList};
pub use urn::Urn;
pub(crate) use via::Known;
pub use via::Via;
pub use warning::Warning;

/// Appends `;name="text"`, the text already escaped.
fn print_quoted_param(out: &mut Vec<u8>, name: &str, text: &[u8]) {
    for part in [b";", name.as_bytes(), b"=\"", text, b"\""] {
        out.extend_from_slice(part);
    }
}
