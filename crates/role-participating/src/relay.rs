//! Sessions off the media path: the participating function is a record-routing proxy, and service control watches.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use cpm::{Closing, MediaPath, ServedUser, SessionCase, SessionRecord, Traffic};
use sip::{Method, Name, Request, Response};
use wire::{Instant, Now, Timestamp};

use crate::lapses::Lapses;
use crate::release::{SessionId, SessionView};
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
}

#[derive(Debug)]
struct Relay {
    served: ServedUser,
    peer: String,
    conversation_id: String,
    contribution_id: String,
    /// The tag of the INVITE's From: tells whose BYE a BYE is.
    caller_tag: Bytes,
    started: Option<Timestamp>,
    /// Tags of the callee's dialogs: more than one when the INVITE was forked.
    dialogs: Vec<Bytes>,
    /// Early dialogs that the caller has left by BYE, with whether the served user did.
    left_early: Vec<(Bytes, Closing)>,
    last_heard: Instant,
}

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
        }
    }

    pub(crate) fn has(&self, token: Token) -> bool {
        self.sessions.contains_key(&token)
    }

    /// The sessions as an operator sees them.
    pub(crate) fn views(&self, id: impl Fn(Token) -> SessionId) -> impl Iterator<Item = SessionView> {
        self.sessions.iter().map(move |(token, relay)| SessionView {
            id: id(*token),
            served_user: relay.served.aor.clone(),
            case: relay.served.case,
            peer: relay.peer.clone(),
            conversation_id: relay.conversation_id.clone(),
            contribution_id: relay.contribution_id.clone(),
            media_path: MediaPath::Off,
            started: relay.started,
        })
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
        let text = |name| String::from_utf8_lossy(invite.header(name).unwrap_or_default()).into_owned();
        let peer = match served.case {
            SessionCase::Originating => invite.to(),
            SessionCase::Terminating => invite.from(),
        };
        let relay = Relay {
            peer: cpm::aor(&peer.uri()),
            served,
            conversation_id: text(Name::ConversationId),
            contribution_id: text(Name::ContributionId),
            caller_tag: Bytes::copy_from_slice(invite.from_tag()),
            started: None,
            dialogs: Vec::new(),
            left_early: Vec::new(),
            last_heard: now.at,
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
                let relay = self.sessions.get_mut(&watched.token)?;
                relay.started.get_or_insert(now.utc);
                let tags = response.map(|r| if r.from_tag() == relay.caller_tag { r.to_tag() } else { r.from_tag() });
                let tag = Bytes::copy_from_slice(tags.unwrap_or_default());
                // The 2xx crossed the BYE of its early dialog: over before it began.
                if let Some((_, closing)) = relay.left_early.iter().find(|(left, _)| *left == tag) {
                    let closing = *closing;
                    return if relay.dialogs.is_empty() { self.end(watched.token, closing, now) } else { None };
                }
                if !relay.dialogs.contains(&tag) {
                    relay.dialogs.push(tag);
                }
                None
            }
            (Method::Bye, 200..) => self.dialog_ended(&watched, now),
            _ => None,
        }
    }

    /// Nothing more comes for a watched request.
    pub(crate) fn on_done(&mut self, request: u64, now: Now) -> Option<Ended> {
        let watched = self.requests.remove(&request)?;
        // A BYE that nobody answered ends its dialog as well (RFC 3261 §15.1.1).
        if watched.method == Method::Bye {
            return self.dialog_ended(&watched, now);
        }
        let was_refused = self.sessions.get(&watched.token).is_some_and(|relay| relay.started.is_none());
        if watched.method == Method::Invite && was_refused {
            let relay = self.forget(watched.token)?;
            return Some(Ended { aor: relay.served.aor, record: None });
        }
        None
    }

    /// The last dialog of a session ends the session. While the INVITE is not answered there may be more to come: then it
    /// ends with the INVITE.
    fn dialog_ended(&mut self, watched: &Watched, now: Now) -> Option<Ended> {
        let (callee_tag, by_caller) = watched.bye.as_ref()?;
        let relay = self.sessions.get_mut(&watched.token)?;
        let by_served = *by_caller == (relay.served.case == SessionCase::Originating);
        let closing = if by_served { Closing::ServedUser } else { Closing::Peer };
        if relay.started.is_none() {
            if relay.left_early.len() < MAX_LEFT {
                relay.left_early.push((callee_tag.clone(), closing));
            }
            return None;
        }
        relay.dialogs.retain(|tag| tag != callee_tag);
        if relay.dialogs.is_empty() { self.end(watched.token, closing, now) } else { None }
    }

    /// Sessions that nobody has been heard of for too long: both ends have died, or closed past us.
    pub(crate) fn expire(&mut self, now: Now) -> Vec<Ended> {
        let mut ended = Vec::new();
        while let Some((_, token)) = self.silence.pop_due(now.at) {
            let Some(relay) = self.sessions.get(&token) else { continue };
            let due = relay.last_heard + self.silent_session;
            if due > now.at {
                self.silence.arm(token, due);
            } else {
                ended.extend(self.end(token, Closing::Expired, now));
            }
        }
        ended
    }

    fn end(&mut self, token: Token, closing: Closing, now: Now) -> Option<Ended> {
        let relay = self.forget(token)?;
        let record = relay.started.map(|started| SessionRecord {
            served_user: relay.served.aor.clone(),
            case: relay.served.case,
            peer: relay.peer,
            conversation_id: relay.conversation_id,
            contribution_id: relay.contribution_id,
            media_path: MediaPath::Off,
            started,
            ended: now.utc,
            closing,
            sent: Traffic::default(),
            received: Traffic::default(),
        });
        Some(Ended { aor: relay.served.aor, record })
    }

    /// Takes a session out.
    fn forget(&mut self, token: Token) -> Option<Relay> {
        let relay = self.sessions.remove(&token)?;
        let entries = self.sessions.iter().map(|(token, relay)| (*token, relay.last_heard + self.silent_session));
        self.silence.sweep(self.sessions.len(), entries);
        Some(relay)
    }
}

#[cfg(test)]
mod tests;
