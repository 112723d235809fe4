//! What systemd is told, where it started us: that we are ready, that we live, that we stop.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};

use admin::Operator as _;
use sd_notify::NotifyState;

use super::operator::Nodes;

/// Tells it, as long as it is there. Does nothing where nobody listens.
pub(super) struct Supervised {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Supervised {
    /// All nodes run: systemd is told so, with what they are, and then twice in each interval of its watchdog that all of them answer. One that does not
    /// answer holds the word up, and systemd starts us anew.
    pub(super) fn ready(nodes: &Arc<Nodes>, summary: &str) -> std::io::Result<Supervised> {
        tell(&[NotifyState::Ready, NotifyState::Status(summary)]);
        let Some(interval) = sd_notify::watchdog_enabled() else { return Ok(Supervised { stop: None, thread: None }) };
        let (stop, stopped) = channel();
        let nodes = Arc::clone(nodes);
        let thread = thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
            while stopped.recv_timeout(interval / 2) == Err(RecvTimeoutError::Timeout) {
                if nodes.nodes().iter().all(|node| node.is_up) {
                    tell(&[NotifyState::Watchdog]);
                } else {
                    tracing::error!("a node does not run any more: the watchdog is not told");
                }
            }
        })?;
        Ok(Supervised { stop: Some(stop), thread: Some(thread) })
    }

    /// From now on these sessions are closed, and then the process ends.
    pub(super) fn stopping(&self, sessions: usize) {
        tell(&[NotifyState::Stopping, NotifyState::Status(&format!("closing sessions: {sessions}"))]);
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A thread that asks a node which stands still would wait as long as that does.
        drop(self.thread.take());
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd cannot be told");
    }
}
