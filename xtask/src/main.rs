//! Project chores: `cargo xtask test`, `ci`, `bench`, `kill9`, `flood`, `kamailio`, `cluster`, `deb`, `package`, `systemd`, `static`,
//! `guided`, `model`, `sim`, `layers`, `licences`.
//!
//! Everything a contributor or a CI machine has to run is here, so that no step lives in one service's configuration.

mod at_length;
mod bench;
mod ci;
mod deb;
mod guided;
mod layers;
mod licences;
mod model;
mod musl;
mod packages;
mod show;
mod sim;
mod spdx;
mod steps;
mod systemd;
mod test;

use std::process::ExitCode;

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, MetadataCommand};

use steps::Steps;

const HELP: &str = "\
usage: cargo xtask COMMAND

  test [FILTER…]   build the binaries and run all tests; with filters, only tests whose name contains one of them
                   (installs the foreign software that the tests need, when run as root)
  ci               what CI runs: formatting, clippy, layers, docs, licences, then test
  bench [--guided] [WORKLOAD…] [--against kamailio,null] [--json] [--rounds N] [--seconds S]
                   measure what a call or message costs, ours and others in turn, and write docs/benchmarks.md; of the
                   guided build, which is made when there is none
  kill9 [--runs N] kill a participating function at each of 40 points of a session, N times (1), and see both ends closed
  flood [--seconds N]
                   flood a core and a participating function for so long (600), and see that memory and log do not grow
  kamailio         play Figures 9 and 10 through two Kamailio cores, and show what tshark saw as ladders with verdicts
  cluster          kill one of two servers that share a PostgreSQL, with 1,000 sessions open
  model            search the model of the durable close in its full bounds, and leave each of its rules out once: minutes,
                   and some gigabytes of memory (the tests search smaller bounds)
  sim [--seeds N] [--first SEED] [--faults all|KIND,KIND…] [--threads N] [--shrink N] [--show]
                   run the two-operator system under faults drawn from seeds; a seed that fails is shrunk to a ladder
  guided           make the release build with what a first one saw while it did the work of the benchmarks
  deb              make the Debian package
  static           make a binary that needs no library of the system, for musl
  package          install, run, upgrade and purge it in a copy of this machine (as root; test does so, too)
  systemd [OLDER]  run and upgrade it under a systemd that is booted in namespaces of this machine (the same)
  layers           check the arrows between our crates against xtask/layers.toml
  licences         check the licences and the duplicates of everything we link, against deny.toml
";

/// The platform whose dependency graph the checks look at.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["test", filters @ ..] if !filters.iter().any(|f| f.starts_with('-')) => test::command(filters),
        ["ci"] => ci::command(),
        ["bench", args @ ..] => bench::command(args),
        ["kill9", args @ ..] => at_length::KILL9.command(args),
        ["flood", args @ ..] => at_length::FLOOD.command(args),
        ["kamailio"] => show::KAMAILIO.command(),
        ["cluster"] => show::CLUSTER.command(),
        ["guided"] => guided::command(),
        ["deb"] => deb::command(),
        ["package"] => deb::show(),
        ["static"] => musl::command(),
        ["systemd", args @ ..] => systemd::command(args),
        ["model"] => model::command(),
        ["sim", args @ ..] => sim::command(args),
        ["layers"] => Steps::alone("layers", "cargo xtask layers", layers::check),
        ["licences"] => Steps::alone("licences", "cargo xtask licences", licences::check),
        ["help" | "--help" | "-h"] => {
            eprint!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What cargo knows about the workspace and everything it uses.
fn metadata() -> Result<Metadata> {
    MetadataCommand::new()
        .other_options(["--filter-platform".to_owned(), PLATFORM.to_owned()])
        .exec()
        .context("cargo metadata")
}
