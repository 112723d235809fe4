//! Normative flows as data, and what can be done with them.
//!
//! Each flow of the specification (and each case that it leaves open) is one file in `flows/`: nodes, arrows with step
//! number, from, to, message and dialog, and the partial order between them. From a [`Flow`] come the expectation of the
//! tests and the verdict of the lab ([`Flow::check`]), the step numbers on a ladder ([`ladder`]) and the pictures in the
//! docs ([`diagram`]). The files are part of the binary.
//!
//! ```
//! use flow::{CloseBy, MediaPath};
//!
//! let figure_10 = flow::closing(MediaPath::On, MediaPath::On, CloseBy::A);
//! assert_eq!(figure_10.id, "c.2.3.1-figure-10");
//! assert_eq!(figure_10.arrows.len(), 14);
//! ```

mod check;
mod diagram;
mod embedded;
pub mod ladder;
mod load;
mod message;
mod model;
mod observed;
mod verdict;

pub use check::{best, check_best};
pub use diagram::{diagram, diagram_svg};
pub use embedded::{all, by_id, closing, closings, registration, set_up};
pub use load::LoadError;
pub use message::{Message, ParseMessageError};
pub use model::{Arrow, CloseBy, Flow, Kind, MediaPath};
pub use observed::{Observed, Record};
pub use verdict::{Dialogs, Fault, Hop, Match, Verdict, Violation};
