//! The two-operator system (Client A, Core A, PF A, Core B, PF B, Client B) on the simulated network: what the flow tests
//! play on.

mod pf;
mod system;
mod watch;

pub use pf::{BrokenPf, Fault};
pub use system::{System, Topology};
pub use watch::observed;
