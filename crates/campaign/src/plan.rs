use std::fmt;
use std::time::Duration;

use flow::CloseBy;
use scenarios::{Fault, Sink, Site, Topology};
use sim::Link;

use crate::{Kind, Kinds};

/// What users do and what strikes, in one run.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    /// What the system draws at random comes from it, and so did the plan.
    pub seed: u64,
    /// The kinds of faults that it was drawn from.
    pub kinds: Kinds,
    /// Where the participating functions stand, and what SIP runs over.
    pub topology: Topology,
    /// The way of the network all along.
    pub link: Link,
    /// Whether the participating functions have journals.
    pub durable: bool,
    /// How PF A is broken on purpose, to see that it is found out; drawn plans break nothing.
    pub broken: Option<Fault>,
    /// In the order in which they begin.
    pub events: Vec<Event>,
}

/// Something that begins at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// When, counted from the moment at which both clients are registered.
    pub at: Duration,
    /// What.
    pub what: What,
}

/// What a user does, or what strikes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// Client A calls Client B.
    Call,
    /// A user sends a message of so many octets in every session that is up, or being set up.
    Send(Site, usize),
    /// Users close every session that they have.
    Close(CloseBy),
    /// Nothing crosses between the two.
    Partition(Site, Site, Duration),
    /// Nothing crosses from the first to the second.
    OneWay(Site, Site, Duration),
    /// It is down for so long.
    Crash(Site, Duration),
    /// It does nothing for so long.
    Stall(Site, Duration),
    /// Its wall clock is stepped by so many seconds.
    Clock(Site, i64),
    /// All connections between the two break.
    Break(Site, Site),
    /// All connections between the two go silent.
    BlackHole(Site, Site),
    /// So many datagrams are late.
    Delay(usize, Duration),
    /// A stranger tries to end the latest session at this node.
    Forge(Site, Forgery),
    /// The disk of a function with a journal is in trouble.
    Disk(Site, Trouble, Duration),
    /// What becomes of records meanwhile.
    Store(Sink, Duration),
}

/// What a disk does to its node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// The next few syncs fail: what they were for is there or not.
    Unsynced(usize),
    /// It does nothing.
    Dead,
}

/// What a stranger sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forgery {
    /// A BYE with the right Call-ID and wrong tags.
    Bye,
    /// A CANCEL of the INVITE with another branch.
    Cancel,
    /// A 481 to a BYE that nobody sent.
    Gone,
    /// Bytes to the MSRP port that are no MSRP.
    MsrpJunk,
    /// A SEND to a session that does not exist.
    MsrpSend,
}

impl Forgery {
    pub(crate) const ALL: [Forgery; 5] =
        [Forgery::Bye, Forgery::Cancel, Forgery::Gone, Forgery::MsrpJunk, Forgery::MsrpSend];
}

impl What {
    /// The kind of fault, if it is one.
    pub const fn kind(&self) -> Option<Kind> {
        Some(match self {
            What::Call | What::Send(..) | What::Close(_) => return None,
            What::Partition(..) => Kind::Partition,
            What::OneWay(..) => Kind::OneWay,
            What::Crash(..) => Kind::Crash,
            What::Stall(..) => Kind::Stall,
            What::Clock(..) => Kind::Clock,
            What::Break(..) => Kind::Break,
            What::BlackHole(..) => Kind::BlackHole,
            What::Delay(..) => Kind::Delay,
            What::Forge(..) => Kind::Forge,
            What::Disk(..) => Kind::Disk,
            What::Store(..) => Kind::Store,
        })
    }

    /// How long it takes.
    pub(crate) const fn lasts(&self) -> Duration {
        match self {
            What::Partition(_, _, lasts)
            | What::OneWay(_, _, lasts)
            | What::Crash(_, lasts)
            | What::Stall(_, lasts)
            | What::Disk(_, _, lasts)
            | What::Store(_, lasts) => *lasts,
            What::Delay(..)
            | What::Call
            | What::Send(..)
            | What::Close(_)
            | What::Clock(..)
            | What::Break(..)
            | What::BlackHole(..)
            | What::Forge(..) => Duration::ZERO,
        }
    }
}

impl Plan {
    /// The nodes that die.
    pub(crate) fn crashed(&self) -> Vec<Site> {
        let crash = |event: &Event| if let What::Crash(site, _) = event.what { Some(site) } else { None };
        self.events.iter().filter_map(crash).collect()
    }

    /// Whether such a fault strikes.
    pub(crate) fn strikes(&self, kinds: &[Kind]) -> bool {
        self.events.iter().filter_map(|event| event.what.kind()).any(|kind| kinds.contains(&kind))
    }

    /// Whether a node, a way or a connection fails for a while.
    pub(crate) fn fails(&self) -> bool {
        use Kind::{BlackHole, Break, Crash, OneWay, Partition, Stall};
        self.strikes(&[Crash, Partition, OneWay, Stall, Break, BlackHole])
    }

    /// Replays the run from which it was drawn.
    pub fn replay(&self) -> String {
        format!("cargo xtask sim --seeds 1 --first {} --faults {}", self.seed, self.kinds)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Topology { pf_a, pf_b, transport } = self.topology;
        let journals = if self.durable { "with" } else { "without" };
        writeln!(f, "PF A {pf_a:?}, PF B {pf_b:?}, {journals} journals, {transport}; {:?}", self.link)?;
        for Event { at, what } in &self.events {
            writeln!(f, "{:>9.3}  {what:?}", at.as_secs_f64())?;
        }
        Ok(())
    }
}
