use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text::encode};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// What was measured.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// A number that only grows, as long as the process lives.
    Counter(u64),
    /// A number that goes up and down.
    Gauge(u64),
    /// How many of something were of which size.
    Histogram {
        /// All of them together.
        sum: f64,
        /// Upper bounds and how many are up to each and beyond the one before; the last bound is infinite.
        buckets: Vec<(f64, u64)>,
    },
}

/// What is measured of one thing, now.
#[derive(Clone, PartialEq, Debug)]
pub struct Measurement {
    /// Its name, without `duologue_` before it and without `_total` behind it.
    pub name: &'static str,
    /// What it counts, and in which unit.
    pub help: &'static str,
    /// What tells it from others of its name.
    pub labels: Vec<(&'static str, String)>,
    /// What came of it.
    pub value: Value,
}

/// The text that Prometheus reads (OpenMetrics 1.0).
///
/// Measurements of one name may stand anywhere in the list; help and kind are those of the first.
pub(crate) fn text(measurements: Vec<Measurement>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("duologue");
    registry.register_collector(Box::new(Snapshot(measurements)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Snapshot(Vec<Measurement>);

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut names: Vec<&'static str> = Vec::new();
        for first in &self.0 {
            if names.contains(&first.name) {
                continue;
            }
            names.push(first.name);
            let kind = match first.value {
                Value::Counter(_) => MetricType::Counter,
                Value::Gauge(_) => MetricType::Gauge,
                Value::Histogram { .. } => MetricType::Histogram,
            };
            let mut family = encoder.encode_descriptor(first.name, first.help, None, kind)?;
            for measurement in self.0.iter().filter(|other| other.name == first.name) {
                let mut metric = family.encode_family(&measurement.labels)?;
                match &measurement.value {
                    Value::Counter(number) => ConstCounter::new(*number).encode(metric)?,
                    Value::Gauge(number) => {
                        ConstGauge::new(i64::try_from(*number).unwrap_or(i64::MAX)).encode(metric)?;
                    }
                    Value::Histogram { sum, buckets } => {
                        let count = buckets.iter().map(|(_, count)| count).sum();
                        metric.encode_histogram::<[(&str, &str); 0]>(*sum, count, buckets, None)?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(name: &'static str, node: &str, value: Value) -> Measurement {
        Measurement { name, help: "What it is", labels: vec![("node", node.to_owned())], value }
    }

    #[test]
    fn a_name_stands_once_with_all_its_numbers() {
        let text = text(vec![
            measurement("sessions", "a\"b", Value::Gauge(3)),
            measurement("closes", "a", Value::Counter(7)),
            measurement("sessions", "c", Value::Gauge(4)),
        ]);
        let expected = "# HELP duologue_sessions What it is\n# TYPE duologue_sessions gauge\n\
                        duologue_sessions{node=\"a\\\"b\"} 3\nduologue_sessions{node=\"c\"} 4\n\
                        # HELP duologue_closes What it is\n# TYPE duologue_closes counter\n\
                        duologue_closes_total{node=\"a\"} 7\n# EOF\n";
        assert_eq!(text.unwrap(), expected);
    }

    #[test]
    fn the_buckets_of_a_histogram_add_up() {
        let buckets = vec![(0.001, 2), (0.5, 0), (f64::INFINITY, 1)];
        let text = text(vec![measurement("took", "a", Value::Histogram { sum: 1.25, buckets })]);
        let expected = "# HELP duologue_took What it is\n# TYPE duologue_took histogram\n\
                        duologue_took_sum{node=\"a\"} 1.25\nduologue_took_count{node=\"a\"} 3\n\
                        duologue_took_bucket{le=\"0.001\",node=\"a\"} 2\n\
                        duologue_took_bucket{le=\"0.5\",node=\"a\"} 2\n\
                        duologue_took_bucket{le=\"+Inf\",node=\"a\"} 3\n# EOF\n";
        assert_eq!(text.unwrap(), expected);
    }
}
