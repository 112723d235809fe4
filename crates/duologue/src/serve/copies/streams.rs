//! Connections, each direction of which is cut into messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use sip::Cutter;
use wire::{Timestamp, Transport};

use super::redact::first_line;
use super::{Gap, Seen, Way, What};

/// A direction of a connection, at a node.
type Direction = (Arc<str>, Way);

/// What a stream of MSRP begins with, and one of SIP does not.
const MSRP: &[u8] = b"MSRP ";

/// What was cut out of a stream or a datagram.
pub(super) enum Piece {
    Sip(Timestamp, Bytes),
    Msrp(Box<msrp::Cut<Timestamp>>),
}

/// What is known of a direction.
enum Stream {
    /// It was seen to open, and of its beginning there is this.
    New(Vec<(Timestamp, Bytes)>),
    Sip(Cutter<Timestamp>),
    Msrp(Box<msrp::Cutter<Timestamp>>),
    /// MSRP that was not seen from its beginning on. Whatever comes may be the middle of what people have written.
    Lost,
}

pub(super) struct Streams {
    open: BTreeMap<Direction, Stream>,
    /// How many octets of a body of MSRP are kept.
    keep: usize,
}

impl Streams {
    pub(super) fn new(keep: usize) -> Streams {
        Streams { open: BTreeMap::new(), keep }
    }

    /// The messages that end with what was seen.
    pub(super) fn take(&mut self, seen: &Seen) -> Vec<Piece> {
        let there = (Arc::clone(&seen.node), seen.way);
        match seen.gap {
            Gap::None => {}
            Gap::Here => self.forget(|direction| *direction == there),
            Gap::Anywhere => self.forget(|(node, _)| *node == seen.node),
        }
        let back = (Arc::clone(&seen.node), seen.way.back());
        match &seen.what {
            What::Opened => {
                for direction in [there, back] {
                    self.open.insert(direction, Stream::New(Vec::new()));
                }
                Vec::new()
            }
            What::Closed => {
                self.open.remove(&there);
                self.open.remove(&back);
                Vec::new()
            }
            What::Data(data) if seen.transport == Transport::Udp => datagram(seen.at, data),
            What::Data(data) => self.stream(there, seen.at, data),
        }
    }

    /// Something of these was lost.
    fn forget(&mut self, is_meant: impl Fn(&Direction) -> bool) {
        // Of a message of SIP that is cut off nothing can be made, and what comes next can be followed again.
        self.open.retain(|direction, stream| !is_meant(direction) || stream.is_msrp());
        for (_, stream) in self.open.iter_mut().filter(|(direction, _)| is_meant(direction)) {
            *stream = Stream::Lost;
        }
    }

    fn stream(&mut self, direction: Direction, at: Timestamp, data: &Bytes) -> Vec<Piece> {
        let unknown =
            || if data.starts_with(MSRP.trim_ascii_end()) { Stream::Lost } else { Stream::Sip(Cutter::default()) };
        let stream = self.open.entry(direction).or_insert_with(unknown);
        match stream {
            Stream::New(begun) => {
                // Keep-alives may come before anything else.
                if !begun.is_empty() || !data.trim_ascii().is_empty() {
                    begun.push((at, data.clone()));
                }
                let Some(mut decided) = decide(begun, self.keep) else { return Vec::new() };
                let pieces = begun.drain(..).flat_map(|(at, data)| decided.push(at, &data)).collect();
                *stream = decided;
                pieces
            }
            Stream::Sip(_) | Stream::Msrp(_) | Stream::Lost => stream.push(at, data),
        }
    }
}

impl Stream {
    const fn is_msrp(&self) -> bool {
        matches!(self, Stream::Msrp(_) | Stream::Lost)
    }

    fn push(&mut self, at: Timestamp, data: &Bytes) -> Vec<Piece> {
        match self {
            Stream::Sip(cutter) => {
                let cut = cutter.push(at, data).into_iter().filter(|(_, message)| is_sip(message));
                cut.map(|(at, message)| Piece::Sip(at, message)).collect()
            }
            Stream::Msrp(cutter) => {
                cutter.push(at, data.clone()).into_iter().map(|cut| Piece::Msrp(Box::new(cut))).collect()
            }
            Stream::New(_) | Stream::Lost => Vec::new(),
        }
    }
}

/// What a stream is that begins so; nothing as long as that cannot be told.
fn decide(begun: &[(Timestamp, Bytes)], keep: usize) -> Option<Stream> {
    let octets = begun.iter().flat_map(|(_, data)| data.iter().copied());
    let start: Vec<u8> = octets.skip_while(u8::is_ascii_whitespace).take(MSRP.len()).collect();
    if start == MSRP {
        Some(Stream::Msrp(Box::new(msrp::Cutter::new(keep))))
    } else {
        (!MSRP.starts_with(&start)).then(|| Stream::Sip(Cutter::default()))
    }
}

fn datagram(at: Timestamp, data: &Bytes) -> Vec<Piece> {
    // Keep-alives are no messages (RFC 5626 §4.4).
    if data.trim_ascii().is_empty() { Vec::new() } else { vec![Piece::Sip(at, data.clone())] }
}

/// Whether something that was cut out of a stream begins as SIP does. Behind a gap a stream may go on in the middle of what
/// people have written, and no line of that may pass for the first line of a message.
fn is_sip(message: &Bytes) -> bool {
    const VERSION: &[u8] = b"SIP/2.0";
    let line = first_line(message);
    let ends = |part: Option<&[u8]>| part.is_some_and(|part| part.eq_ignore_ascii_case(VERSION));
    ends(line.get(..VERSION.len())) || ends(line.len().checked_sub(VERSION.len()).map(|at| &line[at..]))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    enum Event {
        Opened,
        Data(&'static str),
        /// What comes behind a gap of this stream.
        Behind(&'static str),
        /// What comes when nobody knows what was dropped.
        After(&'static str),
        Closed,
    }
    use Event::{After, Behind, Closed, Data, Opened};

    /// The first lines of what is copied.
    fn copied(events: &[Event]) -> Vec<String> {
        let mut streams = Streams::new(0);
        let pieces = events.iter().flat_map(|event| streams.take(&seen(event))).map(|piece| match piece {
            Piece::Sip(_, message) => first_line(&message).to_vec(),
            Piece::Msrp(cut) => cut.head.start_line().to_vec(),
        });
        pieces.map(|line| String::from_utf8(line).unwrap()).collect()
    }

    fn seen(event: &Event) -> Seen {
        let [from, to] = [5060, 2855].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let data = |text: &'static str| What::Data(Bytes::from_static(text.as_bytes()));
        let (what, gap) = match event {
            Opened => (What::Opened, Gap::None),
            Data(text) => (data(text), Gap::None),
            Behind(text) => (data(text), Gap::Here),
            After(text) => (data(text), Gap::Anywhere),
            Closed => (What::Closed, Gap::None),
        };
        let (at, transport) = (Timestamp::default(), Transport::Tcp);
        Seen { node: Arc::from("pf"), has_sessions: true, at, transport, way: Way::sent(from, to), what, gap }
    }

    const BYE: &str = "BYE sip:b SIP/2.0\r\nContent-Length: 0\r\n\r\n";
    const TEXT: &str = "see you at\r\n\r\nthe old place\r\n-------a$\r\n\r\n";
    const SEND: &str =
        "MSRP abcd SEND\r\nTo-Path: msrp://b:1/s;tcp\r\nFrom-Path: msrp://a:1/s;tcp\r\n\r\nhi\r\n-------abcd$\r\n";

    #[test]
    fn what_people_have_written_is_not_copied_whatever_was_lost_before() {
        // A stream that is known to carry MSRP, one of which nothing is known, and one of SIP that goes on inside a message: that
        // cannot be followed any more. One that goes on with the next message can.
        for gap in [Behind, After] {
            let nothing = Vec::<String>::new();
            assert_eq!(copied(&[Data("MSRP a SEND\r\n"), gap(TEXT), Data(BYE)]), nothing);
            assert_eq!(copied(&[Opened, Data("MSRP abcd SEND\r\n"), gap(TEXT), Data(BYE)]), nothing);
            assert_eq!(copied(&[gap(TEXT)]), nothing);
            assert_eq!(copied(&[Data(BYE), gap(TEXT), Data(BYE)]), ["BYE sip:b SIP/2.0"]);
            assert_eq!(copied(&[Data(BYE), gap(BYE)]), ["BYE sip:b SIP/2.0"; 2]);
        }
    }

    #[test]
    fn a_stream_of_msrp_is_followed_from_its_beginning_and_never_from_its_middle() {
        const LINE: &str = "MSRP abcd SEND";
        assert_eq!(copied(&[Opened, Data(SEND), Data(SEND), Closed]), [LINE; 2]);
        // What looks like a request may be part of a message if the beginning, or anything else, was not seen.
        assert!(copied(&[Data(SEND), Data(SEND)]).is_empty());
        assert!(copied(&[Opened, Behind(SEND), Data(SEND)]).is_empty());
        assert_eq!(copied(&[Opened, Data(SEND), Behind(SEND), Data(SEND)]), [LINE]);
        assert_eq!(copied(&[Opened, Data(SEND), After(SEND), Data(SEND)]), [LINE]);
        assert!(copied(&[Opened, Data(SEND), Closed, Data(SEND)])[1..].is_empty());
        assert_eq!(copied(&[Opened, Data(SEND), Behind(SEND), Closed, Opened, Data(SEND)]), [LINE; 2]);
    }

    #[test]
    fn a_gap_of_one_stream_is_none_of_another() {
        let mut streams = Streams::new(0);
        let mut back = seen(&Data(SEND));
        back.way = back.way.back();
        for event in [Opened, Behind(SEND)] {
            assert!(streams.take(&seen(&event)).is_empty());
        }
        assert_eq!(streams.take(&back).len(), 1, "the other direction of the same connection");
        assert!(streams.take(&seen(&After(SEND))).is_empty() && streams.take(&back).is_empty());
    }

    #[test]
    fn a_connection_of_a_node_with_itself_is_two_streams_each_way() {
        let mut streams = Streams::new(0);
        // The other end opens the other way, and gets what the first one sends.
        let there = |event| {
            let mut there = seen(&event);
            there.way = Way { is_sent: false, ..there.way };
            there
        };
        let accepted = Seen { way: seen(&Opened).way.back(), ..seen(&Opened) };
        let accepted = Seen { way: Way { is_sent: true, ..accepted.way }, ..accepted };
        assert!(streams.take(&seen(&Opened)).is_empty() && streams.take(&accepted).is_empty());
        let (begin, end) = SEND.split_at(SEND.find("hi").unwrap());
        let mut count = |seen: &Seen| streams.take(seen).len();
        assert_eq!([count(&seen(&Data(begin))), count(&there(Data(begin)))], [0, 0]);
        assert_eq!([count(&seen(&Data(end))), count(&there(Data(end)))], [1, 1]);
    }

    #[test]
    fn a_stream_tells_what_it_is_by_its_first_octets_however_they_come() {
        for split in 0..SEND.len() {
            assert_eq!(copied(&[Opened, Data(&SEND[..split]), Data(&SEND[split..])]), ["MSRP abcd SEND"], "{split}");
        }
        assert_eq!(copied(&[Opened, Data("\r\n\r\n"), Data("\r\nM"), Data(&SEND[1..])]), ["MSRP abcd SEND"]);
        let message = "MESSAGE sip:b SIP/2.0\r\nContent-Length: 0\r\n\r\n";
        for split in 0..message.len() {
            assert_eq!(copied(&[Opened, Data(&message[..split]), Data(&message[split..])]), ["MESSAGE sip:b SIP/2.0"]);
        }
    }
}
