//! A CPM client: registers, opens one-to-one sessions, answers them and closes them.
//!
//! The SDP is real: the client listens where it says. Messages over MSRP come with the media plane.

mod client;
mod config;
mod event;
mod invite;

pub use client::Client;
pub use config::Config;
pub use event::{ClosedBy, Event, SessionId};
