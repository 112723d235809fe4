use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use wire::{Input, Transport};

use super::{Event, Net};
use crate::arrow::ArrowId;
use crate::fault::Verdict;
use crate::link::{Link, chance};
use crate::{Arrow, Fate, Packet};

/// A datagram on its way.
#[derive(Debug)]
pub(super) struct Flight {
    from: usize,
    to: Option<usize>,
    source: SocketAddr,
    destination: SocketAddr,
    data: Bytes,
    arrow: Option<ArrowId>,
}

impl Net {
    /// # Panics
    /// When the node sends from an address it has not bound: a real host has no socket for that.
    #[track_caller]
    pub(super) fn send_datagram(&mut self, from: usize, source: SocketAddr, destination: SocketAddr, data: Bytes) {
        let name = &self.hosts[from].name;
        assert!(
            self.hosts[from].is_bound(Transport::Udp, source),
            "{name} sends from {source}, which it has not bound"
        );
        let to = self.bound_host(Transport::Udp, destination);
        let label = self.labeller.label(&data);
        let verdict = self.faults.judge(&Packet {
            from: &self.hosts[from].name,
            to: &self.name_or_addr(to, destination),
            source,
            destination,
            label: label.as_deref().unwrap_or_default(),
            data: &data,
        });
        let link = to.map_or(self.links.everywhere, |to| self.links.link(from, to));
        let flight = |arrow| Flight { from, to, source, destination, data: data.clone(), arrow };

        let first = self.record_datagram(flight(None), label.clone(), false);
        match verdict {
            Verdict::Lose => self.lose_flight(flight(first)),
            Verdict::Pass | Verdict::Duplicate => self.fly(flight(first), link, Duration::ZERO),
            Verdict::Delay(extra) => self.fly(flight(first), link, extra),
        }
        if verdict == Verdict::Duplicate || verdict != Verdict::Lose && chance(&mut self.dice, link.duplicate) {
            let copy = self.record_datagram(flight(None), label, true);
            self.fly(flight(copy), link, Duration::ZERO);
        }
    }

    fn record_datagram(&mut self, flight: Flight, label: Option<String>, duplicate: bool) -> Option<ArrowId> {
        let arrow = Arrow {
            sent_at: self.now,
            received_at: None,
            fate: Fate::InFlight,
            duplicate,
            from: self.name_or_addr(Some(flight.from), flight.source),
            to: self.name_or_addr(flight.to, flight.destination),
            source: flight.source,
            destination: flight.destination,
            transport: Transport::Udp,
            label: label?,
            data: flight.data,
        };
        Some(self.recorder.record(arrow))
    }

    fn fly(&mut self, flight: Flight, link: Link, extra: Duration) {
        let too_big = link.mtu.is_some_and(|mtu| flight.data.len() > mtu);
        if too_big || self.is_flight_cut(&flight) || chance(&mut self.dice, link.loss) {
            return self.lose_flight(flight);
        }
        let at = self.now + link.draw_delay(&mut self.dice) + extra;
        self.wire.push(at, Event::Datagram(flight));
    }

    /// A partition cuts what is sent during it, and what is in the cable when it begins.
    fn is_flight_cut(&self, flight: &Flight) -> bool {
        flight.to.is_some_and(|to| self.links.is_blocked(flight.from, to))
    }

    pub(super) fn on_datagram(&mut self, flight: Flight) {
        let up = flight.to.filter(|to| self.hosts[*to].machine.is_some());
        let Some(to) = up.filter(|_| !self.is_flight_cut(&flight)) else { return self.lose_flight(flight) };
        if let Some(arrow) = flight.arrow {
            self.recorder.received(arrow, self.now);
        }
        self.deliver(to, Input::Datagram { local: flight.destination, remote: flight.source, data: flight.data });
    }

    fn lose_flight(&mut self, flight: Flight) {
        if let Some(arrow) = flight.arrow {
            self.recorder.lost(arrow);
        }
    }
}
