//! Sends each message, in the clear, as one HEPv3 packet over UDP.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Context as _;
use wire::Timestamp;

use super::message::Message;
use super::packet::{self, About};
use super::{Counts, HepPlan, Seen};

/// A packet has to fit into a datagram, with its chunks.
const LONGEST: usize = 64_000;

/// A Call-ID that is longer is one of an attack, and would not fit beside the message.
const LONGEST_ID: usize = 255;

/// Microseconds between two lines in the log.
const PAUSE: u64 = 60_000_000;

pub(super) struct Homer {
    plan: HepPlan,
    socket: UdpSocket,
    counts: Arc<Counts>,
    /// When the log was told of copies that cannot be sent.
    told: Option<Timestamp>,
}

impl Homer {
    pub(super) fn new(plan: HepPlan, counts: Arc<Counts>) -> anyhow::Result<Homer> {
        let any: SocketAddr = match plan.address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).and_then(|socket| socket.connect(plan.address).map(|()| socket));
        let socket = socket.with_context(|| format!("hep.address {} cannot be reached", plan.address))?;
        Ok(Homer { plan, socket, counts, told: None })
    }

    pub(super) fn send(&mut self, seen: &Seen, message: &Message) {
        let (at, call_id) = (message.at(), message.call_id());
        let mut shown = message.shown(self.plan.contents);
        shown.truncate(LONGEST);
        let about = About {
            at,
            transport: seen.transport,
            protocol: message.protocol(),
            from: seen.way.from,
            to: seen.way.to,
            correlation: if call_id.len() <= LONGEST_ID { call_id } else { &[] },
            capture_id: self.plan.capture_id,
            password: self.plan.password.as_ref().map(|word| word.0.as_str()),
            node: &seen.node,
        };
        match self.socket.send(&packet::packet(&about, &shown)) {
            Ok(_) => {
                self.counts.sent.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
                // Of a host where nobody listens every other copy fails.
                if self.told.is_none_or(|told| at.as_micros().saturating_sub(told.as_micros()) > PAUSE) {
                    self.told = Some(at);
                    tracing::warn!(address = %self.plan.address, %error, "copies for Homer cannot be sent (logged once a minute)");
                }
            }
        }
    }
}
