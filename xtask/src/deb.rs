//! `cargo xtask deb`: the Debian package, and `cargo xtask package`, which installs, runs, upgrades and purges it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::packages;
use crate::steps::{Steps, cargo};

/// The version of cargo-deb that is installed when there is none.
const CARGO_DEB: &str = "3.8.0";

/// Builds the package of the release, and says where it is.
pub(crate) fn command() -> Result<()> {
    let mut steps = Steps::default();
    tool(&mut steps)?;
    steps.run("build", cargo(&["build", "--release", "-p", "duologue", "--bins"]))?;
    steps.check("package", "cargo xtask deb", || Ok(build("release", None)?.display().to_string()))?;
    steps.summary("deb");
    Ok(())
}

/// Plays what an administrator does with the package, on a copy of this machine: `interop/package/play`.
pub(crate) fn show() -> Result<()> {
    let mut steps = Steps::default();
    ensure!(packages::is_root()?, "installing a package takes root: sudo cargo xtask package");
    steps.check("packages", "cargo xtask package", packages::install)?;
    steps.run("build", cargo(&["build", "-p", "duologue", "--bins"]))?;
    play(&mut steps)?;
    steps.summary("package");
    Ok(())
}

/// Whether this machine lets us have namespaces and an overlay of its files; some containers do not.
pub(crate) fn may_play() -> bool {
    script("probe").stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// `interop/package/play` in namespaces of its own.
fn script(argument: impl AsRef<OsStr>) -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "interop/package/play"]).arg(argument);
    unshare
}

/// The same as a part of a longer run, with the binary that the tests ran.
pub(crate) fn play(steps: &mut Steps) -> Result<()> {
    tool(steps)?;
    let mut package = PathBuf::new();
    steps.check("deb", "cargo xtask package", || {
        package = build("debug", None)?;
        Ok(package.display().to_string())
    })?;
    steps.run("package", script(package))
}

/// Makes sure that there is cargo-deb.
pub(crate) fn tool(steps: &mut Steps) -> Result<()> {
    let has_it = cargo(&["deb", "--version"]).stderr(Stdio::null()).output().is_ok_and(|o| o.status.success());
    if has_it {
        return Ok(());
    }
    steps.run("cargo-deb", cargo(&["install", "cargo-deb", "--locked", "--version", CARGO_DEB]))
}

/// Makes the package of a binary that is built, with the version of the workspace or another one.
pub(crate) fn build(profile: &str, version: Option<&str>) -> Result<PathBuf> {
    let metadata = crate::metadata()?;
    let (root, target) = (metadata.workspace_root.as_std_path(), metadata.target_directory.as_std_path());
    let binary = target.join(profile).join("duologue");
    let folder = root.join("target/package");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    print(&binary, &["man"], &folder.join("duologue.1"))?;
    for (shell, file) in [("bash", "duologue.bash"), ("zsh", "_duologue"), ("fish", "duologue.fish")] {
        print(&binary, &["completions", shell], &folder.join(file))?;
    }
    let package = folder.join(version.map_or("duologue.deb".to_owned(), |version| format!("duologue_{version}.deb")));
    let cargo_profile = if profile == "debug" { "dev" } else { profile };
    let mut deb = cargo(&["deb", "-p", "duologue", "--no-build", "--quiet", "--profile", cargo_profile]);
    if profile == "debug" {
        deb.arg("--fast");
    }
    deb.args(version.map(|version| format!("--deb-version={version}")));
    let status = deb.arg("--output").arg(&package).status().context("cargo deb")?;
    ensure!(status.success(), "cargo deb ended with {status}");
    Ok(package)
}

fn print(binary: &Path, arguments: &[&str], to: &Path) -> Result<()> {
    let output = Command::new(binary).args(arguments).output().with_context(|| binary.display().to_string())?;
    ensure!(output.status.success(), "duologue {arguments:?} ended with {}", output.status);
    fs::write(to, output.stdout).with_context(|| to.display().to_string())
}
