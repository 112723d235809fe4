//! The thread that speaks to the collector: in batches, with patience, and with an end to it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use engine::Clock;
use wire::Instant;

use super::post::Posted;
use super::{Counts, Ended, encode};

/// Sessions of a batch, at most.
pub(super) const BATCH: usize = 256;

/// How long the first of a batch waits for others.
const LINGER: Duration = Duration::from_millis(500);

/// How long the collector may take for a batch, and when the process ends.
const PATIENCE: Duration = Duration::from_secs(5);
const LAST_PATIENCE: Duration = Duration::from_secs(2);

/// How long it may take for all that waits then, a batch that is under way not counted.
const LAST: Duration = Duration::from_secs(3);

/// How long a batch that was not taken waits for its next try; behind the last one it is given up.
const PAUSES: [Duration; 8] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
    Duration::from_secs(30),
    Duration::from_secs(30),
    Duration::from_secs(30),
];

pub(super) struct Exporter<P> {
    queue: Receiver<Ended>,
    /// Says nothing until it is closed: then the process ends.
    stopped: Receiver<()>,
    counts: Arc<Counts>,
    post: P,
    pauses: Vec<Duration>,
    last: Duration,
    clock: Clock,
    /// Until when the collector is asked, once the process ends.
    until: Option<Instant>,
    /// Whether the last try found nobody who takes anything, and the log knows: it is told of the first and of the end of all.
    is_away: bool,
    /// Whether the last try was refused, and the log knows.
    refuses: bool,
}

impl<P: FnMut(Vec<u8>, Duration) -> Posted> Exporter<P> {
    pub(super) fn new(queue: Receiver<Ended>, stopped: Receiver<()>, counts: Arc<Counts>, post: P) -> Exporter<P> {
        let (pauses, clock) = (PAUSES.to_vec(), Clock::start());
        let (last, until, is_away, refuses) = (LAST, None, false, false);
        Exporter { queue, stopped, counts, post, pauses, last, clock, until, is_away, refuses }
    }

    #[cfg(test)]
    pub(super) fn with_pauses(mut self, pauses: &[Duration]) -> Exporter<P> {
        self.pauses = pauses.to_vec();
        self
    }

    #[cfg(test)]
    pub(super) const fn with_last(mut self, last: Duration) -> Exporter<P> {
        self.last = last;
        self
    }

    /// Exports until nobody hands over records any more.
    pub(super) fn run(mut self) {
        let mut left_over = 0;
        while let Some(batch) = self.batch() {
            let count = batch.len();
            let rejected = self.export(&encode::request(&batch), count);
            let rejected = rejected.min(count);
            self.counts.exported.fetch_add((count - rejected) as u64, Ordering::Relaxed);
            self.counts.failed.fetch_add(rejected as u64, Ordering::Relaxed);
            self.counts.waiting.taken(count);
            if self.until.is_some() {
                left_over += rejected;
            }
        }
        if left_over > 0 {
            tracing::warn!(spans = left_over, "stopping, and the collector has not taken all spans");
        }
    }

    /// The next sessions, when there are any.
    fn batch(&self) -> Option<Vec<Ended>> {
        let mut batch = vec![self.queue.recv().ok()?];
        let full = self.clock.at() + LINGER;
        while batch.len() < BATCH
            && let Ok(next) = self.queue.recv_timeout(full.saturating_since(self.clock.at()))
        {
            batch.push(next);
        }
        Some(batch)
    }

    /// Tries until the batch is taken or given up; how many spans were not taken.
    fn export(&mut self, body: &[u8], count: usize) -> usize {
        let mut tries = 0;
        loop {
            let left = self.left();
            // When the process ends, a collector that is away is not asked for each batch.
            if left.is_some_and(|left| left.is_zero() || self.is_away && tries == 0) {
                return count;
            }
            match (self.post)(body.to_vec(), left.map_or(PATIENCE, |left| left.min(LAST_PATIENCE))) {
                Posted::Taken { rejected } => return self.taken(rejected),
                Posted::Refused(why) => {
                    self.refused(&why);
                    return count;
                }
                Posted::Again(why) => self.away(&why),
            }
            let Some(pause) = self.pauses.get(tries).copied().filter(|_| left.is_none()) else { return count };
            self.pause(pause);
            tries += 1;
        }
    }

    /// What is in the batch is wrong for the collector, and what is in the next one may be right.
    fn refused(&mut self, why: &str) {
        self.is_away = false;
        if !std::mem::replace(&mut self.refuses, true) {
            tracing::warn!(%why, "the collector refuses traces");
        }
    }

    fn taken(&mut self, rejected: u64) -> usize {
        let refused = std::mem::take(&mut self.refuses);
        if std::mem::take(&mut self.is_away) || refused {
            tracing::info!("the collector takes traces again");
        }
        if rejected > 0 {
            tracing::warn!(rejected, "the collector has left out spans");
        }
        usize::try_from(rejected).unwrap_or(usize::MAX)
    }

    fn away(&mut self, why: &str) {
        if !std::mem::replace(&mut self.is_away, true) {
            tracing::warn!(%why, "the collector does not take traces; they wait, and too many are dropped");
        }
    }

    /// The time that the collector has left, once the process ends.
    fn left(&mut self) -> Option<Duration> {
        let now = self.clock.at();
        if self.until.is_none() && self.pause(Duration::ZERO) {
            self.until = Some(now + self.last);
        }
        self.until.map(|until| until.saturating_since(now))
    }

    /// Waits, and says whether the process ends: then at once.
    fn pause(&self, pause: Duration) -> bool {
        self.stopped.recv_timeout(pause) == Err(RecvTimeoutError::Disconnected)
    }
}
