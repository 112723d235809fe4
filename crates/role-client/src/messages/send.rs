//! The sending side: messages, receipts, typing.

use bytes::Bytes;
use cpim::{Builder, DateTime, Dispositions, IsComposing, MessageId};
use msrp::{Failure, OutgoingId, Outline, Status};
use sip_ua::SessionKey;
use wire::Now;

use super::{Leaving, Line, Messages, PARALLEL, QUEUE};
use crate::{Event, SessionId};

/// How often a message that the connection took with it is sent anew by itself.
const TRIES: u32 = 5;

/// A CPIM message on its way out.
#[derive(Debug)]
pub(super) struct Parcel {
    kind: Kind,
    /// Its place among those of its session.
    number: u64,
    /// Its identifier on every connection (RFC 4975 §5.4: what is sent again has the same one).
    msrp_id: msrp::MessageId,
    cpim: Bytes,
    tries: u32,
    /// It was written as a whole once, and the answer did not come.
    may_have_arrived: bool,
}

/// What a parcel is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A message of the user's, by its identifier.
    Message(String),
    /// A receipt, by the identifier of the message that it is about.
    Receipt(String),
    Typing,
}

impl Parcel {
    pub(super) fn into_cpim(self) -> Bytes {
        self.cpim
    }

    fn is_message(&self, id: &str) -> bool {
        matches!(&self.kind, Kind::Message(known) if known == id)
    }
}

impl Line {
    fn is_full(&self) -> bool {
        self.waiting.len() + self.outgoing.len() >= QUEUE
    }
}

impl Messages {
    /// Sends a message, under an identifier that is drawn.
    pub(crate) fn send(&mut self, key: SessionKey, media_type: &str, content: &[u8], now: Now) -> Option<String> {
        let id = self.entropy.uuid();
        self.send_as(key, &id, media_type, content, now).then_some(id)
    }

    /// Sends a message, perhaps again. False when it is not taken: no such session, closing, too much waiting, larger than
    /// the peer wants, or the identifier is none or under way.
    pub(crate) fn send_as(&mut self, key: SessionKey, id: &str, media_type: &str, content: &[u8], now: Now) -> bool {
        let Some(line) = self.lines.get_mut(&key) else { return false };
        let may = line.leaving == Leaving::No && !line.is_full();
        let Some(message_id) = MessageId::parse(id).ok().filter(|_| may) else { return false };
        if line.outgoing.values().chain(&line.waiting).any(|parcel| parcel.is_message(id)) {
            return false;
        }
        let cpim =
            Builder::anonymous().date_time(DateTime::utc(now.utc)).message_id(message_id).ask(Dispositions::USUAL);
        let cpim = cpim.content(media_type, content);
        if cpim.len() as u64 > line.max_size {
            return false;
        }
        line.composer.handle_sent();
        self.awaited.sent(message_id, &line.peer, key);
        self.post(key, Kind::Message(id.to_owned()), cpim, now);
        true
    }

    /// The user typed.
    pub(crate) fn typing(&mut self, key: SessionKey, now: Now) {
        let notification = self.lines.get_mut(&key).and_then(|line| line.composer.handle_typing(now));
        self.send_composing(key, notification, now);
    }

    pub(super) fn on_typing_due(&mut self, key: SessionKey, now: Now) {
        while let Some(line) = self.lines.get_mut(&key)
            && line.composer.poll_timeout().is_some_and(|at| at <= now.at)
        {
            let notification = line.composer.handle_timeout(now);
            self.send_composing(key, notification, now);
        }
        if self.lines.get_mut(&key).is_some_and(|line| line.typing.handle_timeout(now.at)) {
            self.events.push_back(Event::Composing { session: SessionId(key), active: false });
        }
    }

    fn send_composing(&mut self, key: SessionKey, notification: Option<IsComposing>, now: Now) {
        if let Some(notification) = notification {
            let id = self.entropy.uuid();
            let Ok(id) = MessageId::parse(&id) else { return };
            let cpim = Builder::anonymous().date_time(DateTime::utc(now.utc)).message_id(id).composing(&notification);
            self.post(key, Kind::Typing, cpim, now);
        }
    }

    /// Takes a message up: it leaves as soon as the peer's path is known and those before it leave room.
    pub(super) fn post(&mut self, key: SessionKey, kind: Kind, cpim: Bytes, now: Now) {
        let msrp_id = self.endpoint.draw_message_id();
        let Some(line) = self.lines.get_mut(&key) else { return };
        line.taken += 1;
        // After the peer's BYE nobody reads any more.
        let is_readable = !matches!(line.leaving, Leaving::AfterBye(_));
        // Messages were counted when they were taken.
        let has_room = matches!(kind, Kind::Message(_)) || !line.is_full();
        let parcel = Parcel { kind, number: line.taken, msrp_id, cpim, tries: 0, may_have_arrived: false };
        if is_readable && has_room {
            line.waiting.push_back(parcel);
            self.send_waiting(key, now);
        } else {
            self.report_unsent(key, parcel);
        }
        self.work(now);
    }

    /// Hands waiting messages to MSRP, a few at a time.
    pub(super) fn send_waiting(&mut self, key: SessionKey, now: Now) {
        if self.lines.get(&key).is_some_and(|line| !line.waiting.is_empty()) {
            self.ask(key, |link, endpoint| link.wanted(endpoint, now), now);
        }
        while let Some(line) = self.lines.get_mut(&key)
            && line.was_agreed
            && line.outgoing.len() < PARALLEL
            && let Some(mut parcel) = line.waiting.pop_front()
        {
            let outline = Outline { message_id: Some(parcel.msrp_id.clone()), ..Outline::new("message/cpim") };
            match self.endpoint.send(line.link.session(), outline, parcel.cpim.clone(), now) {
                Ok(outgoing) => {
                    parcel.tries += 1;
                    line.outgoing.insert(outgoing, parcel);
                }
                Err(error) => {
                    tracing::debug!(%error, "a message is not taken");
                    self.report_unsent(key, parcel);
                }
            }
        }
    }

    /// A message will not be sent here: the user is told, a receipt takes another way.
    pub(super) fn report_unsent(&mut self, key: SessionKey, parcel: Parcel) {
        match &parcel.kind {
            Kind::Message(id) => {
                let (session, message_id) = (SessionId(key), id.clone());
                self.events.push_back(Event::NotSent { session, message_id, unknown: parcel.may_have_arrived });
            }
            Kind::Receipt(message_id) => self.detour(key, message_id.clone(), parcel),
            Kind::Typing => {}
        }
    }

    pub(super) fn on_sent(&mut self, key: SessionKey, outgoing: OutgoingId, now: Now) {
        let parcel = self.lines.get_mut(&key).and_then(|line| line.outgoing.remove(&outgoing));
        if let Some(Parcel { kind: Kind::Message(message_id), .. }) = parcel {
            self.events.push_back(Event::Sent { session: SessionId(key), message_id });
        }
        self.send_waiting(key, now);
    }

    pub(super) fn on_failed(&mut self, key: SessionKey, outgoing: OutgoingId, why: Failure, now: Now) {
        let Some(line) = self.lines.get_mut(&key) else { return };
        let Some(mut parcel) = line.outgoing.remove(&outgoing) else { return };
        // RFC 4975 §10.5: 408 comes from a hop whose own next hop did not answer.
        let is_refused = matches!(why, Failure::Refused(status) if status != Status::TIMEOUT);
        parcel.may_have_arrived |= why != Failure::Unsent && !is_refused;
        // 481 and 506: the peer has the session on another connection by now, or on another path.
        let elsewhere = [Status::NO_SUCH_SESSION, Status::SESSION_IN_USE].map(Failure::Refused).contains(&why);
        let is_lost = matches!(why, Failure::Unsent | Failure::Unknown) || elsewhere;
        if is_lost && line.leaving == Leaving::No && line.link.has_hope() && parcel.tries < TRIES {
            // The connection took it along. It goes again on the next one, before what was taken later.
            let at = line.waiting.partition_point(|other| other.number < parcel.number);
            line.waiting.insert(at, parcel);
        } else if is_refused && matches!(parcel.kind, Kind::Receipt(_)) {
            tracing::debug!("a receipt is refused");
        } else {
            self.report_unsent(key, parcel);
        }
        self.send_waiting(key, now);
    }
}
