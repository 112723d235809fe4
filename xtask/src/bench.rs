//! `cargo xtask bench`: builds what is measured and measures it; the measuring itself is in crate bench.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::steps::{Steps, cargo};
use crate::{guided, packages};

/// Where the results are kept.
const RESULTS: &str = "docs/benchmarks.md";

/// Whether the guided build is measured: ours, and not the benchmark's.
const GUIDED: &str = "--guided";

/// Runs the benchmark with these arguments, and writes what came out to `docs/benchmarks.md`.
pub(crate) fn command(args: &[&str]) -> Result<()> {
    let is_guided = args.contains(&GUIDED);
    let args: Vec<&str> = args.iter().copied().filter(|arg| *arg != GUIDED).collect();
    let mut steps = Steps::default();
    steps.check("packages", "cargo xtask bench", packages::install)?;
    let folder = if is_guided {
        guided::latest(&mut steps)?
    } else {
        steps.run("build", cargo(&["build", "--release", "-p", "duologue", "-p", "bench", "--bins"]))?;
        crate::metadata()?.target_directory.join("release").into()
    };
    let program = folder.join("bench");
    let results = crate::metadata()?.workspace_root.join(RESULTS);
    // The last line is the benchmark's: whoever asked for JSON reads it.
    let mut measuring = measure(&program, results.as_std_path(), &args, is_guided);
    let status = measuring.status().with_context(|| program.display().to_string())?;
    ensure!(status.success(), "the benchmark ended with {status}");
    Ok(())
}

fn measure(program: &Path, results: &Path, args: &[&str], is_guided: bool) -> Command {
    let mut command = Command::new(program);
    command.arg("run").args(args).arg("--write").arg(results);
    if is_guided {
        command.args(["--build", "guided build"]);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_come_before_the_file() {
        let command = measure(Path::new("bench"), Path::new("b.md"), &["W1", "--rounds", "1"], true);
        let words: Vec<_> = command.get_args().collect();
        assert_eq!(words, ["run", "W1", "--rounds", "1", "--write", "b.md", "--build", "guided build"]);
    }
}
