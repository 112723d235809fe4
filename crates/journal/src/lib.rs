//! What a node keeps beyond its own life ([`wire::Output::Keep`]): the last value of every key, in a log.
//!
//! The log is a row of [segments](Options::segment) of one size. Every entry is a [frame] with a checksum and a number; a
//! batch of them is written and synced together, and only then is it said to be kept. What is at the end of the log and
//! does not check was never said to be kept: it is cut. What does not check elsewhere is set aside in a file of its own and
//! reported, and everything behind it is still read. The oldest segments are cleaned: what is still valid in them is
//! written once more at the end, and the file is used again.
//!
//! Segments are filled with zeros when they are made, so that a write needs no room that is not there, and some are held in
//! [reserve](Options::reserve): when the disk is full, nothing new is opened, but what ends can still be written.
//!
//! [`Log`] decides all this over a [`Disk`]; [`FileDisk`] is a folder, and the simulation has one that crashes.

mod clean;
mod disk;
mod file;
pub mod frame;
mod log;
mod open;

pub use disk::Disk;
pub use file::{FileDisk, LockError};
pub use log::{Counters, Log, Options};
pub use open::{Damage, Opened};
