use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// What happened in one stretch of a run.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Calls that went from INVITE to the 200 of the BYE.
    pub(crate) completed: u64,
    /// Calls that were refused.
    pub(crate) refused: u64,
    /// Calls given up for want of an answer.
    pub(crate) timed_out: u64,
    /// Requests that the generator had to repeat.
    pub(crate) retransmitted: u64,
    /// Calls not started because too many were open.
    pub(crate) skipped: u64,
    setup: Histogram<u64>,
    close: Histogram<u64>,
}

/// The longest latency that is told apart, in microseconds.
const MOST: u64 = 60_000_000;

impl Tally {
    pub(crate) fn new() -> Tally {
        let histogram = || Histogram::new_with_bounds(1, MOST, 3).expect("the bounds are in order");
        Tally {
            completed: 0,
            refused: 0,
            timed_out: 0,
            retransmitted: 0,
            skipped: 0,
            setup: histogram(),
            close: histogram(),
        }
    }

    /// The INVITE was answered.
    pub(crate) fn set_up(&mut self, after: Duration) {
        self.setup.saturating_record(micros(after));
    }

    /// The BYE was answered.
    pub(crate) fn closed(&mut self, after: Duration) {
        self.completed += 1;
        self.close.saturating_record(micros(after));
    }

    pub(crate) fn setup(&self) -> Latency {
        Latency::of(&self.setup)
    }

    pub(crate) fn close(&self) -> Latency {
        Latency::of(&self.close)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(MOST).clamp(1, MOST)
}

/// Percentiles in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Latency {
    /// Half of the calls were faster.
    pub p50_us: u64,
    /// 99 of 100 calls were faster.
    pub p99_us: u64,
    /// The slowest.
    pub max_us: u64,
}

impl Latency {
    fn of(histogram: &Histogram<u64>) -> Latency {
        Latency {
            p50_us: histogram.value_at_quantile(0.5),
            p99_us: histogram.value_at_quantile(0.99),
            max_us: histogram.max(),
        }
    }
}
