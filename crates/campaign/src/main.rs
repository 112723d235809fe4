//! `cargo xtask sim` builds and runs this.
#![expect(clippy::print_stdout, reason = "the results are the output")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use campaign::{Kinds, Plan, Report, attempt, run, shrink};
use clap::Parser;

/// Runs the two-operator system under faults that are drawn from seeds
#[derive(Parser)]
#[command(name = "cargo xtask sim")]
struct Cli {
    /// How many seeds
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first one
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// `all`, or some of loss, duplicate, reorder, delay, partition, one-way, crash, stall, clock, break, black-hole, forge, disk,
    /// store
    #[arg(long, default_value = "all")]
    faults: Kinds,
    /// How many seeds at once (default: one for each core)
    #[arg(long)]
    threads: Option<usize>,
    /// Print plan and ladder of a single seed even if nothing is wrong with it
    #[arg(long)]
    show: bool,
    /// How many failing seeds are shrunk to a ladder
    #[arg(long, default_value_t = 1)]
    shrink: usize,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.show {
        return show(&Plan::draw(cli.first, &cli.faults));
    }
    let threads = cli.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let (start, mut last) = (Instant::now(), Instant::now());
    let report = run(cli.first..cli.first.saturating_add(cli.seeds), &cli.faults, threads, |done, failed| {
        if last.elapsed() > Duration::from_secs(5) {
            last = Instant::now();
            let rate = done as f64 / start.elapsed().as_secs_f64();
            eprintln!("{done} of {} seeds, {failed} failed, {rate:.0} a second", cli.seeds);
        }
    });
    summary(&cli.faults, &report, start.elapsed());
    for (plan, _) in report.failures.iter().take(cli.shrink) {
        explain(plan);
    }
    if report.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn summary(faults: &Kinds, report: &Report, took: Duration) {
    let (total, minutes) = (&report.total, cpu_time().as_secs_f64() / 60.0);
    println!(
        "{} seeds, faults {faults}: {} violations; {} sessions, {} messages",
        report.seeds,
        report.failures.len(),
        total.sessions,
        total.messages
    );
    let struck: Vec<String> = total.strikes.iter().map(|(kind, times)| format!("{kind} {times}")).collect();
    println!("struck: {}", struck.join(", "));
    println!(
        "{:.3} simulated years in {:.0} s and {minutes:.1} CPU minutes: {:.3} a CPU minute",
        report.years(),
        took.as_secs_f64(),
        report.years() / minutes
    );
    for (plan, failure) in &report.failures {
        println!("{}\n  {}", plan.replay(), failure.what.lines().next().unwrap_or_default());
    }
}

/// The least that fails.
fn explain(plan: &Plan) {
    let least = shrink(plan, |plan| attempt(plan).is_err());
    println!("\nseed {} fails as soon as this happens:\n{least}", plan.seed);
    if let Err(failure) = attempt(&least) {
        println!("{}\n{}", failure.what, failure.ladder);
    }
    println!("replay with: {}", plan.replay());
}

fn show(plan: &Plan) -> ExitCode {
    println!("{plan}");
    let mut stage = None;
    campaign::play(plan, &mut stage);
    if let Some(system) = stage {
        println!("{}", system.net.ladder());
    }
    ExitCode::SUCCESS
}

/// What this process has used. Where the kernel does not say, nothing.
fn cpu_time() -> Duration {
    // proc(5): fields 14 and 15 are ticks of a hundredth of a second; the name in field 2 may contain blanks.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
