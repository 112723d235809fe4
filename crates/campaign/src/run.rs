use std::cell::RefCell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use scenarios::System;

use crate::{Kinds, Plan, Tally, play};

/// What did not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// What was said, without the ladders that a test would print.
    pub what: String,
    /// The SIP that was on the wire.
    pub ladder: String,
}

/// What a campaign came to.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Report {
    /// Seeds that were run.
    pub seeds: u64,
    /// Everything taken together.
    pub total: Tally,
    /// The plans that failed, by seed.
    pub failures: Vec<(Plan, Failure)>,
}

thread_local! {
    /// What the last panic of this thread said.
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Panics are what runs end with here: kept, not printed.
fn listen_to_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let text = info.payload_as_str().unwrap_or("something else than text").to_owned();
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            let is_ours = ATTEMPTING.get();
            SAID.replace(format!("{place}: {text}"));
            if !is_ours {
                print(info);
            }
        }));
    });
}

thread_local! {
    static ATTEMPTING: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Runs a plan, and catches what it says.
///
/// # Errors
/// What did not hold.
pub fn attempt(plan: &Plan) -> Result<Tally, Failure> {
    listen_to_panics();
    let mut stage = None;
    ATTEMPTING.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(|| play(plan, &mut stage)));
    ATTEMPTING.set(false);
    outcome.map_err(|_| Failure {
        what: shortened(&SAID.take()),
        ladder: stage.map(|system| ladder(&system)).unwrap_or_default(),
    })
}

/// Assertions print whole ladders; ours comes behind.
fn shortened(said: &str) -> String {
    said.lines().take(8).map(|line| line.chars().take(240).collect::<String>()).collect::<Vec<_>>().join("\n")
}

fn ladder(system: &System) -> String {
    system.sip_ladder_since(wire::Instant::ZERO).to_string()
}

/// Runs all seeds, on `threads` threads. `progress` is told now and then how many are done and how many of these failed.
pub fn run(seeds: Range<u64>, kinds: &Kinds, threads: usize, mut progress: impl FnMut(u64, usize)) -> Report {
    let (next, mut report) = (AtomicU64::new(seeds.start), Report::default());
    let (send, results) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            let (send, next) = (send.clone(), &next);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let plan = Plan::draw(seed, kinds);
                    let outcome = attempt(&plan);
                    if send.send((plan, outcome)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        for (plan, outcome) in results {
            report.seeds += 1;
            match outcome {
                Ok(tally) => report.total.add(&tally),
                Err(failure) => report.failures.push((plan, failure)),
            }
            progress(report.seeds, report.failures.len());
        }
    });
    report.failures.sort_by_key(|(plan, _)| plan.seed);
    report
}

impl Tally {
    fn add(&mut self, other: &Tally) {
        self.sessions += other.sessions;
        self.messages += other.messages;
        for (kind, times) in &other.strikes {
            *self.strikes.entry(*kind).or_default() += times;
        }
        self.time = self.time.saturating_add(other.time);
    }
}

impl Report {
    /// Virtual years.
    pub fn years(&self) -> f64 {
        self.total.time.as_secs_f64() / Duration::from_secs(365 * 86_400).as_secs_f64()
    }
}
