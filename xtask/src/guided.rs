//! `cargo xtask guided`: the release build, made once more with what a first one saw while it did the work of the benchmarks
//! (profile-guided optimisation): what often runs together lies together, and what never runs is out of the way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::packages;
use crate::steps::{Steps, cargo};

/// Builds it, and says where it is.
pub(crate) fn command() -> Result<()> {
    let mut steps = Steps::default();
    record(&Compiler::ask()?, &mut steps)?;
    let folder = latest(&mut steps)?;
    steps.summary("guided");
    eprintln!("\n{}", folder.join("duologue").display());
    Ok(())
}

/// The build by what an earlier one saw, if there is one: functions that have changed since are built as any other.
pub(crate) fn latest(steps: &mut Steps) -> Result<PathBuf> {
    let compiler = Compiler::ask()?;
    let (folder, merged) = places()?;
    if !merged.is_file() {
        record(&compiler, steps)?;
    }
    steps.run("build", compiler.release(&folder, "-Cprofile-use=", &merged))?;
    Ok(compiler.binaries(&folder))
}

/// The folder of such builds, and what was seen.
fn places() -> Result<(PathBuf, PathBuf)> {
    let folder = crate::metadata()?.target_directory.join("guided").into_std_path_buf();
    let merged = folder.join("duologue.profdata");
    Ok((folder, merged))
}

/// Watches a first build do its work, and leaves what was seen in its place.
fn record(compiler: &Compiler, steps: &mut Steps) -> Result<()> {
    let (folder, merged) = places()?;
    let seen = folder.join("seen");
    let mut merge = PathBuf::new();
    steps.check("profdata", "cargo xtask guided", || {
        merge = compiler.llvm_profdata()?;
        Ok(merge.display().to_string())
    })?;
    steps.check("packages", "cargo xtask guided", packages::install)?;
    steps.run("recorder", compiler.release(&folder.join("recorder"), "-Cprofile-generate=", &seen))?;
    // What an earlier one saw says nothing about this one.
    if seen.exists() {
        fs::remove_dir_all(&seen).with_context(|| seen.display().to_string())?;
    }
    let mut train = Command::new(compiler.binaries(&folder.join("recorder")).join("bench"));
    train.arg("train");
    steps.run("train", train)?;
    let mut merging = Command::new(&merge);
    merging.args(["merge", "--output"]).arg(&merged).arg(&seen);
    steps.run("merge", merging)
}

/// What matters of rustc.
struct Compiler {
    /// The platform that it builds for.
    host: String,
    /// The major version of the LLVM in it: a profile is for one such version.
    llvm: String,
}

impl Compiler {
    fn ask() -> Result<Compiler> {
        let output = Command::new("rustc").arg("-vV").output().context("rustc")?;
        Compiler::read(&String::from_utf8_lossy(&output.stdout))
    }

    fn read(version: &str) -> Result<Compiler> {
        let field = |name: &str| {
            let value = version.lines().find_map(|line| line.strip_prefix(name));
            value.map(str::trim).with_context(|| format!("`rustc -vV` does not tell `{name}`"))
        };
        let llvm = field("LLVM version:")?;
        let major = llvm.split_once('.').map_or(llvm, |(major, _)| major);
        Ok(Compiler { host: field("host:")?.to_owned(), llvm: major.to_owned() })
    }

    /// The program that merges profiles: the toolchain's own, or Debian's for the same LLVM.
    fn llvm_profdata(&self) -> Result<PathBuf> {
        let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().context("rustc")?;
        let sysroot = PathBuf::from(String::from_utf8_lossy(&sysroot.stdout).trim());
        let own = sysroot.join("lib/rustlib").join(&self.host).join("bin/llvm-profdata");
        if own.is_file() {
            return Ok(own);
        }
        let debian = format!("llvm-profdata-{}", self.llvm);
        ensure!(
            packages::is_installed(&debian),
            "profiles are merged with LLVM's llvm-profdata: `rustup component add llvm-tools`, or Debian's package llvm-{}",
            self.llvm
        );
        Ok(debian.into())
    }

    /// A release build in a folder of its own. For a named target the flags hold for what is built and not for what builds it.
    fn release(&self, folder: &Path, flag: &str, value: &Path) -> Command {
        let mut build =
            cargo(&["build", "--release", "-p", "duologue", "-p", "bench", "--bins", "--target", &self.host]);
        build.arg("--target-dir").arg(folder).env("RUSTFLAGS", format!("{flag}{}", value.display()));
        build
    }

    /// Where the binaries of such a build are.
    fn binaries(&self, folder: &Path) -> PathBuf {
        folder.join(&self.host).join("release")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: &str =
        "rustc 1.95.0\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\nLLVM version: 22.1.2\n";

    #[test]
    fn the_profile_tool_is_of_the_compilers_llvm() {
        let compiler = Compiler::read(VERSION).unwrap();
        assert_eq!((&*compiler.host, &*compiler.llvm), ("x86_64-unknown-linux-gnu", "22"));
        assert!(Compiler::read("rustc 1.95.0\n").is_err());
    }

    #[test]
    fn a_profile_holds_for_what_is_built_and_not_for_what_builds_it() {
        let compiler = Compiler::read(VERSION).unwrap();
        let build = compiler.release(Path::new("folder"), "-Cprofile-use=", Path::new("merged"));
        let words: Vec<_> = build.get_args().collect();
        assert!(words.windows(2).any(|two| two == ["--target", "x86_64-unknown-linux-gnu"]), "{words:?}");
        assert!(
            build.get_envs().any(|(name, value)| name == "RUSTFLAGS" && value == Some("-Cprofile-use=merged".as_ref()))
        );
        assert!(compiler.binaries(Path::new("folder")).ends_with("x86_64-unknown-linux-gnu/release"));
    }
}
