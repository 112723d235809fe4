//! Plans out of seeds.

use std::time::Duration;

use flow::CloseBy;
use scenarios::{Sink, Site, Topology};
use sim::Link;
use wire::{Entropy, Transport};

use crate::plan::{Forgery, Trouble};
use crate::{Event, Kind, Kinds, Plan, What};

/// Neighbours in SIP or in MSRP.
const NEIGHBOURS: [(Site, Site); 9] = [
    (Site::ClientA, Site::CoreA),
    (Site::CoreA, Site::PfA),
    (Site::CoreA, Site::CoreB),
    (Site::CoreB, Site::PfB),
    (Site::CoreB, Site::ClientB),
    (Site::ClientA, Site::ClientB),
    (Site::ClientA, Site::PfA),
    (Site::PfA, Site::PfB),
    (Site::PfB, Site::ClientB),
];

impl Plan {
    /// The plan of a seed, with these kinds of faults.
    pub fn draw(seed: u64, kinds: &Kinds) -> Plan {
        // Other dice than those of the system, which has the seed itself.
        let mut dice = Entropy::from_seed(seed ^ 0x70_6c61_6e73);
        let topologies = Topology::all();
        let topology = topologies[dice.below(topologies.len() as u64) as usize];
        let link = draw_link(&mut dice, kinds, topology.transport);
        let closes = draw_close(&mut dice);
        let mut events = vec![Event { at: Duration::ZERO, what: What::Call }, closes];
        let end = closes.at + Duration::from_secs(2);
        for _ in 0..dice.below(7) {
            events.push(draw_message(&mut dice, end));
        }
        if dice.below(4) == 0 {
            events.push(Event { at: below(&mut dice, end), what: What::Call });
        }
        let strikes = kinds.strikes();
        if !strikes.is_empty() {
            // Mostly around what users do.
            for _ in 0..1 + dice.below(4) {
                let kind = strikes[dice.below(strikes.len() as u64) as usize];
                events.push(Event {
                    at: below(&mut dice, end + Duration::from_secs(4)),
                    what: draw_strike(&mut dice, kind),
                });
            }
        }
        events.sort_by_key(|event| event.at);
        Plan { seed, kinds: kinds.clone(), topology, link, durable: dice.below(2) == 0, broken: None, events }
    }
}

fn below(dice: &mut Entropy, most: Duration) -> Duration {
    Duration::from_millis(dice.below(most.as_millis() as u64 + 1))
}

fn draw_link(dice: &mut Entropy, kinds: &Kinds, transport: Transport) -> Link {
    let mut link = Link::default();
    let hundredths = |dice: &mut Entropy, most: u64| dice.below(most + 1) as f64 / 100.0;
    if kinds.has(Kind::Loss) && dice.below(2) == 0 {
        link.loss = hundredths(dice, if transport == Transport::Udp { 20 } else { 5 });
    }
    if kinds.has(Kind::Duplicate) && dice.below(2) == 0 {
        link.duplicate = hundredths(dice, 20);
    }
    if kinds.has(Kind::Reorder) && dice.below(2) == 0 {
        link.jitter = below(dice, Duration::from_millis(80));
    }
    link
}

/// Half of the closes come while the session may still be being set up.
fn draw_close(dice: &mut Entropy) -> Event {
    let at = if dice.below(2) == 0 { Duration::from_secs(3) } else { Duration::from_secs(40) };
    let by = [CloseBy::A, CloseBy::B, CloseBy::Both][dice.below(3) as usize];
    Event { at: below(dice, at), what: What::Close(by) }
}

fn draw_message(dice: &mut Entropy, end: Duration) -> Event {
    let from = [Site::ClientA, Site::ClientB][dice.below(2) as usize];
    let octets = [5, 2_000, 100_000][dice.below(3) as usize];
    Event { at: below(dice, end), what: What::Send(from, 1 + dice.below(octets) as usize) }
}

fn draw_strike(dice: &mut Entropy, kind: Kind) -> What {
    let (mut one, mut other) = NEIGHBOURS[dice.below(NEIGHBOURS.len() as u64) as usize];
    if dice.below(2) == 0 {
        (one, other) = (other, one);
    }
    let site = Site::ALL[dice.below(6) as usize];
    let lasts = Duration::from_millis(50)
        + if dice.below(2) == 0 { below(dice, Duration::from_secs(2)) } else { below(dice, Duration::from_secs(25)) };
    match kind {
        Kind::Partition => What::Partition(one, other, lasts),
        Kind::OneWay => What::OneWay(one, other, lasts),
        Kind::Crash => What::Crash(site, lasts),
        Kind::Stall => What::Stall(site, lasts),
        Kind::Clock => What::Clock(site, [1, -1, 3_600, -3_600, 315_360_000, -315_360_000][dice.below(6) as usize]),
        Kind::Break => What::Break(one, other),
        Kind::BlackHole => What::BlackHole(one, other),
        Kind::Disk => {
            let trouble =
                if dice.below(2) == 0 { Trouble::Dead } else { Trouble::Unsynced(1 + dice.below(3) as usize) };
            What::Disk([Site::PfA, Site::PfB][dice.below(2) as usize], trouble, lasts)
        }
        Kind::Store => What::Store([Sink::Down, Sink::Mute][dice.below(2) as usize], lasts),
        Kind::Forge => What::Forge(site, Forgery::ALL[dice.below(Forgery::ALL.len() as u64) as usize]),
        // The first three are the way of the network, and drawn with it.
        Kind::Loss | Kind::Duplicate | Kind::Reorder | Kind::Delay => {
            // Shorter than T4: no message is older (RFC 3261, Table 4).
            What::Delay(1 + dice.below(3) as usize, below(dice, Duration::from_secs(4)))
        }
    }
}
