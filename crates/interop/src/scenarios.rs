//! SIPp scenarios of CPM clients, under `scenarios/`.
//!
//! Parameters (`-key`, [`crate::Sipp::key`]) are named at the top of each file.

/// Registers with Digest authentication and ends. Keys `user`, `domain`, `expires`; login.
pub const REGISTER: &str = include_str!("../scenarios/register.xml");

/// Registers, sets a one-to-one session up with MSRP and CPM header fields in compact forms and an unusual order, and
/// closes it or waits for the close. Keys `user`, `domain`, `callee`, `msrp_port`, `close_by` (`a`, `b`), `hold`
/// (milliseconds in session); login.
pub const CLIENT_A: &str = include_str!("../scenarios/client-a.xml");

/// Takes a session (180, 200), and closes it or waits for the close. It registers with [`REGISTER`] before. Keys
/// `msrp_port`, `close_by`, `hold`.
pub const CLIENT_B: &str = include_str!("../scenarios/client-b.xml");

/// Calls a participating function as its core would, and closes. Keys `pf`, `back`, `me`.
pub const ISC_A: &str = include_str!("../scenarios/isc-a.xml");

/// Calls a participating function as its core would, and waits for the close. Keys `pf`, `back`, `me`.
pub const ISC_HELD: &str = include_str!("../scenarios/isc-held.xml");

/// Is called by a participating function as through its core, and waits for the close. Key `me`.
pub const ISC_B: &str = include_str!("../scenarios/isc-b.xml");
