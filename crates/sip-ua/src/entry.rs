use wire::Instant;

use crate::config::Intervals;
use crate::index::{DialogParts, Origin};
use crate::session::{Session, Tomb};

/// A session, or what is kept of one. Each is in memory of its own, which goes back when the session is gone: there may once
/// have been many.
#[derive(Debug)]
pub(crate) enum Entry {
    Whole(Box<Session>),
    /// Nobody asks for more of it than stragglers do.
    Buried(Box<Tomb>),
}

impl Entry {
    pub(crate) fn new(session: Session) -> Entry {
        Entry::Whole(Box::new(session))
    }

    pub(crate) fn session(&self) -> Option<&Session> {
        match self {
            Entry::Whole(session) => Some(session),
            Entry::Buried(_) => None,
        }
    }

    /// The session, for what happens to it now. A tomb is opened for that.
    pub(crate) fn open(&mut self, intervals: Intervals) -> &mut Session {
        if let Entry::Buried(tomb) = self {
            *self = Entry::new(tomb.open(intervals));
        }
        match self {
            Entry::Whole(session) => session,
            Entry::Buried(_) => unreachable!("it has been opened"),
        }
    }

    /// Keeps only what stragglers need, if it is over.
    pub(crate) fn bury(&mut self) {
        if let Some(tomb) = self.session().and_then(Session::entomb) {
            *self = Entry::Buried(Box::new(tomb));
        }
    }

    pub(crate) fn next_timer(&self) -> Option<Instant> {
        match self {
            Entry::Whole(session) => session.next_timer(),
            Entry::Buried(tomb) => Some(tomb.until()),
        }
    }

    /// Whether it has served its time.
    pub(crate) fn is_gone(&self, now: Instant) -> bool {
        match self {
            Entry::Whole(session) => session.is_gone(),
            Entry::Buried(tomb) => tomb.until() <= now,
        }
    }

    /// Its dialogs.
    pub(crate) fn dialogs(&self) -> impl Iterator<Item = DialogParts<'_>> {
        let (session, tomb) = match self {
            Entry::Whole(session) => (Some(session), None),
            Entry::Buried(tomb) => (None, tomb.dialog()),
        };
        session.into_iter().flat_map(|session| session.dialog_ids().map(DialogParts::of)).chain(tomb)
    }

    /// The INVITE that made it, if we received one.
    pub(crate) fn origin(&self) -> Option<Origin<'_>> {
        match self {
            Entry::Whole(session) => session.invited_in().map(|(id, cseq)| Origin::in_dialog(id, cseq)),
            Entry::Buried(tomb) => tomb.invited_in(),
        }
    }
}
