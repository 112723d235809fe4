//! From the text of a flow file to a checked [`Flow`].

use serde::Deserialize;

use crate::{Arrow, CloseBy, Flow, Kind, MediaPath, Message};

/// Why a flow file was refused: the file, the arrow and the cure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Not TOML, or not the keys of a flow.
    #[error("{file}: {reason}")]
    Syntax {
        /// The file.
        file: String,
        /// What the parser says, with line and column.
        reason: String,
    },
    /// An arrow contradicts the rest of the file.
    #[error("{file}, arrow {number}: {problem}; {cure}")]
    Arrow {
        /// The file.
        file: String,
        /// Its place in the file, counted from 1.
        number: usize,
        /// What is wrong.
        problem: String,
        /// What to write.
        cure: String,
    },
    /// The file as a whole lacks something.
    #[error("{file}: {problem}; {cure}")]
    Whole {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
        /// What to write.
        cure: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFlow {
    id: String,
    title: String,
    clause: String,
    kind: Kind,
    pf_a: Option<MediaPath>,
    pf_b: Option<MediaPath>,
    close_by: Option<CloseBy>,
    crosses: Option<String>,
    nodes: Vec<String>,
    arrow: Vec<RawArrow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawArrow {
    step: u16,
    from: String,
    to: String,
    message: OneOrMore,
    dialog: String,
    after: Option<Vec<u16>>,
    #[serde(default)]
    optional: bool,
    note: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl Flow {
    /// Reads a flow file; `file` is its name, for errors.
    ///
    /// # Errors
    /// The file, the arrow and the cure: steps are 1, 2, 3 … in order, `after` names earlier steps, nodes are declared,
    /// messages are known, and a closing or set-up flow says where the PFs are.
    pub fn load(file: &str, text: &str) -> Result<Self, LoadError> {
        let raw: RawFlow = toml::from_str(text)
            .map_err(|error| LoadError::Syntax { file: file.to_owned(), reason: error.to_string() })?;
        let mut arrows: Vec<Arrow> = Vec::with_capacity(raw.arrow.len());
        for (index, arrow) in raw.arrow.into_iter().enumerate() {
            let arrow = checked(arrow, index, &raw.nodes, &arrows).map_err(|(problem, cure)| LoadError::Arrow {
                file: file.to_owned(),
                number: index + 1,
                problem,
                cure,
            })?;
            arrows.push(arrow);
        }
        let flow = Self {
            id: raw.id,
            title: raw.title,
            clause: raw.clause,
            kind: raw.kind,
            pf_a: raw.pf_a,
            pf_b: raw.pf_b,
            close_by: raw.close_by,
            crosses: raw.crosses,
            nodes: raw.nodes,
            arrows,
        };
        whole(&flow).map_err(|(problem, cure)| LoadError::Whole {
            file: file.to_owned(),
            problem: problem.to_owned(),
            cure: cure.to_owned(),
        })?;
        Ok(flow)
    }
}

/// What is wrong, and what to write.
type Complaint = (String, String);

fn checked(raw: RawArrow, index: usize, nodes: &[String], earlier: &[Arrow]) -> Result<Arrow, Complaint> {
    let due = index + 1;
    if usize::from(raw.step) != due {
        return Err((format!("its step is {}", raw.step), format!("steps count 1, 2, 3 in order: write step = {due}")));
    }
    for node in [&raw.from, &raw.to] {
        if !nodes.contains(node) {
            let known = nodes.join(", ");
            return Err((
                format!("node `{node}` is not declared"),
                format!("use one of {known}, or add it to `nodes`"),
            ));
        }
    }
    if raw.from == raw.to {
        return Err((format!("it goes from `{0}` to `{0}`", raw.from), "name two nodes".to_owned()));
    }
    let messages = messages(raw.message)?;
    let after = raw.after.unwrap_or_else(|| (1..raw.step).next_back().into_iter().collect());
    if let Some(later) = after.iter().find(|step| **step == 0 || **step >= raw.step) {
        return Err((
            format!("`after` names step {later}, which is not an earlier one"),
            format!("name steps from 1 to {}, or write after = []", raw.step.saturating_sub(1)),
        ));
    }
    let mut arrow = Arrow {
        step: raw.step,
        from: raw.from,
        to: raw.to,
        messages,
        dialog: raw.dialog,
        after,
        optional: raw.optional,
        note: raw.note,
        transaction: raw.step,
    };
    if let Some(before) = earlier.iter().find(|before| arrow.after.contains(&before.step) && carries_on(before, &arrow))
    {
        arrow.transaction = before.transaction;
    }
    Ok(arrow)
}

fn messages(raw: OneOrMore) -> Result<Vec<Message>, Complaint> {
    let names = match raw {
        OneOrMore::One(name) => vec![name],
        OneOrMore::More(names) => names,
    };
    let parsed: Result<Vec<Message>, _> = names.iter().map(|name| name.parse()).collect();
    let messages = parsed.map_err(|_| {
        (
            format!("`message` {names:?} is not known"),
            "write a method such as \"BYE\", or a status code and the method it answers such as \"200 BYE\"".to_owned(),
        )
    })?;
    if messages.is_empty() {
        return Err(("`message` is empty".to_owned(), "name at least one message".to_owned()));
    }
    Ok(messages)
}

/// True if `next` is the same transaction as `before`, one hop on: forwarded, answered, or the answer forwarded.
///
/// A proxy keeps CSeq and From tag (RFC 3261 §16.6); a request after a response is a new transaction, and so is one in
/// another dialog.
fn carries_on(before: &Arrow, next: &Arrow) -> bool {
    let (from, to) = (before.message(), next.message());
    before.to == next.from
        && before.dialog == next.dialog
        && from.method() == to.method()
        && (from.is_request() || !to.is_request())
}

fn whole(flow: &Flow) -> Result<(), (&'static str, &'static str)> {
    if flow.arrows.is_empty() {
        return Err(("it has no arrows", "add arrow = [ … ]"));
    }
    let mut names = flow.nodes.clone();
    names.sort_unstable();
    names.dedup();
    if names.len() != flow.nodes.len() {
        return Err(("a node is declared twice", "name every node once in `nodes`"));
    }
    match flow.kind {
        Kind::Registration => Ok(()),
        Kind::SetUp | Kind::Closing if flow.pf_a.is_none() || flow.pf_b.is_none() => {
            Err(("the place of a PF is missing", "write pf_a and pf_b, each \"off\" or \"on\""))
        }
        Kind::Closing if flow.close_by.is_none() => Err(("nobody closes", "write close_by = \"a\", \"b\" or \"both\"")),
        Kind::SetUp | Kind::Closing => match &flow.crosses {
            Some(dialog) if !flow.dialogs().contains(&dialog.as_str()) => {
                Err(("`crosses` names no dialog of the flow", "name the dialog on which both requests meet"))
            }
            None | Some(_) => Ok(()),
        },
    }
}

#[cfg(test)]
mod tests;
