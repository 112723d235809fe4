//! What the nodes count, as measurements with names of their own.

use std::sync::atomic::Ordering;
use std::time::Duration;

use admin::{Measurement, Value};
use engine::{Counters, Gauge, Queue, Report};
use role_participating::Participating;
use sip_tx::{Stack, Stats, Traffic};
use wire::Histogram;

use super::copies::Copies;
use super::operator::Nodes;
use super::traces;
use store::Measured as Stored;

/// All measurements of all nodes. A node that has stopped is measured as not up, and no more.
pub(super) fn all(nodes: &Nodes) -> Vec<Measurement> {
    let mut sheet = Sheet::default();
    for (name, core) in &nodes.cores {
        let measured =
            core.call(|core, now| (Signalling::of(core.stack()), core.open(), core.registered_contacts(now)));
        let Some(((signalling, (clients, servers, contexts), registrations), report)) =
            measured.ok().zip(core.report().ok())
        else {
            sheet.up(name, "core", false);
            continue;
        };
        sheet.up(name, "core", true);
        sheet.stack(name, &signalling);
        sheet.engine(name, &report);
        sheet.gauge("transactions", "Transactions that have not ended", name, clients + servers);
        sheet.gauge("proxy_contexts", "Response contexts of the proxy", name, contexts);
        sheet.gauge("registered_contacts", "Contacts that are registered", name, registrations);
    }
    for (name, pf) in &nodes.pfs {
        let Some((measured, report)) = pf.call(|pf, _| Measured::of(pf)).ok().zip(pf.report().ok()) else {
            sheet.up(name, "pf", false);
            continue;
        };
        sheet.up(name, "pf", true);
        sheet.stack(name, &measured.signalling);
        sheet.engine(name, &report);
        measured.write(name, &mut sheet);
    }
    if let Some(copies) = &nodes.copies {
        sheet.copies(copies);
        sheet.queues(None, &copies.counts().queues());
    }
    for (name, gauges) in &nodes.records {
        sheet.queues(Some(name), &gauges.iter().map(Gauge::read).collect::<Vec<_>>());
    }
    for (name, left_alone) in &nodes.left_alone {
        let help = "Entries in the store that have ended three processes which took them up";
        sheet.gauge("journal_left_alone", help, name, left_alone.load(Ordering::Relaxed));
    }
    if let Some(store) = &nodes.store {
        sheet.store(store);
    }
    if let Some(counts) = &nodes.traces {
        sheet.traces(counts);
    }
    sheet.0
}

/// What the stack of a node counts.
struct Signalling {
    stats: Stats,
    incoming: Traffic,
    outgoing: Traffic,
    transactions: Queue,
}

impl Signalling {
    fn of(stack: &Stack) -> Signalling {
        let transactions =
            Queue { name: "server_transactions", depth: stack.transactions().1, bound: stack.max_transactions() };
        Signalling { stats: stack.stats(), incoming: stack.traffic_in(), outgoing: stack.traffic_out(), transactions }
    }
}

/// What a participating function counts.
struct Measured {
    signalling: Signalling,
    open: role_participating::Open,
    totals: cpm::Totals,
    lost_records: u64,
    attempts: role_participating::Attempts,
    refusals: msrp::Refusals,
    msrp: msrp::Traffic,
    kept: role_participating::Kept,
    registered: (usize, u64),
    buffered: usize,
    queues: [Queue; 2],
}

impl Measured {
    fn of(pf: &Participating) -> Measured {
        let (totals, lost_records) = pf.totals();
        let (open, (depth, bound)) = (pf.open(), pf.waiting_records());
        let releases = Queue { name: "releases", depth: open.releases, bound: pf.max_sessions() };
        Measured {
            signalling: Signalling::of(pf.stack()),
            open,
            totals: totals.clone(),
            lost_records,
            attempts: pf.attempts(),
            refusals: pf.refusals(),
            msrp: pf.msrp_traffic(),
            kept: pf.kept(),
            registered: pf.registered(),
            buffered: pf.buffered_octets(),
            queues: [Queue { name: "records", depth, bound }, releases],
        }
    }

    fn write(&self, node: &str, sheet: &mut Sheet) {
        let open = self.open;
        for (path, count) in [("off", open.relays), ("on", open.bridges)] {
            let help = "Sessions that are open, being set up or not yet forgotten, by where the function stands";
            sheet.labelled("sessions", help, node, &[("media_path", path)], Value::Gauge(count as u64));
        }
        let gauges = [
            ("sessions_counted", "Sessions that service control counts", open.counted),
            ("legs", "Legs, those that are not yet forgotten among them", open.legs),
            ("transactions", "Transactions that have not ended", open.transactions),
            ("proxy_contexts", "Response contexts of the proxy", open.contexts),
            ("releases_waiting", "Sessions that the function ends and whose turn has not come", open.releases),
            ("msrp_sessions", "MSRP sessions, one for each leg", open.msrp_sessions),
            ("msrp_connections", "MSRP connections", open.msrp_connections),
            ("msrp_buffered_octets", "Octets of messages that have come and not gone on", self.buffered),
            ("registered_users", "Users that the cores have told of", self.registered.0),
        ];
        for (name, help, value) in gauges {
            sheet.gauge(name, help, node, value);
        }
        let counters = [
            ("sessions_opened", "Sessions that were admitted", self.totals.opened),
            ("records_lost", "Session records that nobody fetched in time", self.lost_records),
            ("users_refused", "Users that the cores told of in vain, as there were too many", self.registered.1),
            ("attempts_untrusted", "Requests from where no core is", self.attempts.untrusted),
            ("attempts_forged", "Requests inside a dialog with a Route that was never written", self.attempts.forged),
            ("attempts_no_dialog", "Requests of a dialog that there is not", self.attempts.no_dialog),
            (
                "msrp_unknown_session",
                "MSRP requests for a session that there is not (481)",
                self.refusals.unknown_session,
            ),
            (
                "msrp_session_in_use",
                "MSRP requests for a session that has its connection (506)",
                self.refusals.session_in_use,
            ),
            ("msrp_junk", "Streams at the MSRP port that are no MSRP", self.refusals.not_msrp),
            ("msrp_unbound", "MSRP connections that named no session in time", self.refusals.unbound),
            ("journal_resumed", "Sessions of an earlier life that were taken up", self.kept.resumed),
            ("journal_unreadable", "Journal entries of an earlier life that could not be read", self.kept.unreadable),
            ("journal_refused", "Sessions refused because they could not be kept", self.kept.refused),
            ("journal_unkept", "Closes whose intent could not be kept", self.kept.unkept),
        ];
        for (name, help, value) in counters {
            sheet.counter(name, help, node, value);
        }
        self.write_msrp(node, sheet);
        sheet.queues(Some(node), &self.queues);
        for ((by, why), count) in &self.totals.ended {
            let help = "Sessions that have ended, by who ended them, and why if it was the function";
            sheet.labelled("sessions_ended", help, node, &[("by", by), ("why", why)], Value::Counter(*count));
        }
        for (direction, traffic) in [("sent", self.totals.sent), ("received", self.totals.received)] {
            let label = [("direction", direction)];
            let help = "Messages of served users in sessions that have ended";
            sheet.labelled("messages", help, node, &label, Value::Counter(traffic.messages));
            let help = "Octets of messages of served users in sessions that have ended";
            sheet.labelled("message_octets", help, node, &label, Value::Counter(traffic.octets));
        }
    }
}

impl Measured {
    fn write_msrp(&self, node: &str, sheet: &mut Sheet) {
        let traffic = self.msrp;
        for (direction, count) in [("in", traffic.received), ("out", traffic.sent)] {
            let help = "MSRP requests, one for each chunk; reports are not counted";
            sheet.labelled("msrp_requests", help, node, &[("direction", direction)], Value::Counter(count));
        }
        for (direction, outcome, count) in [
            ("in", "success", traffic.answered.success),
            ("in", "failure", traffic.answered.failure),
            ("out", "success", traffic.confirmed.success),
            ("out", "failure", traffic.confirmed.failure),
            ("out", "none", traffic.unanswered),
        ] {
            let labels = [("direction", direction), ("outcome", outcome)];
            let help = "MSRP requests by their answers, those that were not wanted among them, or none";
            sheet.labelled("msrp_outcomes", help, node, &labels, Value::Counter(count));
        }
        let help = "How long MSRP requests that were sent took from the writing to their answer";
        sheet.labelled("msrp_duration_seconds", help, node, &[("direction", "out")], seconds(traffic.took));
    }
}

/// Durations as Prometheus wants them.
fn seconds(took: Histogram) -> Value {
    let bound = |bound: Option<Duration>| bound.map_or(f64::INFINITY, |bound| bound.as_secs_f64());
    let buckets = took.buckets().map(|(up_to, count)| (bound(up_to), count)).collect();
    Value::Histogram { sum: took.sum().as_secs_f64(), buckets }
}

/// The list as it grows.
#[derive(Default)]
struct Sheet(Vec<Measurement>);

impl Sheet {
    fn labelled(
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

    fn gauge(&mut self, name: &'static str, help: &'static str, node: &str, value: usize) {
        self.labelled(name, help, node, &[], Value::Gauge(value as u64));
    }

    fn counter(&mut self, name: &'static str, help: &'static str, node: &str, value: u64) {
        self.labelled(name, help, node, &[], Value::Counter(value));
    }

    fn up(&mut self, node: &str, role: &str, is_up: bool) {
        self.labelled("node_up", "Whether the node runs", node, &[("role", role)], Value::Gauge(u64::from(is_up)));
    }

    /// Bounded queues, of a node or of the process.
    fn queues(&mut self, node: Option<&str>, queues: &[Queue]) {
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

    /// What an engine tells.
    fn engine(&mut self, node: &str, report: &Report) {
        self.net(node, &report.net);
        self.queues(Some(node), &report.queues);
        if let Some(took) = report.journal {
            let help = "How long batches of entries of the journal took until they were durable";
            self.labelled("journal_duration_seconds", help, node, &[], seconds(took));
        }
    }

    /// Of the process: its nodes share a database.
    fn store(&mut self, store: &Stored) {
        for (operation, outcome, took) in store.durations() {
            let labels = vec![("operation", operation.to_owned()), ("outcome", outcome.as_str().to_owned())];
            let help = "How long operations of the store took, waiting for a connection included";
            self.0.push(Measurement { name: "store_duration_seconds", help, labels, value: seconds(took) });
        }
    }

    /// Of the process, not of a node.
    fn copies(&mut self, copies: &Copies) {
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
    fn traces(&mut self, counts: &traces::Counts) {
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

    fn stack(&mut self, node: &str, signalling: &Signalling) {
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

    fn net(&mut self, node: &str, net: &Counters) {
        for (name, help, value) in [
            ("datagrams_in", "Datagrams read", net.datagrams_in),
            ("datagrams_out", "Datagrams that the kernel took", net.datagrams_out),
            ("datagrams_failed", "Datagrams that the kernel refused", net.datagrams_failed),
            ("datagrams_dropped", "Datagrams given up as the queue of their socket was full", net.datagrams_dropped),
            ("connections_accepted", "Connections accepted", net.accepted),
            ("connections_refused", "Connections closed on acceptance, as there were too many", net.refused),
            ("connections_opened", "Connections opened", net.connected),
            ("connections_failed", "Connections that could not be opened", net.connect_failed),
            ("connections_closed", "Connections whose socket is gone", net.closed),
            ("connections_broken", "Connections that broke", net.broken),
            ("tls_handshakes_failed", "TLS handshakes that came to nothing", net.handshakes_failed),
            ("tls_peers_refused", "TLS peers with a certificate that was not wanted", net.peers_refused),
            ("stream_octets_in", "Octets read from connections", net.stream_bytes_in),
            ("stream_octets_out", "Octets that the kernel took for connections", net.stream_bytes_out),
        ] {
            self.counter(name, help, node, value);
        }
    }
}
