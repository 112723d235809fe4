//! The result of a flow for a person.

use std::fmt::Write as _;

use flow::ladder::{self, Style};

use crate::{FlowReport, Part, Settings};

/// Title, set-up in a line for each part, the ladder of the close, and the verdict.
pub fn text(report: &FlowReport, settings: &Settings, style: &Style) -> String {
    let mut out = String::new();
    let flow = report.parts.flow();
    line(&mut out, format_args!("{}: {}", flow.clause, flow.title));
    line(&mut out, format_args!("SIP over {}, seed {}", settings.transport.via_token(), settings.seed));
    let parts = &report.parts;
    for part in parts.registrations.iter().chain([&parts.set_up]) {
        line(&mut out, format_args!("  {}: {}", part.flow.title, summary(part)));
    }
    let connections: Vec<_> = report.msrp.iter().map(|c| format!("{} to {} ({})", c.from, c.to, c.transport)).collect();
    let none = if connections.is_empty() { "none".to_owned() } else { connections.join(", ") };
    line(&mut out, format_args!("  MSRP connections: {none}"));
    if report.messages.sent > 0 {
        let crate::Messages { sent, delivered } = report.messages;
        line(&mut out, format_args!("  Messages: {sent} sent, {delivered} delivered, {} octets each", settings.size));
    }
    if let Some(closing) = &parts.closing {
        let rows = ladder::rows_seen(closing.flow, &closing.arrows, &closing.verdict);
        out.push('\n');
        out.push_str(&ladder::render(&closing.flow.nodes, &rows, style));
        out.push('\n');
    }
    if report.conforms {
        let closing = parts.closing.as_ref().map(summary).unwrap_or_default();
        line(&mut out, format_args!("conforms to {}: {closing}", flow.clause));
    } else {
        line(
            &mut out,
            format_args!("does not conform to {}: {}", flow.clause, count(report.violations.len(), "violation")),
        );
        for violation in &report.violations {
            line(&mut out, format_args!("  {violation}"));
        }
    }
    out
}

/// `14 arrows, 1 dialog`, and what is worth knowing besides.
fn summary(part: &Part) -> String {
    let (verdict, repeated) = (&part.verdict, part.verdict.retransmissions());
    let mut out = format!("{}, {}", count(part.arrows.len(), "arrow"), count(verdict.dialogs.len(), "dialog"));
    if repeated > 0 {
        out += &format!(", {repeated} of them repeated");
    }
    if !verdict.conforms() {
        out += &format!(", {}", count(verdict.violations.len(), "violation"));
    }
    out
}

fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}
