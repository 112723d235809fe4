//! `cargo xtask systemd [OLDER.deb]`: the Debian package under a systemd that `interop/systemd/boot` boots in namespaces.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::steps::{Steps, cargo};
use crate::{deb, packages};

const BOOT: &str = "interop/systemd/boot";

/// Plays what an administrator does, with an upgrade from an older package if one is named.
pub(crate) fn command(args: &[&str]) -> Result<()> {
    let older = match args {
        [] => None,
        [older] => Some(Path::new(*older)),
        [_, _, ..] => bail!("cargo xtask systemd takes one older package, or none"),
    };
    ensure!(packages::is_root()?, "booting systemd takes root: sudo cargo xtask systemd");
    let mut steps = Steps::default();
    steps.check("packages", "cargo xtask systemd", packages::install)?;
    ensure!(
        may_boot(),
        "skipped: no systemd boots in namespaces here, as in a container without CAP_SYS_ADMIN or a writable cgroup2; \
         run it on a machine or in a virtual machine"
    );
    steps.run("build", cargo(&["build", "-p", "duologue", "--bins"]))?;
    play(&mut steps, older)?;
    steps.summary("systemd");
    Ok(())
}

/// Whether systemd boots in here: it does, and ends.
pub(crate) fn may_boot() -> bool {
    let mut boot = Command::new("sh");
    boot.args([BOOT, "interop/systemd", "/bin/true"]);
    boot.stdin(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The same as a part of a longer run, with the binary that is built.
pub(crate) fn play(steps: &mut Steps, older: Option<&Path>) -> Result<()> {
    deb::tool(steps)?;
    let folder = crate::metadata()?.target_directory.join("package/systemd");
    let folder = folder.as_std_path();
    steps.check("debs", "cargo xtask systemd", || {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        put(&deb::build("debug", None)?, &folder.join("duologue.deb"))?;
        let older = older.map_or_else(|| deb::build("debug", Some("0.0.1-1")), |older| Ok(older.to_owned()))?;
        put(&older, &folder.join("older.deb"))?;
        put(Path::new("interop/systemd/play"), &folder.join("play"))?;
        Ok(format!("the older one is {}", older.display()))
    })?;
    let mut boot = Command::new("sh");
    boot.arg(BOOT).arg(folder).args(["/bin/sh", "/run/play/play"]);
    steps.run("systemd", boot)
}

fn put(file: &Path, to: &Path) -> Result<()> {
    fs::copy(file, to).with_context(|| format!("{} to {}", file.display(), to.display()))?;
    Ok(())
}
