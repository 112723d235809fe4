//! SIP messages (RFC 3261): parse, print, typed header fields, URIs. No state, no time.
//!
//! A received [`Message`] is its bytes and an index of where things stand in them. Forwarding is an [`Edit`]: pieces are
//! cut out and put in, everything else (unknown header fields, their order, octets that are not UTF-8) stays as it came.
//! New messages are printed by a [`Builder`].

mod address;
mod build;
mod cutter;
mod digits;
mod edit;
mod error;
mod essentials;
mod frame;
pub mod header;
mod header_value;
mod host;
mod index;
mod landmarks;
mod message;
mod method;
mod name;
mod params;
mod quote;
mod reason;
mod scan;
mod uri;

pub use address::Address;
pub use build::Builder;
pub use cutter::Cutter;
pub use digits::{Decimal, push_addr};
pub use edit::Edit;
pub use error::{Limits, ParseError};
pub use frame::{Frame, frame};
pub use host::ip;
pub use message::{Either, Malformed, Message, Request, Response};
pub use method::Method;
pub use name::Name;
pub use params::Params;
pub use quote::{escape, unescape};
pub use reason::reason;
pub use uri::{Scheme, Uri};

/// Visual separators of telephone numbers (RFC 3966 §3).
const fn is_visual_separator(b: u8) -> bool {
    matches!(b, b'-' | b'.' | b'(' | b')')
}
