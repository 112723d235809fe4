//! `cargo xtask model`: builds the model of the durable close and searches it; the searching itself is in crate model.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::steps::{Steps, cargo};

/// Searches everything; what comes out is on standard output.
pub(crate) fn command() -> Result<()> {
    Steps::default().run("build", cargo(&["build", "--release", "-p", "model", "--bins"]))?;
    let program = crate::metadata()?.target_directory.join("release/model");
    let status = Command::new(&program).status().context(program)?;
    ensure!(status.success(), "the model ended with {status}");
    Ok(())
}
