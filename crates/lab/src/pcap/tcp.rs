//! Segments around the pieces of a stream.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use wire::Transport;

use super::{Packet, ip};
use crate::tap::{Seen, What};

/// What a loopback of 65,536 octets has room for, after the headers of IP and TCP with timestamps.
const SEGMENT: usize = 65_483;
const WINDOW: u16 = u16::MAX;
/// First sequence numbers of the end that opened and of the one that accepted.
const FIRST: [u32; 2] = [1_000, 5_000];

/// One direction between two sockets: transport, sender, receiver.
type Path = (Transport, SocketAddr, SocketAddr);

/// The connections that were seen to open and not yet to close, by the ends that opened and accepted them.
#[derive(Default)]
pub(super) struct Connections {
    open: BTreeMap<Path, Connection>,
}

/// One connection: the end that opened it comes first.
struct Connection {
    ends: [SocketAddr; 2],
    /// The sequence number that each end sends next.
    next: [u32; 2],
    /// The sequence number of the other end that each end waits for.
    awaited: [u32; 2],
}

/// What a segment is besides its octets.
#[derive(Clone, Copy, Default)]
struct Flags {
    syn: bool,
    ack: bool,
    psh: bool,
    fin: bool,
}

impl Connections {
    /// Draws what one end saw.
    pub(super) fn see(&mut self, seen: &Seen, micros: u64, out: &mut Vec<Packet>) {
        let outward = (seen.transport, seen.local, seen.remote);
        let inward = (seen.transport, seen.remote, seen.local);
        if let What::Opened { by_us } = seen.what {
            let key = if by_us { outward } else { inward };
            self.open.entry(key).or_insert_with(|| Connection::open([key.1, key.2], micros, out));
            return;
        }
        let (key, end) = if self.open.contains_key(&outward) { (outward, 0) } else { (inward, 1) };
        let Some(connection) = self.open.get_mut(&key) else { return };
        match &seen.what {
            What::Opened { .. } => {}
            What::Sent(data) => connection.sent(end, data, micros, out),
            What::Received(data) => connection.received(end, data.len(), micros, out),
            What::Closed => {
                // Which end began is not seen: a tap hears of the end once both have.
                connection.close(end, micros, out);
                self.open.remove(&key);
            }
        }
    }

    /// Draws a message that one end sent and the other one took.
    pub(super) fn pass(&mut self, path: Path, data: &[u8], micros: u64, out: &mut Vec<Packet>) {
        let back = (path.0, path.2, path.1);
        let (key, end) = if self.open.contains_key(&back) { (back, 1) } else { (path, 0) };
        let connection = self.open.entry(key).or_insert_with(|| Connection::open([key.1, key.2], micros, out));
        connection.sent(end, data, micros, out);
        connection.received(1 - end, data.len(), micros, out);
    }

    /// Closes what is left.
    pub(super) fn close_all(mut self, micros: u64, out: &mut Vec<Packet>) {
        for connection in self.open.values_mut() {
            connection.close(0, micros, out);
        }
    }
}

impl Connection {
    fn open(ends: [SocketAddr; 2], micros: u64, out: &mut Vec<Packet>) -> Connection {
        let mut connection = Connection { ends, next: FIRST, awaited: [0; 2] };
        connection.segment(0, Flags { syn: true, ..Flags::default() }, &[], micros, out);
        connection.awaited[1] = connection.next[0];
        connection.segment(1, Flags { syn: true, ack: true, ..Flags::default() }, &[], micros, out);
        connection.awaited[0] = connection.next[1];
        connection.segment(0, Flags { ack: true, ..Flags::default() }, &[], micros, out);
        connection
    }

    fn sent(&mut self, end: usize, data: &[u8], micros: u64, out: &mut Vec<Packet>) {
        let mut pieces = data.chunks(SEGMENT).peekable();
        while let Some(piece) = pieces.next() {
            let psh = pieces.peek().is_none();
            self.segment(end, Flags { ack: true, psh, ..Flags::default() }, piece, micros, out);
        }
    }

    fn received(&mut self, end: usize, len: usize, micros: u64, out: &mut Vec<Packet>) {
        self.awaited[end] = self.awaited[end].wrapping_add(len as u32);
        self.segment(end, Flags { ack: true, ..Flags::default() }, &[], micros, out);
    }

    fn close(&mut self, first: usize, micros: u64, out: &mut Vec<Packet>) {
        let second = 1 - first;
        let fin = Flags { ack: true, fin: true, ..Flags::default() };
        // Whatever was on its way has arrived by now.
        self.awaited = [self.next[1], self.next[0]];
        self.segment(first, fin, &[], micros, out);
        self.awaited[second] = self.next[first];
        self.segment(second, fin, &[], micros, out);
        self.awaited[first] = self.next[second];
        self.segment(first, Flags { ack: true, ..Flags::default() }, &[], micros, out);
    }

    fn segment(&mut self, end: usize, flags: Flags, data: &[u8], micros: u64, out: &mut Vec<Packet>) {
        let (from, to) = (self.ends[end], self.ends[1 - end]);
        let Some(step) = ip(from, to) else { return };
        let mut step = step.tcp(from.port(), to.port(), self.next[end], WINDOW);
        if flags.syn {
            step = step.syn();
        }
        if flags.ack {
            step = step.ack(self.awaited[end]);
        }
        if flags.psh {
            step = step.psh();
        }
        if flags.fin {
            step = step.fin();
        }
        // A SYN and a FIN take one number each (RFC 9293 §3.4).
        let used = data.len() as u32 + u32::from(flags.syn) + u32::from(flags.fin);
        self.next[end] = self.next[end].wrapping_add(used);
        let mut packet = Vec::with_capacity(step.size(data.len()));
        if step.write_to_vec(&mut packet, data).is_ok() {
            out.push(Packet { micros, data: packet });
        }
    }
}
