//! The load generator: both ends of sessions and of the messages in them, with any server in between.
//!
//! [`run()`] plays a [`Plan`]: a caller and a callee, each a [`wire::Node`] in an engine of its own, open sessions, send
//! messages, close, and end by themselves. What was met on the way is an [`Outcome`]. Messages at a rate follow a schedule
//! that does not wait for answers, and latency counts from the scheduled time: a server that stalls is not spared the
//! messages that nobody sent meanwhile.

mod callee;
mod caller;
mod end;
mod outcome;
mod plan;
mod run;
mod schedule;
mod stamp;
mod tally;
mod text;
mod usage;

pub use outcome::{Latency, Outcome, Spent};
pub use plan::{CloseBy, Direct, Messages, Plan, Relay, SMALLEST, Sessions, User, Way};
pub use run::{LoadError, run};
pub use text::text;
pub use usage::Usage;
