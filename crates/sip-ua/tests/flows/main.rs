//! The user agent on a simulated network: whole sessions, asserted as ladders.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod buried;
mod bye_answers;
mod cancel;
mod challenge;
mod close;
mod close_races;
mod forks;
mod in_dialog;
mod modify;
mod phone;
mod registrar;
mod registration;
mod scripted;
mod seeds;
mod set_up;
mod timers;
