//! `cargo xtask model` builds and runs this: the whole set, and every rule left out once.
#![expect(clippy::print_stdout, reason = "the results are the output")]

use std::process::ExitCode;

use model::{Case, Rule, full, ladder, quick, search, without};

/// States that fit into the memory of a developer's machine.
const MOST: usize = 60_000_000;

fn main() -> ExitCode {
    let mut holds = true;
    for case in quick().into_iter().chain(full()) {
        holds &= show(&case);
    }
    for rule in Rule::ALL {
        holds &= show(&Case { name: "the bounds of the next", bounds: without(rule).bounds });
        holds &= is_missed(rule);
    }
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn show(case: &Case) -> bool {
    let found = search(&case.close(), MOST);
    match &found.violation {
        None => println!("{:<52} {:>10} states {:>11} steps  holds", case.name, found.states, found.steps),
        Some((violation, way)) => println!("{}: {violation}\n{}", case.name, ladder(way)),
    }
    found.violation.is_none()
}

fn is_missed(rule: Rule) -> bool {
    match search(&without(rule), MOST).violation {
        Some((violation, way)) => {
            println!("\nwithout {rule}: {violation}\n{}", ladder(&way));
            true
        }
        None => {
            println!("\nwithout {rule}: nothing is missed");
            false
        }
    }
}
