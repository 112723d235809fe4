//! The two-operator system (Client A, Core A, PF A, Core B, PF B, Client B) on the simulated network: what the flow tests
//! play on.

mod audit;
mod pf;
mod setup;
mod system;
mod watch;

pub use audit::audit;
pub use pf::{BrokenPf, Fault};
pub use setup::{ALICE, BOB, Setup, Site, options};
pub use system::{System, Topology};
pub use watch::observed;
