//! `cargo xtask test`: the foreign software that the tests need, the binaries, the tests, the doctests.

use anyhow::{Result, ensure};

use crate::steps::{Steps, cargo};
use crate::{deb, packages, systemd};

/// Runs the tests whose name contains one of the filters, or all of them.
pub(crate) fn command(filters: &[&str]) -> Result<()> {
    let mut steps = Steps::default();
    run(&mut steps, filters)?;
    steps.summary("test");
    Ok(())
}

/// The same as a part of a longer run.
pub(crate) fn run(steps: &mut Steps, filters: &[&str]) -> Result<()> {
    steps.check("packages", "cargo xtask test", packages::install)?;
    // Tests start our binaries; cargo builds those of other crates only when asked to.
    steps.run("build", cargo(&["build", "--workspace", "--bins"]))?;
    if has_nextest() {
        steps.run("tests", with(&["nextest", "run", "--workspace", "--no-fail-fast"], filters))?;
    } else {
        let words = ["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast", "--"];
        if !filters.is_empty() {
            some_test_matches(&words, filters)?;
        }
        steps.run("tests", with(&words, filters))?;
    }
    if filters.is_empty() {
        if packages::is_root()? && deb::may_play() {
            deb::play(steps)?;
        } else {
            eprintln!(
                "\n== package: it takes root and an overlay of this machine's files, so it is left out: cargo xtask package"
            );
        }
        if packages::is_root()? && systemd::may_boot() {
            systemd::play(steps, None)?;
        } else {
            eprintln!("\n== systemd: no systemd boots in namespaces here, so it is left out: cargo xtask systemd");
        }
        steps.run("doctests", cargo(&["test", "--workspace", "--doc"]))?;
    }
    Ok(())
}

fn with(words: &[&str], filters: &[&str]) -> std::process::Command {
    let mut command = cargo(words);
    command.args(filters);
    command
}

fn has_nextest() -> bool {
    cargo(&["nextest", "--version"]).output().is_ok_and(|o| o.status.success())
}

/// `cargo test` is content when nothing matches (nextest is not): a mistyped filter must not pass.
fn some_test_matches(words: &[&str], filters: &[&str]) -> Result<()> {
    let listed = with(words, filters).arg("--list").output()?;
    let matches = String::from_utf8_lossy(&listed.stdout).lines().filter(|l| l.ends_with(": test")).count();
    ensure!(!listed.status.success() || matches > 0, "no test has a name that contains one of {filters:?}");
    Ok(())
}
