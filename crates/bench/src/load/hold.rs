//! Sessions that are set up and left open: what each takes, and what closing one costs among many.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use super::{LOOK, Load, T1};
use crate::cpu::cpu_ns;

/// What was found with so many sessions held.
#[derive(Clone, Copy, PartialEq, Debug, Default, serde::Serialize)]
pub struct Held {
    /// Sessions held.
    pub sessions: usize,
    /// Memory of the server once the transactions of the set-up are over, less that before the first session, by session.
    pub bytes_per_session: f64,
    /// CPU time of the server for closing one of them.
    pub close_us: f64,
    /// Sessions that failed.
    pub errors: u64,
}

/// Calls at a time, while sessions are set up and closed.
const AT_A_TIME: usize = 100;
/// Sessions that are closed to measure it.
const CLOSES: usize = 1000;

impl Load {
    /// Sets sessions up to each of these numbers, waits until transactions are over, and closes some.
    pub fn hold(mut self, levels: &[usize], settle: Duration) -> io::Result<Vec<Held>> {
        self.first_call()?;
        let empty = self.usage()?;
        self.held = Some(VecDeque::new());
        let mut found = Vec::new();
        for level in levels {
            self.set_up_to(*level)?;
            self.rest(settle)?;
            let used = self.usage()?.memory_kib.saturating_sub(empty.memory_kib);
            // Fewer than wanted, if some were refused.
            let sessions = self.held();
            let (before, count) = (self.cpu()?, CLOSES.min(sessions));
            self.close_some(count)?;
            found.push(Held {
                sessions,
                bytes_per_session: used as f64 * 1024.0 / sessions.max(1) as f64,
                close_us: (self.cpu()? - before) as f64 / 1000.0 / count.max(1) as f64,
                errors: self.tally.refused + self.tally.timed_out,
            });
        }
        Ok(found)
    }

    fn cpu(&self) -> io::Result<u64> {
        self.options.process.map_or(Ok(0), cpu_ns)
    }

    fn held(&self) -> usize {
        self.held.as_ref().map_or(0, VecDeque::len)
    }

    fn set_up_to(&mut self, level: usize) -> io::Result<()> {
        let before = self.tally.refused + self.tally.timed_out;
        while self.held() < level && self.tally.refused + self.tally.timed_out < before + AT_A_TIME as u64 {
            let now = Instant::now();
            let room = AT_A_TIME.saturating_sub(self.in_flight());
            for _ in 0..room.min((level - self.held()).saturating_sub(self.in_flight())) {
                self.start_call(now, T1);
            }
            self.step(now, LOOK)?;
        }
        Ok(())
    }

    fn rest(&mut self, time: Duration) -> io::Result<()> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.step(Instant::now(), LOOK)?;
        }
        Ok(())
    }

    fn close_some(&mut self, count: usize) -> io::Result<()> {
        let mut left = count;
        while left > 0 || self.in_flight() > 0 {
            let now = Instant::now();
            while left > 0 && self.in_flight() < AT_A_TIME {
                let Some(slot) = self.held.as_mut().and_then(VecDeque::pop_front) else { break };
                left -= 1;
                if let Some(next) = self.calls[slot as usize].dialog.next {
                    self.close(slot, next, now);
                }
            }
            self.step(now, LOOK)?;
        }
        Ok(())
    }
}
