use admin::{Measurement, Value};
use store::Measured as Stored;

use super::sheet::{Sheet, seconds};
use crate::serve::copies::Copies;
use crate::serve::traces;

impl Sheet {
    /// Of the process: its nodes share a database.
    pub(super) fn store(&mut self, store: &Stored) {
        for (operation, outcome, took) in store.durations() {
            let labels = vec![("operation", operation.to_owned()), ("outcome", outcome.as_str().to_owned())];
            let help = "How long operations of the store took, waiting for a connection included";
            self.0.push(Measurement { name: "store_duration_seconds", help, labels, value: seconds(took) });
        }
    }

    /// Of the process, not of a node.
    pub(super) fn copies(&mut self, copies: &Copies) {
        let (octets, dropped) = copies.counts().waiting();
        let mut rows = vec![
            ("copies_octets_waiting", "Octets that wait to be copied", Value::Gauge(octets as u64)),
            ("copies_dropped", "Pieces that were not copied, as too many waited", Value::Counter(dropped)),
            (
                "copies_strays",
                "MSRP requests and responses that were not copied, as the call of their session is not known",
                Value::Counter(copies.counts().strays()),
            ),
        ];
        if copies.has_homer() {
            let [sent, failed] = copies.counts().homer();
            rows.push(("hep_sent", "Copies of SIP and MSRP messages that were sent", Value::Counter(sent)));
            rows.push(("hep_failed", "Copies that the kernel refused", Value::Counter(failed)));
        }
        if copies.is_keeping() {
            let ([messages, octets], displaced) = copies.counts().kept();
            rows.push((
                "capture_messages",
                "SIP and MSRP messages that are kept for operators",
                Value::Gauge(messages as u64),
            ));
            rows.push(("capture_octets", "Octets of memory that they take", Value::Gauge(octets as u64)));
            let help = "SIP and MSRP messages that are not kept any more, as there was no room";
            rows.push(("capture_displaced", help, Value::Counter(displaced)));
        }
        for (name, help, value) in rows {
            self.0.push(Measurement { name, help, labels: Vec::new(), value });
        }
    }

    /// Of the process as well.
    pub(super) fn traces(&mut self, counts: &traces::Counts) {
        self.queues(None, &[counts.waiting()]);
        let [exported, failed, dropped] = counts.settled();
        for (name, help, value) in [
            ("traces_exported", "Sessions that the collector has taken", Value::Counter(exported)),
            ("traces_failed", "Sessions that the collector has not taken", Value::Counter(failed)),
            ("traces_dropped", "Sessions that were not exported, as too many waited", Value::Counter(dropped)),
        ] {
            self.0.push(Measurement { name, help, labels: Vec::new(), value });
        }
    }
}
