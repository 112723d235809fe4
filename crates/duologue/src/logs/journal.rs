//! Lines for the journal of systemd, which writes down the time itself, and shows and finds lines by their priority.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Whether standard error leads to the journal, and nobody has led it elsewhere since systemd said so (systemd.exec(5)).
pub(crate) fn is_listening() -> bool {
    let told = std::env::var("JOURNAL_STREAM").ok();
    let ours = std::fs::metadata("/proc/self/fd/2").ok();
    told.zip(ours).is_some_and(|(told, ours)| told == stream(&ours))
}

/// A file as `$JOURNAL_STREAM` names it.
fn stream(file: &Metadata) -> String {
    format!("{}:{}", file.dev(), file.ino())
}

/// Puts its priority in front of each line (sd-daemon(3)): the journal takes it out again.
pub(super) struct Prioritized<F>(pub(super) F);

impl<S, N, F> FormatEvent<S, N> for Prioritized<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        write!(writer, "{}", prefix(*event.metadata().level()))?;
        self.0.format_event(context, writer, event)
    }
}

/// What the journal takes for an error.
pub(crate) const ERROR: &str = "<3>";

fn prefix(level: Level) -> &'static str {
    match level {
        Level::ERROR => ERROR,
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_named_by_device_and_inode() {
        let null = std::fs::metadata("/dev/null").unwrap();
        assert_eq!(stream(&null), format!("{}:{}", null.dev(), null.ino()));
        // Nobody has told this process of a journal, or cargo has led its output elsewhere.
        assert!(!is_listening());
    }
}
