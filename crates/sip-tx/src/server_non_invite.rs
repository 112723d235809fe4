use std::time::Duration;

use bytes::Bytes;
use wire::Instant;

use crate::effects::{Context, Effects, Timer};

/// Non-INVITE server transaction (RFC 3261 §17.2.2 with RFC 4320).
#[derive(Debug)]
pub(crate) struct ServerNonInvite {
    state: State,
    /// The response to repeat when the request comes again.
    response: Option<Bytes>,
    started: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

impl ServerNonInvite {
    pub(crate) const fn new(now: Instant) -> ServerNonInvite {
        ServerNonInvite { state: State::Trying, response: None, started: now }
    }

    /// A response from the role.
    pub(crate) fn respond(&mut self, status: u16, bytes: Bytes, cx: &Context, fx: &mut Effects) {
        match (self.state, status) {
            // RFC 4320 §4.1: no provisional response but 100, and that not before the client repeats slowly anyway.
            (State::Trying | State::Proceeding, 101..200) => fx.suppressed = true,
            (State::Trying | State::Proceeding, 100) if !cx.reliable && cx.now < self.started + slow_after(cx) => {
                fx.suppressed = true;
            }
            (State::Trying | State::Proceeding, 100) => {
                self.state = State::Proceeding;
                self.response = Some(bytes.clone());
                fx.send.push(bytes);
            }
            // RFC 4320 §4.2: a 408 comes when the client has given up already, so it is never sent.
            (State::Trying | State::Proceeding, 408) => {
                fx.suppressed = true;
                self.complete(None, cx, fx);
            }
            (State::Trying | State::Proceeding, _) => {
                fx.send.push(bytes.clone());
                self.complete(Some(bytes), cx, fx);
            }
            // RFC 3261 §17.2.2: any other final response from the role is discarded.
            (State::Completed | State::Terminated, _) => {}
        }
    }

    fn complete(&mut self, response: Option<Bytes>, cx: &Context, fx: &mut Effects) {
        self.state = State::Completed;
        self.response = response;
        // Timer J: 64*T1 on UDP, 0 s on reliable transports.
        if cx.reliable {
            self.terminate(fx);
        } else {
            fx.arm.push((Timer::J, cx.now + cx.timing.timeout()));
        }
    }

    /// The request came again.
    pub(crate) fn on_retransmission(&self, fx: &mut Effects) {
        match self.state {
            State::Proceeding | State::Completed => fx.send.extend(self.response.clone()),
            State::Trying | State::Terminated => {}
        }
    }

    pub(crate) fn on_timer(&mut self, timer: Timer, fx: &mut Effects) {
        match (self.state, timer) {
            (State::Completed, Timer::J) => self.terminate(fx),
            (State::Trying | State::Proceeding | State::Completed | State::Terminated, _) => {}
        }
    }

    /// The response to repeat.
    pub(crate) const fn response(&self) -> Option<&Bytes> {
        self.response.as_ref()
    }

    /// Whether a final response has been given.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self.state, State::Completed | State::Terminated)
    }

    fn terminate(&mut self, fx: &mut Effects) {
        self.state = State::Terminated;
        fx.terminated = true;
    }
}

/// How long after the request the client's Timer E has grown to T2 (RFC 4320 §4.1): 3.5 s by default.
fn slow_after(cx: &Context) -> Duration {
    let (mut after, mut interval) = (Duration::ZERO, cx.timing.t1);
    while interval < cx.timing.t2 && !interval.is_zero() {
        after += interval;
        interval *= 2;
    }
    after
}

#[cfg(test)]
mod tests;
