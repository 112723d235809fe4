use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text::encode};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// Whether a measured number only grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It does, as long as the process lives.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// One number, measured now.
#[derive(Clone, PartialEq, Debug)]
pub struct Measurement {
    /// Its name, without `duologue_` before it and without `_total` behind it.
    pub name: &'static str,
    /// What it counts, and in which unit.
    pub help: &'static str,
    /// Whether it only grows.
    pub kind: Kind,
    /// What tells it from others of its name.
    pub labels: Vec<(&'static str, String)>,
    /// The number.
    pub value: u64,
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
            let kind = match first.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
            };
            let mut family = encoder.encode_descriptor(first.name, first.help, None, kind)?;
            for measurement in self.0.iter().filter(|other| other.name == first.name) {
                let metric = family.encode_family(&measurement.labels)?;
                match first.kind {
                    Kind::Counter => ConstCounter::new(measurement.value).encode(metric)?,
                    Kind::Gauge => {
                        ConstGauge::new(i64::try_from(measurement.value).unwrap_or(i64::MAX)).encode(metric)?;
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

    fn measurement(name: &'static str, kind: Kind, node: &str, value: u64) -> Measurement {
        Measurement { name, help: "What it is", kind, labels: vec![("node", node.to_owned())], value }
    }

    #[test]
    fn a_name_stands_once_with_all_its_numbers() {
        let text = text(vec![
            measurement("sessions", Kind::Gauge, "a\"b", 3),
            measurement("closes", Kind::Counter, "a", 7),
            measurement("sessions", Kind::Gauge, "c", 4),
        ]);
        let expected = "# HELP duologue_sessions What it is\n# TYPE duologue_sessions gauge\n\
                        duologue_sessions{node=\"a\\\"b\"} 3\nduologue_sessions{node=\"c\"} 4\n\
                        # HELP duologue_closes What it is\n# TYPE duologue_closes counter\n\
                        duologue_closes_total{node=\"a\"} 7\n# EOF\n";
        assert_eq!(text.unwrap(), expected);
    }
}
