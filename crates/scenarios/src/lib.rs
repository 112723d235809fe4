//! The two-operator system (Client A, Core A, PF A, Core B, PF B, Client B) on the simulated network: what the flow tests
//! play on.

mod ask;
mod audit;
mod cast;
mod pf;
mod phone;
mod setup;
mod stranger;
mod system;
mod watch;

pub use ask::{AUDIO, Ask, OFFER};
pub use audit::audit;
pub use cast::Cast;
pub use pf::{BrokenPf, Fault};
pub use phone::{Phone, PhoneDialog, body, header};
pub use setup::{ALICE, BOB, Setup, Site, options};
pub use stranger::Stranger;
pub use system::{Sink, System, Topology};
pub use watch::observed;
