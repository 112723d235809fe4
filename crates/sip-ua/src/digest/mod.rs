//! Digest authentication (RFC 7616, RFC 8760; RFC 2617 for those who do not know better), both ends.

mod client;
mod hash;
mod nonce;
mod server;

pub use client::{Account, Client};
pub use server::{Authenticator, Check, Secret, Side};
