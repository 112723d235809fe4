use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::load::{Load, Options, Outcome, Pace};
use crate::servers::{Running, Server};
use crate::workload::Workload;

/// What to compare, and how long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// The work.
    pub workload: Workload,
    /// In the order in which they run within a round.
    pub servers: Vec<Server>,
    /// How often all of them run.
    pub rounds: usize,
    /// Before each measurement of a server that keeps transactions.
    pub warm_up: Duration,
    /// Each measurement.
    pub measured: Duration,
}

/// The warm-up of a server without state.
const STATELESS: Duration = Duration::from_secs(2);

/// The two ways in which calls come.
pub(crate) const PACES: [Pace; 2] = [Pace::InFlight(100), Pace::PerSecond(2000)];

/// What one server did in one round.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Round {
    /// Who.
    pub server: Server,
    /// In the closed loop of 100 calls.
    pub saturated: Outcome,
    /// At 2,000 calls a second.
    pub paced: Outcome,
    /// The load average of the machine before.
    pub load_average: f64,
}

/// What came of a plan.
#[derive(Clone, PartialEq, Debug)]
pub struct Compared {
    /// The plan.
    pub plan: Plan,
    /// One entry per server and round, in order.
    pub rounds: Vec<Round>,
}

/// Runs all servers of a plan in turn. Each measurement has a fresh process.
pub fn compare(plan: Plan) -> Result<Compared> {
    let mut rounds = Vec::new();
    for round in 1..=plan.rounds {
        for server in &plan.servers {
            let load_average = load_average();
            let [saturated, paced] = PACES.map(|pace| run(&plan, *server, pace));
            let (saturated, paced) = (saturated?, paced?);
            eprintln!(
                "{} round {round}/{}: {server:<9} {:>7.0} calls/s, {:>5.1} µs/call; at 2,000/s {:>5.1} µs/call; errors {}, load {load_average:.1}",
                plan.workload,
                plan.rounds,
                saturated.calls_per_s,
                saturated.cpu_us,
                paced.cpu_us,
                saturated.errors + paced.errors,
            );
            rounds.push(Round { server: *server, saturated, paced, load_average });
        }
    }
    Ok(Compared { plan, rounds })
}

fn run(plan: &Plan, server: Server, pace: Pace) -> Result<Outcome> {
    // What keeps nothing is the same at once.
    let warm_up = if server == Server::Null { plan.warm_up.min(STATELESS) } else { plan.warm_up };
    let running = Running::start(server, plan.workload.into(), warm_up + plan.measured);
    let (uac, uas) = running.ends();
    let options = Options {
        proxy: running.listen,
        process: Some(running.process.id()),
        work: plan.workload.work(),
        pace,
        warm_up,
        measured: plan.measured,
    };
    let outcome = Load::new(options, uac, uas)?.run();
    outcome.with_context(|| format!("load through {server}"))
}

/// Of the last minute.
pub(crate) fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or_default()
}

impl Compared {
    /// What a server did, round by round.
    pub(crate) fn of(&self, server: Server) -> Vec<&Round> {
        self.rounds.iter().filter(|round| round.server == server).collect()
    }

    /// CPU per call of ours by that of a peer, round by round.
    pub(crate) fn ratios(&self, peer: Server, pick: fn(&Round) -> &Outcome) -> Spread {
        let pairs = self.of(Server::Duologue).into_iter().zip(self.of(peer));
        Spread::of(pairs.map(|(ours, theirs)| pick(ours).cpu_us / pick(theirs).cpu_us.max(f64::MIN_POSITIVE)))
    }
}

/// The middle and the ends of some figures.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Spread {
        let mut all: Vec<f64> = figures.into_iter().collect();
        all.sort_by(f64::total_cmp);
        let (Some(min), Some(max)) = (all.first(), all.last()) else { return Spread::default() };
        let half = all.len() / 2;
        let median = if all.len() % 2 == 1 { all[half] } else { (all[half - 1] + all[half]) / 2.0 };
        Spread { min: *min, median, max: *max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_ones() {
        assert_eq!(Spread::of([4.0, 1.0, 2.0]), Spread { min: 1.0, median: 2.0, max: 4.0 });
        assert_eq!(Spread::of([4.0, 1.0]).median, 2.5);
    }

    #[test]
    fn a_ratio_is_taken_within_a_round() {
        let round = |server, cpu_us| {
            let outcome = Outcome { cpu_us, ..Outcome::default() };
            Round { server, saturated: outcome, paced: outcome, load_average: 0.0 }
        };
        let (ours, theirs) = (Server::Duologue, Server::Kamailio);
        let plan = Plan {
            workload: Workload::W1,
            servers: vec![],
            rounds: 2,
            warm_up: Duration::ZERO,
            measured: Duration::ZERO,
        };
        let rounds = vec![round(ours, 10.0), round(theirs, 20.0), round(ours, 30.0), round(theirs, 30.0)];
        let spread = Compared { plan, rounds }.ratios(theirs, |round| &round.saturated);
        assert_eq!(spread, Spread { min: 0.5, median: 0.75, max: 1.0 });
    }
}
