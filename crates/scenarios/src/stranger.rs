use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::Bytes;
use wire::{ConnId, Input, Instant, Node, Now, Output, Transport};

/// Somebody who is in no session: opens connections and sends what the test says, whole datagrams too.
#[derive(Debug, Default)]
pub struct Stranger {
    out: VecDeque<Output>,
    opened: u64,
    /// All that was sent to it, in order.
    pub heard: Vec<u8>,
    /// Connections that were closed on it.
    pub closed: usize,
}

impl Stranger {
    /// Connects from `local` to `remote` over TCP and sends `bytes`.
    pub fn dial(&mut self, local: SocketAddr, remote: SocketAddr, bytes: impl Into<Bytes>) {
        self.opened += 1;
        let conn = ConnId::opened(self.opened);
        self.out.push_back(Output::Connect { conn, transport: Transport::Tcp, local, remote, verify: None });
        self.out.push_back(Output::Write { conn, data: bytes.into() });
    }

    /// Sends one datagram.
    pub fn throw(&mut self, local: SocketAddr, remote: SocketAddr, bytes: impl Into<Bytes>) {
        self.out.push_back(Output::Datagram { local, remote, data: bytes.into() });
    }

    /// What it heard, as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.heard).into_owned()
    }
}

impl Node for Stranger {
    fn handle_input(&mut self, input: Input, _now: Now) {
        match input {
            Input::Datagram { data, .. } | Input::Stream { data, .. } => self.heard.extend_from_slice(&data),
            Input::Closed { .. } => self.closed += 1,
            Input::Accepted { .. }
            | Input::Connected { .. }
            | Input::Written { .. }
            | Input::Recalled { .. }
            | Input::Kept { .. } => {}
        }
    }

    fn handle_timeout(&mut self, _now: Now) {}

    fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
