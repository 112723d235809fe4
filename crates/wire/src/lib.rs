//! Sans-IO vocabulary: what a machine is given and what it hands out.
//!
//! A machine never opens a socket, sleeps, spawns, reads a clock or rolls dice. A host (the engine on real sockets, the
//! simulation on a virtual network) feeds it [`Input`] and the time through a [`Driver`], which drains its [`Output`], and
//! wakes it when [`Node::poll_timeout`] says so.

mod driver;
mod entropy;
mod histogram;
mod node;
mod once;
mod redacted;
mod slab;
mod time;
mod timers;
mod tls;

pub use driver::{Driver, Effects};
pub use entropy::{Entropy, hex};
pub use histogram::Histogram;
pub use node::{ConnId, Entry, Input, Node, Output, Transport};
pub use once::OncePerMinute;
pub use redacted::Redacted;
pub use slab::{Key, Slab};
pub use time::{Instant, Now, Timestamp, Timing};
pub use timers::{TimerQueue, Timers};
pub use tls::{Fingerprint, Hash, PeerCertificate, Verify};
