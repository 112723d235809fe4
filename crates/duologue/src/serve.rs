//! `duologue serve`.

pub(crate) mod admin;
mod config;
mod document;
mod expand;
mod measure;
mod nodes;
mod operator;
mod reload;
mod supervised;

use std::io::{Write as _, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ::admin::Operator as _;
use anyhow::Context as _;
use engine::Clock;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::cli::{self, Serve};
use crate::logs::Filter;
use config::{ConfigError, Plan};
use nodes::Running;
use operator::Nodes;
use reload::Reloader;
use supervised::Supervised;

/// The documented default configuration.
const DEFAULTS: &str = include_str!("../../../dist/duologue.toml");

pub(crate) fn run(options: &Serve, logs: Filter) -> anyhow::Result<ExitCode> {
    if options.print_defaults {
        stdout().write_all(DEFAULTS.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let plan = match load(&options.config) {
        Ok(plan) => plan,
        Err(error) => {
            cli::complain(&error);
            return Ok(ExitCode::from(cli::USAGE));
        }
    };
    if options.check {
        writeln!(stdout(), "{} is right: {}", options.config.display(), plan.summary())?;
        return Ok(ExitCode::SUCCESS);
    }
    serve(plan, &options.config, logs)?;
    Ok(ExitCode::SUCCESS)
}

fn load(path: &Path) -> anyhow::Result<Plan> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| {
        format!(
            "cannot read {shown}; name another file with --config, or make one with `duologue serve --print-defaults`"
        )
    })?;
    read(&text).with_context(|| format!("{shown} is wrong"))
}

/// Reads a configuration with the environment and the files of this machine.
fn read(text: &str) -> Result<Plan, ConfigError> {
    Plan::read(text, &|name| std::env::var(name).ok(), &|file| std::fs::read(file))
}

fn serve(plan: Plan, path: &Path, logs: Filter) -> anyhow::Result<()> {
    // Before the first socket, so that no signal comes too early.
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).context("cannot wait for signals")?;
    let sockets = admin::Sockets::bind(&plan.admin)?;
    let running = Running::start(plan.clone())?;
    let admin = plan.admin.clone();
    let nodes = Arc::new(Nodes::new(&running, Reloader::new(path.to_owned(), plan), logs));
    let _admin = admin::start(&admin, sockets, &nodes)?;
    let supervised = Supervised::ready(&nodes).context("the watchdog cannot start")?;
    for signal in signals.forever() {
        if signal == SIGHUP {
            match nodes.reload() {
                Ok(said) => tracing::info!("SIGHUP: {said}"),
                Err(wrong) => tracing::error!("SIGHUP: {wrong}"),
            }
            continue;
        }
        let name = if signal == SIGTERM { "SIGTERM" } else { "SIGINT" };
        tracing::info!(signal = %name, sessions = running.open_sessions(), "shutting down; a second signal stops at once");
        break;
    }
    supervised.stopping();
    drain(&running, &mut signals);
    running.stop();
    tracing::info!("stopped");
    Ok(())
}

/// How often to look whether the sessions have ended.
const LOOK: Duration = Duration::from_millis(20);

/// No new sessions; those on the media path are closed, at 500 a second, and the last BYE gives up after 64*T1 (32 s).
#[expect(clippy::disallowed_methods, reason = "the main thread has nothing else to do, and no clock of its own")]
fn drain(running: &Running, signals: &mut Signals) {
    let bound =
        Duration::from_secs(35) + Duration::from_millis(2) * u32::try_from(running.open_sessions()).unwrap_or(u32::MAX);
    let clock = Clock::start();
    running.shut_down();
    while !running.is_drained() {
        if clock.at() > wire::Instant::ZERO + bound || signals.pending().any(|signal| signal != SIGHUP) {
            tracing::warn!(sessions = running.open_sessions(), "stopping before all sessions have been closed");
            return;
        }
        std::thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_configuration_is_right() {
        let plan = Plan::read(DEFAULTS, &|_| None, &|_| Ok(Vec::new())).unwrap();
        assert_eq!(plan.summary(), "1 core, 1 participating function");
    }
}
