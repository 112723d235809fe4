//! The ladder as a self-contained SVG picture that reads on light and on dark pages.

use std::fmt::Write as _;

use super::{Line, Row, Sheet, mark};

const LEFT: usize = 70;
const TIME: usize = 70;
const GAP: usize = 132;
const RIGHT: usize = 150;
const TOP: usize = 96;
const ROW: usize = 30;
const BOX: usize = 92;

/// Light and dark colours of the dialogs; both have contrast enough for text on their ground.
const PALETTE: [(&str, &str); 6] = [
    ("#0b6bcb", "#6cb6ff"),
    ("#a3308f", "#e38bd6"),
    ("#8a5a00", "#e0b050"),
    ("#1a7f37", "#57d178"),
    ("#5b4bc4", "#b1a5ff"),
    ("#57606a", "#b0b8c0"),
];

/// Draws a ladder as SVG, with `title` above it.
pub fn svg(title: &str, nodes: &[impl AsRef<str>], rows: &[Row]) -> String {
    let sheet = Sheet::new(rows);
    let names: Vec<&str> = nodes.iter().map(AsRef::as_ref).collect();
    let picture = Picture { names, left: LEFT + if sheet.start.is_some() { TIME } else { 0 } };
    let mut out = picture.open(title, rows.len());
    picture.lifelines(rows.len(), &mut out);
    for (index, row) in rows.iter().enumerate() {
        picture.row(index, row, &sheet, &mut out);
    }
    out.push_str("</svg>\n");
    out
}

struct Picture<'a> {
    names: Vec<&'a str>,
    left: usize,
}

impl Picture<'_> {
    fn x(&self, index: usize) -> usize {
        self.left + BOX / 2 + index * GAP
    }

    fn width(&self) -> usize {
        self.x(self.names.len().saturating_sub(1)) + RIGHT
    }

    fn height(rows: usize) -> usize {
        TOP + rows * ROW + 20
    }

    fn open(&self, title: &str, rows: usize) -> String {
        let (width, height, title) = (self.width(), Self::height(rows), escape(title));
        let (mut light, mut dark) = (String::new(), String::new());
        for (index, (on_light, on_dark)) in PALETTE.iter().enumerate() {
            push(&mut light, format_args!(".d{index}{{color:{on_light}}}"));
            push(&mut dark, format_args!(".d{index}{{color:{on_dark}}}"));
        }
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{title}">
<title>{title}</title>
<style>
text{{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:currentColor}}
.card{{fill:#ffffff;stroke:#d0d7de}}.ink{{color:#1f2328}}.faint{{color:#656d76}}.bad{{color:#cf222e}}
.node{{fill:#f3f5f8;stroke:#8c959f}}.life{{stroke:#c3cad2}}.title{{font-weight:600;font-size:15px}}{light}
@media (prefers-color-scheme:dark){{
.card{{fill:#12161c;stroke:#30363d}}.ink{{color:#e6edf3}}.faint{{color:#9aa4af}}.bad{{color:#ff7b72}}
.node{{fill:#1d232b;stroke:#6e7681}}.life{{stroke:#3d444d}}{dark}
}}
</style>
<rect class="card" x="0.5" y="0.5" width="{card_width}" height="{card_height}" rx="10"/>
<text class="ink title" x="24" y="32">{title}</text>
"##,
            card_width = width - 1,
            card_height = height - 1,
        )
    }

    fn lifelines(&self, rows: usize, out: &mut String) {
        let bottom = Self::height(rows) - 16;
        for (index, name) in self.names.iter().enumerate() {
            let (x, name) = (self.x(index), escape(name));
            let corner = x - BOX / 2;
            push(out, format_args!("<line class=\"life\" x1=\"{x}\" y1=\"76\" x2=\"{x}\" y2=\"{bottom}\"/>\n"));
            push(
                out,
                format_args!("<rect class=\"node\" x=\"{corner}\" y=\"50\" width=\"{BOX}\" height=\"26\" rx=\"5\"/>\n"),
            );
            push(out, format_args!("<text class=\"ink\" x=\"{x}\" y=\"67\" text-anchor=\"middle\">{name}</text>\n"));
        }
    }

    fn row(&self, index: usize, row: &Row, sheet: &Sheet<'_>, out: &mut String) {
        let y = TOP + index * ROW + ROW / 2;
        let class = sheet.colour(row).map_or_else(|| "ink".to_owned(), |colour| format!("d{}", colour % PALETTE.len()));
        let step = row.step.map_or_else(|| "?".to_owned(), |step| step.to_string());
        let base = y + 4;
        push(out, format_args!("<text class=\"faint\" x=\"46\" y=\"{base}\" text-anchor=\"end\">{step}</text>\n"));
        if let Some(time) = sheet.time(row) {
            let x = LEFT + 44;
            push(
                out,
                format_args!("<text class=\"faint\" x=\"{x}\" y=\"{base}\" text-anchor=\"end\">{time} ms</text>\n"),
            );
        }
        push(out, format_args!("<g class=\"{class}\">\n"));
        let place = |node: &str| self.names.iter().position(|name| *name == node);
        let mut words = mark(row);
        match (place(&row.from), place(&row.to)) {
            (Some(from), Some(to)) if from != to => self.arrow(y, from, to, row, out),
            (None | Some(_), None | Some(_)) => words = format!("{} -> {}, {} {words}", row.from, row.to, row.message),
        }
        let (x, words) = (self.width() - RIGHT + BOX / 2 + 4, escape(&words));
        push(out, format_args!("<text x=\"{x}\" y=\"{base}\">{words}</text>\n</g>\n"));
        if let Some(remark) = row.remark {
            let class = if remark.is_violation() { "bad" } else { "faint" };
            let (y, word) = (base + 11, remark.as_str());
            push(
                out,
                format_args!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\" style=\"font-size:10px\">{word}</text>\n"),
            );
        }
    }

    fn arrow(&self, y: usize, from: usize, to: usize, row: &Row, out: &mut String) {
        let (tail, point) = (self.x(from), self.x(to));
        let rightward = from < to;
        let neck = if rightward { point - 9 } else { point + 9 };
        let next = self.x(if rightward { from + 1 } else { from - 1 });
        let dash = match row.line {
            Line::Solid => "",
            Line::Dashed => " stroke-dasharray=\"5 4\"",
        };
        let (upper, lower, label, middle) = (y - 4, y + 4, y - 5, tail.midpoint(next));
        push(
            out,
            format_args!(
                "<line x1=\"{tail}\" y1=\"{y}\" x2=\"{neck}\" y2=\"{y}\" stroke=\"currentColor\" stroke-width=\"1.6\"{dash}/>\n\
                 <polygon points=\"{point},{y} {neck},{upper} {neck},{lower}\" fill=\"currentColor\"/>\n"
            ),
        );
        let long = row.message.to_string();
        let text = escape(&if long.len() > 14 { row.message.short() } else { long });
        push(out, format_args!("<text x=\"{middle}\" y=\"{label}\" text-anchor=\"middle\">{text}</text>\n"));
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(text);
}
