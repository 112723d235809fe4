//! What an operator sees of the sessions that a function holds.

use std::fmt;

use bytes::Bytes;
use cpm::{MediaPath, SessionCase};
use wire::{Key, Timestamp};

use crate::Participating;
use crate::bridge::{Bridge, Leg};
use crate::token::Token;

/// Names a session that a function holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SessionId(pub(crate) Place);

/// Where the function stands in a session, and by what it finds it there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Place {
    On(Key),
    Off(Token),
}

impl SessionId {
    /// What such a name may stand for: it does not say the session case, and two cases may have drawn the same number.
    fn candidates(name: &str) -> Vec<SessionId> {
        let Some((place, number)) = name.split_once('-') else { return Vec::new() };
        let Ok(number) = u64::from_str_radix(number, 16) else { return Vec::new() };
        let places = match place {
            "on" => vec![Place::On(Key::from_bits(number))],
            "off" => [SessionCase::Originating, SessionCase::Terminating]
                .map(|case| Place::Off(Token { case, id: number }))
                .to_vec(),
            _ => Vec::new(),
        };
        // A number can be written in several ways, and a name only as it is shown.
        places.into_iter().map(SessionId).filter(|id| id.to_string() == name).collect()
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Place::On(key) => write!(f, "on-{:x}", key.to_bits()),
            Place::Off(token) => write!(f, "off-{:x}", token.id),
        }
    }
}

/// A session that a function holds, as an operator sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionView {
    /// Its name for [`Participating::close_session`].
    pub id: SessionId,
    /// The served user's address-of-record.
    pub served_user: String,
    /// The session case.
    pub case: SessionCase,
    /// The other party, as the INVITE named it.
    pub peer: String,
    /// Conversation-ID.
    pub conversation_id: String,
    /// Contribution-ID.
    pub contribution_id: String,
    /// Where the function stands.
    pub media_path: MediaPath,
    /// When it was set up, if it has been.
    pub started: Option<Timestamp>,
}

impl Participating {
    /// The sessions that are being set up or are up, those of one served user or of all, in a fixed order. Each view is made
    /// as it is asked for.
    pub fn sessions<'p>(&'p self, user: Option<&'p str>) -> impl Iterator<Item = SessionView> + 'p {
        let is_meant = move |served: &str| user.is_none_or(|user| user == served);
        let on = self.bridges.iter().filter(move |(_, bridge)| is_seen(bridge) && is_meant(bridge.served()));
        let on = on.map(|(key, bridge)| bridge.view(SessionId(Place::On(key))));
        let off = self.relays.all().filter(move |(_, facts)| is_meant(&facts.served.aor));
        on.chain(off.map(|(token, facts)| facts.view(SessionId(Place::Off(token)), MediaPath::Off)))
    }

    /// The session of this name among them.
    pub fn session(&self, name: &str) -> Option<SessionView> {
        SessionId::candidates(name).into_iter().find_map(|id| match id.0 {
            Place::On(key) => self.bridges.get(key).filter(|bridge| is_seen(bridge)).map(|bridge| bridge.view(id)),
            Place::Off(token) => self.relays.facts(token).map(|facts| facts.view(id, MediaPath::Off)),
        })
    }

    /// The Call-IDs of a session, one for each of its dialogs that has another. Off the media path that of a session from before
    /// a restart is not known until a request of it has passed.
    pub fn call_ids(&self, id: SessionId) -> Vec<Bytes> {
        match id.0 {
            Place::On(key) => {
                let legs = self.bridges.get(key).map(|bridge| Leg::BOTH.map(|leg| bridge.session(leg)));
                let sessions = legs.into_iter().flatten().filter_map(|session| self.ua.session(session));
                sessions.map(|session| Bytes::copy_from_slice(session.call_id())).collect()
            }
            Place::Off(token) => self.relays.call_id(token).cloned().into_iter().collect(),
        }
    }
}

/// Whether a session on the media path is shown: not once it is being closed.
fn is_seen(bridge: &Bridge) -> bool {
    bridge.drain.is_none() && !bridge.is_recorded()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_shown_and_no_other_way() {
        let on = SessionId(Place::On(Key::from_bits(0x1_0000_001f)));
        assert_eq!(on.to_string(), "on-10000001f");
        assert_eq!(SessionId::candidates("on-10000001f"), [on]);
        assert_eq!(SessionId::candidates("off-1f").len(), 2, "of either case");
        for wrong in ["", "on", "on-", "on-+1f", "on-01f", "on-1F", "ON-1f", "in-1f", "off-10000000000000000", "on-1f-"]
        {
            assert_eq!(SessionId::candidates(wrong), [], "{wrong}");
        }
    }
}
