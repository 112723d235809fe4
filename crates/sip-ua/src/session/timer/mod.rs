//! Session timers (RFC 4028): what both ends [`agree`](negotiate) on, and how it is [kept](refresh).
//!
//! Both ends count from the last 2xx to an INVITE or UPDATE. The refresher sends another one when half of the interval is
//! over; whoever hears of none closes shortly before the end.

mod negotiate;
mod refresh;

use std::time::Duration;

use sip::header::{MinSe, Refresher, SessionExpires};
use sip::{Message, Method, Name, Response};

use super::{Cx, Session, Timer};
use crate::Headers;
use crate::config::Intervals;

pub(crate) use negotiate::check;
pub use negotiate::too_small;
pub use refresh::EXPIRED;
pub(super) use refresh::retry_after;

/// The timer of one session at one end.
#[derive(Debug)]
pub(crate) struct SessionTimer {
    /// What we ask for: as configured, or longer when somebody on the way wanted it.
    asks: Intervals,
    agreed: Option<Agreed>,
    /// Whether the peer takes UPDATE (RFC 3311 §4: it says so in Allow).
    peer_updates: bool,
}

/// What both ends have agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Agreed {
    /// The session interval.
    interval: Duration,
    we_refresh: bool,
}

impl Agreed {
    /// RFC 4028 §10: half of the interval leaves as much again for a refresh that fails.
    fn refresh(self) -> Duration {
        self.interval / 2
    }

    /// RFC 4028 §10: the BYE leaves so early that it is answered when the interval ends.
    fn expiry(self) -> Duration {
        self.interval - (self.interval / 3).min(Duration::from_secs(32))
    }
}

impl SessionTimer {
    pub(crate) const fn new(asks: Intervals) -> SessionTimer {
        SessionTimer { asks, agreed: None, peer_updates: false }
    }

    /// What a request says that sets the session up or refreshes it, unless the role says it (RFC 4028 §7.1, §7.4). Who
    /// refreshes stays who does.
    pub(crate) fn ask(&self, mut fields: Headers) -> Headers {
        if fields.has(Name::SessionExpires) {
            return fields;
        }
        let refresher = self.agreed.map(|agreed| if agreed.we_refresh { Refresher::Uac } else { Refresher::Uas });
        let current = self.agreed.map_or(self.asks.session_expires, |agreed| seconds(agreed.interval));
        let interval = current.max(self.asks.min_se);
        fields.push(Name::SessionExpires, SessionExpires { interval, refresher }.to_string());
        fields.push(Name::MinSe, MinSe(self.asks.min_se).to_string());
        fields
    }

    /// A 422 came: asks for what it wants from here on. `false` if that is nothing more than was asked for.
    pub(crate) fn raise(&mut self, response: &Response) -> bool {
        let wanted = response.header(Name::MinSe).and_then(|value| MinSe::parse(value).ok());
        let Some(MinSe(wanted)) = wanted.filter(|min| min.0 > self.asks.min_se) else { return false };
        self.asks = Intervals { session_expires: self.asks.session_expires.max(wanted), min_se: wanted };
        true
    }

    /// Writes into a request that was answered 422 what is asked for instead.
    pub(crate) fn ask_again(&self, fields: &mut Headers) {
        fields.remove(Name::SessionExpires);
        fields.remove(Name::MinSe);
        *fields = self.ask(std::mem::take(fields));
    }

    /// Learns from Allow how the peer can be asked.
    pub(crate) fn note_allow(&mut self, message: &Message) {
        if message.has(Name::Allow) {
            self.peer_updates = message.values(Name::Allow).any(|method| method == Method::Update.as_str().as_bytes());
        }
    }
}

impl Session {
    /// A 2xx to an INVITE or UPDATE of ours says what holds from here on (RFC 4028 §7.2).
    pub(super) fn agree_as_uac(&mut self, response: &Response, cx: &mut Cx<'_>) {
        self.timer.note_allow(response);
        let agreed = negotiate::of_response(response, self.timer.asks.min_se);
        self.count_from_now(agreed, cx);
    }

    /// What the 2xx to an INVITE or UPDATE of the peer's says of the timer, which holds from here on (RFC 4028 §9).
    pub(super) fn agree_as_uas(&mut self, request: &Message, cx: &mut Cx<'_>) -> Headers {
        self.timer.note_allow(request);
        let we_refresh = self.timer.agreed.is_some_and(|agreed| agreed.we_refresh);
        let Some(answer) = negotiate::answer(request, self.timer.asks, we_refresh) else {
            self.count_from_now(None, cx);
            return Headers::new();
        };
        let agreed = Agreed {
            interval: Duration::from_secs(answer.interval.into()),
            we_refresh: answer.refresher == Some(Refresher::Uas),
        };
        self.count_from_now(Some(agreed), cx);
        Headers::new().with(Name::Require, "timer").with(Name::SessionExpires, answer.to_string())
    }

    fn count_from_now(&mut self, agreed: Option<Agreed>, cx: &Cx<'_>) {
        self.timer.agreed = agreed;
        self.stop_timer();
        self.forget_waiting_refresh();
        let Some(agreed) = agreed else { return };
        if agreed.we_refresh {
            self.timers.arm(Timer::Refresh, cx.now.at + agreed.refresh());
        }
        self.timers.arm(Timer::Expiry, cx.now.at + agreed.expiry());
    }

    /// A session that is being closed is not refreshed, and does not expire.
    pub(super) fn stop_timer(&mut self) {
        self.timers.cancel(Timer::Refresh);
        self.timers.cancel(Timer::Expiry);
    }
}

fn seconds(interval: Duration) -> u32 {
    u32::try_from(interval.as_secs()).unwrap_or(u32::MAX)
}
