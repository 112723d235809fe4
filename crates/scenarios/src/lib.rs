//! The two-operator system (Client A, Core A, PF A, Core B, PF B, Client B) on the simulated network: what the flow tests
//! play on.

mod pf;
mod system;
mod watch;

pub use pf::{BrokenPf, Fault};
pub use system::{ALICE, BOB, System, Topology, core_config, pf_config};
pub use watch::observed;
