use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wire::Histogram;

/// A bounded queue, as somebody looks at it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Queue {
    /// What waits there.
    pub name: &'static str,
    /// How much waits.
    pub depth: usize,
    /// How much may wait.
    pub bound: usize,
}

/// What an engine tells of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// What its sockets did so far.
    pub net: net::Counters,
    /// Its queues.
    pub queues: Vec<Queue>,
    /// How long batches of entries took until they were durable; `None` without a journal.
    pub journal: Option<Histogram>,
}

/// How much waits in a queue between two threads, which both say so. Cheap to copy.
#[derive(Clone, Debug)]
pub struct Gauge(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: &'static str,
    waiting: AtomicUsize,
    bound: usize,
}

impl Gauge {
    /// Of an empty queue.
    pub fn new(name: &'static str, bound: usize) -> Gauge {
        Gauge(Arc::new(Inner { name, waiting: AtomicUsize::new(0), bound }))
    }

    /// Something is put there by `put`, which says whether it went well.
    pub fn put<R, E>(&self, put: impl FnOnce() -> Result<R, E>) -> Result<R, E> {
        self.comes();
        put().inspect_err(|_| self.taken(1))
    }

    /// One is about to be put there. Said before, so that who takes it never takes more than there is.
    pub fn comes(&self) {
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
    }

    /// So many were taken.
    pub fn taken(&self, count: usize) {
        self.0.waiting.fetch_sub(count, Ordering::Relaxed);
    }

    /// So many wait.
    pub fn set(&self, waiting: usize) {
        self.0.waiting.store(waiting, Ordering::Relaxed);
    }

    /// How it stands. Who stands before a full queue is not in it.
    pub fn read(&self) -> Queue {
        let Inner { name, waiting, bound } = &*self.0;
        Queue { name, depth: waiting.load(Ordering::Relaxed).min(*bound), bound: *bound }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[test]
    fn what_waits_is_what_was_put_and_not_taken_and_what_found_no_room_does_not_count() {
        let (send, queue) = sync_channel(2);
        let gauge = Gauge::new("things", 2);
        let put = |n: u8| gauge.put(|| send.try_send(n)).is_ok();
        assert_eq!([1, 2, 3].map(put), [true, true, false]);
        assert_eq!(gauge.read(), Queue { name: "things", depth: 2, bound: 2 });
        gauge.taken(queue.try_iter().take(1).count());
        assert_eq!(gauge.read().depth, 1);
    }
}
