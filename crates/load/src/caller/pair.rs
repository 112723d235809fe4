use bytes::Bytes;
use msrp::SessionId;
use sip_ua::SessionKey;
use wire::Instant;

/// A session of the caller.
#[derive(Debug)]
pub(crate) struct Pair {
    /// `None` where there is no SIP.
    pub(crate) sip: Option<SessionKey>,
    pub(crate) msrp: SessionId,
    /// Our offer.
    pub(crate) offer: Bytes,
    pub(crate) state: State,
    /// When it was to be opened.
    pub(crate) due: Instant,
    /// Messages without an answer.
    pub(crate) in_flight: usize,
    /// The number of the last message.
    pub(crate) number: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// The INVITE has no answer, or MSRP no connection.
    Opening { is_answered: bool, is_bound: bool },
    /// It takes messages.
    Up,
    /// It takes no more, and is closed when those under way are answered.
    Leaving { since: Instant },
    /// BYE or CANCEL is out.
    Closing { since: Instant },
}

impl Pair {
    pub(crate) const fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing { .. })
    }

    pub(crate) const fn is_opening(&self) -> bool {
        matches!(self.state, State::Opening { .. })
    }
}
