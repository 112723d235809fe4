//! Refreshing a session, and closing one that nobody refreshes.

use std::time::Duration;

use sip::header::RetryAfter;
use sip::{Method, Name, Response};

use super::super::modify::Retry;
use super::super::own_request::{Kind, Own};
use super::super::{Cx, Session, State, Timer};
use crate::{Cause, Headers};

/// The Reason of the BYE of a session that nobody refreshed (RFC 3326; 408 is what its next request would have got).
pub const EXPIRED: &str = "SIP;cause=408;text=\"Session timer expired\"";

/// The least time between two attempts.
const PAUSE: Duration = Duration::from_secs(4);

impl Session {
    /// Half of the interval is over, or another attempt is due: UPDATE where the peer takes it, since it says nothing of
    /// the media; else a re-INVITE with the description as it stands (RFC 4028 §7.4).
    pub(in super::super) fn refresh(&mut self, cx: &mut Cx<'_>) {
        if self.state != State::Established {
            return;
        }
        // What is open refreshes the session as well if it succeeds.
        if !self.may_modify() || self.retry.is_some() {
            return self.timers.arm(Timer::Refresh, cx.now.at + PAUSE);
        }
        // A re-INVITE without a description would ask the peer for an offer.
        let updates = self.timer.peer_updates || self.local_body.is_none();
        let (method, body) = if updates { (Method::Update, None) } else { (Method::Invite, self.local_body.clone()) };
        self.send_modification(Retry::refresh(method, body), cx);
    }

    /// The peer's refresh, or another modification, came first: ours needs no second attempt.
    pub(super) fn forget_waiting_refresh(&mut self) {
        let is_under_way = self.own.iter().any(|own: &Own| matches!(own.kind, Kind::Modify { .. }));
        if !is_under_way && self.retry.as_ref().is_some_and(|retry| retry.is_refresh) {
            self.retry = None;
            self.timers.cancel(Timer::Glare);
        }
    }

    /// The refresh was refused. What of that means that the dialog is gone is in RFC 5057 §5.1; anything else only that it
    /// was not refreshed yet, and the interval says for how long that may go on.
    pub(in super::super) fn on_refresh_refused(&mut self, response: &Response, cx: &mut Cx<'_>) {
        match response.status() {
            404 | 408 | 410 | 416 | 481..=485 | 489 | 604 => self.lose(cx),
            405 | 501 if response.cseq().method == Method::Update && self.local_body.is_some() => {
                self.timer.peer_updates = false;
                self.refresh(cx);
            }
            // A peer that takes neither has no timer, whatever it said.
            405 | 501 => {
                self.timer.agreed = None;
                self.stop_timer();
            }
            _ => self.refresh_later(retry_after(response), cx),
        }
    }

    /// Nothing was refreshed, and nothing lost: another attempt, if the session lives so long.
    pub(in super::super) fn refresh_later(&mut self, after: Option<Duration>, cx: &Cx<'_>) {
        let pause = after.unwrap_or_default().max(PAUSE);
        self.timers.arm(Timer::Refresh, cx.now.at + pause);
    }

    /// Nobody has refreshed the session (RFC 4028 §10).
    pub(in super::super) fn expire(&mut self, cx: &mut Cx<'_>) {
        if self.state == State::Established {
            self.send_bye_as(Cause::Expired, &Headers::new().with(Name::Reason, EXPIRED), cx);
        }
    }
}

/// RFC 3261 §20.33.
pub(in super::super) fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.header(Name::RetryAfter)?;
    RetryAfter::parse(value).ok().map(|after| Duration::from_secs(after.seconds.into()))
}
