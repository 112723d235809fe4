use hashbrown::HashMap;
use wire::Now;

use crate::outgoing::Slice;
use crate::{
    ByteRange, Endpoint, Event, Failure, FailureReport, IncomingId, MessageId, OutgoingId, Outline, SessionId, Status,
};

/// When a bridge answers 200 to the chunk that completes a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acknowledge {
    /// When the other side has answered 200 to all of it: then nothing accepted here can be lost here.
    WhenTaken,
    /// When all of it is queued for the other side. For a peer whose own time for an answer is short; what fails afterwards
    /// is reported.
    WhenQueued,
}

/// Joins two sessions of one endpoint as a B2BUA on the media path does: what comes in on one goes out on the other.
///
/// Messages pass piece by piece and are never gathered. Message-ID, MIME header fields, reports asked for and octets stay
/// as they are; chunks are cut anew. The slow side holds the fast one up: while a message waits on one side, the other side
/// is not read. Both sessions are opened with [`Confirm::ByCaller`](crate::Confirm::ByCaller).
#[derive(Debug)]
pub struct Bridge {
    sides: [SessionId; 2],
    acknowledge: Acknowledge,
    /// Messages on their way, by both their names. Walked only to be counted.
    incoming: HashMap<IncomingId, OutgoingId, foldhash::fast::RandomState>,
    outgoing: HashMap<OutgoingId, Passing, foldhash::fast::RandomState>,
    /// Messages that hold a side up, by that side.
    holding: [usize; 2],
}

/// A message on its way.
#[derive(Debug)]
struct Passing {
    incoming: IncomingId,
    /// The side it comes from.
    from: usize,
    failure_report: FailureReport,
    /// All of it has come.
    is_whole: bool,
    is_accepted: bool,
    holds: bool,
}

impl Bridge {
    /// A bridge between two sessions.
    pub fn new(a: SessionId, b: SessionId, acknowledge: Acknowledge) -> Bridge {
        let (incoming, outgoing) = (HashMap::default(), HashMap::default());
        Bridge { sides: [a, b], acknowledge, incoming, outgoing, holding: [0, 0] }
    }

    /// The two sessions.
    pub const fn sides(&self) -> [SessionId; 2] {
        self.sides
    }

    /// Messages on their way.
    pub fn len(&self) -> usize {
        self.outgoing.len()
    }

    /// Whether no message is on its way.
    pub fn is_empty(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// Messages on their way from one side: those that have come as a whole, and those of which more is to come.
    pub fn under_way(&self, from: SessionId) -> (usize, usize) {
        let from_here = self.outgoing.values().filter(|passing| self.sides[passing.from] == from);
        from_here.fold((0, 0), |(whole, partial), passing| match passing.is_whole {
            true => (whole + 1, partial),
            false => (whole, partial + 1),
        })
    }

    /// Takes an event of the endpoint. Gives it back if it is none of the bridge's: of another session, or about a session
    /// itself ([`Event::Bound`], [`Event::Disconnected`], [`Event::Drained`]).
    pub fn handle_event(&mut self, event: Event, endpoint: &mut Endpoint, now: Now) -> Option<Event> {
        let Some(side) = self.sides.iter().position(|side| *side == event.session()) else {
            return Some(event);
        };
        match event {
            Event::Started { incoming, outline, .. } => self.on_started(side, incoming, *outline, endpoint, now),
            Event::Piece { incoming, data, plain, .. } => {
                self.on_piece(incoming, Slice { data, plain }, endpoint, now);
            }
            Event::Complete { incoming, .. } => self.on_complete(incoming, endpoint, now),
            Event::Incomplete { incoming, .. } => self.on_incomplete(incoming, endpoint, now),
            Event::WantsMore { outgoing, .. } => self.hold(outgoing, false, endpoint, now),
            Event::Sent { outgoing, .. } => self.on_sent(outgoing, endpoint, now),
            Event::Failed { outgoing, message_id, why, .. } => {
                self.on_failed(outgoing, &message_id, why, endpoint, now)
            }
            Event::Report { message_id, range, status, .. } => {
                endpoint.report(self.sides[1 - side], &message_id, &range, status, now);
            }
            Event::Bound { .. } | Event::Disconnected { .. } | Event::Drained { .. } => {
                return Some(event);
            }
        }
        None
    }

    fn on_started(&mut self, from: usize, incoming: IncomingId, outline: Outline, endpoint: &mut Endpoint, now: Now) {
        let failure_report = outline.failure_report;
        match endpoint.begin(self.sides[1 - from], outline) {
            Ok(outgoing) => {
                self.incoming.insert(incoming, outgoing);
                let passing =
                    Passing { incoming, from, failure_report, is_whole: false, is_accepted: false, holds: false };
                self.outgoing.insert(outgoing, passing);
            }
            // The other side is closing, or not open yet.
            Err(_) => endpoint.refuse(incoming, Status::TIMEOUT, now),
        }
    }

    fn on_piece(&mut self, incoming: IncomingId, slice: Slice, endpoint: &mut Endpoint, now: Now) {
        if let Some(outgoing) = self.incoming.get(&incoming).copied()
            && !endpoint.push_slice(outgoing, slice, now)
        {
            self.hold(outgoing, true, endpoint, now);
        }
    }

    fn on_complete(&mut self, incoming: IncomingId, endpoint: &mut Endpoint, now: Now) {
        let Some(outgoing) = self.incoming.get(&incoming).copied() else { return };
        endpoint.finish(outgoing, now);
        let Some(passing) = self.outgoing.get_mut(&outgoing) else { return };
        passing.is_whole = true;
        if self.acknowledge == Acknowledge::WhenQueued {
            passing.is_accepted = true;
            endpoint.accept(incoming, now);
        }
    }

    fn on_incomplete(&mut self, incoming: IncomingId, endpoint: &mut Endpoint, now: Now) {
        let Some(outgoing) = self.incoming.get(&incoming).copied() else { return };
        self.forget(outgoing, endpoint, now);
        endpoint.abort(outgoing, now);
    }

    fn on_sent(&mut self, outgoing: OutgoingId, endpoint: &mut Endpoint, now: Now) {
        let Some(passing) = self.forget(outgoing, endpoint, now) else { return };
        if !passing.is_accepted {
            endpoint.accept(passing.incoming, now);
        }
    }

    fn on_failed(&mut self, outgoing: OutgoingId, id: &MessageId, why: Failure, endpoint: &mut Endpoint, now: Now) {
        let Some(passing) = self.forget(outgoing, endpoint, now) else { return };
        let status = match why {
            Failure::Refused(status) => status,
            Failure::Timeout | Failure::Unsent | Failure::Unknown => Status::TIMEOUT,
        };
        if !passing.is_accepted {
            endpoint.refuse(passing.incoming, status, now);
        } else if passing.failure_report != FailureReport::No {
            endpoint.report(self.sides[passing.from], id, &ByteRange::WHOLE, status, now);
        }
    }

    /// A message is no longer on its way, and holds nobody up.
    fn forget(&mut self, outgoing: OutgoingId, endpoint: &mut Endpoint, now: Now) -> Option<Passing> {
        self.hold(outgoing, false, endpoint, now);
        let passing = self.outgoing.remove(&outgoing)?;
        self.incoming.remove(&passing.incoming);
        Some(passing)
    }

    /// A message begins or ceases to hold up the side that it comes from.
    fn hold(&mut self, outgoing: OutgoingId, holds: bool, endpoint: &mut Endpoint, now: Now) {
        let Some(passing) = self.outgoing.get_mut(&outgoing).filter(|passing| passing.holds != holds) else { return };
        passing.holds = holds;
        let (session, holding) = (self.sides[passing.from], &mut self.holding[passing.from]);
        if holds {
            *holding += 1;
            endpoint.pause(session, now);
        } else {
            *holding -= 1;
            if *holding == 0 {
                endpoint.resume(session, now);
            }
        }
    }
}
