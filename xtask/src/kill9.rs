//! `cargo xtask kill9`: the whole set of what CI plays a sample of, `duologue/tests/real/kill9.rs`.

use std::process::Command;

use anyhow::{Result, bail};

use crate::packages;
use crate::steps::{Steps, cargo};

/// Kills a participating function at each point, so many times.
pub(crate) fn command(args: &[&str]) -> Result<()> {
    let runs = match args {
        [] => 1,
        ["--runs", runs] => runs.parse().unwrap_or(0),
        _ => 0,
    };
    if runs == 0 {
        bail!("it takes `--runs N`, N at least 1");
    }
    let mut steps = Steps::default();
    steps.check("packages", "cargo xtask kill9", packages::install)?;
    steps.run("kill9", test(runs))?;
    steps.summary("kill9");
    Ok(())
}

fn test(runs: u32) -> Command {
    let mut command =
        cargo(&["test", "-p", "duologue", "--test", "real", "killed_at_named_points", "--", "--nocapture"]);
    command.env("KILL9_RUNS", runs.to_string());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_runs_is_told_to_the_test_and_anything_else_is_refused() {
        let command = test(25);
        assert!(command.get_envs().any(|(name, value)| name == "KILL9_RUNS" && value.is_some_and(|v| v == "25")));
        for args in [&["--runs"][..], &["--runs", "0"], &["25"]] {
            assert!(super::command(args).is_err(), "{args:?}");
        }
    }
}
