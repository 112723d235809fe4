//! What a call costs: CPU of the server per call, rate, latency and memory, ours and others on the same work.
//!
//! [`Load`] is the generator: both user agents in one thread, calls through one proxy over UDP, in a closed loop or at a
//! rate. Only the CPU of the server is measured (see the crate `load`). [`compare()`] runs several servers in turn for some rounds and
//! compares within a round, since what else the machine does changes from one round to the next. Messages in sessions that are
//! held have the generator of the crate `load`.

mod compare;
mod cpu;
mod digest;
mod load;
mod media;
mod message;
mod messages;
mod null;
mod profile;
mod report;
mod scan;
mod servers;
mod sessions;
mod socket;
mod splice;
mod tally;
mod train;
mod workload;

pub use compare::{Compared, Plan, Round, compare};
pub use digest::Challenge;
pub use load::{Held, Load, Options, Outcome, Pace, Work};
pub use media::{Plan as MediaPlan, compare as compare_media, json as media_json, table as media_table};
pub use message::message_figures;
pub use messages::{CallId, DOMAIN, Dialog, Parties, users};
pub use null::null;
pub use profile::profile;
pub use report::{json, machine, table, write_section};
pub use servers::Server;
pub use sessions::{Sessions, hold};
pub use splice::splice;
pub use tally::Latency;
pub use train::train;
pub use workload::Workload;
