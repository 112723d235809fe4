use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

/// The seeds that a test runs: `0..n`, or the one in the environment variable `SIM_SEED`.
///
/// # Panics
/// When `SIM_SEED` is no number.
pub fn seeds(n: u64) -> impl Iterator<Item = u64> {
    chosen(std::env::var("SIM_SEED").ok().as_deref(), n)
}

/// Runs `test` with each of [`seeds`]; when one fails, says on standard error how to replay it, and fails likewise.
pub fn for_each_seed(n: u64, mut test: impl FnMut(u64)) {
    for seed in seeds(n) {
        if let Err(cause) = catch_unwind(AssertUnwindSafe(|| test(seed))) {
            eprintln!("replay with: {}", replay(seed, thread::current().name()));
            resume_unwind(cause);
        }
    }
}

fn chosen(variable: Option<&str>, n: u64) -> std::ops::Range<u64> {
    let Some(text) = variable else { return 0..n };
    let Ok(seed) = text.trim().parse::<u64>() else { panic!("SIM_SEED is `{text}`, but must be a number") };
    seed..seed.saturating_add(1)
}

/// The test harness names its threads after the tests.
fn replay(seed: u64, test: Option<&str>) -> String {
    match test {
        Some(test) if test != "main" => format!("SIM_SEED={seed} cargo test {test}"),
        Some(_) | None => format!("SIM_SEED={seed} cargo test"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_seeds_run_unless_one_is_named() {
        assert_eq!(chosen(None, 3).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(chosen(Some("41"), 3).collect::<Vec<_>>(), [41]);
    }

    #[test]
    #[should_panic(expected = "SIM_SEED is `x`")]
    fn a_seed_that_is_no_number_is_refused() {
        chosen(Some("x"), 3);
    }

    #[test]
    fn the_replay_line_names_seed_and_test() {
        assert_eq!(replay(4, Some("a::b")), "SIM_SEED=4 cargo test a::b");
        assert_eq!(replay(4, None), "SIM_SEED=4 cargo test");
    }

    #[test]
    fn a_failing_seed_fails_the_test_and_ends_the_loop() {
        let mut ran = Vec::new();
        let first = seeds(1).next().unwrap();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            for_each_seed(9, |seed| {
                ran.push(seed);
                assert_ne!(seed, first, "seed {first} is bad");
            });
        }));
        let cause = outcome.unwrap_err();
        assert!(cause.downcast_ref::<String>().unwrap().contains("is bad"));
        assert_eq!(ran, [first]);
    }
}
