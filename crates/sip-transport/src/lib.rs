//! The SIP transport layer (RFC 3261 §18) as a sans-IO machine: bytes from sockets become messages, messages become bytes
//! for sockets.
//!
//! It frames streams, notes where requests came from (RFC 3581), refuses what cannot be parsed, finds the connection that
//! already goes where a message must go (RFC 5923), moves large requests from UDP to TCP (RFC 3261 §18.1.1) and answers
//! keep-alives (RFC 5626). It knows no transactions.

mod connections;
mod flow;
mod transports;

pub use flow::{Flow, Hop, Hosts, Listener, Target};
pub use transports::{Event, Received, ReturnPath, Stats, Transports};
