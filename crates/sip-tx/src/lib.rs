//! SIP transactions (RFC 3261 §17 with RFC 6026 and RFC 4320), sans-IO.
//!
//! The [`Stack`] is what a role is built on: the transport layer, the four transaction machines, and the matching of
//! messages to them. A role gives it input and time, takes [`Event`]s, and answers with requests and responses.

mod client_invite;
mod client_non_invite;
mod effects;
mod event;
mod key;
mod overload;
mod server_invite;
mod server_non_invite;
mod stack;
#[cfg(test)]
mod testing;
mod tombstones;
mod traffic;

pub use event::{ClientId, Event, Failure, Incoming, Owner, ServerId};
pub use overload::Class;
pub use sip_transport::{Flow, Hop, Hosts, Listener, Target};
pub use stack::{Options, Stack, Stats};
pub use traffic::Traffic;
