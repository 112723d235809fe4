//! An executable model of the durable close, searched exhaustively.
//!
//! Two ends, a participating function on the media path between them (two dialogs, one or two nodes, a journal on disk), and
//! a network. Between any two steps a node may crash, a message may be lost or doubled, an end may die, another node may take
//! over, all within given [`Bounds`]. Every state that can be reached is visited, and in every state that has come to rest
//! the invariants are looked at. What comes out is either the number of states, or the shortest way to a [`Violation`].
//!
//! Each rule of the design is a [`Rule`] that can be left out; the tests leave out one after the other and see that the
//! search finds what then goes wrong.

mod close;
mod ladder;
mod search;
mod suite;

pub use close::{Bounds, Close, Rule, Violation};
pub use ladder::ladder;
pub use search::{Found, Model, search};
pub use suite::{Case, full, quick, without};
