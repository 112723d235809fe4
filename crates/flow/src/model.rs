//! The shape of a flow: what its file says, checked.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Message;

/// A normative flow: who sends what to whom, in which dialog, and what must come before what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Stable name, such as `c.2.3.1-figure-9`.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// The clause that the flow comes from; violations cite it.
    pub clause: String,
    /// What part of a session's life it is.
    pub kind: Kind,
    /// PF A's place; `None` where it does not matter.
    pub pf_a: Option<MediaPath>,
    /// PF B's place; `None` where it does not matter.
    pub pf_b: Option<MediaPath>,
    /// Who closes, in a closing flow.
    pub close_by: Option<CloseBy>,
    /// The dialog on which the requests of both sides meet, if both close at once.
    pub crosses: Option<String>,
    /// The nodes, in the order of their lifelines.
    pub nodes: Vec<String>,
    /// The arrows; `arrows[n - 1]` is step `n`.
    pub arrows: Vec<Arrow>,
}

/// One arrow of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrow {
    /// Step number, counted from 1.
    pub step: u16,
    /// The node that sends.
    pub from: String,
    /// The node that receives.
    pub to: String,
    /// What is sent; where there is more than one, each is right and the first is usual.
    pub messages: Vec<Message>,
    /// Symbolic name of the dialog (or of the call, outside dialogs): one Call-ID for each.
    pub dialog: String,
    /// Steps that must have been seen before this one.
    pub after: Vec<u16>,
    /// True if the flow conforms without it.
    pub optional: bool,
    /// A remark for the reader.
    pub note: Option<String>,
    /// Arrows with the same number carry one transaction end to end: same CSeq, same From tag.
    pub(crate) transaction: u16,
}

impl Arrow {
    /// The message that is usual on this arrow.
    pub fn message(&self) -> &Message {
        &self.messages[0]
    }
}

impl Flow {
    /// The arrow with this step number.
    pub fn arrow(&self, step: u16) -> Option<&Arrow> {
        self.arrows.get(usize::from(step).checked_sub(1)?)
    }

    /// The symbolic dialogs in the order of their first arrow.
    pub fn dialogs(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for arrow in &self.arrows {
            if !names.contains(&arrow.dialog.as_str()) {
                names.push(&arrow.dialog);
            }
        }
        names
    }
}

/// What part of a session's life a flow is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A client makes itself known to its core.
    Registration,
    /// INVITE to ACK.
    SetUp,
    /// BYE to its last answer.
    Closing,
}

/// A PF's place in a session, decided at INVITE and fixed for its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaPath {
    /// Off the media path: a record-routing proxy.
    Off,
    /// On the media path: a B2BUA with a leg to each side.
    On,
}

impl From<bool> for MediaPath {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

/// Who closes the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CloseBy {
    /// The user who set it up.
    A,
    /// The user who was called.
    B,
    /// Both at once: the crossing case.
    Both,
}

impl fmt::Display for MediaPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::On => "on",
        })
    }
}

impl fmt::Display for CloseBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "a",
            Self::B => "b",
            Self::Both => "both",
        })
    }
}
