use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use wire::{ConnId, Instant, Transport, Verify};

use crate::arrow::ArrowId;
use crate::{Frame, Labeller, Streams};

/// A stream connection between two hosts. Side 0 asked for it, side 1 is the listener's.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) transport: Transport,
    /// Over TLS, whom the node that asked for it wants there.
    pub(crate) verify: Option<Verify>,
    pub(crate) ends: [End; 2],
    /// `pipes[side]` carries what `ends[side]` sends.
    pub(crate) pipes: [Pipe; 2],
    /// Nothing crosses any more, and nobody is told: a firewall forgot it.
    pub(crate) black_hole: bool,
    /// When the kernel gives up: on connecting, or on what could not cross.
    pub(crate) deadline: Option<Instant>,
}

impl Connection {
    pub(crate) fn new(transport: Transport, verify: Option<Verify>, connecting: End, listening: End) -> Connection {
        let pipes = [Pipe::default(), Pipe::default()];
        Connection { transport, verify, ends: [connecting, listening], pipes, black_hole: false, deadline: None }
    }

    /// Which end `node` calls `conn`.
    pub(crate) fn side_of(&self, node: usize, conn: ConnId) -> usize {
        usize::from(self.ends[0].node != node || self.ends[0].conn != Some(conn))
    }

    /// Whether it runs between these two nodes.
    pub(crate) fn is_between(&self, a: usize, b: usize) -> bool {
        let nodes = (self.ends[0].node, self.ends[1].node);
        nodes == (a, b) || nodes == (b, a)
    }

    pub(crate) fn is_stalled(&self) -> bool {
        self.pipes.iter().any(|pipe| pipe.stalled)
    }

    pub(crate) fn is_connecting(&self) -> bool {
        self.ends[0].state == EndState::Connecting
    }
}

/// One node's end of a connection.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) node: usize,
    /// The node's name for it; the listener's end has none until it is accepted.
    pub(crate) conn: Option<ConnId>,
    pub(crate) local: SocketAddr,
    pub(crate) state: EndState,
    /// The node reads what comes.
    pub(crate) reading: bool,
    /// Octets that left, of which the node is about to be told.
    pub(crate) written: usize,
    /// The node closed it: it hears no more of it.
    pub(crate) closing: bool,
}

impl End {
    pub(crate) fn new(node: usize, conn: Option<ConnId>, local: SocketAddr) -> End {
        let state = if conn.is_some() { EndState::Connecting } else { EndState::Closed };
        End { node, conn, local, state, reading: true, written: 0, closing: false }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum EndState {
    Connecting,
    Open,
    Closed,
}

/// What travels in a pipe, in order.
#[derive(Debug)]
pub(crate) enum Item {
    Syn,
    SynAck,
    Data(Bytes),
    Fin,
    Reset,
}

impl Item {
    fn len(&self) -> usize {
        match self {
            Item::Data(data) => data.len(),
            Item::Syn | Item::SynAck | Item::Fin | Item::Reset => 0,
        }
    }
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    /// Written, but for want of room still at the sender's host.
    pub(crate) waiting: VecDeque<Bytes>,
    /// The sender closed; that follows what waits.
    pub(crate) ending: bool,
    /// Octets in transit and unread.
    under_way_octets: usize,
    /// Arrived, but the node does not read.
    pub(crate) unread: VecDeque<Item>,
    /// Due times never decrease.
    pub(crate) in_transit: VecDeque<(Instant, Item)>,
    pub(crate) last_arrival: Instant,
    /// The first item is due but blocked.
    pub(crate) stalled: bool,
    /// Written, but not yet a whole message.
    unframed: BytesMut,
    /// Its end was recorded: what still trickles out is the rest of a message that is called broken off.
    is_recorded: bool,
    framed: u64,
    delivered: u64,
    /// Arrows under way, each with the stream position where it ends.
    under_way: VecDeque<(u64, ArrowId)>,
}

impl Pipe {
    /// Takes the next piece that may leave, if there is one.
    pub(crate) fn take_departing(&mut self, streams: &Streams) -> Option<Bytes> {
        let first = self.waiting.front_mut()?;
        let free = streams.buffer.saturating_sub(self.under_way_octets);
        let len = match streams.segmentation {
            true => first.len().min(free),
            false if first.len() <= free || self.under_way_octets == 0 => first.len(),
            false => 0,
        };
        if len == 0 && !first.is_empty() {
            return None;
        }
        let piece = first.split_to(len);
        if first.is_empty() {
            self.waiting.pop_front();
        }
        Some(piece)
    }

    /// Whether it is worth to go on after the buffer was full: with every little room, segments would become ever smaller
    /// (RFC 1122 §4.2.3.4).
    pub(crate) fn has_room(&self, streams: &Streams) -> bool {
        let waiting = self.waiting.iter().map(Bytes::len).sum();
        let free = streams.buffer.saturating_sub(self.under_way_octets);
        free >= usize::min(waiting, streams.buffer / 2)
    }

    /// Puts an item on its way.
    pub(crate) fn depart(&mut self, at: Instant, item: Item) {
        self.under_way_octets += item.len();
        self.last_arrival = at;
        self.in_transit.push_back((at, item));
    }

    /// Octets that wait, are in transit or are unread.
    pub(crate) fn held(&self) -> [usize; 3] {
        let unread = self.unread.iter().map(Item::len).sum();
        [self.waiting.iter().map(Bytes::len).sum(), self.under_way_octets - unread, unread]
    }

    /// Takes what is written and hands out the next whole message with the position of its end; call with an empty slice
    /// until `None`.
    pub(crate) fn frame(&mut self, labeller: &dyn Labeller, data: &[u8]) -> Option<(u64, Bytes)> {
        if self.is_recorded {
            return None;
        }
        self.unframed.extend_from_slice(data);
        while !self.unframed.is_empty() {
            match labeller.frame(&self.unframed) {
                Frame::Skip(n) if n > 0 => drop(self.take(n)),
                Frame::Message(n) if n > 0 => {
                    let message = self.take(n);
                    return Some((self.framed, message));
                }
                Frame::Incomplete | Frame::Skip(_) | Frame::Message(_) => return None,
            }
        }
        None
    }

    fn take(&mut self, n: usize) -> Bytes {
        let taken = self.unframed.split_to(n.min(self.unframed.len())).freeze();
        self.framed += taken.len() as u64;
        taken
    }

    /// What was written after the last whole message, when nothing is written any more.
    pub(crate) fn take_unframed(&mut self) -> Bytes {
        self.is_recorded = true;
        self.unframed.split().freeze()
    }

    pub(crate) fn track(&mut self, end: u64, arrow: ArrowId) {
        self.under_way.push_back((end, arrow));
    }

    /// Takes note that `n` more bytes came out, and hands out the arrows that are now whole.
    pub(crate) fn advance(&mut self, n: usize) -> Vec<ArrowId> {
        self.delivered += n as u64;
        self.under_way_octets -= n;
        let whole = self.under_way.iter().take_while(|(end, _)| *end <= self.delivered).count();
        self.under_way.drain(..whole).map(|(_, arrow)| arrow).collect()
    }

    /// Forgets everything on its way, unread or waiting, and hands out the arrows lost thereby.
    pub(crate) fn purge(&mut self) -> Vec<ArrowId> {
        self.waiting.clear();
        self.ending = false;
        self.unread.clear();
        self.in_transit.clear();
        self.under_way_octets = 0;
        self.stalled = false;
        self.under_way.drain(..).map(|(_, arrow)| arrow).collect()
    }
}
