//! `cargo xtask ci`: every check that a change has to pass, the quick ones first.

use anyhow::Result;

use crate::steps::{Steps, cargo};
use crate::{layers, licences, test};

/// Runs all steps; stops at the first one that fails.
pub(crate) fn command() -> Result<()> {
    let mut steps = Steps::default();
    steps.run("lock", cargo(&["fetch", "--locked"]))?;
    steps.run("fmt", cargo(&["fmt", "--all", "--check"]))?;
    steps.check("layers", "cargo xtask layers", layers::check)?;
    steps.check("licences", "cargo xtask licences", licences::check)?;
    steps.run("clippy", cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    let mut docs = cargo(&["doc", "--workspace", "--no-deps"]);
    docs.env("RUSTDOCFLAGS", "-D warnings");
    steps.run("docs", docs)?;
    test::run(&mut steps, &[])?;
    // After the packages that the tests install: valgrind counts.
    steps.run("counts", cargo(&["bench", "--profile", "count", "-p", "bench", "--bench", "instructions"]))?;
    steps.summary("ci");
    Ok(())
}
