//! Kamailio with a configuration of the test's making.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use crate::{Process, Transport, fill, options, require};

/// A running Kamailio that has answered.
#[derive(Debug)]
pub struct Kamailio {
    process: Process,
    listens: SocketAddr,
}

/// Loading its modules takes a second or two, more on a busy machine.
const START: Duration = Duration::from_secs(30);

impl Kamailio {
    /// Starts it with a configuration that listens at `listens` over UDP and TCP, and returns when it has answered an
    /// OPTIONS over each. A place `{{folder}}` in the configuration becomes its scratch folder.
    pub fn start(name: &str, config: &str, listens: SocketAddr) -> Self {
        let mut kamailio = Self::launch(name, config, listens);
        let IpAddr::V4(ip) = listens.ip() else { panic!("{name}: {listens} is not an IPv4 address") };
        for transport in [Transport::Udp, Transport::Tcp] {
            let answers = || options(listens, transport, ip, Duration::from_secs(1)).is_some();
            let what = format!("an answer to OPTIONS over {}", transport.name());
            kamailio.process.wait_ready(&what, START, answers);
        }
        kamailio
    }

    /// The same, and returns when it listens: for one that speaks something else than SIP.
    pub(crate) fn launch(name: &str, config: &str, listens: SocketAddr) -> Self {
        let scratch = Process::scratch();
        let folder = scratch.path().display().to_string();
        let config =
            if config.contains("{{folder}}") { fill(config, &[("folder", &folder)]) } else { config.to_owned() };
        let file = scratch.path().join("kamailio.cfg");
        fs::write(&file, config).expect("the scratch folder can be written");
        let mut command = Command::new(require("kamailio"));
        // Stay in front and log to standard error; small memory pools.
        command.args(["-DD", "-E", "-m", "32", "-M", "8", "-f"]).arg(&file);
        command.arg("-P").arg(scratch.path().join("pid")).arg("-Y").arg(scratch.path()).arg("-w").arg(scratch.path());
        let mut process = Process::start(name, command, scratch);
        for transport in [Transport::Udp, Transport::Tcp] {
            process.wait_listening(listens, transport, START);
        }
        Self { process, listens }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.listens
    }

    /// Waits for a line in its log (`xlog` of the configuration).
    pub fn wait_log(&mut self, text: &str, within: Duration) -> String {
        self.process.wait_line(text, within)
    }

    /// Its log so far.
    pub fn log(&mut self) -> &[String] {
        self.process.lines()
    }
}
