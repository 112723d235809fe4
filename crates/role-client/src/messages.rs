//! The messages of all sessions of a client: CPIM inside MSRP.

mod close;
mod receive;
mod send;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use cpim::{Awaited, Composer, DateTime, DuplicateFilter, TypingIndicator};
use msrp::{Confirm, Endpoint, IncomingId, Listeners, Options, OutgoingId, SessionOptions};
use sdp::{Connector, Host, MsrpMedia, MsrpUri, Protocol, SessionDescription};
use sip_ua::SessionKey;
use wire::{ConnId, Entropy, Input, Instant, Now, Output};

pub(crate) use close::Leaving;

use crate::{Event, SessionId};

/// MSRP numbers its connections apart from SIP.
const LANE: u8 = 1;
/// Messages of one session that wait for their answer; a further one is not taken.
const QUEUE: usize = 1024;
/// Messages remembered, to know duplicates and what receipts are about.
const HISTORY: usize = 4096;
/// Messages coming in at a time in one session: with the largest size it bounds what a peer makes us keep.
const INCOMING: usize = 16;
/// Messages of ours under way at a time in one session: MSRP interleaves them, and a receiver keeps the beginning of each.
const PARALLEL: usize = 4;
/// How long outstanding answers are waited for before our BYE.
const BEFORE_BYE: Duration = Duration::from_secs(1);
/// How long what is under way is waited for after the peer's BYE.
const AFTER_BYE: Duration = Duration::from_secs(2);

/// All messages of a client, and the MSRP endpoint that carries them.
#[derive(Debug)]
pub(crate) struct Messages {
    endpoint: Endpoint,
    entropy: Entropy,
    listeners: Listeners,
    max_message: usize,
    opened: u64,
    lines: BTreeMap<SessionKey, Line>,
    by_msrp: BTreeMap<msrp::SessionId, SessionKey>,
    /// Received, over all sessions: what is sent again comes in a later one.
    seen: DuplicateFilter,
    /// Sent, receipts outstanding.
    awaited: Awaited,
    /// Received, with a display receipt asked for.
    unread: VecDeque<Unread>,
    events: VecDeque<Event>,
}

/// The messages of one session.
#[derive(Debug)]
struct Line {
    msrp: msrp::SessionId,
    /// Whom the session is with, as SIP says.
    peer: String,
    is_agreed: bool,
    /// Where to connect, if that is up to us.
    connect_to: Option<SocketAddr>,
    /// Which listener of ours it is about.
    listener: SocketAddr,
    /// Taken before the peer's path is known.
    waiting: VecDeque<send::Parcel>,
    /// On their way: the identifier of a message, nothing for a receipt.
    outgoing: BTreeMap<OutgoingId, Option<String>>,
    incoming: BTreeMap<IncomingId, Gathering>,
    leaving: Leaving,
    composer: Composer,
    typing: TypingIndicator,
}

/// A message that is coming in.
#[derive(Debug)]
struct Gathering {
    id: msrp::MessageId,
    media_type: String,
    wants_report: bool,
    body: BytesMut,
}

#[derive(Debug)]
struct Unread {
    session: SessionKey,
    message_id: String,
    date_time: Option<DateTime>,
}

impl Messages {
    pub(crate) fn new(listeners: Listeners, max_message: usize, mut entropy: Entropy) -> Messages {
        let options = Options { messages: INCOMING, ..Options::default() };
        Messages {
            endpoint: Endpoint::new(options, entropy.fork()),
            entropy,
            listeners,
            max_message,
            opened: 0,
            lines: BTreeMap::new(),
            by_msrp: BTreeMap::new(),
            seen: DuplicateFilter::new(HISTORY),
            awaited: Awaited::new(HISTORY),
            unread: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// A session begins: its peer may connect as soon as it has our description.
    pub(crate) fn open(&mut self, key: SessionKey, local: MsrpUri, peer: &str) {
        let listener = self.listeners.over(Protocol::over(local.is_tls())).unwrap_or(self.listeners.offered()).addr;
        let options = SessionOptions {
            accept: sdp::MediaTypes::parse(crate::invite::ACCEPT_TYPES),
            max_size: self.max_message as u64,
            confirm: Confirm::ByCaller,
            ..SessionOptions::new(local, Vec::new())
        };
        let Some(msrp) = self.endpoint.open(options) else { return };
        self.by_msrp.insert(msrp, key);
        self.lines.insert(
            key,
            Line {
                msrp,
                peer: peer.to_owned(),
                is_agreed: false,
                connect_to: None,
                listener,
                waiting: VecDeque::new(),
                outgoing: BTreeMap::new(),
                incoming: BTreeMap::new(),
                leaving: Leaving::No,
                composer: Composer::default(),
                typing: TypingIndicator::new(),
            },
        );
    }

    /// Offer and answer are exchanged: the session has its path, and one side connects (RFC 4975 §5.4, RFC 6135).
    pub(crate) fn agree(&mut self, key: SessionKey, ours: &[u8], theirs: &[u8], we_offered: bool, now: Now) {
        let Some(line) = self.lines.get_mut(&key).filter(|line| !line.is_agreed) else { return };
        let (Some(ours), Some(theirs)) = (media(ours), media(theirs)) else { return };
        if theirs.path.is_empty() {
            return;
        }
        line.is_agreed = true;
        line.connect_to = target(&ours, &theirs, we_offered);
        let msrp = line.msrp;
        self.endpoint.set_peer(msrp, &theirs, now);
        self.send_waiting(key, now);
        self.connect(key, now);
    }

    /// Opens the connection, if that is up to us and there is none.
    fn connect(&mut self, key: SessionKey, now: Now) {
        let Some(line) = self.lines.get(&key).filter(|line| self.endpoint.connection(line.msrp).is_none()) else {
            return;
        };
        if let Some(remote) = line.connect_to {
            let conn = ConnId::opened_in(LANE, self.opened);
            self.opened += 1;
            self.endpoint.connect(line.msrp, conn, line.listener, remote, now);
        }
    }

    /// Whether an input is for MSRP.
    pub(crate) fn takes(&self, input: &Input) -> bool {
        self.listeners.iter().any(|listener| self.endpoint.takes(input, listener.addr))
    }

    pub(crate) fn handle_input(&mut self, input: Input, now: Now) {
        self.endpoint.handle_input(input, now);
        self.work(now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Now) {
        self.endpoint.handle_timeout(now);
        for key in self.lines.keys().copied().collect::<Vec<_>>() {
            self.on_typing_due(key, now);
        }
        self.work(now);
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.endpoint.poll_output()
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let of_line = |line: &Line| {
            let times = [line.leaving.deadline(), line.composer.poll_timeout(), line.typing.poll_timeout()];
            times.into_iter().flatten().min()
        };
        self.lines.values().filter_map(of_line).chain(self.endpoint.poll_timeout()).min()
    }

    /// MSRP sessions and connections.
    pub(crate) fn len(&self) -> (usize, usize) {
        self.endpoint.len()
    }

    fn work(&mut self, now: Now) {
        while let Some(event) = self.endpoint.poll_event() {
            let Some(key) = self.by_msrp.get(&event.session()).copied() else { continue };
            match event {
                msrp::Event::Bound { .. } => self.events.push_back(Event::MediaUp { session: SessionId(key) }),
                msrp::Event::Disconnected { .. } => self.on_disconnected(key),
                msrp::Event::Started { incoming, outline, .. } => self.on_started(key, incoming, *outline),
                msrp::Event::Piece { incoming, data, .. } => self.on_piece(key, incoming, &data, now),
                msrp::Event::Complete { incoming, .. } => self.on_complete(key, incoming, now),
                msrp::Event::Incomplete { incoming, .. } => self.on_incomplete(key, incoming),
                msrp::Event::Sent { outgoing, .. } => self.on_sent(key, outgoing, now),
                msrp::Event::Failed { outgoing, why, .. } => self.on_failed(key, outgoing, why, now),
                // Messages are given as a whole; a report of a hop says nothing to the user; drains are our own.
                msrp::Event::WantsMore { .. } | msrp::Event::Report { .. } | msrp::Event::Drained { .. } => {}
            }
        }
    }
}

fn media(description: &[u8]) -> Option<MsrpMedia> {
    let description = SessionDescription::parse(description).ok()?;
    description.msrp_media().iter().find(|media| media.port != 0).cloned()
}

/// Where we connect to; `None` when the peer connects, or when the place is a name, which a client does not look up.
fn target(ours: &MsrpMedia, theirs: &MsrpMedia, we_offered: bool) -> Option<SocketAddr> {
    let (offer, answer) = if we_offered { (ours, theirs) } else { (theirs, ours) };
    let is_us = match sdp::connector(offer.setup, answer.setup)? {
        Connector::Offerer => we_offered,
        Connector::Answerer => !we_offered,
    };
    let place = sdp::connect_to(theirs, ours.cema && theirs.cema).filter(|_| is_us)?;
    match place.host {
        Host::Ip(ip) => Some(SocketAddr::new(ip, place.port)),
        Host::Name(_) => None,
    }
}
