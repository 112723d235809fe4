//! Tests of which CI plays a short form, at length: how long is told to them by a variable of the environment.

use std::process::Command;

use anyhow::{Result, bail};

use crate::packages;
use crate::steps::{Steps, cargo};

/// `cargo xtask kill9 --runs N`: a participating function is killed at each point so many times.
pub(crate) const KILL9: AtLength =
    AtLength { name: "kill9", test: "killed_at_named_points", flag: "--runs", usual: 1, variable: "KILL9_RUNS" };

/// `cargo xtask flood --seconds N`: two nodes are flooded for so long.
pub(crate) const FLOOD: AtLength = AtLength {
    name: "flood",
    test: "memory_and_log_do_not_grow",
    flag: "--seconds",
    usual: 600,
    variable: "FLOOD_SECONDS",
};

/// A command, and the test that it plays.
pub(crate) struct AtLength {
    name: &'static str,
    test: &'static str,
    flag: &'static str,
    usual: u32,
    variable: &'static str,
}

impl AtLength {
    /// Installs what it takes, and plays it.
    pub(crate) fn command(&self, args: &[&str]) -> Result<()> {
        let length = match args {
            [] => self.usual,
            [flag, length] if *flag == self.flag => length.parse().unwrap_or(0),
            _ => 0,
        };
        if length == 0 {
            bail!("it takes `{} N`, N at least 1", self.flag);
        }
        let mut steps = Steps::default();
        steps.check("packages", &format!("cargo xtask {}", self.name), packages::install)?;
        steps.run(self.name, self.test(length))?;
        steps.summary(self.name);
        Ok(())
    }

    fn test(&self, length: u32) -> Command {
        let mut command = cargo(&["test", "-p", "duologue", "--test", "real", self.test, "--", "--nocapture"]);
        command.env(self.variable, length.to_string());
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_told_to_the_test_and_anything_else_is_refused() {
        let command = KILL9.test(25);
        assert!(command.get_envs().any(|(name, value)| name == "KILL9_RUNS" && value.is_some_and(|v| v == "25")));
        for args in [&["--runs"][..], &["--runs", "0"], &["25"], &["--seconds", "5"]] {
            assert!(KILL9.command(args).is_err(), "{args:?}");
        }
    }
}
