//! The most recent messages, for who asks for those of one session.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use wire::{Timestamp, Transport};

use super::message::{Message, Protocol};
use super::{CapturePlan, Counts, Seen};

/// A message that passed a node, without what is nobody's business.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::serve) struct Passed {
    pub(in crate::serve) at: Timestamp,
    pub(in crate::serve) transport: Transport,
    pub(in crate::serve) from: SocketAddr,
    pub(in crate::serve) to: SocketAddr,
    pub(in crate::serve) message: Bytes,
}

/// Messages whose octets, and what is known of them, have room within a bound: a new one displaces the oldest. Of MSRP there may
/// be much more than of SIP, without which it says little: each has half of the room, and more as long as the other leaves some.
pub(super) struct Ring {
    plan: CapturePlan,
    sip: Queue,
    msrp: Queue,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Queue {
    kept: VecDeque<Kept>,
    octets: usize,
}

impl Queue {
    fn push(&mut self, kept: Kept) {
        self.octets += kept.octets();
        self.kept.push_back(kept);
    }

    fn displace(&mut self) {
        if let Some(oldest) = self.kept.pop_front() {
            self.octets -= oldest.octets();
        }
    }
}

struct Kept {
    node: Arc<str>,
    call_id: Bytes,
    passed: Passed,
}

impl Kept {
    fn octets(&self) -> usize {
        size_of::<Kept>() + self.call_id.len() + self.passed.message.len()
    }
}

impl Ring {
    pub(super) fn new(plan: CapturePlan, counts: Arc<Counts>) -> Ring {
        Ring { plan, sip: Queue::default(), msrp: Queue::default(), counts }
    }

    /// Keeps a message. One without a Call-ID is of no session.
    pub(super) fn keep(&mut self, seen: &Seen, message: &Message) {
        if message.call_id().is_empty() {
            return;
        }
        // Copies of their own: what they are parts of may be much larger.
        let call_id = Bytes::copy_from_slice(message.call_id());
        let shown = Bytes::copy_from_slice(&message.shown(self.plan.contents));
        let (at, transport, from, to) = (message.at(), seen.transport, seen.way.from, seen.way.to);
        let passed = Passed { at, transport, from, to, message: shown };
        let kept = Kept { node: Arc::clone(&seen.node), call_id, passed };
        if kept.octets() > self.plan.octets / 2 {
            self.counts.displaced.fetch_add(1, Ordering::Relaxed);
            return;
        }
        match message.protocol() {
            Protocol::Sip => self.sip.push(kept),
            Protocol::Msrp => self.msrp.push(kept),
        }
        while self.octets() > self.plan.octets {
            let queue = if self.msrp.octets > self.plan.octets / 2 { &mut self.msrp } else { &mut self.sip };
            queue.displace();
            self.counts.displaced.fetch_add(1, Ordering::Relaxed);
        }
        self.counts.kept.store(self.sip.kept.len() + self.msrp.kept.len(), Ordering::Relaxed);
        self.counts.kept_octets.store(self.octets(), Ordering::Relaxed);
    }

    const fn octets(&self) -> usize {
        self.sip.octets + self.msrp.octets
    }

    /// Those of a node with one of these Call-IDs, the oldest first. They were kept in the order in which they ended.
    pub(super) fn of(&self, node: &str, call_ids: &[Bytes]) -> Vec<Passed> {
        let is_meant = |kept: &&Kept| *kept.node == *node && call_ids.contains(&kept.call_id);
        let all = self.sip.kept.iter().chain(&self.msrp.kept);
        let mut found: Vec<Passed> = all.filter(is_meant).map(|kept| kept.passed.clone()).collect();
        found.sort_by_key(|passed| passed.at);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Gap, Way, What, redact};
    use super::*;

    fn message(call_id: &str, text: &str) -> Message {
        let head =
            "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n";
        let length = text.len();
        sip(&format!(
            "MESSAGE sip:b SIP/2.0\r\n{head}Call-ID: {call_id}\r\nCSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\n\
             Content-Length: {length}\r\n\r\n{text}"
        ))
    }

    fn sip(text: &str) -> Message {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        Message::Sip { at: Timestamp::default(), read: redact::read(&bytes), bytes }
    }

    fn seen(node: &str) -> Seen {
        let addr = "127.0.0.1:5060".parse().unwrap();
        let (at, transport) = (Timestamp::default(), Transport::Udp);
        Seen {
            node: node.into(),
            has_sessions: true,
            at,
            transport,
            way: Way::sent(addr, addr),
            what: What::Data(Bytes::new()),
            gap: Gap::None,
        }
    }

    fn ring(octets: usize) -> Ring {
        Ring::new(CapturePlan { octets, contents: false }, Arc::default())
    }

    #[test]
    fn messages_are_found_by_node_and_call_id_and_without_what_people_write() {
        let mut ring = ring(1 << 20);
        for (node, call_id) in [("pf-a", "one"), ("pf-b", "one"), ("pf-a", "two"), ("pf-a", "three"), ("pf-a", "one")] {
            ring.keep(&seen(node), &message(call_id, "hello"));
        }
        ring.keep(&seen("pf-a"), &sip("no SIP"));
        let found = ring.of("pf-a", &["one".into(), "two".into()]);
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|passed| !passed.message.ends_with(b"hello")), "{found:?}");
        assert!(ring.of("pf-c", &["one".into()]).is_empty() && ring.of("pf-a", &[]).is_empty());
    }

    #[test]
    fn a_new_message_displaces_the_oldest_ones_and_one_that_is_too_large_is_not_kept() {
        let mut ring = ring(2_000);
        for n in 0..100 {
            ring.keep(&seen("pf"), &message(&format!("call-{n}"), ""));
            assert!(ring.octets() <= 2_000 && ring.octets() == ring.sip.kept.iter().map(Kept::octets).sum::<usize>());
        }
        let ([kept, octets], displaced) = ring.counts.kept();
        assert_eq!((kept, octets, displaced), (ring.sip.kept.len(), ring.octets(), 100 - kept as u64));
        assert!(ring.of("pf", &["call-0".into()]).is_empty() && ring.of("pf", &["call-99".into()]).len() == 1);
        ring.plan.contents = true;
        ring.keep(&seen("pf"), &message("long", &"x".repeat(3_000)));
        assert_eq!(ring.counts.kept(), ([kept, octets], displaced + 1));
    }

    #[test]
    fn msrp_displaces_no_more_of_sip_than_what_is_beyond_half_of_the_room() {
        let mut ring = ring(20_000);
        let call = |n: usize| message(&format!("call-{n}"), "");
        let frame = |n: usize| {
            let text = format!(
                "MSRP abcd{n} SEND\r\nTo-Path: msrp://b:1/s;tcp\r\nFrom-Path: msrp://a:1/t;tcp\r\n-------abcd{n}$\r\n"
            );
            let cut = msrp::Cutter::new(0).push(Timestamp::default(), text.into()).remove(0);
            Message::Msrp { cut: Box::new(cut), call_id: "call-0".into() }
        };
        (0..1_000).for_each(|n| ring.keep(&seen("pf"), &call(n)));
        assert!(ring.sip.octets > 19_000, "alone it may have all of it");
        (0..1_000).for_each(|n| ring.keep(&seen("pf"), &frame(n)));
        assert!(ring.octets() <= 20_000 && ring.sip.octets > 9_000 && ring.msrp.octets > 9_000);
        assert!(ring.of("pf", &["call-0".into()]).last().unwrap().message.starts_with(b"MSRP abcd999"));
        (0..1_000).for_each(|n| ring.keep(&seen("pf"), &call(n)));
        assert!(ring.octets() <= 20_000 && ring.sip.octets > 9_000 && ring.msrp.octets > 9_000);
    }
}
