//! Logs on standard error.

use std::io::{IsTerminal as _, stderr};

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use crate::cli::{LogFormat, Logs};

/// Starts logging by `--log`, else RUST_LOG, else `default`.
pub(crate) fn start(options: &Logs, default: &str) -> anyhow::Result<()> {
    let asked = options.log.clone().or_else(|| std::env::var(EnvFilter::DEFAULT_ENV).ok().filter(|v| !v.is_empty()));
    let text = asked.as_deref().unwrap_or(default);
    let filter = EnvFilter::try_new(text)
        .with_context(|| format!("`{text}` is no log filter; write one such as `info` or `info,net=debug`"))?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_target(false);
    let logs = logs.with_ansi(stderr().is_terminal());
    let started = match options.log_format {
        LogFormat::Text => logs.try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot log: {error}"))
}
