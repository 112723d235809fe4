//! What a guided build learns from.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::compare::{Plan, compare};
use crate::media::{Plan as MediaPlan, compare as compare_media};
use crate::servers::Server;
use crate::workload::Workload;

const MEASURED: Duration = Duration::from_secs(3);
/// Enough for what begins.
const BRIEF: Duration = Duration::from_secs(3);
/// Past 64*T1, so that transactions also end.
const PAST_TRANSACTIONS: Duration = Duration::from_secs(34);

/// Gives each of our servers its work for a few seconds. The servers were built to write down what they do, and write it when they end.
pub fn train() -> Result<()> {
    let works = [
        (Workload::W1, PAST_TRANSACTIONS),
        (Workload::W2, PAST_TRANSACTIONS),
        (Workload::W4, BRIEF),
        (Workload::W5, BRIEF),
    ];
    for (workload, warm_up) in works {
        let servers =
            [Server::Duologue, Server::Durable].into_iter().filter(|server| workload.suits(*server)).collect();
        let compared = compare(Plan { workload, servers, rounds: 1, warm_up, measured: MEASURED })?;
        ensure!(compared.rounds.iter().all(|round| round.saturated.calls > 0), "{workload}: no call was completed");
    }
    compare_media(MediaPlan { servers: vec![Server::Duologue], rounds: 1, measured: MEASURED })?;
    Ok(())
}
