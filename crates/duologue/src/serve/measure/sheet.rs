use std::time::Duration;

use admin::{Measurement, Value};
use engine::Queue;
use wire::Histogram;

/// The list as it grows.
#[derive(Default)]
pub(super) struct Sheet(pub(super) Vec<Measurement>);

impl Sheet {
    pub(super) fn labelled(
        &mut self,
        name: &'static str,
        help: &'static str,
        node: &str,
        labels: &[(&'static str, &str)],
        value: Value,
    ) {
        let node = ("node", node.to_owned());
        let labels = std::iter::once(node).chain(labels.iter().map(|(name, value)| (*name, (*value).to_owned())));
        self.0.push(Measurement { name, help, labels: labels.collect(), value });
    }

    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str, node: &str, value: usize) {
        self.labelled(name, help, node, &[], Value::Gauge(value as u64));
    }

    pub(super) fn counter(&mut self, name: &'static str, help: &'static str, node: &str, value: u64) {
        self.labelled(name, help, node, &[], Value::Counter(value));
    }

    pub(super) fn up(&mut self, node: &str, role: &str, is_up: bool) {
        self.labelled("node_up", "Whether the node runs", node, &[("role", role)], Value::Gauge(u64::from(is_up)));
    }

    /// Bounded queues, of a node or of the process.
    pub(super) fn queues(&mut self, node: Option<&str>, queues: &[Queue]) {
        for Queue { name, depth, bound } in queues {
            let node = node.map(|node| ("node", node.to_owned()));
            let labels: Vec<_> = node.into_iter().chain([("queue", (*name).to_owned())]).collect();
            for (metric, help, value) in
                [("queue_depth", "What waits in a queue", depth), ("queue_bound", "What may wait in a queue", bound)]
            {
                let (labels, value) = (labels.clone(), Value::Gauge(*value as u64));
                self.0.push(Measurement { name: metric, help, labels, value });
            }
        }
    }
}

/// Durations as Prometheus wants them.
pub(super) fn seconds(took: Histogram) -> Value {
    let bound = |bound: Option<Duration>| bound.map_or(f64::INFINITY, |bound| bound.as_secs_f64());
    let buckets = took.buckets().map(|(up_to, count)| (bound(up_to), count)).collect();
    Value::Histogram { sum: took.sum().as_secs_f64(), buckets }
}
