//! A CPM client: registers, opens one-to-one sessions, answers them and closes them.
//!
//! Messages are CPIM over MSRP, with receipts: each is told once and as a whole, and its sender learns what became of it.

mod client;
mod config;
mod event;
mod invite;
mod messages;

pub use client::Client;
pub use config::{Config, MAX_MESSAGE};
pub use event::{ClosedBy, Event, SessionId};
pub use sdp::MsrpUri;
pub use sip_ua::Intervals;
