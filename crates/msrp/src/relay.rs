use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sdp::{MSRP_PORT, MsrpUri};
use wire::{ConnId, Instant, Now};

use crate::endpoint::Heard;
use crate::head::{Head, Name, Start};
use crate::{Endpoint, Status};

/// How long a connection to the relay may take to come up.
const ATTEMPT: Duration = Duration::from_secs(10);
/// How long is waited before a relay that was lost is asked again: at first, and at most, doubled in between.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];
/// How long a path is good for when the relay does not say (RFC 4976 §5.1 says that it does).
const EXPIRES: u32 = 600;
/// What a client is told of its relay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RelayEvent {
    /// A connection is wanted: [`Relay::dial`].
    Dial,
    /// The relay wants credentials: [`Relay::authorize`], or [`Relay::refuse`] when there are none.
    Challenged {
        /// The values of `WWW-Authenticate`.
        challenges: Vec<Bytes>,
    },
    /// There is a path through the relay, perhaps another one than before; see [`Relay::path`].
    Granted,
    /// The relay does not want us. It is not asked again.
    Refused {
        /// The status that it gave.
        status: Status,
    },
    /// The relay could not be reached, did not answer, or ended the connection. It will be asked again.
    Lost,
}

/// The relay of a client (RFC 4976): a connection to it, AUTH on it, and the path that it grants and renews.
///
/// All sessions of the client use the one connection and the one path. They put the path before their own URI in their
/// descriptions, and send through it ([`SessionOptions::relays`](crate::SessionOptions::relays)); messages to them arrive on
/// the connection. Credentials are the client's: what is in a challenge is handed out, what answers it comes in.
#[derive(Debug)]
pub struct Relay {
    uri: MsrpUri,
    place: SocketAddr,
    /// Who asks, the From-Path of AUTH.
    us: MsrpUri,
    conn: Option<ConnId>,
    state: State,
    /// What the relay granted, the outermost first.
    path: Vec<MsrpUri>,
    due: Option<Instant>,
    pause: Duration,
    events: VecDeque<RelayEvent>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// There is no connection.
    Away,
    /// It is being opened.
    Opening,
    /// AUTH waits for its answer; `challenged` says that it has credentials.
    Asking { challenged: bool },
    /// The relay waits for credentials.
    Challenged,
    /// There is a path.
    Granted,
    /// The relay does not want us.
    Refused,
}

impl Relay {
    /// A relay by its URI. `us` is a URI of the client with a session-id of its own. `None` when the relay is named by its
    /// domain, which nobody here looks up.
    pub fn new(uri: MsrpUri, us: MsrpUri) -> Option<Relay> {
        let place = SocketAddr::new(uri.host_ip()?, uri.port().unwrap_or(MSRP_PORT));
        Some(Relay {
            uri,
            place,
            us,
            conn: None,
            state: State::Away,
            path: Vec::new(),
            due: None,
            pause: PAUSES[0],
            events: VecDeque::new(),
        })
    }

    /// Its URI, which is also the one that credentials are made for.
    pub const fn uri(&self) -> &MsrpUri {
        &self.uri
    }

    /// The path that the relay granted, the outermost first as it stands in a description; empty while there is none.
    pub fn path(&self) -> &[MsrpUri] {
        &self.path
    }

    /// The connection to it, when there is a path.
    pub fn connection(&self) -> Option<ConnId> {
        self.conn.filter(|_| !self.path.is_empty())
    }

    /// Wants a path, unless that has begun.
    pub fn start(&mut self) {
        if self.state == State::Away && self.due.is_none() {
            self.state = State::Opening;
            self.events.push_back(RelayEvent::Dial);
        }
    }

    /// Opens the connection that was wanted, under a name that the node has drawn, from a listener of its own.
    pub fn dial(&mut self, conn: ConnId, local: SocketAddr, endpoint: &mut Endpoint, now: Now) {
        self.conn = Some(conn);
        self.due = Some(now.at + ATTEMPT);
        endpoint.dial(conn, self.uri.is_tls(), local, self.place);
    }

    /// Answers a challenge: the value of `Authorization`.
    pub fn authorize(&mut self, authorization: &str, endpoint: &mut Endpoint, now: Now) {
        if self.state == State::Challenged {
            self.ask(Some(authorization), endpoint, now);
        }
    }

    /// A challenge cannot be answered: that is a refusal.
    pub fn refuse(&mut self, endpoint: &mut Endpoint, now: Now) {
        if self.state == State::Challenged {
            self.on_refused(Status::UNAUTHORIZED, endpoint, now);
        }
    }

    /// Takes what happened on the connection; to be called after every input and timeout of the endpoint.
    pub fn work(&mut self, endpoint: &mut Endpoint, now: Now) {
        while let Some((conn, heard)) = endpoint.poll_heard() {
            if self.conn != Some(conn) {
                continue;
            }
            match heard {
                Heard::Up => self.ask(None, endpoint, now),
                Heard::Answer(head) => self.on_answer(&head, endpoint, now),
                Heard::Silence | Heard::Gone => self.on_lost(endpoint, now),
            }
        }
    }

    /// The next thing for the client.
    pub fn poll_event(&mut self) -> Option<RelayEvent> {
        self.events.pop_front()
    }

    /// When something is due.
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Does what is due: asks for the path again before it ends, or for the relay after it was lost.
    pub fn handle_timeout(&mut self, endpoint: &mut Endpoint, now: Now) {
        if self.due.take_if(|at| *at <= now.at).is_none() {
            return;
        }
        match self.state {
            State::Away => self.start(),
            State::Opening => self.on_lost(endpoint, now),
            State::Granted => self.ask(None, endpoint, now),
            // The endpoint knows how long an answer may take.
            State::Asking { .. } | State::Challenged | State::Refused => {}
        }
    }

    fn ask(&mut self, authorization: Option<&str>, endpoint: &mut Endpoint, now: Now) {
        let Some(conn) = self.conn else { return };
        (self.state, self.due) = (State::Asking { challenged: authorization.is_some() }, None);
        endpoint.write_auth(conn, &self.uri, &self.us, authorization, now);
    }

    fn on_answer(&mut self, head: &Head, endpoint: &mut Endpoint, now: Now) {
        let (State::Asking { challenged }, Start::Response(status)) = (self.state, head.start()) else { return };
        let path = head.value(Name::UsePath).and_then(|text| MsrpUri::parse_path(text).ok());
        match path {
            Some(path) if status.is_success() => self.on_granted(path, head, now),
            // RFC 4976 §5.1: once; who is challenged again has the wrong password.
            Some(_) | None if status == Status::UNAUTHORIZED && !challenged => {
                let values = head.fields().filter(|(name, _)| Name::from_bytes(name) == Name::WwwAuthenticate);
                let challenges = values.map(|(_, value)| Bytes::copy_from_slice(value)).collect();
                self.state = State::Challenged;
                self.events.push_back(RelayEvent::Challenged { challenges });
            }
            // A grant without a path is none.
            Some(_) | None => self.on_refused(status, endpoint, now),
        }
    }

    fn on_granted(&mut self, path: Vec<MsrpUri>, head: &Head, now: Now) {
        let expires = head.value(Name::Expires).and_then(|text| text.parse().ok()).unwrap_or(EXPIRES).max(5);
        self.path = path;
        self.state = State::Granted;
        self.pause = PAUSES[0];
        // With a fifth of the time in hand.
        self.due = Some(now.at + Duration::from_secs(u64::from(expires)) / 5 * 4);
        self.events.push_back(RelayEvent::Granted);
    }

    fn on_refused(&mut self, status: Status, endpoint: &mut Endpoint, now: Now) {
        self.leave(State::Refused, endpoint, now);
        self.events.push_back(RelayEvent::Refused { status });
    }

    fn on_lost(&mut self, endpoint: &mut Endpoint, now: Now) {
        self.leave(State::Away, endpoint, now);
        self.due = Some(now.at + self.pause);
        self.pause = (self.pause * 2).min(PAUSES[1]);
        self.events.push_back(RelayEvent::Lost);
    }

    fn leave(&mut self, state: State, endpoint: &mut Endpoint, now: Now) {
        (self.state, self.due) = (state, None);
        self.path.clear();
        if let Some(conn) = self.conn.take() {
            endpoint.hang_up(conn, now);
        }
    }
}
