use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use wire::{Instant, Now};

use crate::outcome::{LONGEST_US, Latency};

/// What one end counts. Latencies are of what was due in the measured time; counts are of the whole run.
#[derive(Debug)]
pub(crate) struct Tally {
    measured: Option<(Instant, Instant)>,
    pub(crate) errors: BTreeMap<String, u64>,
}

impl Tally {
    pub(crate) const fn new() -> Tally {
        Tally { measured: None, errors: BTreeMap::new() }
    }

    /// What is due from now on in this stretch of time is measured.
    pub(crate) const fn measure(&mut self, from: Instant, to: Instant) {
        self.measured = Some((from, to));
    }

    /// Counts something that went wrong, by its kind.
    pub(crate) fn error(&mut self, kind: impl Into<String>) {
        *self.errors.entry(kind.into()).or_default() += 1;
    }

    /// Notes how long something took that was due at `due`.
    pub(crate) fn record(&self, into: &mut Latencies, due: Instant, now: Now) {
        if self.measured.is_some_and(|(from, to)| from <= due && due < to) {
            into.record(due, now);
        }
    }
}

/// A histogram of microseconds with three significant digits.
#[derive(Debug)]
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(crate) fn new() -> Latencies {
        Latencies(Histogram::new_with_bounds(1, LONGEST_US, 3).expect("the bounds are in order"))
    }

    pub(crate) fn record(&mut self, due: Instant, now: Now) {
        let micros = u64::try_from((now.at - due).as_micros()).unwrap_or(LONGEST_US);
        self.0.saturating_record(micros.clamp(1, LONGEST_US));
    }

    /// Adds those of another end.
    pub(crate) fn add(&mut self, other: &Latencies) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    pub(crate) fn latency(&self) -> Latency {
        let at = |quantile| self.0.value_at_quantile(quantile);
        Latency {
            count: self.0.len(),
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: self.0.max(),
        }
    }
}
