//! The end of a session's messages: nothing half is told, and the sender knows what became of its own.

use sip_ua::SessionKey;
use wire::{Instant, Now};

use super::{AFTER_BYE, BEFORE_BYE, Line, Messages};

/// Where a session is on its way out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Leaving {
    /// It stays.
    No,
    /// Our user closed it: our BYE waits for the answers to what we sent, until then at most.
    BeforeBye(Instant),
    /// The peer's BYE came: what is under way may end until then.
    AfterBye(Instant),
}

impl Leaving {
    pub(super) const fn deadline(self) -> Option<Instant> {
        match self {
            Leaving::No => None,
            Leaving::BeforeBye(until) | Leaving::AfterBye(until) => Some(until),
        }
    }
}

impl Line {
    fn is_done(&self, now: Now) -> bool {
        match self.leaving {
            Leaving::No => false,
            Leaving::BeforeBye(until) => self.outgoing.is_empty() && self.waiting.is_empty() || until <= now.at,
            Leaving::AfterBye(until) => self.outgoing.is_empty() && self.incoming.is_empty() || until <= now.at,
        }
    }
}

impl Messages {
    /// Our user closes: nothing new is taken. [`Messages::poll_left`] says when BYE is due, perhaps at once.
    pub(crate) fn close(&mut self, key: SessionKey, now: Now) {
        self.leave(key, Leaving::BeforeBye(now.at + BEFORE_BYE));
    }

    /// The peer has closed: what has arrived is still read. [`Messages::poll_left`] says when that is over.
    pub(crate) fn on_bye(&mut self, key: SessionKey, now: Now) {
        self.leave(key, Leaving::AfterBye(now.at + AFTER_BYE));
    }

    fn leave(&mut self, key: SessionKey, leaving: Leaving) {
        let Some(line) = self.lines.get_mut(&key) else { return };
        line.leaving = match (line.leaving, leaving) {
            (Leaving::No, _) | (Leaving::BeforeBye(_), Leaving::AfterBye(_)) => leaving,
            (Leaving::BeforeBye(_) | Leaving::AfterBye(_), _) => line.leaving,
        };
        // What has no connection has no answer to wait for.
        if self.endpoint.connection(line.link.session()).is_none()
            && let Some(line) = self.lines.get_mut(&key)
        {
            line.leaving = line.leaving.at_once();
        }
    }

    /// A session that has nothing to wait for any more: with [`Leaving::BeforeBye`] BYE is due. It is to be removed then.
    pub(crate) fn poll_left(&mut self, now: Now) -> Option<(SessionKey, Leaving)> {
        self.lines.iter().find(|(_, line)| line.is_done(now)).map(|(key, line)| (*key, line.leaving))
    }

    /// Whether a session has messages under way that may still end.
    pub(crate) fn is_open(&self, key: SessionKey) -> bool {
        self.lines.contains_key(&key)
    }

    /// Ends a session's messages and its connection. What was under way is reported as not sent.
    pub(crate) fn remove(&mut self, key: SessionKey, now: Now) {
        let Some(line) = self.lines.get_mut(&key) else { return };
        let (msrp, waiting) = (line.link.session(), std::mem::take(&mut line.waiting));
        line.leaving = Leaving::AfterBye(Instant::ZERO);
        for parcel in waiting {
            self.report_unsent(key, parcel);
        }
        self.endpoint.remove(msrp, now);
        self.work(now);
        self.lines.remove(&key);
        self.by_msrp.remove(&msrp);
    }

    /// The connection is gone. The session goes on, but one that is leaving does not wait for another connection.
    pub(super) fn on_disconnected(&mut self, key: SessionKey, now: Now) {
        tracing::debug!("a session has no MSRP connection");
        let Some(line) = self.lines.get_mut(&key) else { return };
        if line.leaving == Leaving::No {
            self.ask(key, |link, endpoint| link.lost(endpoint, now), now);
        } else {
            line.leaving = line.leaving.at_once();
        }
    }
}

impl Leaving {
    const fn at_once(self) -> Leaving {
        match self {
            Leaving::No => Leaving::No,
            Leaving::BeforeBye(_) => Leaving::BeforeBye(Instant::ZERO),
            Leaving::AfterBye(_) => Leaving::AfterBye(Instant::ZERO),
        }
    }
}
