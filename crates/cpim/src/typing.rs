use std::time::Duration;

use wire::{Instant, Now, Timers, Timestamp};

use crate::{ComposingState, DateTime, IsComposing};

/// RFC 3994 §3.2: without a key press for so long, the user is idle.
const IDLE: Duration = Duration::from_secs(15);
/// RFC 3994 §3.2: how long `active` holds if the notification does not say.
const REFRESH: Duration = Duration::from_secs(120);
/// RFC 3994 §3.2: `active` is not repeated more often.
const SHORTEST_REFRESH: Duration = Duration::from_secs(60);
/// Ours: a peer that says more is not believed to type for more than this without another word.
const LONGEST_REFRESH: Duration = Duration::from_secs(600);
/// Ours: `active` is repeated so much before it ends at the other side, so that it does not flicker there.
const MARGIN: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Timer {
    /// The user has not typed for 15 s. Before `Refresh` among equals: then there is nothing to repeat.
    Idle,
    /// `active` has to be repeated.
    Refresh,
}

/// The side that types: when to tell the peer (RFC 3994 §3.2). What a method returns is to be sent.
#[derive(Debug)]
pub struct Composer {
    refresh: Duration,
    content_type: String,
    last_active: Timestamp,
    timers: Timers<Timer>,
}

impl Composer {
    /// Idle. `refresh` is how long the peer may believe `active`, at least 60 s; `content_type` what is being written.
    pub fn new(refresh: Duration, content_type: &str) -> Composer {
        Composer {
            refresh: refresh.clamp(SHORTEST_REFRESH, LONGEST_REFRESH),
            content_type: content_type.into(),
            last_active: Timestamp::default(),
            timers: Timers::new(),
        }
    }

    /// Whether the peer has been told `active`.
    pub fn is_active(&self) -> bool {
        self.timers.deadline(Timer::Idle).is_some()
    }

    /// The user pressed a key that wrote something.
    pub fn handle_typing(&mut self, now: Now) -> Option<IsComposing> {
        let was_active = self.is_active();
        self.last_active = now.utc;
        self.timers.arm(Timer::Idle, now.at + IDLE);
        (!was_active).then(|| self.active(now.at))
    }

    /// The message was sent: it tells the peer by itself that the writing is over.
    pub fn handle_sent(&mut self) {
        self.timers.clear();
    }

    /// The user took back what was written.
    pub fn handle_cancelled(&mut self) -> Option<IsComposing> {
        self.is_active().then(|| self.idle())
    }

    /// Takes the passing of time.
    pub fn handle_timeout(&mut self, now: Now) -> Option<IsComposing> {
        match self.timers.pop_due(now.at)? {
            Timer::Idle => Some(self.idle()),
            // Armed with the idle timer and cleared with it, so the user still types.
            Timer::Refresh if self.timers.deadline(Timer::Idle).is_some_and(|at| at <= now.at) => Some(self.idle()),
            Timer::Refresh => Some(self.active(now.at)),
        }
    }

    /// When [`Composer::handle_timeout`] is wanted.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    fn active(&mut self, at: Instant) -> IsComposing {
        self.timers.arm(Timer::Refresh, at + self.refresh.saturating_sub(MARGIN).max(SHORTEST_REFRESH));
        IsComposing { refresh: Some(self.refresh), ..self.notification(ComposingState::Active) }
    }

    fn idle(&mut self) -> IsComposing {
        self.timers.clear();
        IsComposing { last_active: Some(DateTime::utc(self.last_active)), ..self.notification(ComposingState::Idle) }
    }

    fn notification(&self, state: ComposingState) -> IsComposing {
        IsComposing { content_type: Some(self.content_type.clone()), ..IsComposing::new(state) }
    }
}

impl Default for Composer {
    fn default() -> Composer {
        Composer::new(REFRESH, "text/plain")
    }
}

/// The side that watches: whether to show that the peer is typing (RFC 3994 §3.3).
#[derive(Clone, Copy, Debug, Default)]
pub struct TypingIndicator {
    until: Option<Instant>,
}

impl TypingIndicator {
    /// Shows nothing.
    pub const fn new() -> TypingIndicator {
        TypingIndicator { until: None }
    }

    /// Whether the peer is typing, as far as is known.
    pub const fn is_active(&self) -> bool {
        self.until.is_some()
    }

    /// A notification came. Says whether what is to be shown changed.
    pub fn handle_notification(&mut self, notification: &IsComposing, at: Instant) -> bool {
        let refresh = notification.refresh.unwrap_or(REFRESH).clamp(SHORTEST_REFRESH, LONGEST_REFRESH);
        self.change(match notification.state {
            ComposingState::Active => Some(at + refresh),
            ComposingState::Idle => None,
        })
    }

    /// A message came, so its writing is over.
    pub fn handle_message(&mut self) -> bool {
        self.change(None)
    }

    /// Takes the passing of time: nobody repeated `active`.
    pub fn handle_timeout(&mut self, at: Instant) -> bool {
        self.until.is_some_and(|until| until <= at) && self.change(None)
    }

    /// When [`TypingIndicator::handle_timeout`] is wanted.
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.until
    }

    fn change(&mut self, until: Option<Instant>) -> bool {
        std::mem::replace(&mut self.until, until).is_some() != until.is_some()
    }
}

#[cfg(test)]
mod tests;
