//! Typed header fields, one file each. `parse` reads one value; `Display` prints it.

mod cseq;
mod via;

pub use cseq::CSeq;
pub use via::Via;
