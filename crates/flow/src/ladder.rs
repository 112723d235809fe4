//! The ladder: lifelines with an arrow in each row, as text for a terminal and as SVG for a page.

mod svg;
mod text;

use crate::{Arrow, Flow, Message, Observed, Verdict};

pub use svg::svg;
pub use text::render;

/// One row of a ladder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The step number at the left; nothing for an arrow that is not part of the flow.
    pub step: Option<u16>,
    /// The node where the arrow starts.
    pub from: String,
    /// The node where it ends.
    pub to: String,
    /// Its label.
    pub message: Message,
    /// The symbolic dialog at the right; it also chooses the colour.
    pub dialog: Option<String>,
    /// When it was seen, in microseconds; the first row's time is printed as 0.
    pub at_us: Option<u64>,
    /// How it is drawn.
    pub line: Line,
    /// A remark at the far right.
    pub remark: Option<Remark>,
}

/// How an arrow is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Line {
    /// A message that is sent.
    #[default]
    Solid,
    /// One that may be left out, or was.
    Dashed,
}

/// A word at the far right of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remark {
    /// The flow conforms without it.
    Optional,
    /// The transport explains it.
    Repeated,
    /// The flow has it, the wire had not.
    Missing,
    /// The wire had it, the flow has not.
    Extra,
    /// The step is there, but something about it is not as the flow says.
    Wrong,
}

impl Remark {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Optional => "optional",
            Self::Repeated => "repeated",
            Self::Missing => "missing",
            Self::Extra => "not in the flow",
            Self::Wrong => "violation",
        }
    }

    /// True if a flow with such a row does not conform.
    pub fn is_violation(self) -> bool {
        match self {
            Self::Optional | Self::Repeated => false,
            Self::Missing | Self::Extra | Self::Wrong => true,
        }
    }
}

/// How the text form looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// A colour for each dialog, by escape sequences.
    pub colour: bool,
    /// What the lines are made of.
    pub charset: Charset,
    /// Columns to fill; a ladder that needs more takes more.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self { colour: false, charset: Charset::Unicode, width: 100 }
    }
}

/// What the lines of the text form are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// Box-drawing characters.
    Unicode,
    /// Characters of every terminal and every mail.
    Ascii,
}

/// The rows of a flow itself, without times.
pub fn rows(flow: &Flow) -> Vec<Row> {
    flow.arrows.iter().map(planned).collect()
}

/// The rows of what was seen, in that order, with the steps of `verdict`; after them the steps that are missing.
pub fn rows_seen(flow: &Flow, observed: &[Observed], verdict: &Verdict) -> Vec<Row> {
    let wrong = |step: u16| verdict.violations.iter().any(|violation| violation.step == Some(step));
    let mut rows = Vec::with_capacity(observed.len());
    for (seen, found) in observed.iter().zip(&verdict.matches) {
        let remark = match found.step {
            _ if found.retransmission => Some(Remark::Repeated),
            None => Some(Remark::Extra),
            Some(step) => wrong(step).then_some(Remark::Wrong),
        };
        let dialog = found.step.and_then(|step| flow.arrow(step)).map(|arrow| arrow.dialog.clone());
        rows.push(Row {
            step: found.step,
            from: seen.from.clone(),
            to: seen.to.clone(),
            message: seen.message.clone(),
            dialog,
            at_us: Some(seen.at_us),
            line: Line::Solid,
            remark,
        });
    }
    let steps = verdict.steps();
    let is_missing = |arrow: &&Arrow| !arrow.optional && !steps.contains(&Some(arrow.step));
    let missing = flow.arrows.iter().filter(is_missing);
    rows.extend(missing.map(|arrow| Row { line: Line::Dashed, remark: Some(Remark::Missing), ..planned(arrow) }));
    rows
}

fn planned(arrow: &Arrow) -> Row {
    Row {
        step: Some(arrow.step),
        from: arrow.from.clone(),
        to: arrow.to.clone(),
        message: arrow.message().clone(),
        dialog: Some(arrow.dialog.clone()),
        at_us: None,
        line: if arrow.optional { Line::Dashed } else { Line::Solid },
        remark: arrow.optional.then_some(Remark::Optional),
    }
}

/// What is common to both forms: which dialogs there are and when the first row was.
struct Sheet<'a> {
    dialogs: Vec<&'a str>,
    start: Option<u64>,
}

impl<'a> Sheet<'a> {
    fn new(rows: &'a [Row]) -> Self {
        let mut dialogs: Vec<&str> = Vec::new();
        for dialog in rows.iter().filter_map(|row| row.dialog.as_deref()) {
            if !dialogs.contains(&dialog) {
                dialogs.push(dialog);
            }
        }
        Self { dialogs, start: rows.iter().filter_map(|row| row.at_us).min() }
    }

    /// The dialog's place in the palette.
    fn colour(&self, row: &Row) -> Option<usize> {
        let dialog = row.dialog.as_deref()?;
        self.dialogs.iter().position(|known| *known == dialog)
    }

    /// Milliseconds since the first row.
    fn time(&self, row: &Row) -> Option<String> {
        let after = row.at_us?.checked_sub(self.start?)?;
        Some(format!("{}.{:03}", after / 1000, after % 1000))
    }
}

/// `leg 2` where dialogs are legs of a B2BUA, `dialog D` where there is one from end to end, `call R` outside dialogs.
fn mark(row: &Row) -> String {
    match row.dialog.as_deref() {
        None => String::new(),
        Some(name) if name.bytes().all(|b| b.is_ascii_digit()) => format!("leg {name}"),
        Some(name) if row.message.method() == "REGISTER" => format!("call {name}"),
        Some(name) => format!("dialog {name}"),
    }
}

#[cfg(test)]
mod tests;
