//! The CPM participating function: serves one user of each session, originating or terminating.
//!
//! Off the media path it is a record-routing proxy whose service control sees every request of the session
//! ([`relay`](self)); on the media path it is a B2BUA with a leg to each side (`bridge`), which relays MSRP between them
//! (`media_plane`) and closes when what is under way has been handed on (`drain`). There it also watches the session
//! (`supervise`) and ends it by itself where it must (`release`). Which of the two it is, is decided when the INVITE comes
//! ([`admit`](self)) and never changes.
//!
//! With a journal, a session on the media path is kept before anybody relies on it, and its close before the BYE is answered
//! (`hold`); after a restart what is left is ended in order (`resume`).

mod admit;
mod attempts;
mod bridge;
mod bridges;
mod close;
mod config;
mod drain;
mod facts;
mod hold;
mod journal;
mod lapses;
mod media;
mod media_plane;
mod overload;
mod participating;
mod registrations;
mod relay;
mod release;
mod resume;
mod row;
mod screen;
mod sender;
mod supervise;
mod third_party;
mod token;
mod view;

pub use attempts::Attempts;
pub use config::Config;
pub use journal::Kept;
pub use participating::{Open, Participating};
pub use registrations::Device;
pub use release::CloseError;
pub use sip_ua::Intervals;
pub use view::{SessionId, SessionView};
