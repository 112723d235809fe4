//! The end that answers, takes the messages and counts them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use msrp::{IncomingId, SessionId};
use sdp::{Connector, MsrpUri, SessionDescription};
use sip_ua::{Body, Headers, Reject, SessionKey, UaEvent};
use wire::{Input, Instant, Node, Now, Output, TimerQueue};

use crate::end::{End, Happened};
use crate::run::{Note, reason};
use crate::stamp::Stamp;
use crate::tally::{Latencies, Tally};

/// The callee.
pub(crate) struct Callee {
    end: End,
    /// By SIP session: its MSRP session.
    sessions: BTreeMap<SessionKey, SessionId>,
    chats: BTreeMap<SessionId, Chat>,
    /// Messages that are coming in.
    coming: BTreeMap<IncomingId, Stamp>,
    /// How long after its ACK a session is closed from here, and whether that is every second one only.
    closes: Option<(Duration, bool)>,
    closing: TimerQueue<SessionKey>,
    answered: u64,
    pub(crate) received: u64,
    pub(crate) repeated: u64,
    pub(crate) closed: u64,
    pub(crate) tally: Tally,
    pub(crate) delivery: Latencies,
    pub(crate) close: Latencies,
    since: BTreeMap<SessionKey, Instant>,
    notes: VecDeque<Note>,
}

/// The messages of one session.
#[derive(Debug, Default)]
struct Chat {
    /// The number of the last one that came.
    last: u64,
}

impl Callee {
    pub(crate) fn new(end: End, closes: Option<(Duration, bool)>) -> Callee {
        Callee {
            end,
            sessions: BTreeMap::new(),
            chats: BTreeMap::new(),
            coming: BTreeMap::new(),
            closes,
            closing: TimerQueue::new(),
            answered: 0,
            received: 0,
            repeated: 0,
            closed: 0,
            tally: Tally::new(),
            delivery: Latencies::new(),
            close: Latencies::new(),
            since: BTreeMap::new(),
            notes: VecDeque::new(),
        }
    }

    pub(crate) fn register(&mut self, on: bool, now: Now) {
        self.end.register(on, now);
        self.work(now);
    }

    /// Opens sessions that no SIP will speak of, and says where they are.
    pub(crate) fn expect(&mut self, count: usize) -> Vec<MsrpUri> {
        let mut places = Vec::with_capacity(count);
        for _ in 0..count {
            let uri = self.end.media().0.uri();
            if let Some(session) = self.end.open(uri.clone()) {
                self.chats.insert(session, Chat::default());
                places.push(uri);
            }
        }
        places
    }

    /// Closes every session, or every second one.
    pub(crate) fn close_all(&mut self, half: bool, now: Now) {
        let step = if half { 2 } else { 1 };
        for session in self.sessions.keys().copied().step_by(step).collect::<Vec<_>>() {
            self.bye(session, now);
        }
        self.work(now);
    }

    /// What the host is to know.
    pub(crate) fn poll_note(&mut self) -> Option<Note> {
        self.notes.pop_front()
    }

    fn bye(&mut self, session: SessionKey, now: Now) {
        if self.sessions.contains_key(&session) {
            self.since.insert(session, now.at);
            self.end.ua.close(&mut self.end.stack, session, &reason(), now);
        }
    }

    fn work(&mut self, now: Now) {
        while let Some(happened) = self.end.next(now) {
            match happened {
                Happened::Invited(incoming) => self.on_invited(*incoming, now),
                Happened::Session(session, event) => self.on_session(session, event, now),
                Happened::Message(event) => self.on_message(event, now),
                Happened::Registered => self.notes.push_back(Note::Registered),
                Happened::NotRegistered(status) => self.notes.push_back(Note::NotRegistered(status)),
            }
        }
    }

    fn on_invited(&mut self, incoming: sip_tx::Incoming, now: Now) {
        let offer = incoming.request.body().to_vec();
        let contact = self.end.contact();
        let Ok(session) = self.end.ua.incoming(&mut self.end.stack, incoming, contact, now) else { return };
        let (media, origin) = self.end.media();
        let answer = SessionDescription::parse(&offer).ok().and_then(|offer| sdp::answer(&offer, &media, origin).ok());
        let Some((answer, msrp)) = answer.zip(self.end.open(media.uri())) else {
            self.tally.error("offer not acceptable");
            let _gone = self.end.ua.reject(&mut self.end.stack, session, &Reject::new(488), now);
            return;
        };
        let body = Body::sdp(answer.clone());
        if self.end.ua.accept(&mut self.end.stack, session, &Headers::new(), Some(body), now).is_ok() {
            self.sessions.insert(session, msrp);
            self.chats.insert(msrp, Chat::default());
            self.end.join(msrp, &answer, &offer, Connector::Answerer, now);
        }
    }

    fn on_session(&mut self, session: SessionKey, event: UaEvent, now: Now) {
        match event {
            UaEvent::Acked { .. } => {
                self.answered += 1;
                if let Some((after, half)) = self.closes
                    && (!half || self.answered.is_multiple_of(2))
                {
                    self.closing.arm(session, now.at + after);
                }
            }
            UaEvent::ByeDone { outcome } => {
                if let Some(since) = self.since.remove(&session) {
                    if outcome.is_normal() {
                        self.closed += 1;
                        self.close.record(since, now);
                    } else {
                        self.tally.error(format!("close: {outcome:?}"));
                    }
                }
            }
            UaEvent::Ended { cause } => {
                if matches!(cause, sip_ua::Cause::NoAck | sip_ua::Cause::Lost | sip_ua::Cause::Expired) {
                    self.tally.error(format!("callee: {cause:?}"));
                }
                if let Some(msrp) = self.sessions.remove(&session) {
                    self.end.endpoint.remove(msrp, now);
                    self.chats.remove(&msrp);
                }
            }
            // A session that is held for long is refreshed (RFC 4028); nothing about it changes.
            UaEvent::Update { incoming } if incoming.request.body().is_empty() => {
                let none = Headers::new();
                let _closing = self.end.ua.answer(&mut self.end.stack, session, incoming.tx, 200, &none, None, now);
            }
            UaEvent::Reinvite { incoming } | UaEvent::Update { incoming } | UaEvent::Request { incoming } => {
                self.end.stack.reject(&incoming, 488, now);
            }
            UaEvent::Closing { .. }
            | UaEvent::Progress { .. }
            | UaEvent::Answered { .. }
            | UaEvent::Forked { .. }
            | UaEvent::Rejected { .. }
            | UaEvent::Cancelled { .. }
            | UaEvent::Bye { .. }
            | UaEvent::Withdrawn { .. }
            | UaEvent::Modified { .. }
            | UaEvent::NotModified { .. }
            | UaEvent::Response { .. }
            | UaEvent::Failed { .. }
            | UaEvent::Gone => {}
        }
    }

    fn on_message(&mut self, event: msrp::Event, now: Now) {
        match event {
            msrp::Event::Started { incoming, outline, .. } => match outline.message_id.as_ref().and_then(Stamp::of) {
                Some(stamp) => drop(self.coming.insert(incoming, stamp)),
                None => self.tally.error("a message of somebody else"),
            },
            msrp::Event::Complete { session, incoming, .. } => self.on_complete(session, incoming, now),
            msrp::Event::Incomplete { incoming, why, .. } => {
                self.coming.remove(&incoming);
                self.tally.error(format!("incomplete: {why:?}"));
            }
            msrp::Event::Bound { .. }
            | msrp::Event::Disconnected { .. }
            | msrp::Event::Piece { .. }
            | msrp::Event::WantsMore { .. }
            | msrp::Event::Sent { .. }
            | msrp::Event::Failed { .. }
            | msrp::Event::Report { .. }
            | msrp::Event::Drained { .. } => {}
        }
    }

    fn on_complete(&mut self, session: SessionId, incoming: IncomingId, now: Now) {
        let Some((stamp, chat)) = self.coming.remove(&incoming).zip(self.chats.get_mut(&session)) else { return };
        // One connection keeps the order: a number that is not higher has been here.
        if stamp.number <= chat.last {
            self.repeated += 1;
            return;
        }
        chat.last = stamp.number;
        self.received += 1;
        self.tally.record(&mut self.delivery, stamp.due, now);
    }
}

impl Node for Callee {
    fn handle_input(&mut self, input: Input, now: Now) {
        self.end.handle_input(input, now);
        self.work(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.end.handle_timeout(now);
        while let Some((_, session)) = self.closing.pop_due(now.at) {
            self.bye(session, now);
        }
        self.work(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.end.poll_output()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.end.poll_timeout(), self.closing.next()].into_iter().flatten().min()
    }
}
