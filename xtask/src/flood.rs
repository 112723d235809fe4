//! `cargo xtask flood`: a long one of the floods of which CI plays a short one, `duologue/tests/real/flood.rs`.

use std::process::Command;

use anyhow::{Result, bail};

use crate::packages;
use crate::steps::{Steps, cargo};

/// Floods two nodes for so long, and looks at their memory and their log.
pub(crate) fn command(args: &[&str]) -> Result<()> {
    let seconds = match args {
        [] => 600,
        ["--seconds", seconds] => seconds.parse().unwrap_or(0),
        _ => 0,
    };
    if seconds == 0 {
        bail!("it takes `--seconds N`, N at least 1");
    }
    let mut steps = Steps::default();
    steps.check("packages", "cargo xtask flood", packages::install)?;
    steps.run("flood", test(seconds))?;
    steps.summary("flood");
    Ok(())
}

fn test(seconds: u32) -> Command {
    let name = "memory_and_log_do_not_grow";
    let mut command = cargo(&["test", "-p", "duologue", "--test", "real", name, "--", "--nocapture"]);
    command.env("FLOOD_SECONDS", seconds.to_string());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_to_the_test_and_anything_else_is_refused() {
        let command = test(600);
        assert!(command.get_envs().any(|(name, value)| name == "FLOOD_SECONDS" && value.is_some_and(|v| v == "600")));
        for args in [&["--seconds"][..], &["--seconds", "0"], &["600"]] {
            assert!(super::command(args).is_err(), "{args:?}");
        }
    }
}
