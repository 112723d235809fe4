//! Deterministic simulation: hosts [`wire::Node`] machines on a seeded virtual network and clock.
//!
//! A test adds nodes to a [`Net`], touches them, lets virtual time run and asserts the ladder that was on the wire. Nothing
//! sleeps, nothing is random but by the seed: the same seed gives the same ladder, byte for byte.
//!
//! ```
//! # use sim::{Net, addr};
//! # use wire::{Input, Instant, Node, Now, Output};
//! # #[derive(Default)]
//! # struct Phone { out: Vec<Output> }
//! # impl Phone {
//! #     fn send(&mut self, text: &'static str) {
//! #         let (local, remote) = (addr("10.0.0.1:5060"), addr("10.0.0.2:5060"));
//! #         self.out.push(Output::Datagram { local, remote, data: text.into() });
//! #     }
//! # }
//! # impl Node for Phone {
//! #     fn handle_input(&mut self, _: Input, _: Now) {}
//! #     fn handle_timeout(&mut self, _: Now) {}
//! #     fn poll_output(&mut self) -> Option<Output> { self.out.pop() }
//! #     fn poll_timeout(&self) -> Option<Instant> { None }
//! # }
//! let mut net = Net::new(7);
//! let alice = net.add("alice", &[addr("10.0.0.1:5060")], Phone::default());
//! let _bob = net.add("bob", &[addr("10.0.0.2:5060")], Phone::default());
//! net.lose_next(1);
//! net.node_mut(alice, |phone, _now| phone.send("MESSAGE sip:bob SIP/2.0\r\n\r\n"));
//! net.settle();
//! net.assert_ladder("
//!     0.000  alice -> bob  MESSAGE  (lost)
//! ");
//! ```

mod arrow;
mod disk;
mod fault;
mod host;
mod journal;
mod label;
mod ladder;
mod link;
mod net;
mod queue;
mod seeds;
mod stream;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

pub use arrow::{Arrow, Fate};
pub use disk::Disk;
pub use fault::Packet;
pub use host::{NodeId, NodeRef};
pub use label::{Frame, Labeller, TextLabeller};
pub use ladder::Ladder;
pub use link::{Link, Streams};
pub use net::Net;
pub use seeds::{for_each_seed, seeds};

/// A socket address written as text, `10.0.0.1:5060` or `[2001:db8::1]:5060`.
///
/// # Panics
/// When it is not one.
#[track_caller]
pub fn addr(text: &str) -> SocketAddr {
    match text.parse() {
        Ok(addr) => addr,
        Err(error) => panic!("`{text}` is no socket address: {error}"),
    }
}
