//! `cargo xtask static`: one binary that needs no library of the system, built for musl, and what it can do.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::packages;
use crate::steps::{Steps, cargo};

/// Builds it, and plays both figures with it.
pub(crate) fn command() -> Result<()> {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let mut steps = Steps::default();
    ensure!(packages::is_installed("musl-gcc"), "C code is built with musl-gcc: install the Debian package musl-tools");
    if !has(&target)? {
        let mut rustup = Command::new("rustup");
        rustup.args(["target", "add", &target]);
        steps.run("target", rustup)?;
    }
    let mut build = cargo(&["build", "--release", "--target", &target, "-p", "duologue", "--bins"]);
    build.env(format!("CC_{}", target.replace('-', "_")), "musl-gcc");
    steps.run("build", build)?;
    let binary = crate::metadata()?.target_directory.join(&target).join("release/duologue");
    steps.check("linked", "cargo xtask static", || {
        let headers =
            Command::new("readelf").args(["--wide", "--segments"]).arg(&binary).output().context("readelf")?;
        let asks = String::from_utf8_lossy(&headers.stdout).contains("INTERP");
        ensure!(headers.status.success() && !asks, "{binary} asks for a dynamic linker");
        Ok(binary.to_string())
    })?;
    let mut lab = Command::new(&binary);
    lab.arg("lab");
    steps.run("lab", lab)?;
    steps.summary("static");
    Ok(())
}

/// Whether rustc has the standard library of a target.
fn has(target: &str) -> Result<bool> {
    let folder =
        Command::new("rustc").args(["--print", "target-libdir", "--target", target]).output().context("rustc")?;
    Ok(folder.status.success() && std::path::Path::new(String::from_utf8_lossy(&folder.stdout).trim()).is_dir())
}
