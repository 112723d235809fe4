//! The stack as its peers see it: on the simulated network, and fed by hand.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod cancel;
mod counting;
mod matching;
mod overload;
mod retransmission;
mod robustness;
mod role;
mod streams;
