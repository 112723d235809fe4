//! A span for each session that has ended, for a collector of OpenTelemetry (OTLP/HTTP, JSON).
//!
//! Spans are made of session records, as they come to whoever writes them: the roles know nothing of it. The queue is bounded
//! and nobody waits for a place in it; a thread of its own speaks to the collector.

mod encode;
mod exporter;
mod post;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use anyhow::Context as _;
use cpm::SessionRecord;
use engine::{Gauge, Queue};
use node::RecordSink;

use exporter::Exporter;
use post::Collector;

/// Where spans go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TracesPlan {
    pub(crate) address: SocketAddr,
    /// What stands behind the address in the URL.
    pub(crate) path: String,
}

/// Sessions that wait for the exporter, at most; what is beyond is dropped.
const MOST_WAITING: usize = 4_096;

/// What has become of spans.
pub(super) struct Counts {
    /// Those that are under way among them.
    waiting: Gauge,
    exported: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl Default for Counts {
    fn default() -> Counts {
        let [exported, failed, dropped] = [const { AtomicU64::new(0) }; 3];
        Counts { waiting: Gauge::new("traces", MOST_WAITING + exporter::BATCH), exported, failed, dropped }
    }
}

impl Counts {
    /// Sessions that wait.
    pub(super) fn waiting(&self) -> Queue {
        self.waiting.read()
    }

    /// Sessions that the collector took; that it did not take; for which the queue had no room.
    pub(super) fn settled(&self) -> [u64; 3] {
        [&self.exported, &self.failed, &self.dropped].map(|count| count.load(Ordering::Relaxed))
    }
}

/// A session that has ended, and the node that it was at.
struct Ended {
    node: Arc<str>,
    record: SessionRecord,
}

/// The thread that exports. Dropped after the nodes, it says what is left once, and ends.
pub(super) struct Traces {
    queue: Option<SyncSender<Ended>>,
    counts: Arc<Counts>,
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Traces {
    pub(super) fn start(plan: &TracesPlan) -> anyhow::Result<Traces> {
        let counts = Arc::new(Counts::default());
        let collector = Collector::new(plan).context("traces cannot be exported")?;
        let (queue, ended) = sync_channel(MOST_WAITING);
        let (stop, stopped) = sync_channel(0);
        let exporter =
            Exporter::new(ended, stopped, Arc::clone(&counts), move |body, patience| collector.post(body, patience));
        let thread =
            thread::Builder::new().name("traces".to_owned()).spawn(|| exporter.run()).context("thread traces")?;
        Ok(Traces { queue: Some(queue), counts, stop: Some(stop), thread: Some(thread) })
    }

    /// What takes the records of a node.
    pub(super) fn sink(&self, node: &str) -> Option<Box<dyn RecordSink>> {
        let queue = self.queue.clone()?;
        Some(Box::new(Sink { node: node.into(), queue, counts: Arc::clone(&self.counts) }))
    }

    pub(super) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        drop((self.queue.take(), self.stop.take()));
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that exports traces has panicked");
        }
    }
}

/// Takes all that it is given, and what has no room is dropped: a record is written whether or not anybody traces.
struct Sink {
    node: Arc<str>,
    queue: SyncSender<Ended>,
    counts: Arc<Counts>,
}

impl RecordSink for Sink {
    fn add(&mut self, records: &[SessionRecord]) -> Result<(), String> {
        for record in records {
            let ended = Ended { node: Arc::clone(&self.node), record: record.clone() };
            if self.counts.waiting.put(|| self.queue.try_send(ended).map_err(drop)).is_err() {
                self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    fn name(&self) -> String {
        "the exporter of traces".to_owned()
    }
}

#[cfg(test)]
mod tests;
