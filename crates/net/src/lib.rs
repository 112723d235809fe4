//! Sockets: what turns [`wire::Output`] into system calls and system calls into [`wire::Input`].
//!
//! [`Sockets`] holds every socket of one node, in one thread and without locks. It is readiness based: [`Sockets::wait`]
//! sleeps until the kernel has something, [`Sockets::next_input`] reads one thing at a time in turn, and
//! [`Sockets::handle_output`] sends. TLS lives here, too: a node sees plain octets and
//! what was found out about its peer (docs/adr/0008). It decides nothing about a protocol: no framing, no retries, no names.

mod batch;
mod clock;
mod conn;
mod counters;
mod effects;
mod gathered;
mod limits;
mod listen;
mod pool;
mod sockets;
mod streams;
mod tap;
mod tcp;
mod tls;
mod udp;

pub use clock::Clock;
pub use counters::Counters;
pub use limits::Limits;
pub use listen::{BindError, Listen};
pub use sockets::Sockets;
pub use tap::Tap;
pub use tls::{Authority, ClientAuth, Identity, Tls, TlsError};
