use std::time::Duration;

/// The upper bounds of what is counted together, in microseconds: from what a node needs by itself to how long a telephone rings
/// before proxies give up.
const BOUNDS: [u64; 14] = [
    100,
    500,
    1_000,
    5_000,
    10_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    5_000_000,
    10_000_000,
    32_000_000,
    180_000_000,
];

/// How long things took: how many took up to each of some bounds, and all together. Of fixed size, and cheap to add to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Histogram {
    counts: [u64; BOUNDS.len() + 1],
    /// Microseconds.
    sum: u64,
}

impl Histogram {
    /// Counts one that took so long.
    pub fn add(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.counts[BOUNDS.partition_point(|bound| *bound < micros)] += 1;
        self.sum = self.sum.saturating_add(micros);
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How long all together took.
    pub const fn sum(&self) -> Duration {
        Duration::from_micros(self.sum)
    }

    /// How many took up to each bound and longer than the one before; the last has no bound.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let bounds = BOUNDS.iter().map(|micros| Some(Duration::from_micros(*micros)));
        bounds.chain([None]).zip(self.counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_below_its_bound_and_the_longest_beyond_all() {
        let mut histogram = Histogram::default();
        for micros in [0, 100, 101, 200_000, 180_000_001] {
            histogram.add(Duration::from_micros(micros));
        }
        let counted: Vec<_> = histogram.buckets().filter(|(_, count)| *count > 0).collect();
        let bound = |micros| Some(Duration::from_micros(micros));
        assert_eq!(counted, [(bound(100), 2), (bound(500), 1), (bound(200_000), 1), (None, 1)]);
        assert_eq!((histogram.count(), histogram.sum()), (5, Duration::from_micros(180_200_202)));
    }
}
