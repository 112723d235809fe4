//! The stateful SIP proxy (RFC 3261 §16 with RFC 5393 and RFC 4320), sans-IO. It knows no dialogs and no users.
//!
//! A role owns a [`Stack`](sip_tx::Stack) and a [`Proxy`] and, for each request that is not its own to answer:
//!
//! 1. asks [`Proxy::validate`] whether the request may be forwarded (§16.3),
//! 2. calls [`preprocess`] to take its own Route values off (§16.4), and reads from them what it once wrote there,
//! 3. decides on the targets (§16.5) and says so in a [`Plan`],
//! 4. calls [`Proxy::forward`] (§16.6), or [`Proxy::forward_ack`] for the ACK of a 2xx.
//!
//! Every event of the stack goes through [`Proxy::handle`] first, which keeps what concerns the forwarded requests: their
//! responses (§16.7), their failures (§16.9) and their cancellation (§16.10). A CANCEL for a request that has not been
//! forwarded yet is the role's to see to. [`Proxy::poll_event`] tells the role what became of what it forwarded.

mod ack;
mod best;
mod cancel;
mod context;
mod edits;
mod event;
mod fifo;
mod fingerprint;
mod forward;
mod plan;
mod preprocess;
mod print;
mod proxy;
mod reject;
mod response;
mod route_key;
mod validate;

pub use edits::{Edits, HeaderEdit};
pub use event::ProxyEvent;
pub use plan::{ForwardTo, Group, Plan, RecordRoute, Resolve};
pub use preprocess::{Preprocessed, preprocess};
pub use proxy::Proxy;
pub use reject::Reject;
pub use route_key::RouteKey;
