//! Test support: real, foreign SIP software against ours, on loopback.
//!
//! | part | foreign software | stands for |
//! |---|---|---|
//! | [`Sipp`] with [`scenarios`] | SIPp | CPM clients of another make |
//! | [`Kamailio`], [`Core`] | Kamailio | a SIP/IP core of another make, of one domain or of two that know each other |
//! | [`MsrpRelay`] | Kamailio | an MSRP relay (RFC 4976) of another make |
//! | [`Postgres`] | PostgreSQL | the database that servers share |
//! | [`Tshark`] | tshark | an observer who reads the wire without our parsers |
//! | [`Torture`] | - | the messages of RFC 4475, byte for byte |
//!
//! Everything here panics with what the foreign program said when something goes wrong: it runs in tests only. A tool that
//! is not installed fails the test (`cargo xtask test` installs it); nothing is ever skipped. Nothing waits for a fixed
//! time: readiness is seen in the output of a program, in the sockets of the kernel or in an answer.
//!
//! Every test leases addresses of its own out of 127.0.0.0/8 ([`Loopback`]), so that tests run side by side, use port 5060
//! if they like, and capture their own packets only.

mod core;
mod homer;
mod kamailio;
mod listening;
mod loopback;
mod msrp_relay;
mod options;
mod postgres;
mod process;
pub mod scenarios;
mod sipp;
mod template;
mod torture;
mod tshark;
mod wait;

pub use core::Core;
pub use homer::{homer, homer_of_all};
pub use kamailio::Kamailio;
pub use listening::is_listening;
pub use loopback::Loopback;
pub use msrp_relay::MsrpRelay;
pub use options::options;
pub use postgres::Postgres;
pub use process::Process;
pub use sipp::{Running, Sipp, Traffic};
pub use template::fill;
pub use torture::{Torture, TortureCase};
pub use tshark::{Capture, Tshark};
pub use wait::until;

use std::path::PathBuf;

/// SIP transport of a foreign program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// UDP (RFC 3261 §18).
    Udp,
    /// TCP (RFC 3261 §18).
    Tcp,
}

impl Transport {
    /// As in a `transport=` URI parameter.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// Whether a program is installed, looked up in PATH and in the system folders.
pub fn has(program: &str) -> bool {
    find(program).is_some()
}

/// Path of an installed program. Panics when it is missing: a test that cannot run must not pass.
pub fn require(program: &str) -> PathBuf {
    match find(program) {
        Some(path) => path,
        None => panic!("{program} is not installed; `cargo xtask test` installs what the tests need"),
    }
}

/// Path of a binary of this workspace, built beside the running test.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    // Tests run in target/PROFILE/deps, binaries lie in target/PROFILE.
    let path = test.ancestors().skip(1).map(|folder| folder.join(name)).find(|path| path.is_file());
    path.unwrap_or_else(|| panic!("{name} is not built; run `cargo build --workspace --bins`, or `cargo xtask test`"))
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin".into(), "/sbin".into()];
    std::env::split_paths(&path).chain(system).map(|folder| folder.join(program)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installed_program_is_found_and_a_missing_one_fails_the_test() {
        assert!(has("sh") && require("sh").is_absolute());
        assert!(!has("no-such-program-of-ours"));
        let error = std::panic::catch_unwind(|| require("no-such-program-of-ours")).unwrap_err();
        assert!(error.downcast_ref::<String>().unwrap().contains("cargo xtask test"));
    }
}
