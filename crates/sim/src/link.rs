use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wire::Entropy;

/// How one direction between two nodes treats what is sent. Loss, duplication and MTU concern datagrams; on streams, a
/// loss only delays (see [`Streams`]).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Link {
    /// Time on the way. 10 ms by default: visible in a ladder, small beside T1.
    pub delay: Duration,
    /// Up to this much is added to the delay, drawn for each packet: what causes reordering.
    pub jitter: Duration,
    /// Probability that a packet is lost, 0 to 1.
    pub loss: f64,
    /// Probability that a datagram arrives twice, 0 to 1.
    pub duplicate: f64,
    /// Datagrams with more bytes than this are lost.
    pub mtu: Option<usize>,
}

impl Default for Link {
    fn default() -> Link {
        Link { delay: Duration::from_millis(10), jitter: Duration::ZERO, loss: 0.0, duplicate: 0.0, mtu: None }
    }
}

impl Link {
    /// A bad network: the given loss, a tenth duplicated, and jitter of five times the delay.
    pub fn bad(loss: f64) -> Link {
        Link { jitter: Duration::from_millis(50), loss, duplicate: 0.1, ..Link::default() }
    }

    /// How long the next packet is on its way.
    pub(crate) fn draw_delay(&self, dice: &mut Entropy) -> Duration {
        let jitter = u64::try_from(self.jitter.as_nanos()).unwrap_or(u64::MAX - 1);
        self.delay + Duration::from_nanos(if jitter == 0 { 0 } else { dice.below(jitter + 1) })
    }
}

/// How the kernels of the simulated hosts treat stream connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Streams {
    /// A connection that is neither accepted nor refused fails after this long.
    pub connect_timeout: Duration,
    /// A connection fails when what was written to it could not cross for this long.
    pub write_timeout: Duration,
    /// How much later a lost or blocked segment arrives, counted from its due time or from the healing.
    pub retransmit: Duration,
    /// Most octets under way in one direction of a connection: in the network, or arrived and unread. What a node writes
    /// beyond waits at its host, and goes on when half of this is free. That something was read is known to the sender at
    /// once.
    pub buffer: usize,
    /// Whether written data is cut and merged at random before it is read. On by default, so that framing is always
    /// exercised; off, every write is one read, one that is larger than the
    /// buffer included: it waits until nothing else is under way.
    pub segmentation: bool,
}

impl Default for Streams {
    fn default() -> Streams {
        Streams {
            connect_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            retransmit: Duration::from_millis(200),
            buffer: 64 * 1024,
            segmentation: true,
        }
    }
}

/// The links between all nodes, by index.
#[derive(Debug, Default)]
pub(crate) struct Links {
    pub(crate) everywhere: Link,
    between: BTreeMap<(usize, usize), Link>,
    blocked: BTreeSet<(usize, usize)>,
}

impl Links {
    pub(crate) fn set(&mut self, from: usize, to: usize, link: Link) {
        self.between.insert((from, to), link);
    }

    pub(crate) fn link(&self, from: usize, to: usize) -> Link {
        self.between.get(&(from, to)).copied().unwrap_or(self.everywhere)
    }

    pub(crate) fn block(&mut self, from: usize, to: usize) {
        self.blocked.insert((from, to));
    }

    pub(crate) fn unblock(&mut self, from: usize, to: usize) {
        self.blocked.remove(&(from, to));
    }

    pub(crate) fn unblock_all(&mut self) {
        self.blocked.clear();
    }

    pub(crate) fn is_blocked(&self, from: usize, to: usize) -> bool {
        self.blocked.contains(&(from, to))
    }
}

/// True with probability `p`.
pub(crate) fn chance(dice: &mut Entropy, p: f64) -> bool {
    // 53 bits fill the mantissa of an f64 exactly, so the draw lies in 0..1 without rounding.
    p > 0.0 && ((dice.u64() >> 11) as f64 / (1u64 << 53) as f64) < p
}
