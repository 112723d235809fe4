use std::time::Duration;

use wire::Instant;

/// An open model: things that are due at a rate, whatever becomes of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    from: Instant,
    rate: f64,
    taken: u64,
}

impl Schedule {
    pub(crate) const fn new(from: Instant, rate: f64) -> Schedule {
        Schedule { from, rate, taken: 0 }
    }

    /// When the next one is due; never at a rate of zero.
    pub(crate) fn next(&self) -> Option<Instant> {
        (self.rate > 0.0).then(|| self.from + Duration::from_secs_f64(self.taken as f64 / self.rate))
    }

    /// Takes the next one that is due, with the time at which it was.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Instant> {
        let due = self.next().filter(|due| *due <= now)?;
        self.taken += 1;
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_up_with_its_own_time_however_late() {
        let start = Instant::from_nanos(1_000_000_000);
        let mut schedule = Schedule::new(start, 4.0);
        let late = start + Duration::from_millis(600);
        let due: Vec<_> = std::iter::from_fn(|| schedule.take(late)).map(|at| (at - start).as_millis()).collect();
        assert_eq!(due, [0, 250, 500]);
        assert_eq!(schedule.next(), Some(start + Duration::from_millis(750)));
        assert_eq!(Schedule::new(start, 0.0).next(), None);
    }
}
