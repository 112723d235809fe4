use cpm::{Closing, MediaPath, Release, Service, SessionCase, SessionRecord, Traffic};
use sdp::MsrpMedia;
use serde::{Deserialize, Serialize};
use sip::{Name, Request};
use sip_ua::{Headers, SessionKey};
use wire::Now;

use crate::facts::{End, Facts};
use crate::hold::Hold;
use crate::media::LegMedia;
use crate::row::Intent;
use crate::supervise::Watch;
use crate::view::{SessionId, SessionView};

/// A session on the media path: two legs, each a dialog of its own.
#[derive(Debug)]
pub(crate) struct Bridge {
    pub(crate) facts: Facts,
    pub(crate) service: Service,
    legs: [LegState; 2],
    closing: Option<Closing>,
    /// How the BYE of the leg that did not close first was answered.
    bye: Option<u16>,
    /// The Reason of what closed it.
    cause: Option<String>,
    /// What is in the journal, and what waits for that.
    pub(crate) hold: Hold,
    /// The messages between the legs, until the session is closed.
    pub(crate) relay: Option<msrp::Bridge>,
    /// What has passed, by the leg that it came from, once no more passes.
    pub(crate) traffic: [Traffic; 2],
    /// How far it is closed.
    pub(crate) drain: Option<Drain>,
    /// What has been offered, until the callee answers.
    pub(crate) offers: Option<Box<Offers>>,
    /// What the function ends it for, from when it has been decided.
    pub(crate) release: Option<Release>,
    pub(crate) watch: Watch,
    is_recorded: bool,
}

/// The offers of a session that is being set up.
#[derive(Debug)]
pub(crate) struct Offers {
    /// The caller's.
    pub(crate) callers: MsrpMedia,
    /// Ours to the callee.
    pub(crate) ours: MsrpMedia,
}

/// The closing of a session whose messages may still be under way.
#[derive(Debug)]
pub(crate) struct Drain {
    /// The leg that closed first.
    pub(crate) from: Leg,
    /// The BYE of the other leg, as long as messages for it keep it waiting.
    pub(crate) bye: Option<Headers>,
    /// The time for messages is over.
    pub(crate) is_late: bool,
}

/// The two legs of a bridge.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Leg {
    /// Towards the caller: we are UAS.
    Originating,
    /// Towards the callee: we are UAC.
    Terminating,
}

impl Leg {
    pub(crate) const BOTH: [Leg; 2] = [Leg::Originating, Leg::Terminating];

    pub(crate) const fn other(self) -> Leg {
        match self {
            Leg::Originating => Leg::Terminating,
            Leg::Terminating => Leg::Originating,
        }
    }
}

#[derive(Debug)]
struct LegState {
    session: SessionKey,
    media: LegMedia,
    is_over: bool,
}

impl Bridge {
    /// `legs`: originating, then terminating; so are the sides of the relay.
    pub(crate) fn new(
        facts: Facts,
        service: Service,
        legs: [(SessionKey, LegMedia); 2],
        relay: Option<msrp::Bridge>,
    ) -> Bridge {
        Bridge {
            facts,
            service,
            legs: legs.map(|(session, media)| LegState { session, media, is_over: false }),
            closing: None,
            bye: None,
            cause: None,
            hold: Hold::default(),
            relay,
            traffic: [Traffic::default(); 2],
            drain: None,
            offers: None,
            release: None,
            watch: Watch::default(),
            is_recorded: false,
        }
    }

    /// A session of an earlier life, whose media is gone.
    pub(crate) fn resumed(facts: Facts, legs: [(SessionKey, LegMedia); 2]) -> Bridge {
        Bridge { hold: Hold::resumed(), ..Bridge::new(facts, Service::Session, legs, None) }
    }

    pub(crate) const fn session(&self, leg: Leg) -> SessionKey {
        self.legs[leg as usize].session
    }

    pub(crate) const fn media(&self, leg: Leg) -> &LegMedia {
        &self.legs[leg as usize].media
    }

    /// Chooses another listener for a leg; its URI there.
    pub(crate) fn listen_on(&mut self, leg: Leg, listener: msrp::Listener) -> sdp::MsrpUri {
        let media = &mut self.legs[leg as usize].media;
        media.listen_on(listener);
        media.uri().clone()
    }

    /// Gives a leg another MSRP endpoint.
    pub(crate) fn set_media(&mut self, leg: Leg, media: LegMedia) {
        self.legs[leg as usize].media = media;
    }

    pub(crate) fn served(&self) -> &str {
        &self.facts.served.aor
    }

    /// The callee has answered and the caller was told: there is a session.
    pub(crate) fn started(&mut self, now: Now) {
        self.facts.started.get_or_insert(now.utc);
    }

    /// Notes who closes and why; the first one counts.
    pub(crate) fn closed_on(&mut self, leg: Leg, cause: Option<&Request>) {
        let reasons = cause.into_iter().flat_map(|request| request.headers(Name::Reason));
        let reasons: Vec<_> = reasons.map(String::from_utf8_lossy).collect();
        self.closed_by(self.closing_of(leg), (!reasons.is_empty()).then(|| reasons.join(", ")));
    }

    /// Notes how it closes, with the Reason that says so; the first cause counts.
    pub(crate) fn closed_by(&mut self, closing: Closing, cause: Option<String>) {
        if self.closing.is_none() {
            (self.closing, self.cause) = (Some(closing), cause);
        }
    }

    /// A leg of an earlier life turns out to have been closed by its end while nobody was here.
    pub(crate) fn had_closed(&mut self, leg: Leg) {
        if self.closing == Some(Closing::Released(Release::Restarted)) {
            (self.closing, self.cause) = (Some(self.closing_of(leg)), None);
        }
    }

    const fn closing_of(&self, leg: Leg) -> Closing {
        if leg as u8 == self.served_leg() as u8 { Closing::ServedUser } else { Closing::Peer }
    }

    /// An earlier life noted who closes and why.
    pub(crate) fn close_as(&mut self, intent: Intent) {
        self.hold.has_intent = true;
        (self.closing, self.cause, self.traffic) = (Some(intent.closing), intent.cause, intent.traffic);
    }

    /// The Reason of what closed it.
    pub(crate) const fn cause(&self) -> Option<&String> {
        self.cause.as_ref()
    }

    /// How it ends, as far as that is known.
    pub(crate) fn end(&self) -> End {
        let ours = self.served_leg();
        let traffic = [ours, ours.other()].map(|leg| self.traffic[leg as usize]);
        End { closing: self.closing.unwrap_or(Closing::Lost), cause: self.cause.clone(), bye: self.bye, traffic }
    }

    /// There is a session, and nothing ends it yet.
    pub(crate) const fn is_up(&self) -> bool {
        self.facts.started.is_some() && self.drain.is_none() && self.release.is_none()
    }

    /// The session as an operator sees it.
    pub(crate) fn view(&self, id: SessionId) -> SessionView {
        self.facts.view(id, MediaPath::On)
    }

    /// Our BYE on a leg came to its end: of the leg that was closed for the other one's sake, if both had one.
    pub(crate) fn bye_done(&mut self, leg: Leg, status: u16) {
        if self.drain.as_ref().is_none_or(|drain| drain.from != leg) {
            self.bye = Some(status);
        }
    }

    /// A leg has ended.
    pub(crate) fn leg_over(&mut self, leg: Leg) {
        self.legs[leg as usize].is_over = true;
    }

    /// Both legs have ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.legs.iter().all(|leg| leg.is_over)
    }

    /// When both legs have ended and no message passes any more: the record, if there was a session. Once.
    pub(crate) fn record(&mut self, now: Now) -> Option<Option<SessionRecord>> {
        if !self.is_closed() || self.relay.is_some() || std::mem::replace(&mut self.is_recorded, true) {
            return None;
        }
        Some(self.facts.record(MediaPath::On, self.end(), now))
    }

    /// Whether the session has been counted as closed.
    pub(crate) const fn is_recorded(&self) -> bool {
        self.is_recorded
    }

    /// Nothing is left to do for the session: what still comes, the legs answer each by itself.
    pub(crate) const fn is_done(&self) -> bool {
        self.is_recorded && self.hold.is_idle()
    }

    /// The leg towards the served user.
    pub(crate) const fn served_leg(&self) -> Leg {
        match self.facts.served.case {
            SessionCase::Originating => Leg::Originating,
            SessionCase::Terminating => Leg::Terminating,
        }
    }
}
