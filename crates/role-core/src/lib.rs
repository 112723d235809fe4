//! A small SIP/IP core, as a lab and a private network need it; in production an IMS core stands here.
//!
//! Per domain: registrar with Digest authentication, location, Service-Route and Path, identity assertion, originating and
//! terminating triggering of a participating function with a Route of its own for the way back, routing to other domains,
//! Record-Route, forking to a user's devices.

mod config;
mod core;
mod identity;
mod kept;
mod location;
mod mark;
mod odi;
mod operate;
mod origin;
mod originate;
mod registrar;
mod terminate;
mod third_party;
mod trigger;

pub use config::{Config, DigestOffer, Peer, Registration, Subscriber, Trigger, Trust};
pub use core::Core;
pub use operate::RegistrationView;
pub use sip_ua::digest::Secret;
