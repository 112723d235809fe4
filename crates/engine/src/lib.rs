//! The engine: one thread that hosts one [`wire::Node`] on real sockets.
//!
//! It keeps the contract of [`wire::Node`]: one input, then all outputs, then the next input. It is the node's only owner;
//! others reach the node through a [`Handle`] or [`Caller`], whose closures run in the engine's thread between two inputs.

mod gauge;
mod handle;
mod host;
mod keeper;
mod trial;

pub use gauge::{Gauge, Queue, Report};
pub use handle::{CallError, Caller, Handle};
pub use host::{Engine, OnIdle, Options};
pub use keeper::{Journal, JournalError, Keep};
pub use net::{
    Authority, BindError, ClientAuth, Clock, Counters, Identity, Limits, Listen, Sockets, Tap, Tls, TlsError,
};
pub use trial::Try;
