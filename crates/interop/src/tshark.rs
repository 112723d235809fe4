//! tshark: what was on the wire, read by parsers that are not ours.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::{Loopback, Process, require};

/// A capture that is running.
///
/// That a packet is in the file is never hoped for: marks of our own are sent and looked for in the file, one before
/// [`Tshark::start`] returns and one before [`Tshark::stop`] ends the capture. What lies between them is complete.
#[derive(Debug)]
pub struct Tshark {
    process: Process,
    scratch: TempDir,
    marks: Marks,
}

/// A finished capture.
#[derive(Debug)]
pub struct Capture {
    scratch: TempDir,
    marks: String,
    decode_as: Vec<String>,
}

/// Datagrams of ours between two sockets of ours that nobody else uses.
#[derive(Debug)]
struct Marks {
    lease: Loopback,
    from: UdpSocket,
    /// Bound so that no ICMP answer is provoked; never read.
    to: UdpSocket,
}

/// A mark must appear in the file within this time.
const PATIENCE: Duration = Duration::from_secs(30);

impl Tshark {
    /// Captures on the loopback interface what the filter (BPF, as in `host 127.64.0.1 and port 5060`) lets through.
    /// Returns when it really captures. Needs root or the right to capture.
    pub fn start(filter: &str) -> Self {
        let (scratch, marks) = (Process::scratch(), Marks::new());
        let mut command = Command::new(require("tshark"));
        command.args(["-i", "lo", "-q", "-f", &format!("({filter}) or ({})", marks.bpf()), "-w"]).arg(file(&scratch));
        let process = Process::start("tshark", command, Process::scratch());
        let mut tshark = Self { process, scratch, marks };
        tshark.process.wait_line("Capturing on", PATIENCE);
        tshark.see_mark("first");
        tshark
    }

    /// Ends the capture; everything sent before is in it.
    pub fn stop(mut self) -> Capture {
        self.see_mark("last");
        self.process.stop();
        Capture { scratch: self.scratch, marks: self.marks.lease.ip().to_string(), decode_as: Vec::new() }
    }

    fn see_mark(&mut self, which: &str) {
        let (path, payload) = (file(&self.scratch), format!("mark:{which}:{}", self.marks.lease.ip()));
        let mut looks = 0_u32;
        self.process.wait_ready(&format!("the {which} mark in the capture"), PATIENCE, || {
            // Not every look sends: the file is written in batches.
            if looks.is_multiple_of(20) {
                self.marks.send(&payload);
            }
            looks += 1;
            contains(&fs::read(&path).unwrap_or_default(), payload.as_bytes())
        });
    }
}

impl Capture {
    /// A capture that somebody else made.
    pub fn open(path: &Path) -> Self {
        let scratch = Process::scratch();
        fs::copy(path, file(&scratch)).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        // It has no marks of ours: no packet is from nowhere.
        Self { scratch, marks: "0.0.0.0".to_owned(), decode_as: Vec::new() }
    }

    /// The pcap file; it goes with this value.
    pub fn path(&self) -> PathBuf {
        file(&self.scratch)
    }

    /// Makes tshark read a port as a protocol, as in `udp.port==20000,sip`.
    #[must_use]
    pub fn decode_as(mut self, rule: &str) -> Self {
        self.decode_as.push(rule.to_owned());
        self
    }

    /// One row per packet that passes the display filter (may be empty), one column per field. Several values of one
    /// field are joined with `|`.
    pub fn fields(&self, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
        let all = if filter.is_empty() { "frame" } else { filter };
        let mut command = Command::new(require("tshark"));
        command.args(["-n", "-r"]).arg(self.path()).args(["-Y", &format!("({all}) && !(ip.addr == {})", self.marks)]);
        command.args(["-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=|"]);
        command.args(self.decode_as.iter().flat_map(|rule| ["-d", rule])).args(fields.iter().flat_map(|f| ["-e", f]));
        let output = command.output().expect("tshark can be started");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tshark cannot read the capture: {}\n{said}", output.status);
        let rows = String::from_utf8_lossy(&output.stdout);
        rows.lines().map(|row| row.split('\t').map(str::to_owned).collect()).collect()
    }
}

impl Marks {
    fn new() -> Self {
        let lease = Loopback::lease();
        let [from, to] = lease.ports().map(|a| UdpSocket::bind(a).expect("a leased port is free"));
        Self { lease, from, to }
    }

    fn address(&self) -> SocketAddr {
        self.to.local_addr().expect("a bound socket has an address")
    }

    fn bpf(&self) -> String {
        format!("udp and dst host {} and dst port {}", self.lease.ip(), self.address().port())
    }

    fn send(&self, payload: &str) {
        self.from.send_to(payload.as_bytes(), self.address()).expect("loopback takes a datagram");
    }
}

fn file(scratch: &TempDir) -> PathBuf {
    Path::new(scratch.path()).join("capture.pcap")
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
