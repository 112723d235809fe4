//! The two-operator lab: two clients, two cores and two participating functions, each a node of its own with its own
//! sockets on the loopback interface, and one session between them from registration to its close.
//!
//! A tap on every node records what really passed its sockets. The arrows of the verdict come from these recordings and
//! from nowhere else: an arrow is a message that one node's kernel took and the other node's kernel gave.

mod chat;
mod error;
mod finding;
mod judge;
mod pcap;
mod play;
mod recording;
mod report;
mod settings;
mod stage;
mod tap;
mod text;

pub use error::LabError;
pub use finding::{Finding, Violation};
pub use judge::Part;
pub use pcap::{Passage, write_messages};
pub use play::{Played, play, write_pcap};
pub use report::{Connection, FlowReport, Messages, NodeReport, Parts, Report};
pub use settings::{Scenario, Settings};
pub use text::text;

/// The nodes of the lab, in the order of their lifelines.
pub const NODES: [&str; 6] = ["client-a", "core-a", "pf-a", "core-b", "pf-b", "client-b"];
