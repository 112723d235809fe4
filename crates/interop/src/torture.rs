//! The torture messages of RFC 4475, sent to a node as they are.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use crate::options::statuses;
use crate::{Loopback, Transport, options};

/// A run over all messages of a folder.
#[derive(Debug, Clone)]
pub struct Torture {
    /// The node under test.
    pub node: SocketAddr,
    /// How the messages travel.
    pub transport: Transport,
    /// How long an answer to one message is waited for.
    pub patience: Duration,
}

/// What came of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TortureCase {
    /// File name without `.dat`, as the RFC names the message.
    pub name: String,
    /// Provisional answers, in order.
    pub provisional: Vec<u16>,
    /// The final answer, if there was one.
    pub answer: Option<u16>,
    /// Whether the node answered an OPTIONS afterwards.
    pub alive: bool,
}

impl Torture {
    /// Sends every file, in the given order, from the leased address, and asks after each whether the node is alive.
    ///
    /// A message whose topmost Via is that of an earlier one is a retransmission to the node (RFC 3261 §17.2.3): give the
    /// two to different nodes.
    pub fn run(&self, lease: &Loopback, files: &[PathBuf]) -> Vec<TortureCase> {
        let messages: Vec<(String, Vec<u8>)> = files
            .iter()
            .map(|f| (f.file_stem().unwrap_or_default().to_string_lossy().into_owned(), fs::read(f).expect("readable")))
            .collect();
        match self.transport {
            Transport::Udp => {
                let mut ears = Ears::new(lease, &messages);
                messages.iter().map(|(name, message)| self.case(lease, name, ears.ask(self, message))).collect()
            }
            Transport::Tcp => messages.iter().map(|(name, m)| self.case(lease, name, self.ask_tcp(m))).collect(),
        }
    }

    fn case(&self, lease: &Loopback, name: &str, statuses: Vec<u16>) -> TortureCase {
        let alive = options(self.node, self.transport, lease.ip(), Duration::from_secs(5)).is_some();
        let provisional = statuses.iter().copied().filter(|s| *s < 200).collect();
        TortureCase { name: name.to_owned(), provisional, answer: statuses.into_iter().find(|s| *s >= 200), alive }
    }

    /// A connection per message: the node may close it, and a broken length would spoil what follows.
    fn ask_tcp(&self, message: &[u8]) -> Vec<u16> {
        let Ok(mut stream) = TcpStream::connect_timeout(&self.node, self.patience) else { return Vec::new() };
        let (mut got, mut buffer) = (Vec::new(), [0; 4096]);
        // A node may refuse by closing before all is sent; what it said before that counts.
        let _ = stream.write_all(message);
        let deadline = Instant::now() + self.patience;
        while let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|d| !d.is_zero()) {
            if stream.set_read_timeout(Some(left)).is_err() {
                break;
            }
            match stream.read(&mut buffer) {
                Ok(length) if length > 0 => got.extend_from_slice(&buffer[..length]),
                Ok(_) | Err(_) => break,
            }
            if statuses(&got).iter().any(|s| *s >= 200) {
                break;
            }
        }
        statuses(&got)
    }
}

/// UDP sockets on all ports where answers may come.
///
/// An answer goes to the address that a message came from and to the port that its topmost Via names, 5060 if it names
/// none (RFC 3261 §18.2.2): the messages of the RFC know nothing of `rport`.
struct Ears {
    mouth: UdpSocket,
    heard: Receiver<Vec<u8>>,
    /// Call-IDs of earlier messages, whose answers are repeated because nobody acknowledges them.
    earlier: BTreeSet<String>,
    /// The listening threads end when it goes.
    _listens: Arc<()>,
}

impl Ears {
    fn new(lease: &Loopback, messages: &[(String, Vec<u8>)]) -> Self {
        let ports: BTreeSet<u16> =
            messages.iter().filter_map(|(_, m)| via_port(&String::from_utf8_lossy(m))).chain([5060]).collect();
        let (hear, heard) = mpsc::channel();
        let (mut mouth, listens) = (None, Arc::new(()));
        for port in ports {
            let socket = UdpSocket::bind((lease.ip(), port)).unwrap_or_else(|e| panic!("{}:{port}: {e}", lease.ip()));
            let (ear, hear) = (socket.try_clone().expect("a socket can be shared"), hear.clone());
            let run = Arc::downgrade(&listens);
            ear.set_read_timeout(Some(Duration::from_millis(100))).expect("a socket has a read timeout");
            std::thread::spawn(move || {
                let mut buffer = vec![0; 65_535];
                while run.strong_count() > 0 {
                    let Ok(length) = ear.recv(&mut buffer) else { continue };
                    if hear.send(buffer[..length].to_vec()).is_err() {
                        return;
                    }
                }
            });
            if port == 5060 {
                mouth = Some(socket);
            }
        }
        Self { mouth: mouth.expect("5060 is one of the ports"), heard, earlier: BTreeSet::new(), _listens: listens }
    }

    fn ask(&mut self, torture: &Torture, message: &[u8]) -> Vec<u16> {
        let ours = call_id(&String::from_utf8_lossy(message));
        self.mouth.send_to(message, torture.node).expect("loopback takes a datagram");
        let mut got = Vec::new();
        let deadline = Instant::now() + torture.patience;
        while let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|d| !d.is_zero()) {
            let Ok(answer) = self.heard.recv_timeout(left) else { break };
            let its = call_id(&String::from_utf8_lossy(&answer));
            let is_late = its != ours && its.is_some_and(|id| self.earlier.contains(&id));
            if is_late || !answer.starts_with(b"SIP/2.0 ") {
                continue;
            }
            got.extend(statuses(&answer).first());
            if got.last().is_some_and(|s| *s >= 200) {
                break;
            }
        }
        self.earlier.extend(ours);
        got
    }
}

/// The value of the first header field with one of the names; folded lines are joined.
fn field(text: &str, names: [&str; 2]) -> Option<String> {
    let unfolded = text.replace("\r\n ", " ").replace("\r\n\t", " ");
    unfolded.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        names.iter().any(|n| name.trim().eq_ignore_ascii_case(n)).then(|| value.trim().to_owned())
    })
}

fn call_id(text: &str) -> Option<String> {
    field(text, ["Call-ID", "i"])
}

fn via_port(text: &str) -> Option<u16> {
    let via = field(text, ["Via", "v"])?;
    let sent_by = via.split([';', ',']).next()?;
    sent_by.rsplit_once(':')?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_the_topmost_via_is_found_in_all_its_spellings() {
        let message = |via: &str| format!("OPTIONS sip:a SIP/2.0\r\n{via}\r\n\r\n");
        assert_eq!(via_port(&message("Via: SIP/2.0/UDP a.example:5070;branch=z9hG4bK1")), Some(5070));
        assert_eq!(via_port(&message("v:  SIP  / 2.0 / TCP  a.example :\r\n 5071 ; x")), Some(5071));
        assert_eq!(via_port(&message("Via: SIP/2.0/UDP a.example;branch=z9hG4bK1")), None);
        assert_eq!(via_port(&message("Via: SIP/2.0/UDP a, SIP/2.0/UDP b:1")), None);
    }
}
