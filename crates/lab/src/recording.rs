//! What passed the wire in one flow: messages between nodes, out of what the taps saw and nothing else.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use bytes::Bytes;
use flow::Observed;
use sip::{Cutter, Either, Limits, Message};
use wire::{Instant, Now, Transport};

use crate::report::Connection;
use crate::tap::{NodeIndex, Seen, What};
use crate::{Finding, NODES};

/// What a listening socket is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    Sip,
    Msrp,
}

/// One direction between two sockets: transport, sender, receiver.
type Path = (Transport, SocketAddr, SocketAddr);

/// A message that passed a tap.
#[derive(Clone, Debug)]
struct Passed {
    node: NodeIndex,
    at: Instant,
    path: Path,
    data: Bytes,
    /// What it says; nothing if it is not SIP.
    label: Option<Label>,
}

/// What an arrow is labelled with.
#[derive(Clone, Debug)]
struct Label {
    message: flow::Message,
    call_id: String,
    cseq: String,
    from_tag: String,
    branch: String,
}

/// The recording of one flow.
#[derive(Debug)]
pub(crate) struct Recording {
    start: Now,
    listeners: BTreeMap<(Transport, SocketAddr), (NodeIndex, Purpose)>,
    /// Who opened a connection: the port it starts from is the kernel's choice.
    dialled: BTreeMap<(Transport, SocketAddr, SocketAddr), NodeIndex>,
    sending: BTreeMap<Path, Cutter<Now>>,
    receiving: BTreeMap<Path, Cutter<Now>>,
    sent: Vec<Passed>,
    received: Vec<Passed>,
    seen: Vec<Seen>,
}

impl Recording {
    /// An empty recording that began at `start`.
    pub(crate) fn new(start: Now) -> Recording {
        Recording {
            start,
            listeners: BTreeMap::new(),
            dialled: BTreeMap::new(),
            sending: BTreeMap::new(),
            receiving: BTreeMap::new(),
            sent: Vec::new(),
            received: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// Tells whose a listening socket is.
    pub(crate) fn listens(&mut self, node: NodeIndex, transport: Transport, addr: SocketAddr, purpose: Purpose) {
        self.listeners.insert((transport, addr), (node, purpose));
    }

    /// Takes what a tap saw.
    pub(crate) fn record(&mut self, seen: Seen) {
        let out = (seen.transport, seen.local, seen.remote);
        let back = (seen.transport, seen.remote, seen.local);
        match &seen.what {
            What::Opened { by_us: true } => drop(self.dialled.insert(out, seen.node)),
            What::Opened { by_us: false } | What::Closed => {}
            What::Sent(data) => {
                let messages = self.messages(out, data, seen.at, true);
                self.sent.extend(messages.into_iter().map(|(at, data)| Passed::new(seen.node, at, out, data)));
            }
            What::Received(data) => {
                let messages = self.messages(back, data, seen.at, false);
                self.received.extend(messages.into_iter().map(|(at, data)| Passed::new(seen.node, at, back, data)));
            }
        }
        self.seen.push(seen);
    }

    /// The SIP messages that a piece of a direction is or completes; keep-alives are none.
    fn messages(&mut self, path: Path, data: &Bytes, at: Now, sent: bool) -> Vec<(Now, Bytes)> {
        let (transport, from, to) = path;
        if [from, to].into_iter().any(|addr| self.purpose(transport, addr) == Some(Purpose::Msrp)) {
            return Vec::new();
        }
        if transport == Transport::Udp {
            // RFC 5626 §3.5: CRLFs and STUN keep a binding in a NAT open.
            let keeps_alive = data.iter().all(|b| matches!(b, b'\r' | b'\n' | 0));
            return if keeps_alive { Vec::new() } else { vec![(at, data.clone())] };
        }
        let side = if sent { &mut self.sending } else { &mut self.receiving };
        side.entry(path).or_default().push(at, data)
    }

    fn purpose(&self, transport: Transport, addr: SocketAddr) -> Option<Purpose> {
        self.listeners.get(&(transport, addr)).map(|(_, purpose)| *purpose)
    }

    /// Whose the socket at `addr` is that exchanges with `peer`.
    fn owner(&self, transport: Transport, addr: SocketAddr, peer: SocketAddr) -> Option<NodeIndex> {
        let listening = self.listeners.get(&(transport, addr)).map(|(node, _)| *node);
        listening.or_else(|| self.dialled.get(&(transport, addr, peer)).copied())
    }

    /// The connections to MSRP listeners, in the order of nodes.
    pub(crate) fn msrp_connections(&self) -> Vec<Connection> {
        let to_msrp = |(transport, _, to): &Path| self.purpose(*transport, *to) == Some(Purpose::Msrp);
        let mut found: Vec<_> = self
            .dialled
            .iter()
            .filter(|(path, _)| to_msrp(path))
            .filter_map(|(path, from)| Some((*from, self.owner(path.0, path.2, path.1)?, path.0)))
            .collect();
        found.sort_unstable();
        found
            .into_iter()
            .map(|(from, to, transport)| Connection {
                from: NODES[from].to_owned(),
                to: NODES[to].to_owned(),
                transport: transport.to_string(),
            })
            .collect()
    }

    /// Microseconds since 1970, by one reading of the wall clock and the monotonic clock since: a step of the wall clock
    /// does not change the order.
    pub(crate) fn micros(&self, at: Instant) -> u64 {
        self.start.utc.as_micros() + (at.saturating_since(self.start.at).as_micros() as u64)
    }

    /// Everything that the taps saw, in the order of their clock.
    pub(crate) fn seen(&self) -> Vec<&Seen> {
        let mut seen: Vec<&Seen> = self.seen.iter().collect();
        seen.sort_by_key(|seen| seen.at.at);
        seen
    }

    /// The SIP messages that were sent before `close` and from then on, each in the order of sending.
    pub(crate) fn arrows(&self, close: Option<Instant>) -> (Vec<Observed>, Vec<Observed>) {
        let mut sent: Vec<&Passed> = self.sent.iter().collect();
        sent.sort_by_key(|passed| passed.at);
        let cut = sent.partition_point(|passed| close.is_none_or(|close| passed.at < close));
        let (before, after) = sent.split_at(cut);
        let arrows = |part: &[&Passed]| part.iter().filter_map(|passed| self.arrow(passed)).collect();
        (arrows(before), arrows(after))
    }

    fn arrow(&self, passed: &Passed) -> Option<Observed> {
        let (transport, from, to) = passed.path;
        let label = passed.label.clone()?;
        let to = self.owner(transport, to, from)?;
        Some(Observed {
            from: NODES[passed.node].to_owned(),
            to: NODES[to].to_owned(),
            message: label.message,
            call_id: label.call_id,
            cseq: label.cseq,
            from_tag: label.from_tag,
            branch: label.branch,
            reliable: transport.is_reliable(),
            at_us: self.micros(passed.at),
        })
    }

    /// Whether every message that was sent has been received.
    pub(crate) fn all_received(&self) -> bool {
        let (lost, unsent) = self.unmatched();
        lost.is_empty() && unsent.is_empty()
    }

    /// What was sent and never received, and what was received and never sent. The same octets count as the same message;
    /// datagrams may overtake each other.
    fn unmatched(&self) -> (Vec<&Passed>, Vec<&Passed>) {
        let mut open: BTreeMap<Path, VecDeque<&Passed>> = BTreeMap::new();
        for passed in &self.received {
            open.entry(passed.path).or_default().push_back(passed);
        }
        let mut lost = Vec::new();
        for passed in &self.sent {
            let arrived = open.get_mut(&passed.path).and_then(|queue| {
                let place = queue.iter().position(|received| received.data == passed.data)?;
                queue.remove(place)
            });
            if arrived.is_none() {
                lost.push(passed);
            }
        }
        (lost, open.into_values().flatten().collect())
    }

    /// What is wrong with the recording itself: then the arrows are not all that happened.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let (lost, unsent) = self.unmatched();
        let lost = lost.into_iter().map(|p| self.finding(p, "lost", "was sent and never received"));
        let unsent = unsent.into_iter().map(|p| self.finding(p, "unsent", "was received, but no node sent it"));
        let malformed = self.sent.iter().filter(|p| p.label.is_none());
        let malformed = malformed.map(|p| self.finding(p, "malformed", "is not SIP that can be read"));
        let foreign = self.sent.iter().filter(|p| self.owner(p.path.0, p.path.2, p.path.1).is_none());
        let foreign = foreign.map(|p| self.finding(p, "foreign", "was sent to an address that is no node's"));
        let rests = self.sending.iter().filter(|(_, stream)| stream.rest() > 0).map(|(path, stream)| {
            let (from, to) = (self.name(*path, false), self.name(*path, true));
            let text = format!("{from} -> {to}: {} octets on the connection make no SIP message", stream.rest());
            Finding { kind: "malformed", from, to, message: None, text }
        });
        lost.chain(unsent).chain(malformed).chain(foreign).chain(rests).collect()
    }

    fn finding(&self, passed: &Passed, kind: &'static str, what: &str) -> Finding {
        let (from, to) = (self.name(passed.path, false), self.name(passed.path, true));
        let message = passed.label.as_ref().map(|label| label.message.to_string());
        let shown = message.clone().unwrap_or_else(|| format!("{} octets", passed.data.len()));
        Finding { kind, text: format!("{from} -> {to}, {shown} {what}"), from, to, message }
    }

    /// The name of one end of a path, or its address if it is no node's.
    fn name(&self, (transport, from, to): Path, receiver: bool) -> String {
        let (addr, peer) = if receiver { (to, from) } else { (from, to) };
        self.owner(transport, addr, peer).map_or_else(|| addr.to_string(), |node| NODES[node].to_owned())
    }
}

impl Passed {
    fn new(node: NodeIndex, at: Now, path: Path, data: Bytes) -> Passed {
        let label = Label::read(&data);
        Passed { node, at: at.at, path, data, label }
    }
}

impl Label {
    fn read(data: &Bytes) -> Option<Label> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let message = Message::parse(data.clone(), &Limits::default()).ok()?;
        let method = text(message.cseq_method());
        let cseq = format!("{} {method}", message.cseq().number);
        let (call_id, from_tag) = (text(message.call_id()), text(message.from_tag()));
        let branch = text(message.via().branch);
        let message = match message.split() {
            Either::Request(request) => flow::Message::request(text(request.method_token())),
            Either::Response(response) => flow::Message::response(response.status(), method),
        };
        Some(Label { message, call_id, cseq, from_tag, branch })
    }
}

#[cfg(test)]
mod tests;
