use std::time::SystemTime;

use wire::{Instant, Now, Timestamp};

/// The host's clocks. Copies share their start, so the times of all engines that were given the same one compare.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: std::time::Instant,
}

impl Clock {
    /// A clock whose [`Instant::ZERO`] is this moment.
    pub fn start() -> Clock {
        Clock { start: std::time::Instant::now() }
    }

    /// Reads both clocks.
    pub fn now(&self) -> Now {
        let utc = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Now { at: self.at(), utc: Timestamp::from_micros(u64::try_from(utc.as_micros()).unwrap_or(u64::MAX)) }
    }

    /// Reads the monotonic clock only.
    pub fn at(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}
