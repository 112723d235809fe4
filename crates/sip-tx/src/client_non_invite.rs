use std::time::Duration;

use bytes::Bytes;
use sip::Response;
use wire::Instant;

use crate::effects::{Context, Effects, Timer};
use crate::event::Failure;

/// Non-INVITE client transaction (RFC 3261 §17.1.2).
#[derive(Debug)]
pub(crate) struct ClientNonInvite {
    state: State,
    request: Bytes,
    retransmit: Duration,
    retransmit_at: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

impl ClientNonInvite {
    pub(crate) fn start(request: Bytes, cx: &Context, fx: &mut Effects) -> ClientNonInvite {
        fx.send.push(request.clone());
        let retransmit_at = cx.now + cx.timing.t1;
        if cx.reliable {
            fx.arm.push((Timer::F, cx.now + cx.timing.timeout()));
        } else {
            // Timer F is armed with the first repetition: most requests are answered before, and a timer that is armed
            // stays in the queue until it is due.
            fx.arm.push((Timer::E, retransmit_at));
        }
        ClientNonInvite { state: State::Trying, request, retransmit: cx.timing.t1, retransmit_at }
    }

    pub(crate) fn on_response(&mut self, response: &Response, cx: &Context, fx: &mut Effects) {
        match (self.state, response.is_provisional()) {
            (State::Trying | State::Proceeding, true) => {
                self.state = State::Proceeding;
                fx.deliver = true;
            }
            (State::Trying | State::Proceeding, false) => {
                self.state = State::Completed;
                fx.deliver = true;
                // Timer K: T4 on UDP, 0 s on reliable transports.
                if cx.reliable {
                    self.terminate(fx);
                } else {
                    fx.arm.push((Timer::K, cx.now + cx.timing.t4));
                }
            }
            (State::Completed | State::Terminated, _) => {}
        }
    }

    pub(crate) fn on_timer(&mut self, timer: Timer, due: Instant, cx: &Context, fx: &mut Effects) {
        match (self.state, timer) {
            (State::Trying | State::Proceeding, Timer::E) if due == self.retransmit_at => {
                if self.retransmit == cx.timing.t1 {
                    fx.arm.push((Timer::F, due + cx.timing.timeout().saturating_sub(cx.timing.t1)));
                }
                // RFC 3261 §17.1.2.2: doubled up to T2; T2 at once when a provisional response is there.
                let doubled = if self.state == State::Trying { self.retransmit * 2 } else { cx.timing.t2 };
                self.retransmit = doubled.min(cx.timing.t2);
                self.retransmit_at = cx.now + self.retransmit;
                fx.send.push(self.request.clone());
                fx.arm.push((Timer::E, self.retransmit_at));
            }
            (State::Trying | State::Proceeding, Timer::F) => {
                fx.failed = Some(Failure::Timeout);
                self.terminate(fx);
            }
            (State::Completed, Timer::K) => self.terminate(fx),
            // Outlived by a change of state.
            (State::Trying | State::Proceeding | State::Completed | State::Terminated, _) => {}
        }
    }

    pub(crate) fn on_transport_error(&mut self, fx: &mut Effects) {
        match self.state {
            State::Trying | State::Proceeding => {
                fx.failed = Some(Failure::Transport);
                self.terminate(fx);
            }
            State::Completed | State::Terminated => {}
        }
    }

    pub(crate) const fn request(&self) -> &Bytes {
        &self.request
    }

    /// Lets go of the request, which is of no more use to the machine once a final response is there.
    pub(crate) fn forget_request(&mut self) {
        match self.state {
            State::Completed | State::Terminated => self.request = Bytes::new(),
            State::Trying | State::Proceeding => {}
        }
    }

    /// Whether nothing has been heard of the request.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.state == State::Trying
    }

    /// Sends the request another way, perhaps changed for it. Only while it is unanswered.
    pub(crate) fn resend_as(&mut self, request: Bytes, cx: &Context, fx: &mut Effects) {
        debug_assert!(self.is_unanswered(), "an answered request is not sent again");
        self.request = request;
        fx.send.push(self.request.clone());
        if !cx.reliable {
            self.retransmit_at = cx.now + self.retransmit;
            fx.arm.push((Timer::E, self.retransmit_at));
        }
    }

    fn terminate(&mut self, fx: &mut Effects) {
        self.state = State::Terminated;
        fx.terminated = true;
    }
}

#[cfg(test)]
mod tests;
