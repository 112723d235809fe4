//! Digest authentication (RFC 7616, RFC 8760; RFC 2617 for those who do not know better), both ends.

mod client;
mod hash;

pub use client::{Account, Client};
