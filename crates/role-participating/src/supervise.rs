//! Supervision of the sessions on the media path: what makes the function end one by itself. How it does is in `release`.

use std::collections::BTreeMap;
use std::time::Duration;

use cpm::{Profile, Release};
use msrp::{Event, IncomingId};
use sip_ua::SessionKey;
use wire::{Instant, Key, Now};

use crate::Participating;
use crate::bridge::Leg;

/// How long the first connection of a leg may take: as long as a transaction.
const T_CONNECT: Duration = Duration::from_secs(32);

/// What is watched of one session.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Whether the session is up.
    pub(crate) is_on: bool,
    /// How long it may be without content; `None`: for ever.
    idle: Option<Duration>,
    last_content: Instant,
    /// How long a leg may be without its connection, once it had one: time for a BYE, which goes another way and may come
    /// later, for a new connection, or for a re-INVITE with a new path. `None`: for ever, and without a first one too.
    grace: Option<Duration>,
    connect_by: Instant,
    media: [Media; 2],
    /// The isComposing notification that is passing from each leg.
    typing: [Option<IncomingId>; 2],
    /// The entry that waits for this session.
    pub(crate) armed: Option<Instant>,
}

/// The MSRP connection of a leg.
#[derive(Clone, Copy, Default, Debug)]
enum Media {
    #[default]
    Expected,
    Up,
    Lost(Instant),
}

impl Watch {
    /// The session is up: it may be without content and without media for a while. Media may be there already: it is faster
    /// than an ACK that goes through the cores.
    fn start(&mut self, idle: Option<Duration>, grace: Option<Duration>, now: Now) {
        (self.is_on, self.idle, self.last_content) = (true, idle, now.at);
        (self.grace, self.connect_by) = (grace, now.at + T_CONNECT);
    }

    /// Something happened to the media of a leg.
    fn note(&mut self, leg: Leg, event: &Event, now: Now) {
        let (leg, at) = (leg as usize, now.at);
        match event {
            Event::Bound { .. } => self.media[leg] = Media::Up,
            Event::Disconnected { .. } if matches!(self.media[leg], Media::Up) => self.media[leg] = Media::Lost(at),
            Event::Started { incoming, outline, .. } => {
                self.typing[leg] = outline.content_type().is_some_and(is_typing).then_some(*incoming);
            }
            Event::Piece { incoming, at: 1, data, .. } if carries_typing(data) => self.typing[leg] = Some(*incoming),
            // That somebody writes is no content: it alone would hold a session up for ever.
            Event::Piece { incoming, .. } if self.typing[leg] == Some(*incoming) => {}
            Event::Piece { .. } => self.last_content = at,
            Event::Disconnected { .. }
            | Event::Complete { .. }
            | Event::Incomplete { .. }
            | Event::WantsMore { .. }
            | Event::Sent { .. }
            | Event::Failed { .. }
            | Event::Report { .. }
            | Event::Drained { .. } => {}
        }
    }

    /// When it must be looked at next, and what it is ended for if nothing has happened by then.
    fn due(&self) -> Option<(Instant, Release)> {
        let idle = self.idle.map(|idle| (self.last_content + idle, Release::Inactive));
        let media = self.grace.into_iter().flat_map(|grace| {
            self.media.iter().filter_map(move |media| match media {
                Media::Expected => Some(self.connect_by),
                Media::Up => None,
                Media::Lost(at) => Some(*at + grace),
            })
        });
        media.map(|at| (at, Release::MediaLost)).chain(idle).min_by_key(|(at, _)| *at)
    }
}

fn is_typing(content_type: &str) -> bool {
    content_type.get(..TYPING.len()).is_some_and(|start| start.eq_ignore_ascii_case(TYPING))
}

/// RFC 3994 §6.
const TYPING: &str = "application/im-iscomposing+xml";

/// Whether the start of a message is CPIM around an isComposing notification.
fn carries_typing(start: &[u8]) -> bool {
    may_carry_typing(start) && cpim::Envelope::parse_start(start).is_ok_and(|envelope| envelope.content().is(TYPING))
}

/// Whether it is worth reading an envelope for. A notification is short, and its type ends like this wherever it stands: most
/// messages need not be read.
fn may_carry_typing(start: &[u8]) -> bool {
    let ends_type = |at: usize| start[at..].get(..SUFFIX.len()).is_some_and(|end| end.eq_ignore_ascii_case(SUFFIX));
    start.len() > SHORT || memchr::memchr_iter(SUFFIX[0], start).any(ends_type)
}

/// The end of [`TYPING`].
const SUFFIX: &[u8] = b"+xml";
/// Octets of the longest piece that is searched before its envelope is read.
const SHORT: usize = 4096;

impl Participating {
    /// A session on the media path is up, by the caller's ACK: from here on it is watched.
    pub(crate) fn start_watching(&mut self, session: SessionKey, now: Now) {
        let Some((key, bridge, _)) = self.bridges.find(session) else { return };
        let idle = self.control.profile(bridge.served()).idle_session;
        bridge.watch.start(idle, self.config.media_grace, now);
        tracing::info!(conversation_id = %bridge.facts.conversation_id, "session on the media path is up");
        self.arm_watch(key);
    }

    /// Something happened to the media of a leg.
    pub(crate) fn watch_media(&mut self, key: Key, event: &Event, now: Now) {
        let Some(bridge) = self.bridges.get_mut(key) else { return };
        let sides = bridge.relay.as_ref().map(msrp::Bridge::sides);
        let leg = Leg::BOTH.into_iter().find(|leg| sides.is_some_and(|s| s[*leg as usize] == event.session()));
        let Some(leg) = leg else { return };
        bridge.watch.note(leg, event, now);
        if matches!(event, Event::Disconnected { .. }) && bridge.is_up() {
            self.arm_watch(key);
        }
    }

    fn arm_watch(&mut self, key: Key) {
        let Some(watch) = self.bridges.get_mut(key).map(|bridge| &mut bridge.watch) else { return };
        if let Some((at, _)) = watch.due()
            && watch.armed.is_none_or(|armed| at < armed)
        {
            watch.armed = Some(at);
            self.bridges.watches.arm(key, at);
        }
    }

    /// Looks at the sessions whose time has come.
    pub(crate) fn expire_watches(&mut self, now: Now) {
        while let Some((due, key)) = self.bridges.watches.pop_due(now.at) {
            let Some(bridge) = self.bridges.get_mut(key) else { continue };
            if bridge.watch.armed == Some(due) {
                bridge.watch.armed = None;
            }
            match bridge.watch.due().filter(|_| bridge.is_up()) {
                Some((at, why)) if at <= now.at => self.release(key, why, now),
                Some(_) => self.arm_watch(key),
                None => {}
            }
        }
    }

    /// Gives a user a profile. Sessions whose service it does not allow any more are ended where this function is on their
    /// media path; those that pass it go on (C.2.3.1: a proxy has no dialog to close).
    pub fn set_profile(&mut self, aor: &str, profile: Profile, now: Now) {
        self.control.set_profile(aor, profile);
        self.end_what_is_not_authorised(self.bridges.of_user(aor), now);
    }

    /// Gives all users other profiles, as [`Participating::set_profile`] does to one; those without one of their own have
    /// `default_profile`.
    pub fn set_profiles(&mut self, default_profile: Profile, profiles: BTreeMap<String, Profile>, now: Now) {
        self.control.set_profiles(default_profile, profiles);
        self.end_what_is_not_authorised(self.bridges.live_keys(), now);
    }

    fn end_what_is_not_authorised(&mut self, keys: Vec<Key>, now: Now) {
        for key in keys {
            let Some(bridge) = self.bridges.get_mut(key) else { continue };
            if self.control.authorise(bridge.served(), bridge.service).is_err() {
                self.release(key, Release::NotAuthorised, now);
            }
        }
        self.work(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_is_told_from_content_by_the_type_inside() {
        let cpim = |inner: &str| {
            format!(
                "From: <sip:a@b>\r\nTo: <sip:c@d>\r\n\r\nContent-Type: {inner}\r\n\r\napplication/im-iscomposing+xml"
            )
        };
        assert!(carries_typing(cpim("application/im-isComposing+xml").as_bytes()));
        assert!(carries_typing(cpim("application/im-iscomposing+xml; charset=utf-8").as_bytes()));
        assert!(!carries_typing(cpim("text/plain").as_bytes()));
        assert!(!carries_typing(b"junk") && !carries_typing(b"+xm") && !carries_typing(b"1 + 1 +xml"));
        let long = cpim("application/im-iscomposing+xml") + &"x".repeat(2 * SHORT);
        assert!(carries_typing(long.as_bytes()));
    }
}
