//! SIPp: foreign user agents, one scenario each.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use crate::{Process, Transport, require};

/// What to run: a scenario with its parameters. A scenario that begins with `<recv>` is a user agent server.
#[derive(Debug, Clone)]
pub struct Sipp {
    name: String,
    scenario: String,
    local: SocketAddr,
    remote: Option<SocketAddr>,
    transport: Transport,
    args: Vec<String>,
    calls: u32,
    deadline: Duration,
}

/// A running scenario.
#[derive(Debug)]
pub struct Running {
    process: Process,
    name: String,
    listens: (SocketAddr, Transport),
    deadline: Duration,
}

/// What went over the wire in a scenario that has passed.
#[derive(Debug, Clone)]
pub struct Traffic {
    /// Every message sent and received, in order, as SIPp logged it (`-trace_msg`).
    pub messages: String,
}

impl Sipp {
    /// A scenario (XML text, see [`crate::scenarios`]) that listens at `local`; one call, within 30 s.
    pub fn new(name: &str, scenario: &str, local: SocketAddr) -> Self {
        Self {
            name: name.to_owned(),
            scenario: scenario.to_owned(),
            local,
            remote: None,
            transport: Transport::Udp,
            args: Vec::new(),
            calls: 1,
            deadline: Duration::from_secs(30),
        }
    }

    /// Where it listens and sends from.
    pub const fn address(&self) -> SocketAddr {
        self.local
    }

    /// Where its requests go (a user agent client needs it).
    #[must_use]
    pub fn to(self, remote: SocketAddr) -> Self {
        Self { remote: Some(remote), ..self }
    }

    /// UDP on one socket, or TCP on one connection.
    #[must_use]
    pub fn over(self, transport: Transport) -> Self {
        Self { transport, ..self }
    }

    /// A value for `[name]` in the scenario.
    #[must_use]
    pub fn key(self, name: &str, value: &str) -> Self {
        self.args(&["-key", name, value])
    }

    /// User name and password for `[authentication]`.
    #[must_use]
    pub fn login(self, user: &str, password: &str) -> Self {
        self.args(&["-au", user, "-ap", password])
    }

    /// Further arguments, as SIPp takes them.
    #[must_use]
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|&a| a.to_owned()));
        self
    }

    /// How many calls it makes or takes before it ends.
    #[must_use]
    pub fn calls(self, calls: u32) -> Self {
        Self { calls, ..self }
    }

    /// How long the whole scenario may take.
    #[must_use]
    pub fn within(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Runs it to its end. Panics when a call fails.
    pub fn run(&self) -> Traffic {
        self.start().finish()
    }

    /// Starts it and returns when it listens.
    pub fn start(&self) -> Running {
        let scratch = Process::scratch();
        let scenario = scratch.path().join("scenario.xml");
        fs::write(&scenario, &self.scenario).expect("the scratch folder can be written");
        let mut command = Command::new(require("sipp"));
        command.current_dir(scratch.path());
        if let Some(remote) = self.remote {
            command.arg(remote.to_string());
        }
        command.arg("-sf").arg(&scenario).args([
            "-i",
            &self.local.ip().to_string(),
            "-p",
            &self.local.port().to_string(),
        ]);
        command.args(["-t", mode(self.transport), "-m", &self.calls.to_string(), "-nostdin"]);
        command.args(["-timeout", &format!("{}s", self.deadline.as_secs().max(1)), "-timeout_error"]);
        command.args(["-trace_err", "-error_file", ERRORS, "-trace_msg", "-message_file", MESSAGES]);
        command.args(&self.args);
        let mut process = Process::start(&self.name, command, scratch);
        if self.remote.is_none() {
            process.wait_listening(self.local, self.transport, Duration::from_secs(10));
        }
        Running { process, name: self.name.clone(), listens: (self.local, self.transport), deadline: self.deadline }
    }
}

impl Running {
    /// Where it listens.
    pub const fn local(&self) -> SocketAddr {
        self.listens.0
    }

    /// Waits for its end and returns what went over the wire. Panics when a call failed, with its error log.
    pub fn finish(mut self) -> Traffic {
        let status = self.process.wait_exit(self.deadline + Duration::from_secs(10));
        let messages = self.log(MESSAGES);
        if status.success() {
            return Traffic { messages };
        }
        panic!(
            "SIPp scenario {} failed: {} ({status})\n-- its error log:\n{}\n-- its messages:\n{messages}\n-- {}",
            self.name,
            meaning(status.code()),
            self.log(ERRORS),
            self.process.tail()
        );
    }

    fn log(&self, file: &str) -> String {
        let bytes = fs::read(self.process.folder().join(file)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

const ERRORS: &str = "errors.log";
const MESSAGES: &str = "messages.log";

/// One socket for all calls: `u1`, `t1`.
const fn mode(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "u1",
        Transport::Tcp => "t1",
    }
}

/// Exit codes, from SIPp's manual.
const fn meaning(code: Option<i32>) -> &'static str {
    match code {
        Some(1) => "at least one call failed",
        Some(97) => "ended by an internal command",
        Some(99) => "ended without a call",
        Some(253) => "RTP check failed",
        Some(254) => "connection error",
        Some(255) => "fatal error",
        Some(_) => "unknown exit code",
        None => "killed",
    }
}
