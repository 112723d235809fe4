//! W3: messages through one server, in sessions that are held.

mod report;
mod servers;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use load::{CloseBy, Messages, Outcome, Plan as LoadPlan, Sessions};

pub use self::report::{json, table};
use self::servers::Running;
use crate::compare::{Spread, load_average};
use crate::servers::Server;

/// A kind of traffic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Case {
    pub(crate) size: usize,
    pub(crate) sessions: usize,
    /// Messages without an answer in each session.
    pub(crate) window: usize,
}

const KIB: usize = 1024;
const MB: usize = 1_000_000;

/// As many messages under way in all of them as keep every server busy.
pub(crate) const CASES: [Case; 6] = [
    Case { size: KIB, sessions: 1, window: 64 },
    Case { size: KIB, sessions: 10, window: 16 },
    Case { size: KIB, sessions: 100, window: 4 },
    Case { size: KIB, sessions: 1000, window: 1 },
    Case { size: MB, sessions: 1, window: 4 },
    Case { size: MB, sessions: 10, window: 2 },
];
/// The one that stands for all in a line of figures.
pub(crate) const HEADLINE: usize = 1;

/// What to compare, and how long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// In the order in which they run within a round.
    pub servers: Vec<Server>,
    /// How often all of them run.
    pub rounds: usize,
    /// Each measurement.
    pub measured: Duration,
}

/// What one server did in one round.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Round {
    pub(crate) server: Server,
    /// By case; `None` for what the server does not do.
    pub(crate) outcomes: Vec<Option<Outcome>>,
    pub(crate) load_average: f64,
}

/// What came of a plan.
#[derive(Clone, PartialEq, Debug)]
pub struct Compared {
    pub(crate) plan: Plan,
    pub(crate) rounds: Vec<Round>,
}

/// Sessions begin and end nothing here, so caches are warm at once.
const WARM_UP: Duration = Duration::from_secs(1);
/// Longer than any answer takes on a machine that does other things.
const PATIENCE: Duration = Duration::from_secs(15);
/// Octets of a chunk of the generator.
const CHUNK: usize = 32 * KIB;

/// Kamailio relays no large messages: it answers 481 when it has not read a frame at once, whatever the size of the chunks.
fn relays(server: Server, case: Case) -> bool {
    server != Server::Kamailio || case.size < CHUNK
}

/// Runs all servers of a plan in turn. Each case has a fresh process.
pub fn compare(plan: Plan) -> Result<Compared> {
    let mut rounds = Vec::new();
    for round in 1..=plan.rounds {
        for server in plan.servers.iter().copied() {
            let load_average = load_average();
            let run = |case: &Case| relays(server, *case).then(|| run(&plan, server, *case)).transpose();
            let outcomes = CASES.iter().map(run).collect::<Result<Vec<_>>>()?;
            for (case, outcome) in CASES.iter().zip(&outcomes) {
                let Some(outcome) = outcome else { continue };
                eprintln!(
                    "round {round}/{}: {server:<9} {:>4} sessions, {:>7} octets: {:>7.0}/s, {:>7.2} µs, errors {}",
                    plan.rounds,
                    case.sessions,
                    case.size,
                    outcome.messages_per_s,
                    cpu(outcome),
                    errors(outcome),
                );
            }
            rounds.push(Round { server, outcomes, load_average });
        }
    }
    Ok(Compared { plan, rounds })
}

fn run(plan: &Plan, server: Server, case: Case) -> Result<Outcome> {
    let running = Running::start(server, WARM_UP + plan.measured + PATIENCE * 4);
    let (caller, callee) = running.ends();
    let load = LoadPlan {
        way: running.way(),
        caller: caller.into(),
        callee: callee.into(),
        callee_port: running.callee_port(),
        sessions: Sessions::Held(case.sessions),
        messages: Messages::Window(case.window),
        size: case.size,
        chunk: CHUNK,
        warm_up: WARM_UP,
        measured: plan.measured,
        close_by: CloseBy::Caller,
        patience: PATIENCE,
        watch: Some(running.process.id()),
    };
    let outcome = load::run(&load).with_context(|| format!("{} sessions through {server}", case.sessions))?;
    ensure!(outcome.messages_per_s > 0.0, "no message of {} octets passed {server}: {:?}", case.size, outcome.errors);
    Ok(outcome)
}

/// CPU time of the server per message, in microseconds.
pub(crate) fn cpu(outcome: &Outcome) -> f64 {
    outcome.watched.map(|watched| watched.cpu_us_each).unwrap_or_default()
}

/// Everything that should not have happened.
pub(crate) fn errors(outcome: &Outcome) -> u64 {
    outcome.errors.values().sum::<u64>() + outcome.lost + outcome.repeated
}

impl Compared {
    /// What a server did in a case, round by round.
    pub(crate) fn of(&self, server: Server, case: usize) -> Vec<&Outcome> {
        let rounds = self.rounds.iter().filter(|round| round.server == server);
        rounds.filter_map(|round| round.outcomes[case].as_ref()).collect()
    }

    /// CPU per message of ours by that of a peer, round by round.
    pub(crate) fn ratios(&self, peer: Server, case: usize) -> Spread {
        let (ours, theirs) = (self.of(Server::Duologue, case), self.of(peer, case));
        Spread::of(ours.iter().zip(theirs).map(|(ours, theirs)| cpu(ours) / cpu(theirs).max(f64::MIN_POSITIVE)))
    }
}
