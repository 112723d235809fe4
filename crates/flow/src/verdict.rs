//! What a check found: the step of every arrow, and what the flow does not allow.

use std::collections::BTreeMap;
use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::{Flow, Message};

/// Symbolic dialog to Call-ID, as a check found them; hand those of the set-up to
/// [`Flow::check_in`](crate::Flow::check_in).
pub type Dialogs = BTreeMap<String, String>;

/// The outcome of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What each observed arrow turned out to be, in the order given.
    pub matches: Vec<Match>,
    /// What the flow does not allow. The first missing arrows come first, then the rest in the order seen, then the
    /// arrows that are missing only because an earlier one is.
    pub violations: Vec<Violation>,
    /// The Call-ID of each symbolic dialog that was seen.
    pub dialogs: Dialogs,
}

impl Verdict {
    /// True if nothing was violated.
    pub fn conforms(&self) -> bool {
        self.violations.is_empty()
    }

    /// How many arrows were repetitions that the transport explains.
    pub fn retransmissions(&self) -> usize {
        self.matches.iter().filter(|found| found.retransmission).count()
    }

    /// The step of each observed arrow, in the order given; nothing for one that is not part of the flow.
    pub fn steps(&self) -> Vec<Option<u16>> {
        self.matches.iter().map(|found| found.step).collect()
    }
}

/// What one observed arrow turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Match {
    /// The step of the flow, if it is one.
    pub step: Option<u16>,
    /// True if it repeats an earlier arrow, whose step it shares.
    pub retransmission: bool,
}

/// Who sends what to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The node that sends.
    pub from: String,
    /// The node that receives.
    pub to: String,
    /// What is sent.
    pub message: Message,
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}, {}", self.from, self.to, self.message)
    }
}

/// One thing that the flow does not allow. Its `Display` is one sentence that names step, nodes, message and clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The clause that is violated.
    pub clause: String,
    /// The step that it is about; nothing for an arrow that is not part of the flow.
    pub step: Option<u16>,
    /// The arrow that it is about: of the flow, or as observed if it has no step.
    pub hop: Hop,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with an arrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A step was never seen.
    Missing {
        /// The earlier step that is missing too, and explains this one.
        waits_for: Option<u16>,
    },
    /// An arrow was seen that no step allows.
    Extra {
        /// Its place among the observed arrows.
        index: usize,
        /// True if it repeats an earlier arrow on a transport that does not lose any.
        repeated: bool,
    },
    /// A step was seen before one that it must follow.
    OutOfOrder {
        /// The step that should have come first.
        before: u16,
        /// The arrow of that step.
        hop: Hop,
    },
    /// A step carries the Call-ID of another dialog, or one of its own inside a dialog.
    WrongDialog {
        /// The symbolic dialog of the step.
        dialog: String,
        /// The Call-ID of that dialog, if it was known.
        expected: Option<String>,
        /// The Call-ID that was seen.
        actual: String,
        /// The other dialog that this Call-ID belongs to, if it was known.
        taken_by: Option<String>,
    },
    /// A step carries another CSeq, or another From tag, than the request that it forwards or answers.
    WrongCseq {
        /// The CSeq (and From tag) of the transaction.
        expected: String,
        /// What was seen.
        actual: String,
    },
    /// A step is answered with another final status.
    WrongStatus {
        /// What was seen.
        actual: Message,
    },
}

impl Fault {
    /// The name of the kind, as in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing",
            Self::Extra { .. } => "extra",
            Self::OutOfOrder { .. } => "out-of-order",
            Self::WrongDialog { .. } => "wrong-dialog",
            Self::WrongCseq { .. } => "wrong-cseq",
            Self::WrongStatus { .. } => "wrong-status",
        }
    }
}

impl Violation {
    /// A violation about a step of `flow`.
    pub(crate) fn of_step(flow: &Flow, step: u16, fault: Fault) -> Self {
        Self { clause: flow.clause.clone(), step: Some(step), hop: hop(flow, step), fault }
    }
}

/// The arrow of a step; steps come from the flow itself.
pub(crate) fn hop(flow: &Flow, step: u16) -> Hop {
    let arrow = &flow.arrows[usize::from(step) - 1];
    Hop { from: arrow.from.clone(), to: arrow.to.clone(), message: arrow.message().clone() }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Some(step) => write!(f, "step {step} ({}) ", self.hop)?,
            None => write!(f, "{} ", self.hop)?,
        }
        write!(f, "{} [{}]", self.fault, self.clause)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { waits_for: None } => f.write_str("is missing"),
            Self::Missing { waits_for: Some(step) } => write!(f, "is missing, as is step {step} before it"),
            Self::Extra { repeated: false, .. } => f.write_str("is not part of the flow"),
            Self::Extra { repeated: true, .. } => f.write_str("is repeated on a reliable transport"),
            Self::OutOfOrder { before, hop } => write!(f, "came before step {before} ({hop}), which it must follow"),
            Self::WrongDialog { dialog, expected, actual, taken_by } => {
                let actual = actual.escape_debug();
                match (expected, taken_by) {
                    (None, None) => write!(f, "is in dialog {dialog}, but carries Call-ID {actual}"),
                    (Some(call_id), None) => {
                        let call_id = call_id.escape_debug();
                        write!(f, "is in dialog {dialog} with Call-ID {call_id}, but carries {actual}")
                    }
                    (None | Some(_), Some(other)) => {
                        write!(f, "is in dialog {dialog}, but carries Call-ID {actual} of dialog {other}")
                    }
                }
            }
            Self::WrongCseq { expected, actual } => {
                let (expected, actual) = (expected.escape_debug(), actual.escape_debug());
                write!(f, "is in the transaction with CSeq {expected}, but carries {actual}")
            }
            Self::WrongStatus { actual } => write!(f, "was answered {actual} instead"),
        }
    }
}

impl Serialize for Violation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Violation", 7)?;
        out.serialize_field("kind", self.fault.kind())?;
        out.serialize_field("step", &self.step)?;
        out.serialize_field("from", &self.hop.from)?;
        out.serialize_field("to", &self.hop.to)?;
        out.serialize_field("message", &self.hop.message)?;
        out.serialize_field("clause", &self.clause)?;
        out.serialize_field("text", &self.to_string())?;
        out.end()
    }
}
