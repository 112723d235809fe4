//! Logs on standard error.

pub(crate) mod journal;

use std::io::{IsTerminal as _, stderr};

use anyhow::Context as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::cli::{LogFormat, Logs};

/// Changes what is logged while the process runs.
pub(crate) struct Filter(Handle<EnvFilter, Registry>);

impl Filter {
    /// What is logged.
    pub(crate) fn text(&self) -> String {
        self.0.with_current(EnvFilter::to_string).unwrap_or_default()
    }

    /// Logs by another filter from now on.
    pub(crate) fn set(&self, text: &str) -> anyhow::Result<()> {
        self.0.reload(read(text)?).context("the logs cannot be changed")
    }
}

fn read(text: &str) -> anyhow::Result<EnvFilter> {
    EnvFilter::try_new(text)
        .with_context(|| format!("`{text}` is no log filter; write one such as `info` or `info,net=debug`"))
}

/// Starts logging by `--log`, else RUST_LOG, else `default`.
pub(crate) fn start(options: &Logs, default: &str) -> anyhow::Result<Filter> {
    let asked = options.log.clone().or_else(|| std::env::var(EnvFilter::DEFAULT_ENV).ok().filter(|v| !v.is_empty()));
    let (filter, handle) = reload::Layer::new(read(asked.as_deref().unwrap_or(default))?);
    let logs = tracing_subscriber::fmt::layer().with_writer(stderr).with_target(false);
    let logs = logs.with_ansi(stderr().is_terminal());
    let logs = match options.log_format {
        LogFormat::Text if journal::is_listening() => {
            logs.without_time().with_level(false).map_event_format(journal::Prioritized).boxed()
        }
        LogFormat::Text => logs.boxed(),
        LogFormat::Json => logs.json().flatten_event(true).boxed(),
    };
    let started = tracing_subscriber::registry().with(filter).with(logs).try_init();
    started.map(|()| Filter(handle)).map_err(|error| anyhow::anyhow!("cannot log: {error}"))
}
