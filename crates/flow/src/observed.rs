//! An arrow as it was seen on the wire, and the form in which the lab reports it.

use serde::Serialize;

use crate::{Message, Verdict};

/// One message seen between two nodes.
///
/// It is recorded once, at the sender or at the receiver, never at both. The order in which arrows are handed to
/// [`Flow::check`](crate::Flow::check) is the order on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Observed {
    /// The node that sent it.
    pub from: String,
    /// The node that it was sent to.
    pub to: String,
    /// What it is.
    pub message: Message,
    /// Its Call-ID.
    pub call_id: String,
    /// Its CSeq, such as `2 BYE`.
    pub cseq: String,
    /// The tag of its From; empty if not known. Tells two requests that cross in one dialog with equal CSeq apart.
    #[serde(skip)]
    pub from_tag: String,
    /// The branch of its topmost Via; a repetition has the same one.
    #[serde(skip)]
    pub branch: String,
    /// True over TCP or TLS, where nothing is retransmitted hop by hop.
    #[serde(skip)]
    pub reliable: bool,
    /// When it was seen, in microseconds since a moment of the observer's choice.
    pub at_us: u64,
}

impl Observed {
    /// What a retransmission has in common with the original: the same bytes sent once more by the same node.
    pub(crate) fn identity(&self) -> ([&str; 6], &Message) {
        ([&self.from, &self.to, &self.call_id, &self.cseq, &self.from_tag, &self.branch], &self.message)
    }

    /// True if the sender may repeat it: anything on UDP; over a reliable transport only the 2xx to an INVITE and its
    /// ACK, which the ends repeat themselves (RFC 3261 §13.3.1.4).
    pub(crate) fn may_repeat(&self) -> bool {
        let end_to_end = match &self.message {
            Message::Request { method } => method == "ACK",
            Message::Response { status, method } => (200..300).contains(status) && method == "INVITE",
        };
        !self.reliable || end_to_end
    }
}

/// An observed arrow with its step number: one element of `arrows` in the JSON of the lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// The step of the flow, or nothing if the arrow is not part of it.
    pub step: Option<u16>,
    /// The arrow.
    #[serde(flatten)]
    pub observed: Observed,
    /// True if it repeats an earlier arrow.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub retransmission: bool,
}

impl Verdict {
    /// The arrows that were checked, each with the step that it turned out to be.
    ///
    /// `observed` is what was given to the check.
    pub fn records(&self, observed: &[Observed]) -> Vec<Record> {
        let record = |(seen, found): (&Observed, &crate::Match)| Record {
            step: found.step,
            observed: seen.clone(),
            retransmission: found.retransmission,
        };
        observed.iter().zip(&self.matches).map(record).collect()
    }
}
