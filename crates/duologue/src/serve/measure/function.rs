use admin::Value;
use engine::Queue;
use role_participating::Participating;

use super::sheet::{Sheet, seconds};
use super::signalling::Signalling;

/// What a participating function counts.
pub(super) struct Measured {
    pub(super) signalling: Signalling,
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
    pub(super) fn of(pf: &Participating) -> Measured {
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

    pub(super) fn write(&self, node: &str, sheet: &mut Sheet) {
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
