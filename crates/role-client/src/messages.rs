//! The messages of all sessions of a client: CPIM inside MSRP.

mod close;
mod receipts;
mod receive;
mod relay;
mod send;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::BytesMut;
use cpim::{Awaited, Composer, DateTime, DuplicateFilter, TypingIndicator};
use msrp::{Confirm, Endpoint, IncomingId, Link, Listeners, Options, OutgoingId, Relay, Remedy, SessionOptions};
use sdp::{Connector, MsrpMedia, MsrpUri, SessionDescription};
use sip_ua::SessionKey;
use wire::{ConnId, Entropy, Input, Instant, Now, Output};

pub(crate) use close::Leaving;
pub(crate) use receipts::Stray;

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
    awaited: Awaited<SessionKey>,
    /// Received, with a display receipt asked for.
    unread: VecDeque<Unread>,
    /// Receipts that have no session to go in.
    strays: VecDeque<Stray>,
    /// The relay that all sessions go through, if there is one.
    relay: Option<Relay>,
    /// What is to be done by SIP about connections.
    remedies: VecDeque<(SessionKey, Remedy)>,
    events: VecDeque<Event>,
}

/// The messages of one session.
#[derive(Debug)]
struct Line {
    link: Link,
    /// Whom the session is with, as SIP says.
    peer: String,
    /// The conversation that it is part of.
    conversation_id: String,
    /// The relays in our description.
    relays: Vec<MsrpUri>,
    /// The peer's path has been known once.
    was_agreed: bool,
    /// Octets of the largest message that the peer wants.
    max_size: u64,
    /// Messages taken so far.
    taken: u64,
    /// Taken and not given to MSRP, in the order in which they were taken.
    waiting: VecDeque<send::Parcel>,
    /// On their way.
    outgoing: BTreeMap<OutgoingId, send::Parcel>,
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
    peer: String,
    conversation_id: String,
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
            strays: VecDeque::new(),
            relay: None,
            remedies: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// A session begins: its peer may connect as soon as it has our description.
    pub(crate) fn open(&mut self, key: SessionKey, local: MsrpUri, peer: &str, conversation_id: &str) {
        let options = SessionOptions {
            accept: sdp::MediaTypes::parse(crate::invite::ACCEPT_TYPES),
            max_size: self.max_message as u64,
            confirm: Confirm::ByCaller,
            relays: self.way_out(),
            ..SessionOptions::new(local, Vec::new())
        };
        let relays = self.relay_path().to_vec();
        let Some(msrp) = self.endpoint.open(options) else { return };
        self.by_msrp.insert(msrp, key);
        self.lines.insert(
            key,
            Line {
                link: Link::new(msrp),
                peer: peer.to_owned(),
                conversation_id: conversation_id.to_owned(),
                relays,
                was_agreed: false,
                max_size: u64::MAX,
                taken: 0,
                waiting: VecDeque::new(),
                outgoing: BTreeMap::new(),
                incoming: BTreeMap::new(),
                leaving: Leaving::No,
                composer: Composer::default(),
                typing: TypingIndicator::new(),
            },
        );
    }

    /// Offer and answer are exchanged, the first or further ones: the session has its path, and one side connects (RFC 4975
    /// §5.4, RFC 6135).
    pub(crate) fn agree(&mut self, key: SessionKey, ours: &[u8], theirs: &[u8], we: Connector, now: Now) {
        let Some(line) = self.lines.get_mut(&key) else { return };
        let (Some(ours), Some(theirs)) = (media(ours), media(theirs)) else { return };
        line.max_size = theirs.max_size.unwrap_or(u64::MAX);
        line.was_agreed |= !theirs.path.is_empty();
        let remedy = line.link.join(&ours, &theirs, we, &mut self.endpoint, now);
        self.take_up(key, remedy, now);
        self.send_waiting(key, now);
    }

    /// Whether the peer offers another path than the one in use.
    pub(crate) fn has_moved(&self, key: SessionKey, offer: &[u8]) -> bool {
        let Some(line) = self.lines.get(&key) else { return false };
        media(offer).is_some_and(|m| !m.path.is_empty() && m.path != self.endpoint.remote(line.link.session()))
    }

    /// A new path of ours leaves.
    pub(crate) fn renew(&mut self, key: SessionKey, local: MsrpUri, now: Now) {
        self.ask(
            key,
            |link, endpoint| {
                link.renew(local, endpoint, now);
                None
            },
            now,
        );
        self.renew_relays(key);
    }

    /// The same path leaves in a further offer.
    pub(crate) fn reoffered(&mut self, key: SessionKey, now: Now) {
        self.ask(
            key,
            |link, _| {
                link.reoffered();
                None
            },
            now,
        );
    }

    /// A new path cannot be offered at this moment.
    pub(crate) fn postpone(&mut self, key: SessionKey, now: Now) {
        self.ask(
            key,
            |link, _| {
                link.postpone(now);
                None
            },
            now,
        );
    }

    /// The peer has refused an offer of ours.
    pub(crate) fn refused(&mut self, key: SessionKey, now: Now) {
        self.ask(key, |link, endpoint| link.refused(endpoint, now), now);
    }

    /// What is to be done next by SIP about a connection.
    pub(crate) fn next_remedy(&mut self) -> Option<(SessionKey, Remedy)> {
        self.remedies.pop_front()
    }

    /// Asks the link of a session, and does what it says.
    fn ask(&mut self, key: SessionKey, question: impl FnOnce(&mut Link, &mut Endpoint) -> Option<Remedy>, now: Now) {
        let Some(line) = self.lines.get_mut(&key) else { return };
        let remedy = question(&mut line.link, &mut self.endpoint);
        self.take_up(key, remedy, now);
    }

    fn take_up(&mut self, key: SessionKey, remedy: Option<Remedy>, now: Now) {
        let Some(line) = self.lines.get_mut(&key) else { return };
        match remedy {
            Some(Remedy::Connect(_)) if self.relay.is_some() => self.join_relay(key, now),
            Some(Remedy::Connect(place)) => {
                let conn = ConnId::opened_in(LANE, self.opened);
                self.opened += 1;
                let session = line.link.session();
                let local = self.listeners.addr(self.endpoint.protocol(session));
                self.endpoint.connect(session, conn, local, place, now);
            }
            Some(Remedy::GiveUp) => {
                let waiting = std::mem::take(&mut line.waiting);
                waiting.into_iter().for_each(|parcel| self.report_unsent(key, parcel));
            }
            Some(remedy) => self.remedies.push_back((key, remedy)),
            None => {}
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
        if let Some(relay) = &mut self.relay {
            relay.handle_timeout(&mut self.endpoint, now);
        }
        for key in self.lines.keys().copied().collect::<Vec<_>>() {
            self.on_typing_due(key, now);
            if self.lines.get(&key).is_some_and(|line| line.leaving == Leaving::No) {
                self.ask(key, |link, endpoint| link.handle_timeout(endpoint, now), now);
            }
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
            let of_typing = [line.composer.poll_timeout(), line.typing.poll_timeout()];
            let of_link = line.link.poll_timeout().filter(|_| line.leaving == Leaving::No);
            let times = of_typing.into_iter().chain([line.leaving.deadline(), of_link]);
            times.flatten().min()
        };
        self.lines.values().filter_map(of_line).chain(self.endpoint.poll_timeout()).chain(self.relay_timeout()).min()
    }

    /// MSRP sessions and connections.
    pub(crate) fn len(&self) -> (usize, usize) {
        self.endpoint.len()
    }

    fn on_bound(&mut self, key: SessionKey, now: Now) {
        let is_first = self.lines.get(&key).is_some_and(|line| !line.link.has_been_up());
        self.ask(
            key,
            |link, _| {
                link.up();
                None
            },
            now,
        );
        if is_first {
            self.events.push_back(Event::MediaUp { session: SessionId(key) });
        }
    }

    fn work(&mut self, now: Now) {
        if let Some(relay) = &mut self.relay {
            relay.work(&mut self.endpoint, now);
        }
        while let Some(event) = self.endpoint.poll_event() {
            let Some(key) = self.by_msrp.get(&event.session()).copied() else { continue };
            match event {
                msrp::Event::Bound { .. } => self.on_bound(key, now),
                msrp::Event::Disconnected { .. } => self.on_disconnected(key, now),
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
    description.msrp().cloned()
}
