//! The sessions of a user, numbered in the order in which they came up in the conversation.

use role_client::SessionId;

/// A session that is not over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Talk {
    pub(super) session: SessionId,
    pub(super) number: u32,
    pub(super) peer: String,
    pub(super) is_up: bool,
}

/// All that are not over, and the one that typed lines go to.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    talks: Vec<Talk>,
    current: Option<SessionId>,
    count: u32,
}

impl Sessions {
    /// A session begins; lines go to it if the user wanted it.
    pub(super) fn open(&mut self, session: SessionId, peer: &str, is_wanted: bool) {
        self.count += 1;
        self.talks.push(Talk { session, number: self.count, peer: peer.to_owned(), is_up: false });
        if is_wanted {
            self.current = Some(session);
        }
    }

    /// A session is up; lines go to it if they go nowhere.
    pub(super) fn is_up(&mut self, session: SessionId) {
        if let Some(talk) = self.talks.iter_mut().find(|talk| talk.session == session) {
            talk.is_up = true;
            self.current.get_or_insert(session);
        }
    }

    /// A session is over; lines go to the latest one that is left.
    pub(super) fn over(&mut self, session: SessionId) {
        self.talks.retain(|talk| talk.session != session);
        if self.current == Some(session) {
            self.current = self.talks.iter().rev().find(|talk| talk.is_up).map(|talk| talk.session);
        }
    }

    /// Lines go to the session with this number from now on. False when there is none.
    pub(super) fn switch(&mut self, number: u32) -> bool {
        let talk = self.talks.iter().find(|talk| talk.number == number);
        self.current = talk.map(|talk| talk.session).or(self.current);
        talk.is_some()
    }

    pub(super) const fn current(&self) -> Option<SessionId> {
        self.current
    }

    pub(super) fn number(&self, session: SessionId) -> Option<u32> {
        self.talks.iter().find(|talk| talk.session == session).map(|talk| talk.number)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Talk> {
        self.talks.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.talks.len()
    }
}
