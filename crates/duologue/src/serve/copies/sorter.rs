//! The thread: cuts what the nodes saw into messages and hands them on.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use super::homer::Homer;
use super::legs::Legs;
use super::message::Message;
use super::ring::Ring;
use super::streams::{Piece, Streams};
use super::{Counts, Item, Seen, redact};

pub(super) struct Sorter {
    homer: Option<Homer>,
    ring: Option<Ring>,
    counts: Arc<Counts>,
    streams: Streams,
    legs: Legs,
}

impl Sorter {
    /// Of bodies of MSRP so many octets are handed on.
    pub(super) fn new(homer: Option<Homer>, ring: Option<Ring>, counts: Arc<Counts>, keep: usize) -> Sorter {
        Sorter { homer, ring, counts, streams: Streams::new(keep), legs: Legs::default() }
    }

    pub(super) fn run(mut self, queue: &Receiver<Item>) {
        for item in queue {
            self.counts.pieces.taken(1);
            match item {
                Item::Seen(seen) => self.take(&seen),
                Item::Question(question) => {
                    let ring = self.ring.as_ref();
                    let found = ring.map(|ring| ring.of(&question.node, &question.call_ids)).unwrap_or_default();
                    // Who asked may have given up.
                    drop(question.reply.send(found));
                }
            }
        }
    }

    fn take(&mut self, seen: &Seen) {
        self.counts.octets_waiting.fetch_sub(seen.what.octets(), Ordering::Relaxed);
        for piece in self.streams.take(seen) {
            let Some(message) = self.message(seen, piece) else { continue };
            if let Some(homer) = &mut self.homer {
                homer.send(seen, &message);
            }
            if let Some(ring) = self.ring.as_mut().filter(|_| seen.has_sessions) {
                ring.keep(seen, &message);
            }
        }
    }

    /// What was cut out, with the call that it belongs to. MSRP of which nobody knows that is of no use: Homer would not show it
    /// with anything, and `heplify-server` stores none of it.
    fn message(&mut self, seen: &Seen, piece: Piece) -> Option<Message> {
        match piece {
            Piece::Sip(at, bytes) => {
                let read = redact::read(&bytes);
                if let Some(message) = read.as_ref().filter(|_| seen.has_sessions) {
                    self.legs.learn(&seen.node, at, message);
                }
                Some(Message::Sip { at, bytes, read })
            }
            Piece::Msrp(cut) => {
                let call_id = self.legs.call_id(&seen.node, &cut.head);
                if call_id.is_none() {
                    self.counts.strays.fetch_add(1, Ordering::Relaxed);
                }
                Some(Message::Msrp { call_id: call_id?, cut })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use bytes::Bytes;
    use wire::{Timestamp, Transport};

    use super::super::{CapturePlan, Gap, Way, What};
    use super::*;

    fn sorter() -> Sorter {
        let ring = Ring::new(CapturePlan { octets: 1 << 20, contents: false }, Arc::default());
        Sorter::new(None, Some(ring), Arc::default(), 0)
    }

    fn seen(micros: u64, transport: Transport, [from, to]: [u16; 2], what: What) -> Seen {
        let [from, to] = [from, to].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let (node, at) = (Arc::from("pf"), Timestamp::from_micros(micros));
        Seen { node, has_sessions: true, at, transport, way: Way::sent(from, to), what, gap: Gap::None }
    }

    fn data(text: &str) -> What {
        What::Data(Bytes::copy_from_slice(text.as_bytes()))
    }

    fn invite(call_id: &str, session: &str) -> What {
        let body = format!("v=0\r\na=path:msrp://a.test:9/{session};tcp\r\n");
        data(&format!(
            "INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nFrom: <sip:a@h>;tag=1\r\n\
             To: <sip:b@h>\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    fn send(transaction: &str, session: &str) -> String {
        format!(
            "MSRP {transaction} SEND\r\nTo-Path: msrp://x.test:1/{transaction};tcp\r\nFrom-Path: msrp://a.test:9/{session};tcp\r\n\
             Content-Type: text/plain\r\n\r\nhello\r\n-------{transaction}$\r\n"
        )
    }

    /// When, and the first line, of what is kept of a call.
    fn kept(sorter: &Sorter, call_id: &'static str) -> Vec<(u64, String)> {
        let passed = sorter.ring.as_ref().unwrap().of("pf", &[call_id.into()]);
        let lines = passed.iter().map(|passed| {
            assert!(!String::from_utf8_lossy(&passed.message).contains("hello"));
            (passed.at.as_micros(), String::from_utf8(redact::first_line(&passed.message).to_vec()).unwrap())
        });
        lines.collect()
    }

    #[test]
    fn sessions_that_share_a_connection_are_told_apart_and_strangers_are_counted() {
        let mut sorter = sorter();
        let (udp, tcp) = (Transport::Udp, Transport::Tcp);
        sorter.take(&seen(1, udp, [5060, 5070], invite("one", "s1")));
        sorter.take(&seen(2, udp, [5060, 5070], invite("two", "s2")));
        sorter.take(&seen(3, tcp, [9, 1], What::Opened));
        let all = ["aaaa", "bbbb", "cccc", "dddd"].iter().zip(["s1", "s2", "s1", "s3"]);
        let all: String = all.map(|(transaction, session)| send(transaction, session)).collect();
        let (first, second) = all.split_at(all.find("hello").unwrap());
        sorter.take(&seen(4, tcp, [9, 1], data(first)));
        // What was begun before this passed is shown before it.
        sorter.take(&seen(5, udp, [5060, 5070], invite("one", "s1")));
        sorter.take(&seen(6, tcp, [9, 1], data(second)));
        let invite = "INVITE sip:b@h SIP/2.0".to_owned();
        let sent = |transaction| format!("MSRP {transaction} SEND");
        let one = [(1, invite.clone()), (4, sent("aaaa")), (5, invite.clone()), (6, sent("cccc"))];
        assert_eq!(kept(&sorter, "one"), one);
        assert_eq!(kept(&sorter, "two"), [(2, invite), (6, sent("bbbb"))]);
        assert_eq!(sorter.counts.strays(), 1);
    }
}
