//! `duologue serve`.

pub(crate) mod admin;
mod audit;
mod config;
mod copies;
mod document;
mod expand;
mod heart;
mod kept_key;
mod lives;
mod measure;
mod nodes;
mod operator;
mod reload;
mod stored;
mod supervised;
mod traces;
mod trial;
mod users;

use std::io::{Write as _, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::admin::Operator as _;
use anyhow::Context as _;
use engine::Clock;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;
use store::{Measured, Store, StoreError};

use crate::cli::{self, Serve};
use crate::logs::Filter;
use config::{ConfigError, Plan, StorePlan};
use heart::{BEAT, Heart};
use lives::Lives;
use nodes::Running;
use operator::Nodes;
use reload::Reloader;
use supervised::Supervised;
use users::Users;

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

fn serve(mut plan: Plan, path: &Path, logs: Filter) -> anyhow::Result<()> {
    // Before the first socket, so that no signal comes too early.
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).context("cannot wait for signals")?;
    let sockets = admin::Sockets::bind(&plan.admin)?;
    kept_key::give(&mut plan, kept_key::state_directory().as_deref())?;
    let measured = plan.store.as_ref().map(stored::open).transpose()?;
    let fenced = Arc::new(OnceLock::new());
    let heart = measured.clone().map(|store| beat(store, &fenced)).transpose()?;
    let running = Running::start(plan.clone(), measured.as_ref(), heart)?;
    let summary = plan.summary();
    let (admin, in_store) = (plan.admin.clone(), plan.store.clone());
    let users = Users::new(measured.clone().map(|store| store as Arc<dyn Store>));
    let reloader = Reloader::new(path.to_owned(), plan, users);
    let nodes = Arc::new(Nodes::new(&running, reloader, measured.clone(), logs));
    nodes.refresh_users().map_err(anyhow::Error::msg).context("the users in the store cannot be had")?;
    let _lives = measured.zip(in_store).map(|(store, plan)| watch(store, &plan, &running, &nodes)).transpose()?;
    let _admin = admin::start(&admin, sockets, &nodes)?;
    let supervised = Supervised::ready(&nodes, &summary).context("the watchdog cannot start")?;
    for signal in signals.forever() {
        if signal == SIGHUP {
            match nodes.reload() {
                Ok(said) => tracing::info!("SIGHUP: {said}"),
                Err(wrong) => tracing::error!("SIGHUP: {wrong}"),
            }
            continue;
        }
        if let Some(error) = fenced.get() {
            // What the other one does not do, nobody wants done: no BYE, no record.
            anyhow::bail!("stopping at once: {error}");
        }
        let name = if signal == SIGTERM { "SIGTERM" } else { "SIGINT" };
        tracing::info!(signal = %name, sessions = running.open_sessions(), "shutting down; a second signal stops at once");
        break;
    }
    supervised.stopping(running.open_sessions());
    drain(&running, &mut signals);
    running.stop();
    tracing::info!("stopped");
    Ok(())
}

/// Gives signs of life to other servers.
fn beat(store: Arc<Measured>, fenced: &Arc<OnceLock<StoreError>>) -> anyhow::Result<Heart> {
    let fenced = Arc::clone(fenced);
    let stop = Box::new(move |error: &StoreError| {
        // The main thread waits for signals.
        let _first = fenced.set(error.clone());
        low_level::raise(SIGTERM).expect("a process may signal itself");
    });
    Heart::start(store, BEAT, stop).context("signs of life cannot be given")
}

/// Looks for signs of life of other servers.
fn watch(store: Arc<Measured>, plan: &StorePlan, running: &Running, nodes: &Arc<Nodes>) -> anyhow::Result<Lives> {
    let nodes = Arc::clone(nodes);
    let changed = Box::new(move || {
        if let Err(error) = nodes.refresh_users() {
            tracing::error!(%error, "the users in the store cannot be had");
        }
    });
    Lives::start(store, running.lives(), plan.take_over, changed).context("signs of life cannot be looked for")
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
