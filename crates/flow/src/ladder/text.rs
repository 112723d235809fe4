//! The ladder as text.

use std::fmt::Write as _;
use std::ops::Range;

use anstyle::{AnsiColor, Effects};

use super::{Charset, Line, Row, Sheet, Style, mark};

/// Draws a ladder as text: a header with the nodes, then a row for each arrow.
///
/// A row whose nodes are not among `nodes` is written out in words, so that nothing is lost.
pub fn render(nodes: &[impl AsRef<str>], rows: &[Row], style: &Style) -> String {
    let sheet = Sheet::new(rows);
    let names: Vec<&str> = nodes.iter().map(AsRef::as_ref).collect();
    let plan = Plan::new(&names, rows, &sheet, style);
    let mut out = String::new();
    plan.header(&mut out);
    for row in rows {
        plan.row(row, &sheet, &mut out);
    }
    out
}

/// Where everything goes.
struct Plan<'a> {
    names: &'a [&'a str],
    style: &'a Style,
    ink: &'static Ink,
    times: bool,
    /// The column of each lifeline.
    columns: Vec<usize>,
    /// The column where the dialog is written.
    right: usize,
}

/// The characters of a [`Charset`].
struct Ink {
    lifeline: char,
    crossing: char,
    solid: char,
    dashed: char,
    tail: [char; 2],
    head: [char; 2],
}

const UNICODE: Ink =
    Ink { lifeline: '│', crossing: '┼', solid: '─', dashed: '╌', tail: ['├', '┤'], head: ['▶', '◀'] };
const ASCII: Ink = Ink { lifeline: '|', crossing: '+', solid: '-', dashed: '.', tail: ['|', '|'], head: ['>', '<'] };

const STEP: usize = 4;
const TIME: usize = 10;
/// The widest distance between lifelines that still reads well.
const WIDEST: usize = 18;
/// Head, dashes and blanks around a label.
const TRIMMING: usize = 6;
const PALETTE: [AnsiColor; 6] =
    [AnsiColor::Cyan, AnsiColor::Magenta, AnsiColor::Yellow, AnsiColor::Green, AnsiColor::Blue, AnsiColor::White];

impl<'a> Plan<'a> {
    fn new(names: &'a [&'a str], rows: &[Row], sheet: &Sheet<'_>, style: &'a Style) -> Self {
        let times = sheet.start.is_some();
        let left = STEP + if times { TIME } else { 0 };
        let half = |name: Option<&&str>| name.map_or(0, |name| name.chars().count().div_ceil(2));
        let (first, last) = (half(names.first()), half(names.last()));
        let words = rows.iter().map(|row| notes(row).chars().count()).max().unwrap_or(0);
        let widest_name = names.iter().map(|name| name.chars().count() + 2).max().unwrap_or(0);
        let widest_label = rows.iter().map(|row| row.message.short().len().max("200 OK".len()) + TRIMMING).max();
        let narrowest = widest_name.max(widest_label.unwrap_or(0));
        let room = style.width.saturating_sub(left + first + last + 2 + words);
        let gap = (room / names.len().saturating_sub(1).max(1)).clamp(narrowest, WIDEST.max(narrowest));
        let columns: Vec<usize> = (0..names.len()).map(|index| left + first + index * gap).collect();
        let right = columns.last().map_or(left, |column| column + last + 2);
        let ink = match style.charset {
            Charset::Unicode => &UNICODE,
            Charset::Ascii => &ASCII,
        };
        Self { names, style, ink, times, columns, right }
    }

    fn header(&self, out: &mut String) {
        let mut canvas = vec![' '; self.right];
        for (name, column) in self.names.iter().zip(&self.columns) {
            put(&mut canvas, column - name.chars().count() / 2, name);
        }
        if self.times {
            put(&mut canvas, STEP + TIME - 4, "ms");
        }
        push_line(out, &canvas.iter().collect::<String>());
        push_line(out, &self.lifelines().iter().collect::<String>());
    }

    fn lifelines(&self) -> Vec<char> {
        let mut canvas = vec![' '; self.right];
        for column in &self.columns {
            canvas[*column] = self.ink.lifeline;
        }
        canvas
    }

    fn row(&self, row: &Row, sheet: &Sheet<'_>, out: &mut String) {
        let mut canvas = self.lifelines();
        let step = row.step.map_or_else(|| "?".to_owned(), |step| step.to_string());
        put(&mut canvas, 0, &format!("{step:>3}"));
        if let Some(time) = sheet.time(row) {
            put(&mut canvas, STEP, &format!("{time:>8}"));
        }
        let mut words = notes(row);
        let arrow = match (self.column(&row.from), self.column(&row.to)) {
            (Some(from), Some(to)) if from != to => self.arrow(&mut canvas, from, to, row),
            (None | Some(_), None | Some(_)) => {
                words = format!("{} -> {}, {}  {words}", row.from, row.to, row.message)
                    .replace(char::is_control, "\u{fffd}");
                0..0
            }
        };
        let line = self.paint(&canvas, arrow, &words, row, sheet);
        push_line(out, &line);
    }

    /// The index of the node's lifeline.
    fn column(&self, node: &str) -> Option<usize> {
        self.names.iter().position(|name| *name == node)
    }

    /// Draws the arrow and returns the columns that it covers.
    fn arrow(&self, canvas: &mut [char], from: usize, to: usize, row: &Row) -> Range<usize> {
        let rightward = from < to;
        let way = usize::from(!rightward);
        let (tail, point) = (self.columns[from], self.columns[to]);
        let covered = if rightward { tail..point } else { point + 1..tail + 1 };
        let line = match row.line {
            Line::Solid => self.ink.solid,
            Line::Dashed => self.ink.dashed,
        };
        for column in covered.clone() {
            let crossing = canvas[column] == self.ink.lifeline;
            canvas[column] = if crossing { self.ink.crossing } else { line };
        }
        canvas[tail] = self.ink.tail[way];
        canvas[if rightward { point - 1 } else { point + 1 }] = self.ink.head[way];

        // The label stands at the sender's side, so that no lifeline cuts it.
        let next = self.columns[if rightward { from + 1 } else { from - 1 }];
        let (start, end) = if rightward { (tail + 1, next) } else { (next + 1, tail) };
        let long = format!(" {} ", row.message);
        let room = end - start;
        let label =
            if long.chars().count() + TRIMMING / 2 <= room { long } else { format!(" {} ", row.message.short()) };
        let spare = room.saturating_sub(label.chars().count());
        put(canvas, start + if rightward { spare / 2 } else { spare.div_ceil(2) }, &label);
        covered
    }

    fn paint(&self, canvas: &[char], arrow: Range<usize>, words: &str, row: &Row, sheet: &Sheet<'_>) -> String {
        let text = |range: Range<usize>| canvas[range].iter().collect::<String>();
        if !self.style.colour {
            return format!("{}{words}", text(0..canvas.len()));
        }
        let colour = sheet.colour(row).map(|index| PALETTE[index % PALETTE.len()].on_default()).unwrap_or_default();
        let colour = match row.line {
            Line::Solid => colour,
            Line::Dashed => colour.effects(Effects::DIMMED),
        };
        let is_violation = row.remark.is_some_and(super::Remark::is_violation);
        let right = if is_violation { AnsiColor::Red.on_default().effects(Effects::BOLD) } else { colour };
        let (before, after) = (text(0..arrow.start), text(arrow.end..canvas.len()));
        format!("{before}{colour}{}{colour:#}{after}{right}{words}{right:#}", text(arrow))
    }
}

/// What stands at the right of a row.
fn notes(row: &Row) -> String {
    let mark = mark(row);
    match row.remark {
        None => mark,
        Some(remark) if mark.is_empty() => remark.as_str().to_owned(),
        Some(remark) => format!("{mark}  {}", remark.as_str()),
    }
}

fn put(canvas: &mut [char], at: usize, text: &str) {
    for (cell, c) in canvas.iter_mut().skip(at).zip(text.chars()) {
        // What the network says may not move the cursor.
        *cell = if c.is_control() { '\u{fffd}' } else { c };
    }
}

fn push_line(out: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{}", line.trim_end());
}
