use admin::Value;
use engine::Queue;
use sip_tx::{Stack, Stats, Traffic};

use super::sheet::{Sheet, seconds};

/// What the stack of a node counts.
pub(super) struct Signalling {
    stats: Stats,
    incoming: Traffic,
    outgoing: Traffic,
    transactions: Queue,
}

impl Signalling {
    pub(super) fn of(stack: &Stack) -> Signalling {
        let transactions =
            Queue { name: "server_transactions", depth: stack.transactions().1, bound: stack.max_transactions() };
        Signalling { stats: stack.stats(), incoming: stack.traffic_in(), outgoing: stack.traffic_out(), transactions }
    }
}

impl Sheet {
    pub(super) fn stack(&mut self, node: &str, signalling: &Signalling) {
        for (direction, traffic) in [("in", &signalling.incoming), ("out", &signalling.outgoing)] {
            for (method, count) in traffic.requests() {
                let labels = [("direction", direction), ("method", method.as_str())];
                let help = "SIP requests with a transaction, repetitions not counted";
                self.labelled("sip_requests", help, node, &labels, Value::Counter(count));
            }
            for (method, outcome, count) in traffic.outcomes() {
                let labels = [("direction", direction), ("method", method.as_str()), ("outcome", outcome)];
                let help = "SIP transactions by the class of their final response, or none";
                self.labelled("sip_outcomes", help, node, &labels, Value::Counter(count));
            }
            for (method, took) in traffic.durations() {
                let labels = [("direction", direction), ("method", method.as_str())];
                let help = "How long SIP transactions took from the request to its final response";
                self.labelled("sip_duration_seconds", help, node, &labels, seconds(took));
            }
        }
        self.queues(Some(node), &[signalling.transactions]);
        let stats = &signalling.stats;
        for (name, help, value) in [
            ("sip_retransmissions", "SIP requests that had come before", stats.retransmissions),
            ("sip_stray_responses", "SIP responses of no transaction", stats.stray_responses),
            ("sip_refused", "SIP requests answered 503 as too many transactions were open", stats.refused),
            ("sip_shed", "SIP requests answered 503 as the node was late", stats.shed),
            ("sip_left_out", "SIP requests not sent to a next hop that is overloaded", stats.left_out),
        ] {
            self.counter(name, help, node, value);
        }
    }
}
