//! What parts of a call cost in instructions: a role as one machine, without sockets, on the messages that the workloads send.
//!
//! `cargo bench --profile count -p bench --bench instructions` counts them with callgrind and compares them with their bounds, and fails
//! beyond one. Instructions hardly depend on the machine, so that a bound of a few per cent above what there is shows a
//! regression where timings would show the neighbours. `-- --only NAME COUNT` runs one part without counting, for a profile.
#![expect(clippy::print_stdout, reason = "the results are the output")]

mod parts;

use std::env;
use std::process::{Command, ExitCode, Stdio};

use crate::parts::PARTS;

/// Calls of one count: past the 32 s for which transactions are kept, for calls come ten a second.
const CALLS: u32 = 600;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [only, name, count] = &args[..]
        && only == "--only"
    {
        let part = PARTS.iter().find(|part| part.name == name).expect("a part of that name");
        (part.run)(count.parse().expect("a number of calls"));
        return ExitCode::SUCCESS;
    }
    let mut is_within = true;
    println!("{:<16} {:>13} {:>13}", "part", "instructions", "bound");
    for part in &PARTS {
        let Some(counted) = callgrind(part.name) else {
            println!("valgrind is not installed, or did not run");
            return ExitCode::FAILURE;
        };
        let each = counted / u64::from(CALLS);
        let verdict = if each > part.bound { "  BEYOND ITS BOUND" } else { "" };
        println!("{:<16} {each:>13} {:>13}{verdict}", part.name, part.bound);
        is_within &= each <= part.bound;
    }
    if is_within { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Instructions inside `measured` in a run of this program.
fn callgrind(part: &str) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*measured*"])
        .arg(env::current_exe().ok()?)
        .args(["--only", part, &CALLS.to_string()])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let (_, after) = text.rsplit_once("Collected :")?;
    after.split_whitespace().next()?.parse().ok()
}
