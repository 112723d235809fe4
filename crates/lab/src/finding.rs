use std::fmt;

use serde::Serialize;

/// Something about a flow that is wrong, other than its arrows: the wire lost a message, a node kept a session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// One word, as in JSON: `lost`, `unsent`, `malformed`, `foreign`, `registration`, `set-up`, `session-left`,
    /// `not-closed`.
    pub kind: &'static str,
    /// The node that it is about; the sender if it is about a message.
    pub from: String,
    /// The receiver, if it is about a message; else empty.
    pub to: String,
    /// The message, if it is about one that could be read.
    pub message: Option<String>,
    /// One sentence.
    pub text: String,
}

impl Finding {
    /// A finding about a node.
    pub(crate) fn about(kind: &'static str, node: &str, what: &str) -> Finding {
        Finding { kind, from: node.to_owned(), to: String::new(), message: None, text: format!("{node} {what}") }
    }
}

/// Why a flow does not conform. Its `Display` is one sentence.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(untagged)]
pub enum Violation {
    /// An arrow is not as the flow says.
    Flow(flow::Violation),
    /// Something else.
    Lab(Finding),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::Flow(violation) => violation.fmt(f),
            Violation::Lab(finding) => f.write_str(&finding.text),
        }
    }
}
