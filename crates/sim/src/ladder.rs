use std::fmt;
use std::fmt::Write as _;
use std::time::Duration;

use wire::Instant;

use crate::Arrow;

/// A view on the recorded arrows: narrowed, then printed or asserted.
///
/// A line reads `0.500  alice -> bob    MESSAGE   (lost)`: the time of sending in seconds since the ladder's zero, the
/// nodes, the label, and a note when it did not simply arrive.
#[derive(Clone, Debug)]
#[must_use = "a ladder view does nothing unless it is printed or asserted"]
pub struct Ladder<'a> {
    arrows: Vec<&'a Arrow>,
    zero: Instant,
    timed: bool,
    seed: u64,
}

impl<'a> Ladder<'a> {
    pub(crate) fn new(arrows: &'a [Arrow], zero: Instant, seed: u64) -> Ladder<'a> {
        Ladder { arrows: arrows.iter().collect(), zero, timed: true, seed }
    }

    /// Keeps the arrows for which `keep` holds.
    pub fn only(mut self, keep: impl Fn(&Arrow) -> bool) -> Ladder<'a> {
        self.arrows.retain(|arrow| keep(arrow));
        self
    }

    /// Leaves out the arrows with one of these labels.
    pub fn without(self, labels: &[&str]) -> Ladder<'a> {
        self.only(|arrow| !labels.contains(&arrow.label.as_str()))
    }

    /// Leaves out what was sent before `at`, and counts time from there.
    pub fn since(mut self, at: Instant) -> Ladder<'a> {
        self.zero = at;
        self.only(|arrow| arrow.sent_at >= at)
    }

    /// Leaves out the times: only the order counts.
    pub fn untimed(mut self) -> Ladder<'a> {
        self.timed = false;
        self
    }

    /// Fails unless the ladder is `expected`, whatever the spaces between its columns; blank lines do not count.
    ///
    /// # Panics
    /// When they differ, with both ladders side by side and the actual one ready to paste.
    #[track_caller]
    pub fn assert(&self, expected: &str) {
        let expected: Vec<String> = expected.lines().map(squeeze).filter(|line| !line.is_empty()).collect();
        let actual: Vec<String> = self.to_string().lines().map(str::to_owned).collect();
        let same = |i: usize| expected.get(i).cloned() == actual.get(i).map(|line| squeeze(line));
        let lines = expected.len().max(actual.len());
        let Some(first) = (0..lines).find(|i| !same(*i)) else { return };
        panic!("{}", self.difference(&expected, &actual, first, same));
    }

    fn difference(&self, expected: &[String], actual: &[String], first: usize, same: impl Fn(usize) -> bool) -> String {
        let width = expected.iter().map(|line| line.chars().count()).max().unwrap_or(0).max("expected".len());
        let mut text = format!("the ladder differs from line {} on (seed {})\n\n", first + 1, self.seed);
        let mut row = |mark, left: &str, right: &str| {
            let line = format!("{mark} {left:width$}  |  {right}");
            text.push_str(line.trim_end());
            text.push('\n');
        };
        row(' ', "expected", "actual");
        for i in 0..expected.len().max(actual.len()) {
            let column = |lines: &[String]| lines.get(i).cloned().unwrap_or_default();
            row(if same(i) { ' ' } else { '!' }, &column(expected), &column(actual));
        }
        text.push_str("\nready to paste:\n\n");
        for line in actual {
            text.push_str("        ");
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

impl fmt::Display for Ladder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = |column: fn(&Arrow) -> &str| {
            self.arrows.iter().map(|arrow| column(arrow).chars().count()).max().unwrap_or_default()
        };
        let (from, to, label) = (widest(|a| &a.from), widest(|a| &a.to), widest(|a| &a.label));
        for arrow in &self.arrows {
            let mut line = String::new();
            if self.timed {
                write!(line, "{}  ", seconds(arrow.sent_at.saturating_since(self.zero)))?;
            }
            write!(line, "{:from$} -> {:to$}  {:label$}   {}", arrow.from, arrow.to, arrow.label, arrow.note())?;
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

fn seconds(time: Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}

fn squeeze(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
