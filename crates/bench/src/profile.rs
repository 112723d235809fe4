//! Where the instructions of a call go: the server itself under callgrind, with the kernel left out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::load::{Load, Options, Pace};
use crate::servers::Running;
use crate::workload::Workload;

/// Calls at a time: a few, as a server under callgrind is fifty times slower.
const PACE: Pace = Pace::InFlight(4);
const MEASURED: Duration = Duration::from_secs(20);
/// How many functions are named.
const FUNCTIONS: usize = 12;

/// What a function needed itself, without those that it called.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Cost {
    instructions: u64,
    function: String,
}

/// Runs calls through our server under callgrind, and tells by crate and by function where their instructions go.
pub fn profile() -> Result<String> {
    let mut out = String::new();
    for workload in [Workload::W1, Workload::W2, Workload::W5] {
        let (calls, costs) = run(workload)?;
        write(&mut out, workload, calls, &costs);
    }
    Ok(out)
}

fn run(workload: Workload) -> Result<(u64, Vec<Cost>)> {
    let mut running = Running::start_profiled(workload.into(), MEASURED);
    let (uac, uas) = running.ends();
    let options = Options {
        proxy: running.listen,
        process: None,
        work: workload.work(),
        pace: PACE,
        warm_up: Duration::ZERO,
        measured: MEASURED,
    };
    let outcome = Load::new(options, uac, uas)?.run()?;
    ensure!(outcome.errors == 0 && outcome.calls > 0, "calls failed under callgrind: {outcome:?}");
    let file = running.process.folder().join(Running::PROFILE);
    running.process.stop_within(Duration::from_secs(60));
    let annotate = Command::new("callgrind_annotate").args(["--auto=no", "--threshold=100"]).arg(&file).output();
    let annotate = annotate.context("callgrind_annotate, which comes with valgrind")?;
    let costs = read(&String::from_utf8_lossy(&annotate.stdout));
    ensure!(!costs.is_empty(), "callgrind told nothing: {}", String::from_utf8_lossy(&annotate.stderr));
    Ok((outcome.calls, costs))
}

/// Reads lines such as `1,234 ( 5.6%)  file:function [object]`. A function has one for each file of which something was written
/// out in it. The most expensive function comes first.
fn read(text: &str) -> Vec<Cost> {
    let cost = |line: &str| {
        let (number, rest) = line.trim_start().split_once(' ')?;
        let instructions: u64 = number.replace(',', "").parse().ok()?;
        let (_, rest) = rest.split_once(")  ")?;
        let (_, rest) = rest.split_once(':')?;
        let function = rest.rsplit_once(" [").map_or(rest, |(function, _)| function);
        Some((function.to_owned(), instructions))
    };
    // Above is the sum of all of them.
    let list = text.split_once("file:function").map_or("", |(_, list)| list);
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for (function, instructions) in list.lines().filter_map(cost) {
        *sums.entry(function).or_default() += instructions;
    }
    let mut costs: Vec<Cost> =
        sums.into_iter().map(|(function, instructions)| Cost { instructions, function }).collect();
    costs.sort_by_key(|cost| std::cmp::Reverse(cost.instructions));
    costs
}

/// Whose a function is: our crate, or what of others we use.
fn owner(function: &str) -> &str {
    const LIBC: [&str; 4] = ["__", "memcpy", "memmove", "epoll"];
    let path = function.trim_start_matches(['<', '&', '(', '*']).trim_start_matches("mut ").trim_start_matches("dyn ");
    let first = path.split([':', '<', '\'', ' ']).next().unwrap_or(path);
    match first {
        "alloc" | "core" | "std" => "Rust's library",
        name if name.starts_with("mi_") || name.starts_with("_mi_") => "allocator",
        name if LIBC.iter().any(|libc| name.starts_with(libc)) => "C library",
        name => name,
    }
}

fn write(out: &mut String, workload: Workload, calls: u64, costs: &[Cost]) {
    let total: u64 = costs.iter().map(|cost| cost.instructions).sum();
    let mut by_owner: BTreeMap<&str, u64> = BTreeMap::new();
    for cost in costs {
        *by_owner.entry(owner(&cost.function)).or_default() += cost.instructions;
    }
    let mut owners: Vec<_> = by_owner.into_iter().collect();
    owners.sort_by_key(|(_, instructions)| std::cmp::Reverse(*instructions));
    let percent = |part: u64| part as f64 * 100.0 / total.max(1) as f64;
    // Writing to a String cannot fail.
    let _ok = writeln!(out, "{workload}: {} instructions a call, over {calls} calls.\n", total / calls.max(1));
    let _ok = writeln!(out, "| whose | % |\n|---|---|");
    for (name, instructions) in owners.iter().filter(|(_, part)| percent(*part) >= 1.0) {
        let _ok = writeln!(out, "| {name} | {:.1} |", percent(*instructions));
    }
    let _ok = writeln!(out, "\n| function | % |\n|---|---|");
    for cost in costs.iter().take(FUNCTIONS) {
        let _ok = writeln!(out, "| `{}` | {:.1} |", cost.function, percent(cost.instructions));
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = "\
--------------------------------------------------------------------------------
Ir
--------------------------------------------------------------------------------
1,200 (100.0%)  PROGRAM TOTALS

--------------------------------------------------------------------------------
Ir               file:function
--------------------------------------------------------------------------------
  600 (50.00%)  sip/src/uri.rs:<sip::uri::Uri as core::fmt::Display>::fmt [/bin/duologue]
  400 (33.33%)  core/src/fmt.rs:<sip::uri::Uri as core::fmt::Display>::fmt
  200 (16.67%)  ./string/memmove.S:__memmove_avx [/lib/libc.so.6]
";

    #[test]
    fn what_callgrind_tells_becomes_shares() {
        let costs = read(TOLD);
        assert_eq!(costs.iter().map(|cost| cost.instructions).collect::<Vec<_>>(), [1000, 200]);
        let mut out = String::new();
        write(&mut out, Workload::W1, 10, &costs);
        assert!(out.contains("W1: 120 instructions a call, over 10 calls."), "{out}");
        assert!(out.contains("| sip | 83.3 |\n| C library | 16.7 |"), "{out}");
        assert!(out.contains("| `<sip::uri::Uri as core::fmt::Display>::fmt` | 83.3 |"), "{out}");
    }

    #[test]
    fn a_function_belongs_to_the_crate_that_it_is_written_in() {
        for (function, whose) in [
            ("role_core::core::Core::work", "role_core"),
            ("<msrp::bridge::Bridge>::hold'2", "msrp"),
            ("_mi_page_malloc_zero", "allocator"),
            ("alloc::vec::Vec<T,A>::push", "Rust's library"),
            ("memcpy", "C library"),
            ("memchr::arch::x86_64::memchr::memchr_raw::find_avx2", "memchr"),
        ] {
            assert_eq!(owner(function), whose);
        }
    }
}
