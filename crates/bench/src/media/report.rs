//! W3 as a section of `docs/benchmarks.md` and as JSON.

use std::fmt::Write as _;

use load::{Outcome, Spent};
use serde_json::{Map, Value, json as value};

use super::{CASES, Case, Compared, HEADLINE, cpu, errors};
use crate::compare::Spread;
use crate::report::{rounded, spread};
use crate::servers::Server;

/// A figure of one run.
type Figure = fn(&Outcome) -> f64;

fn watched(outcome: &Outcome) -> Spent {
    outcome.watched.unwrap_or_default()
}

/// The figures of a row, by their names in JSON.
const FIGURES: [(&str, Figure); 11] = [
    ("messages_per_s", |o| o.messages_per_s),
    ("cpu_us", cpu),
    ("user_us", |o| watched(o).user_us_each),
    ("system_us", |o| watched(o).system_us_each),
    ("delivery_p50_us", |o| o.delivery.p50_us as f64),
    ("delivery_p99_us", |o| o.delivery.p99_us as f64),
    ("memory_kib", |o| watched(o).memory_kib as f64),
    ("peak_kib", |o| watched(o).peak_kib as f64),
    ("memory_per_session_kib", |o| watched(o).memory_per_session_kib),
    ("errors", |o| errors(o) as f64),
    ("generator_cpu_us", |o| o.own.cpu_us_each),
];

/// The section for W3.
pub fn table(compared: &Compared) -> String {
    let mut out = String::from(
        "| octets | sessions | server | messages/s | CPU µs per message | user | system | delivery p50, p99 ms | errors | \
         KiB per session | peak MiB | generator µs |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (at, case) in CASES.iter().enumerate() {
        for server in &compared.plan.servers {
            let rounds = compared.of(*server, at);
            if !rounds.is_empty() {
                row(&mut out, case, *server, &rounds);
            }
        }
    }
    out.push('\n');
    for peer in compared.plan.servers.iter().filter(|server| **server != Server::Duologue) {
        for (at, case) in CASES.iter().enumerate().filter(|(at, _)| !compared.of(*peer, *at).is_empty()) {
            let ratio = spread(compared.ratios(*peer, at));
            let (size, sessions) = (case.size, case.sessions);
            line(
                &mut out,
                &format!("- CPU per message of {size} octets, duologue by {peer}, {sessions} sessions: {ratio}"),
            );
        }
    }
    let load = Spread::of(compared.rounds.iter().map(|round| round.load_average));
    line(
        &mut out,
        &format!(
            "- {} rounds; each run warmed up for 1 s and measured for {} s; load average before a round {:.1} to {:.1}",
            compared.plan.rounds,
            compared.plan.measured.as_secs(),
            load.min,
            load.max
        ),
    );
    out
}

fn row(out: &mut String, case: &Case, server: Server, rounds: &[&Outcome]) {
    let over = |figure: Figure| Spread::of(rounds.iter().map(|round| figure(round)));
    let [rate, cpu, user, system, p50, p99, _, peak, each, errors, own] = FIGURES.map(|(_, figure)| over(figure));
    line(
        out,
        &format!(
            "| {} | {} | {server} | {:.0} | {:.1} ({:.1} to {:.1}) | {:.1} | {:.1} | {:.2}, {:.2} | {:.0} | {:.1} | {:.0} | {:.1} |",
            case.size,
            case.sessions,
            rate.median,
            cpu.median,
            cpu.min,
            cpu.max,
            user.median,
            system.median,
            p50.median / 1000.0,
            p99.median / 1000.0,
            errors.max,
            each.median,
            peak.median / 1024.0,
            own.median,
        ),
    );
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ok = writeln!(out, "{text}");
}

/// As for the other workloads, with the figures of 10 sessions and 1 KiB; under `cases` those of all.
pub fn json(compared: &Compared) -> Value {
    let mut against = Map::new();
    for peer in compared.plan.servers.iter().filter(|server| **server != Server::Duologue) {
        against.insert(peer.name().to_owned(), all(compared, *peer));
    }
    value!({ "ours": all(compared, Server::Duologue), "against": against, "rounds": compared.plan.rounds })
}

fn all(compared: &Compared, server: Server) -> Value {
    let mut headline = medians(compared, server, HEADLINE);
    let case = |(at, case): (usize, &Case)| {
        (format!("{}x{}", case.sessions, case.size), Value::Object(medians(compared, server, at)))
    };
    let done = CASES.iter().enumerate().filter(|(at, _)| !compared.of(server, *at).is_empty());
    headline.insert("cases".to_owned(), Value::Object(done.map(case).collect()));
    Value::Object(headline)
}

fn medians(compared: &Compared, server: Server, case: usize) -> Map<String, Value> {
    let rounds = compared.of(server, case);
    let median = |figure: Figure| Spread::of(rounds.iter().map(|round| figure(round))).median;
    let mut figures: Map<String, Value> =
        FIGURES.iter().map(|(name, figure)| ((*name).to_owned(), value!(rounded(median(*figure))))).collect();
    if server != Server::Duologue {
        let ratio = compared.ratios(server, case);
        for (name, figure) in [("cpu_ratio", ratio.median), ("cpu_ratio_min", ratio.min), ("cpu_ratio_max", ratio.max)]
        {
            figures.insert(name.to_owned(), value!(figure));
        }
    }
    figures
}
