//! Named, timed steps; the first failure ends the run and says how to repeat it.

use std::fmt::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

/// The steps done so far, for the summary.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<(String, Duration)>,
}

impl Steps {
    /// Runs one check of ours and nothing else.
    pub(crate) fn alone(name: &str, repeat: &str, check: impl FnOnce() -> Result<String>) -> Result<()> {
        Self::default().check(name, repeat, check)
    }

    /// Runs a command whose success is its exit status.
    pub(crate) fn run(&mut self, name: &str, mut command: Command) -> Result<()> {
        let repeat = shown(&command);
        self.timed(name, &repeat, || {
            let status = command.status().map_err(|e| anyhow!("cannot start: {e}"))?;
            if status.success() { Ok(String::new()) } else { bail!("{status}") }
        })
    }

    /// Runs a check of ours; what it returns is printed behind its name.
    pub(crate) fn check(&mut self, name: &str, repeat: &str, check: impl FnOnce() -> Result<String>) -> Result<()> {
        self.timed(name, repeat, check)
    }

    /// Prints what was done and how long it took.
    pub(crate) fn summary(&self, title: &str) {
        let total: Duration = self.done.iter().map(|(_, took)| *took).sum();
        eprintln!("\n{title}: all {} steps passed in {:.1} s", self.done.len(), total.as_secs_f32());
        for (name, took) in &self.done {
            eprintln!("  {name:<10} {:>7.1} s", took.as_secs_f32());
        }
    }

    fn timed(&mut self, name: &str, repeat: &str, work: impl FnOnce() -> Result<String>) -> Result<()> {
        eprintln!("\n== {name}: {repeat}");
        let start = Instant::now();
        let result = work();
        let took = start.elapsed();
        match result {
            Ok(note) => {
                let note = if note.is_empty() { note } else { format!(": {note}") };
                eprintln!("== {name} passed in {:.1} s{note}", took.as_secs_f32());
                self.done.push((name.to_owned(), took));
                Ok(())
            }
            Err(error) => Err(error.context(format!(
                "step `{name}` failed after {:.1} s; repeat it with: {repeat}\n      because",
                took.as_secs_f32()
            ))),
        }
    }
}

/// A cargo command in the workspace.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(args);
    command
}

/// The command as one would type it.
fn shown(command: &Command) -> String {
    let mut text = String::new();
    for (key, value) in command.get_envs() {
        if let Some(value) = value {
            let _ = write!(text, "{}={} ", key.display(), quoted(&value.to_string_lossy()));
        }
    }
    text += &command.get_program().to_string_lossy();
    for arg in command.get_args() {
        text.push(' ');
        text += &quoted(&arg.to_string_lossy());
    }
    text
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{word}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_is_shown_as_one_would_type_it() {
        let mut command = Command::new("false");
        command.arg("two words").env("FLAGS", "-D warnings");
        let error = Steps::default().run("docs", command).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("step `docs` failed"), "{text}");
        assert!(text.contains("FLAGS='-D warnings' false 'two words'"), "{text}");
    }
}
