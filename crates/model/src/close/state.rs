use std::fmt;

/// One of the two ends, and the leg to it.
pub(crate) type Side = usize;

/// The two sides.
pub(crate) const SIDES: [Side; 2] = [0, 1];

/// All that is at one moment. Small on purpose: a search keeps millions of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct State {
    pub(crate) ends: [End; 2],
    pub(crate) nodes: [Node; 2],
    pub(crate) journal: Journal,
    pub(crate) sink: Sink,
    pub(crate) net: Net,
    /// What may still go wrong.
    pub(crate) left: Left,
    /// Why the session was being closed when a BYE was first answered 200.
    pub(crate) promised: Option<Cause>,
    /// The node was told by a 481 that an end had closed while it was down.
    pub(crate) is_told: bool,
    /// Sides that sent a BYE.
    pub(crate) byes: [bool; 2],
    /// An end left or died, an operator closed, or media died with a node: from here on, closing is right.
    pub(crate) has_cause: bool,
}

/// How many faults may still happen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Left {
    pub(crate) losses: u8,
    pub(crate) duplicates: u8,
    pub(crate) crashes: u8,
    pub(crate) deaths: u8,
    pub(crate) refusals: u8,
    pub(crate) updates: u8,
    pub(crate) take_overs: u8,
    pub(crate) operator: u8,
}

/// A user agent that obeys RFC 3261.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct End {
    pub(crate) is: EndIs,
    /// How often its BYE was sent.
    pub(crate) sent: u8,
    /// The highest sequence number that came from the participating function.
    pub(crate) seen: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) enum EndIs {
    #[default]
    Up,
    /// It sent a BYE, which is not answered.
    Leaving,
    Out,
    Dead,
}

/// A node of the participating function: what a crash takes away.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Node {
    pub(crate) is_up: bool,
    pub(crate) session: Option<Session>,
    /// The record was handed to the sink, which the journal does not say yet.
    pub(crate) delivered: bool,
    /// A record that is in memory only: what the rule `one append` forbids.
    pub(crate) unwritten: bool,
}

/// What a node holds of the session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Session {
    pub(crate) legs: [Leg; 2],
    /// Why it is being closed.
    pub(crate) closing: Option<Cause>,
    /// The journal has been told that it is being closed.
    pub(crate) is_kept: bool,
    /// The ownership under which it was opened or taken over.
    pub(crate) epoch: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Leg {
    pub(crate) is: LegIs,
    /// Its BYE waits for the 200.
    pub(crate) owes_answer: bool,
    /// How often the present BYE was sent.
    pub(crate) sent: u8,
    /// How often a BYE was refused.
    pub(crate) refused: u8,
    /// The sequence number of the last request.
    pub(crate) cseq: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) enum LegIs {
    #[default]
    Up,
    Closing,
    Closed,
}

/// What began the close.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Cause {
    /// This side is gone.
    Gone(u8),
    /// Nobody left: the operator closes.
    Operator,
    /// The node died, and the media with it.
    Restarted,
}

/// What is on disk.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Journal {
    /// The session's state was written at set-up.
    pub(crate) opened: bool,
    pub(crate) closing: Option<Cause>,
    /// The session is over; what its record says is in `closing`.
    pub(crate) closed: bool,
    /// Records that have still to be delivered, one bit for each epoch that made one.
    pub(crate) outbox: u8,
    /// Who owns the session, and how often it changed hands.
    pub(crate) owner: u8,
    pub(crate) epoch: u8,
}

/// Where records go.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Sink {
    pub(crate) records: u8,
    /// What the last one says.
    pub(crate) cause: Option<Cause>,
    /// The keys that it knows, one bit for each.
    pub(crate) keys: u8,
}

/// A message under way. A BYE to an end bears its sequence number, and so does its refusal; that an end is out is true
/// whatever it answers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Message {
    ByeFrom(u8),
    OkFrom(u8),
    GoneFrom(u8),
    RefusalFrom(u8, u8),
    OkTo(u8),
    GoneTo(u8),
    ByeTo(u8, u8),
}

impl Message {
    /// Whose leg it is on.
    pub(crate) fn side(self) -> Side {
        match self {
            Message::ByeFrom(x) | Message::OkFrom(x) | Message::GoneFrom(x) | Message::RefusalFrom(x, _) => x.into(),
            Message::OkTo(x) | Message::GoneTo(x) | Message::ByeTo(x, _) => x.into(),
        }
    }

    /// Whether it is for an end.
    pub(crate) fn is_for_end(self) -> bool {
        matches!(self, Message::OkTo(_) | Message::GoneTo(_) | Message::ByeTo(..))
    }

    /// Whether it is a BYE, and not an answer to one.
    pub(crate) fn is_request(self) -> bool {
        matches!(self, Message::ByeFrom(_) | Message::ByeTo(..))
    }

    /// Whether it is a BYE of this end.
    pub(crate) fn is_bye_from(self, x: Side) -> bool {
        self == Message::ByeFrom(x as u8)
    }
}

/// What is under way: a multiset, kept sorted so that equal ones are equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Net {
    messages: [Option<Message>; NET],
}

/// More than the bounds ever need.
const NET: usize = 10;

impl Net {
    /// An answer of which a copy is under way is not sent again: that the network loses one of two is worse than that it
    /// brings both, and costs no budget here.
    ///
    /// # Panics
    /// When there is no room: then the model would not be exhaustive.
    pub(crate) fn send(&mut self, message: Message) {
        if !message.is_request() && self.any(|m| m == message) {
            return;
        }
        let free = self.messages.last_mut().filter(|last| last.is_none()).expect("the network is large enough");
        *free = Some(message);
        self.sort();
    }

    pub(crate) fn take(&mut self, message: Message) {
        if let Some(slot) = self.messages.iter_mut().find(|m| **m == Some(message)) {
            *slot = None;
        }
        self.sort();
    }

    /// Each kind of message that is under way, once.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = Message> {
        let messages = self.messages;
        (0..NET).filter(move |i| *i == 0 || messages[*i] != messages[i - 1]).filter_map(move |i| messages[i])
    }

    pub(crate) fn any(&self, wanted: impl Fn(Message) -> bool) -> bool {
        self.messages.iter().flatten().any(|m| wanted(*m))
    }

    fn sort(&mut self) {
        // `None` is the least; it belongs to the end.
        self.messages.sort_unstable_by(|a, b| b.cmp(a));
    }
}

impl State {
    /// Whether somebody holds the session in memory.
    pub(crate) fn is_held(&self) -> bool {
        self.nodes.iter().any(|node| node.session.is_some())
    }

    /// Whether this end is out of the session for good.
    pub(crate) fn is_gone(&self, x: Side) -> bool {
        matches!(self.ends[x].is, EndIs::Out | EndIs::Dead)
    }
}

/// Who takes part, for the ladder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    End(Side),
    Pf(usize),
    Net,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::End(0) => f.write_str("end A"),
            Who::End(_) => f.write_str("end B"),
            Who::Pf(0) => f.write_str("PF   "),
            Who::Pf(_) => f.write_str("PF 2 "),
            Who::Net => f.write_str("net  "),
        }
    }
}
