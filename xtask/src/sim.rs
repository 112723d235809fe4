//! `cargo xtask sim`: builds the campaign and runs it; the running itself is in crate campaign.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::steps::{Steps, cargo};

/// Runs the campaign with these arguments; what comes out is on standard output.
pub(crate) fn command(args: &[&str]) -> Result<()> {
    Steps::default().run("build", cargo(&["build", "--profile", "sim", "-p", "campaign", "--bins"]))?;
    let program = crate::metadata()?.target_directory.join("sim/campaign");
    let status = Command::new(&program).args(args).status().context(program)?;
    ensure!(status.success(), "the campaign ended with {status}");
    Ok(())
}
