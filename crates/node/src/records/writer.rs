//! The thread that feeds the sinks: at once as long as they take what they are handed, and with pauses when one does not.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use cpm::SessionRecord;
use engine::Clock;
use wire::Instant;

use super::{Gauges, QUEUE, RecordSink, WAITING};

/// How long a sink is left alone that does not take records, at first and at most; what comes meanwhile is gathered for it.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(8)];

/// When a node that is too busy to hear what is written is told again.
const AGAIN: Duration = Duration::from_secs(1);

/// What the thread has.
pub(super) struct Writer {
    /// Those that not all sinks have taken, the oldest first.
    waiting: Vec<SessionRecord>,
    sinks: Vec<Sink>,
    gauges: Gauges,
    pauses: [Duration; 2],
}

/// One sink.
struct Sink {
    to: Box<dyn RecordSink>,
    /// How many of the records that wait it has taken already.
    taken: usize,
    /// While it does not take any.
    stuck: Option<Stuck>,
}

/// A sink is left alone.
struct Stuck {
    until: Instant,
    pause: Duration,
}

impl Writer {
    pub(super) fn new(sinks: Vec<Box<dyn RecordSink>>, gauges: Gauges) -> Writer {
        let sinks = sinks.into_iter().map(|to| Sink { to, taken: 0, stuck: None }).collect();
        Writer { waiting: Vec::new(), sinks, gauges, pauses: PAUSES }
    }

    /// Writes until nobody sends any more, and tells the keys of what all sinks have taken; who is told may be too busy to hear.
    /// `stopped` says nothing until it is closed: then nobody sends any more either.
    pub(super) fn run(
        mut self,
        queue: &Receiver<SessionRecord>,
        stopped: &Receiver<()>,
        mut tell: impl FnMut(&[u64]) -> bool,
    ) {
        let clock = Clock::start();
        let mut written = Vec::new();
        let mut is_open = true;
        while is_open {
            let again = (!written.is_empty()).then_some(AGAIN);
            let due = self.due().map(|due| due.saturating_since(clock.at()));
            is_open = self.gather(queue, stopped, due.into_iter().chain(again).min());
            if !is_open {
                self.hurry();
            }
            written.extend(self.feed(&|| clock.at()));
            if !written.is_empty() && tell(&written) {
                written.clear();
            }
        }
        self.leave();
    }

    /// Waits for records, and gathers what there is; whether more may come. When no more have room, they wait in the node.
    fn gather(&mut self, queue: &Receiver<SessionRecord>, stopped: &Receiver<()>, patience: Option<Duration>) -> bool {
        let room = WAITING.saturating_sub(self.waiting.len());
        if room == 0 {
            let is_open =
                stopped.recv_timeout(patience.unwrap_or(self.pauses[0])) != Err(RecvTimeoutError::Disconnected);
            if !is_open {
                self.add(queue.try_iter());
            }
            return is_open;
        }
        let first = match patience {
            Some(patience) => queue.recv_timeout(patience),
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let is_open = first != Err(RecvTimeoutError::Disconnected);
        self.add(first.into_iter().chain(queue.try_iter()).take(room.min(QUEUE)));
        is_open
    }

    fn add(&mut self, records: impl Iterator<Item = SessionRecord>) {
        let before = self.waiting.len();
        self.waiting.extend(records);
        self.gauges.queued.taken(self.waiting.len() - before);
        self.gauges.waiting.set(self.waiting.len());
    }

    /// Hands each sink what it has not taken, and gives the keys of what all have.
    fn feed(&mut self, now: &impl Fn() -> Instant) -> Vec<u64> {
        for sink in &mut self.sinks {
            sink.feed(&self.waiting, self.pauses, now);
        }
        let everywhere = self.sinks.iter().map(|sink| sink.taken).min().unwrap_or(self.waiting.len());
        self.sinks.iter_mut().for_each(|sink| sink.taken -= everywhere);
        let keys = self.waiting.drain(..everywhere).map(|record| record.key).collect();
        self.gauges.waiting.set(self.waiting.len());
        keys
    }

    /// When the first sink is tried again.
    fn due(&self) -> Option<Instant> {
        self.sinks.iter().filter_map(|sink| sink.stuck.as_ref()).map(|stuck| stuck.until).min()
    }

    /// All sinks are tried once more.
    fn hurry(&mut self) {
        for stuck in self.sinks.iter_mut().filter_map(|sink| sink.stuck.as_mut()) {
            stuck.until = Instant::ZERO;
        }
    }

    /// Those of a node with a journal come again in its next life.
    fn leave(&self) {
        for sink in self.sinks.iter().filter(|sink| sink.stuck.is_some()) {
            let records = self.waiting.len() - sink.taken;
            tracing::error!(to = %sink.to.name(), records, "stopping, and records are not written");
        }
    }
}

impl Sink {
    fn feed(&mut self, waiting: &[SessionRecord], pauses: [Duration; 2], now: &impl Fn() -> Instant) {
        if self.stuck.as_ref().is_some_and(|stuck| now() < stuck.until) {
            return;
        }
        let untaken = waiting.len() - self.taken;
        let fed = waiting[self.taken..].chunks(QUEUE).try_for_each(|records| {
            self.to.add(records)?;
            self.taken += records.len();
            Ok(())
        });
        match fed {
            Ok(()) if self.stuck.take().is_some() => {
                tracing::warn!(to = %self.to.name(), waited = untaken, "records are written again");
            }
            Ok(()) => {}
            Err(error) => self.fails(&error, pauses, now()),
        }
    }

    /// Only the first time is told.
    fn fails(&mut self, error: &String, [first, longest]: [Duration; 2], now: Instant) {
        let pause = match &self.stuck {
            Some(stuck) => longest.min(stuck.pause * 2),
            None => {
                tracing::error!(to = %self.to.name(), %error, "records cannot be written: they wait");
                first
            }
        };
        self.stuck = Some(Stuck { until: now + pause, pause });
    }
}

#[cfg(test)]
mod tests;
