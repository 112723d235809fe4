//! `cargo xtask bench`: builds what is measured and measures it; the measuring itself is in crate bench.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::packages;
use crate::steps::{Steps, cargo};

/// Where the results are kept.
const RESULTS: &str = "docs/benchmarks.md";

/// Runs the benchmark with these arguments, and writes what came out to `docs/benchmarks.md`.
pub(crate) fn command(args: &[&str]) -> Result<()> {
    let mut steps = Steps::default();
    steps.check("packages", "cargo xtask bench", packages::install)?;
    steps.run("build", cargo(&["build", "--release", "-p", "duologue", "-p", "bench", "--bins"]))?;
    let metadata = crate::metadata()?;
    let program = metadata.target_directory.join("release/bench");
    let results = metadata.workspace_root.join(RESULTS);
    // The last line is the benchmark's: whoever asked for JSON reads it.
    let status = measure(program.as_std_path(), results.as_std_path(), args).status().context(program)?;
    ensure!(status.success(), "the benchmark ended with {status}");
    Ok(())
}

fn measure(program: &Path, results: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.arg("run").args(args).arg("--write").arg(results);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_come_before_the_file() {
        let command = measure(Path::new("bench"), Path::new("b.md"), &["W1", "--rounds", "1"]);
        let words: Vec<_> = command.get_args().collect();
        assert_eq!(words, ["run", "W1", "--rounds", "1", "--write", "b.md"]);
    }
}
