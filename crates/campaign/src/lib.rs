//! Campaigns: the two-operator system with everything that may go wrong, drawn from a seed; what must hold whatever
//! happens; and, when it does not, the least that has to go wrong for it.
//!
//! A [`Plan`] is drawn from a seed and says what users do and what strikes when. [`play`] runs it on `scenarios`, and panics
//! when something does not hold. The same seed and the same kinds of faults give the same plan and the same bytes;
//! [`shrink`] leaves out of a failing plan what does not matter.

mod check;
mod draw;
mod fault;
mod plan;
mod play;
mod run;
mod shrink;
mod stranger;

pub use fault::{Kind, Kinds};
pub use plan::{Event, Forgery, Plan, Trouble, What};
pub use play::{Tally, play};
pub use run::{Failure, Report, attempt, run};
pub use shrink::shrink;
