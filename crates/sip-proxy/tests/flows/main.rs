//! The proxy between toy user agents on a simulated network: the ladder, the bytes, and that nothing is left behind.
#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps nothing")]

mod calls;
mod cancels;
mod failures;
mod forks;
mod node;
mod refusals;
mod routes;
