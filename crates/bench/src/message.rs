use std::fmt::Write as _;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

#[derive(Deserialize)]
struct Figures {
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    sample: String,
    bytes: usize,
    level: String,
    ns: u64,
    allocations: u64,
    instructions: Option<u64>,
}

/// Runs the benchmark of the message crate, and returns its result as a table and as JSON.
pub fn message_figures() -> Result<(String, serde_json::Value)> {
    let output = Command::new("cargo").args(["bench", "-p", "sip", "--", "--json"]).output().context("cargo bench")?;
    ensure!(output.status.success(), "cargo bench -p sip: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().rfind(|line| line.starts_with('{')).context("the benchmark printed no JSON")?;
    Ok((table(&serde_json::from_str(line)?), serde_json::from_str(line)?))
}

fn table(figures: &Figures) -> String {
    let mut out =
        String::from("| message | octets | work | instructions | allocations | ns |\n|---|---|---|---|---|---|\n");
    for Row { sample, bytes, level, ns, allocations, instructions } in &figures.rows {
        let instructions = instructions.map_or("no valgrind".to_owned(), |n| n.to_string());
        // Writing to a String cannot fail.
        let _ok = writeln!(out, "| {sample} | {bytes} | {level} | {instructions} | {allocations} | {ns} |");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json_becomes_a_row() {
        let line = r#"{"bench":"x","rows":[{"sample":"a","bytes":9,"level":"index","ns":7,"allocations":0,"instructions":5}]}"#;
        assert!(table(&serde_json::from_str(line).unwrap()).ends_with("| a | 9 | index | 5 | 0 | 7 |\n"));
    }
}
