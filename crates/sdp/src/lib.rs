//! SDP offer/answer for MSRP sessions, as pure functions.
//!
//! A [`SessionDescription`] keeps the bytes that came and adds a typed reading of its MSRP m-lines ([`MsrpMedia`]). The
//! reading is tolerant, the bytes are never re-printed: [`rewrite`] edits the few lines that a B2BUA must change and leaves
//! every other byte alone. [`glance`] is for who only passes a description on. [`offer`] and [`answer`] print descriptions of our own (RFC 3264); [`connector`] and
//! [`connect_to`] say who opens the connection and to where (RFC 4145, RFC 6135, RFC 6714).
//!
//! The grammar of single lines is borrowed from `sdp-types`; what it knows and we use as it is, is re-exported.

mod connect;
mod description;
mod glance;
mod line;
mod media;
mod media_types;
mod negotiate;
mod rewrite;
mod setup;
mod uri;

#[cfg(test)]
mod samples;

pub use connect::{ConnectTo, MSRP_PORT, connect_to, needs_fallback};
pub use description::{OriginId, SessionDescription};
pub use glance::{Glance, glance};
pub use line::{MAX_BYTES, MAX_LINES, ParseError};
pub use media::{Connection, MsrpMedia, Protocol};
pub use media_types::MediaTypes;
pub use negotiate::{LocalMedia, Refusal, answer, offer};
pub use rewrite::{Rewrite, rewrite};
pub use sdp_types::{Direction, Fingerprint, HashFunc};
pub use setup::{Connector, Setup, connector};
pub use uri::{Host, MsrpUri};
