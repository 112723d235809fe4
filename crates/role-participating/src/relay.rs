//! Sessions off the media path: the participating function is a record-routing proxy, and service control watches.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use cpm::{Closing, MediaPath, ServedUser, SessionCase, SessionRecord};
use sip::header::SessionExpires;
use sip::{Method, Name, Request, Response};
use wire::{Instant, Now};

use crate::facts::{End, Facts};
use crate::lapses::Lapses;
use crate::row::{About, Row};
use crate::token::Token;

/// The sessions that pass, by the token in our Record-Route.
#[derive(Debug)]
pub(crate) struct Relays {
    sessions: BTreeMap<Token, Relay>,
    /// Requests under way, by the number that the proxy gives back.
    requests: BTreeMap<u64, Watched>,
    next_request: u64,
    silence: Lapses<Token>,
    silent_session: Duration,
    /// Has another dialog than it had.
    changed: Option<Token>,
}

#[derive(Debug)]
struct Relay {
    facts: Facts,
    /// Empty in a session of an earlier life, until something of it passes.
    call_id: Bytes,
    /// The tag of the INVITE's From: tells whose BYE a BYE is.
    caller_tag: Bytes,
    /// Tags of the callee's dialogs: more than one when the INVITE was forked.
    dialogs: Vec<Bytes>,
    /// Early dialogs that the caller has left by BYE, with whether the served user did.
    left_early: Vec<(Bytes, Closing)>,
    last_heard: Instant,
    /// How long it may be silent: what its ends have agreed on, and time for the BYE that is due then (RFC 4028 §8.4).
    lifetime: Duration,
    /// When it is looked at next.
    due: Instant,
    /// A BYE, and how it was answered, after which its sender may say it again.
    refused: Option<(Watched, u16)>,
}

/// The last BYE of a session whose timer runs out may take so long (RFC 3261 §17.1.2.2, Timer F).
const LAST_BYE: Duration = Duration::from_secs(32);

/// Early dialogs of one INVITE that are remembered as left.
const MAX_LEFT: usize = 32;

/// What a request that is being forwarded means for its session.
#[derive(Clone, Debug)]
struct Watched {
    token: Token,
    method: Method,
    /// For a BYE: the callee's tag, and whether the caller sent it.
    bye: Option<(Bytes, bool)>,
}

/// A session that has ended: for service control.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) aor: String,
    /// `None` when it had never been set up.
    pub(crate) record: Option<SessionRecord>,
}

impl Relays {
    pub(crate) fn new(silent_session: Duration) -> Relays {
        Relays {
            sessions: BTreeMap::new(),
            requests: BTreeMap::new(),
            next_request: 0,
            silence: Lapses::new(),
            silent_session,
            changed: None,
        }
    }

    /// A session of an earlier life goes on.
    pub(crate) fn resume(&mut self, facts: Facts, caller_tag: String, dialogs: Vec<String>, now: Now) {
        let token = Token { case: facts.served.case, id: facts.key };
        let relay = Relay {
            facts,
            call_id: Bytes::new(),
            caller_tag: caller_tag.into(),
            dialogs: dialogs.into_iter().map(Bytes::from).collect(),
            left_early: Vec::new(),
            last_heard: now.at,
            lifetime: self.silent_session,
            due: now.at + self.silent_session,
            refused: None,
        };
        self.sessions.insert(token, relay);
        self.silence.arm(token, now.at + self.silent_session);
    }

    /// The key and row of a session that was set up just now.
    pub(crate) fn take_changed(&mut self) -> Option<(u64, Row)> {
        let relay = self.sessions.get(&self.changed.take()?)?;
        let text = |tag: &Bytes| String::from_utf8_lossy(tag).into_owned();
        let row = Row::Relay {
            session: About::of(&relay.facts, relay.facts.started?),
            caller_tag: text(&relay.caller_tag),
            dialogs: relay.dialogs.iter().map(text).collect(),
        };
        Some((relay.facts.key, row))
    }

    pub(crate) fn has(&self, token: Token) -> bool {
        self.sessions.contains_key(&token)
    }

    /// All sessions.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Token, &Facts)> {
        self.sessions.iter().map(|(token, relay)| (*token, &relay.facts))
    }

    /// One of them.
    pub(crate) fn facts(&self, token: Token) -> Option<&Facts> {
        self.sessions.get(&token).map(|relay| &relay.facts)
    }

    /// Its Call-ID, as far as that is known.
    pub(crate) fn call_id(&self, token: Token) -> Option<&Bytes> {
        self.sessions.get(&token).map(|relay| &relay.call_id).filter(|call_id| !call_id.is_empty())
    }

    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Requests that are being watched.
    pub(crate) fn requests(&self) -> usize {
        self.requests.len()
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.silence.next()
    }

    /// An INVITE opens a session: returns the number to forward it under.
    pub(crate) fn open(&mut self, token: Token, served: ServedUser, invite: &Request, now: Now) -> u64 {
        let relay = Relay {
            facts: Facts::new(token.id, served, invite),
            call_id: Bytes::copy_from_slice(invite.call_id()),
            caller_tag: Bytes::copy_from_slice(invite.from_tag()),
            dialogs: Vec::new(),
            left_early: Vec::new(),
            last_heard: now.at,
            lifetime: self.silent_session,
            due: now.at + self.silent_session,
            refused: None,
        };
        self.sessions.insert(token, relay);
        self.silence.arm(token, now.at + self.silent_session);
        self.watch(Watched { token, method: Method::Invite, bye: None })
    }

    /// A request of a session passes: returns the number to forward it under. A session that we do not know (we have
    /// restarted) passes all the same: service control never stands in the way of a BYE.
    pub(crate) fn pass(&mut self, token: Token, request: &Request, now: Now) -> u64 {
        let relay = self.sessions.get_mut(&token);
        let by_caller = relay.as_ref().is_some_and(|r| r.caller_tag == request.from_tag());
        if let Some(relay) = relay {
            relay.last_heard = now.at;
            if relay.call_id.is_empty() {
                relay.call_id = Bytes::copy_from_slice(request.call_id());
            }
        }
        let callee_tag = if by_caller { request.to_tag() } else { request.from_tag() };
        let bye = (request.method() == Method::Bye).then(|| (Bytes::copy_from_slice(callee_tag), by_caller));
        self.watch(Watched { token, method: request.method(), bye })
    }

    fn watch(&mut self, watched: Watched) -> u64 {
        self.next_request += 1;
        self.requests.insert(self.next_request, watched);
        self.next_request
    }

    /// A final or provisional response to a watched request went upstream.
    pub(crate) fn on_response(
        &mut self,
        request: u64,
        response: Option<&Response>,
        status: u16,
        now: Now,
    ) -> Option<Ended> {
        let watched = self.requests.get(&request)?.clone();
        match (watched.method, status) {
            // A re-INVITE finds its dialog known already.
            (Method::Invite, 200..300) => {
                self.refreshed(watched.token, response, now);
                let relay = self.sessions.get_mut(&watched.token)?;
                relay.facts.started.get_or_insert(now.utc);
                let tags = response.map(|r| if r.from_tag() == relay.caller_tag { r.to_tag() } else { r.from_tag() });
                let tag = Bytes::copy_from_slice(tags.unwrap_or_default());
                // The 2xx crossed the BYE of its early dialog: over before it began.
                if let Some((_, closing)) = relay.left_early.iter().find(|(left, _)| *left == tag) {
                    let closing = *closing;
                    return if relay.dialogs.is_empty() { self.end(watched.token, closing, None, now) } else { None };
                }
                if !relay.dialogs.contains(&tag) {
                    relay.dialogs.push(tag);
                    self.changed = Some(watched.token);
                }
                None
            }
            (Method::Update, 200..300) => {
                self.refreshed(watched.token, response, now);
                None
            }
            (Method::Bye, 401 | 407 | 491 | 500 | 503) => {
                // With the end of the request nothing ends yet.
                self.requests.get_mut(&request)?.bye = None;
                self.bye_refused(watched, status, now);
                None
            }
            (Method::Bye, 200..) => self.dialog_ended(&watched, status, now),
            _ => None,
        }
    }

    /// Nothing more comes for a watched request.
    pub(crate) fn on_done(&mut self, request: u64, now: Now) -> Option<Ended> {
        let watched = self.requests.remove(&request)?;
        // A BYE that nobody answered ends its dialog as well (RFC 3261 §15.1.1).
        if watched.method == Method::Bye {
            return self.dialog_ended(&watched, 408, now);
        }
        let was_refused = self.sessions.get(&watched.token).is_some_and(|relay| relay.facts.started.is_none());
        if watched.method == Method::Invite && was_refused {
            let relay = self.forget(watched.token)?;
            return Some(Ended { aor: relay.facts.served.aor, record: None });
        }
        None
    }

    /// The peer may not have understood: who closes says so once more, with credentials, later, or counting further. The
    /// last answer is the one that counts, and without another BYE this one is.
    fn bye_refused(&mut self, bye: Watched, status: u16, now: Now) {
        let Some(relay) = self.sessions.get_mut(&bye.token) else { return };
        relay.due = now.at + LAST_BYE;
        self.silence.arm(bye.token, relay.due);
        relay.refused = Some((bye, status));
    }

    /// The last dialog of a session ends the session. While the INVITE is not answered there may be more to come: then it
    /// ends with the INVITE.
    fn dialog_ended(&mut self, watched: &Watched, status: u16, now: Now) -> Option<Ended> {
        let (callee_tag, by_caller) = watched.bye.as_ref()?;
        let relay = self.sessions.get_mut(&watched.token)?;
        let by_served = *by_caller == (relay.facts.served.case == SessionCase::Originating);
        let closing = if by_served { Closing::ServedUser } else { Closing::Peer };
        if relay.facts.started.is_none() {
            if relay.left_early.len() < MAX_LEFT {
                relay.left_early.push((callee_tag.clone(), closing));
            }
            return None;
        }
        relay.dialogs.retain(|tag| tag != callee_tag);
        self.changed = Some(watched.token);
        let is_last = relay.dialogs.is_empty();
        if is_last { self.end(watched.token, closing, Some(status), now) } else { None }
    }

    /// The ends have agreed anew on how long their session lives.
    fn refreshed(&mut self, token: Token, response: Option<&Response>, now: Now) {
        let Some(relay) = self.sessions.get_mut(&token) else { return };
        let agreed = response.and_then(|r| r.header(Name::SessionExpires)).and_then(|v| SessionExpires::parse(v).ok());
        let interval = agreed.map(|agreed| Duration::from_secs(agreed.interval.into()) + LAST_BYE);
        relay.lifetime = interval.map_or(self.silent_session, |interval| interval.min(self.silent_session));
        relay.last_heard = now.at;
        // A later time is found when the one that is armed comes.
        let due = relay.last_heard + relay.lifetime;
        if due < relay.due {
            relay.due = due;
            self.silence.arm(token, due);
        }
    }

    /// Sessions that nobody has been heard of for too long: both ends have died, or closed past us.
    pub(crate) fn expire(&mut self, now: Now) -> Vec<Ended> {
        let mut ended = Vec::new();
        while let Some((at, token)) = self.silence.pop_due(now.at) {
            let Some(relay) = self.sessions.get_mut(&token).filter(|relay| relay.due == at) else { continue };
            if let Some((bye, status)) = relay.refused.take() {
                ended.extend(self.dialog_ended(&bye, status, now));
            }
            let Some(relay) = self.sessions.get_mut(&token) else { continue };
            let due = relay.last_heard + relay.lifetime;
            if due > now.at {
                relay.due = due;
                self.silence.arm(token, due);
            } else {
                ended.extend(self.end(token, Closing::Expired, None, now));
            }
        }
        ended
    }

    fn end(&mut self, token: Token, closing: Closing, bye: Option<u16>, now: Now) -> Option<Ended> {
        let relay = self.forget(token)?;
        let end = End { bye, ..closing.into() };
        let record = relay.facts.record(MediaPath::Off, end, now);
        Some(Ended { aor: relay.facts.served.aor, record })
    }

    /// Takes a session out.
    fn forget(&mut self, token: Token) -> Option<Relay> {
        let relay = self.sessions.remove(&token)?;
        let entries = self.sessions.iter().map(|(token, relay)| (*token, relay.due));
        self.silence.sweep(self.sessions.len(), entries);
        Some(relay)
    }
}

#[cfg(test)]
mod tests;
