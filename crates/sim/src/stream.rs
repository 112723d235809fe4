use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use wire::{ConnId, Instant, Transport};

use crate::arrow::ArrowId;
use crate::{Frame, Labeller};

/// A stream connection between two hosts. Side 0 asked for it, side 1 is the listener's.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) transport: Transport,
    pub(crate) ends: [End; 2],
    /// `pipes[side]` carries what `ends[side]` sends.
    pub(crate) pipes: [Pipe; 2],
    /// Nothing crosses any more, and nobody is told: a firewall forgot it.
    pub(crate) black_hole: bool,
    /// When the kernel gives up: on connecting, or on what could not cross.
    pub(crate) deadline: Option<Instant>,
}

impl Connection {
    pub(crate) fn new(transport: Transport, connecting: End, listening: End) -> Connection {
        let pipes = [Pipe::default(), Pipe::default()];
        Connection { transport, ends: [connecting, listening], pipes, black_hole: false, deadline: None }
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
    /// Written before the connection was up.
    pub(crate) backlog: Vec<Bytes>,
    /// The node closed it: it hears no more of it.
    pub(crate) closing: bool,
}

impl End {
    pub(crate) fn new(node: usize, conn: Option<ConnId>, local: SocketAddr) -> End {
        let state = if conn.is_some() { EndState::Connecting } else { EndState::Closed };
        End { node, conn, local, state, backlog: Vec::new(), closing: false }
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

/// One direction of a connection.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    /// Due times never decrease.
    pub(crate) in_transit: VecDeque<(Instant, Item)>,
    pub(crate) last_arrival: Instant,
    /// The first item is due but blocked.
    pub(crate) stalled: bool,
    /// Written, but not yet a whole message.
    unframed: BytesMut,
    framed: u64,
    delivered: u64,
    /// Arrows under way, each with the stream position where it ends.
    under_way: VecDeque<(u64, ArrowId)>,
}

impl Pipe {
    /// Takes what is written and hands out the next whole message with the position of its end; call with an empty slice
    /// until `None`.
    pub(crate) fn frame(&mut self, labeller: &dyn Labeller, data: &[u8]) -> Option<(u64, Bytes)> {
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

    /// What was written after the last whole message.
    pub(crate) fn take_unframed(&mut self) -> Bytes {
        self.unframed.split().freeze()
    }

    pub(crate) fn track(&mut self, end: u64, arrow: ArrowId) {
        self.under_way.push_back((end, arrow));
    }

    /// Takes note that `n` more bytes came out, and hands out the arrows that are now whole.
    pub(crate) fn advance(&mut self, n: usize) -> Vec<ArrowId> {
        self.delivered += n as u64;
        let whole = self.under_way.iter().take_while(|(end, _)| *end <= self.delivered).count();
        self.under_way.drain(..whole).map(|(_, arrow)| arrow).collect()
    }

    /// Forgets everything on its way, and hands out the arrows lost thereby.
    pub(crate) fn purge(&mut self) -> Vec<ArrowId> {
        self.in_transit.clear();
        self.stalled = false;
        self.under_way.drain(..).map(|(_, arrow)| arrow).collect()
    }
}
