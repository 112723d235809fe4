use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use wire::{Instant, Transport};

/// One message on the wire: a datagram, or a framed message of a stream.
#[derive(Clone, Debug)]
pub struct Arrow {
    /// When it left. On a stream: when its last byte was handed to the connection.
    pub sent_at: Instant,
    /// When it arrived. On a stream: when its last byte was read.
    pub received_at: Option<Instant>,
    /// What became of it.
    pub fate: Fate,
    /// Whether it is the network's second copy of the message before.
    pub duplicate: bool,
    /// Name of the sending node.
    pub from: Arc<str>,
    /// Name of the receiving node, or the address when no node has it.
    pub to: Arc<str>,
    /// The address it was sent from.
    pub source: SocketAddr,
    /// The address it was sent to.
    pub destination: SocketAddr,
    /// What carried it.
    pub transport: Transport,
    /// What the ladder calls it.
    pub label: String,
    /// The whole message.
    pub data: Bytes,
}

impl Arrow {
    /// The message as text, for looking into it.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.data).into_owned()
    }

    /// What the ladder says after the label.
    pub(crate) fn note(&self) -> &'static str {
        match (self.fate, self.duplicate) {
            (Fate::Delivered, false) => "",
            (Fate::Delivered, true) => "(duplicate)",
            (Fate::Lost, false) => "(lost)",
            (Fate::Lost, true) => "(duplicate, lost)",
            (Fate::InFlight, false) => "(in flight)",
            (Fate::InFlight, true) => "(duplicate, in flight)",
            (Fate::Incomplete, _) => "(incomplete)",
        }
    }
}

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Still on its way. Also: held by a stream that is blocked.
    InFlight,
    /// It arrived, whole.
    Delivered,
    /// It will never arrive.
    Lost,
    /// The stream ended before the sender had written all of it.
    Incomplete,
}

/// Names an arrow, also after the ladder was cleared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ArrowId(usize);

/// All arrows since the ladder was last cleared.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) arrows: Vec<Arrow>,
    cleared: usize,
    /// The ladder's time zero.
    pub(crate) zero: Instant,
}

impl Recorder {
    pub(crate) fn record(&mut self, arrow: Arrow) -> ArrowId {
        self.arrows.push(arrow);
        ArrowId(self.cleared + self.arrows.len() - 1)
    }

    pub(crate) fn received(&mut self, id: ArrowId, at: Instant) {
        if let Some(arrow) = self.arrow_mut(id) {
            arrow.received_at = Some(at);
            arrow.fate = Fate::Delivered;
        }
    }

    pub(crate) fn lost(&mut self, id: ArrowId) {
        if let Some(arrow) = self.arrow_mut(id) {
            arrow.fate = Fate::Lost;
        }
    }

    pub(crate) fn clear(&mut self, zero: Instant) {
        self.cleared += self.arrows.len();
        self.arrows.clear();
        self.zero = zero;
    }

    /// `None` once the ladder was cleared.
    fn arrow_mut(&mut self, id: ArrowId) -> Option<&mut Arrow> {
        self.arrows.get_mut(id.0.checked_sub(self.cleared)?)
    }
}
