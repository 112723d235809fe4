/// Who owes whom a session description (RFC 3264 §4, RFC 3261 §13.2.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exchange {
    /// Nobody.
    Stable,
    /// We made an offer and wait for the answer.
    Offered,
    /// The peer made an offer and waits for ours.
    MustAnswer,
}

impl Exchange {
    /// A description of ours goes out where one may be: an offer if none is open, else the answer to the peer's.
    pub(crate) const fn sent(self) -> Exchange {
        match self {
            Exchange::Stable | Exchange::Offered => Exchange::Offered,
            Exchange::MustAnswer => Exchange::Stable,
        }
    }
}
