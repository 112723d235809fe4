use std::collections::BTreeMap;

use serde::Serialize;

/// The longest latency that is told apart, in microseconds.
pub(crate) const LONGEST_US: u64 = 600_000_000;

/// What a plan came to.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Outcome {
    /// Sessions that were opened.
    pub sessions: u64,
    /// Sessions that were closed in order.
    pub closed: u64,
    /// Messages sent.
    pub sent: u64,
    /// Messages that the next hop took, as it said.
    pub acknowledged: u64,
    /// Messages that arrived, each counted once.
    pub received: u64,
    /// Messages that did not arrive, and sessions that did not open or close.
    pub lost: u64,
    /// Messages that arrived once more.
    pub repeated: u64,
    /// What went wrong, by its kind.
    pub errors: BTreeMap<String, u64>,
    /// Measured time in seconds.
    pub seconds: f64,
    /// Messages that arrived in the measured time.
    pub measured: u64,
    /// The same per second.
    pub messages_per_s: f64,
    /// Sessions opened per second in the measured time.
    pub sessions_per_s: f64,
    /// From when an INVITE was due to its 200.
    pub set_up: Latency,
    /// From when a message was due to the 200 of the next hop for its last octet.
    pub answer: Latency,
    /// From when a message was due to its last octet at the receiver.
    pub delivery: Latency,
    /// From a BYE to its 200.
    pub close: Latency,
    /// How late messages were sent, which is a part of `answer` and `delivery`: the generator's own share.
    pub lateness: Latency,
    /// What the generator itself spent in the measured time.
    pub own: Spent,
    /// What the watched process spent in it.
    pub watched: Option<Spent>,
}

/// Percentiles in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// Half of them were faster.
    pub p50_us: u64,
    /// 9 of 10.
    pub p90_us: u64,
    /// 99 of 100.
    pub p99_us: u64,
    /// 999 of 1,000.
    pub p999_us: u64,
    /// The slowest.
    pub max_us: u64,
}

/// What a process spent in the measured time, and its memory.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct Spent {
    /// CPU time in the program, in microseconds.
    pub user_us: u64,
    /// CPU time in the kernel on its behalf.
    pub system_us: u64,
    /// CPU time per message, or per session where no messages are sent.
    pub cpu_us_each: f64,
    /// The part of it in the program.
    pub user_us_each: f64,
    /// The part of it in the kernel.
    pub system_us_each: f64,
    /// Memory at the end of the measured time.
    pub memory_kib: u64,
    /// The most memory that it ever had.
    pub peak_kib: u64,
    /// What its memory grew by for each session that was opened before the measurement.
    pub memory_per_session_kib: f64,
}

impl Outcome {
    /// Whether everything arrived, once, and every session was opened and closed.
    pub fn is_clean(&self) -> bool {
        self.lost == 0 && self.repeated == 0 && self.errors.is_empty()
    }
}
