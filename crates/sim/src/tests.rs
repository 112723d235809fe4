//! The simulation tried on toy nodes.

mod datagrams;
mod ladders;
mod nodes;
mod pressure;
mod streams;
mod toy;
