use std::time::Duration;

use bytes::Bytes;
use wire::Instant;

use crate::effects::{Context, Effects, Timer};

/// INVITE server transaction (RFC 3261 §17.2.1 with RFC 6026 §7.1).
#[derive(Debug)]
pub(crate) struct ServerInvite {
    state: State,
    /// The response to repeat: the last provisional one, then the final one other than 2xx.
    response: Option<Bytes>,
    retransmit: Duration,
    retransmit_at: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Proceeding,
    Completed,
    Confirmed,
    Accepted,
    Terminated,
}

impl ServerInvite {
    pub(crate) const fn new() -> ServerInvite {
        ServerInvite {
            state: State::Proceeding,
            response: None,
            retransmit: Duration::ZERO,
            retransmit_at: Instant::ZERO,
        }
    }

    /// A response from the role.
    pub(crate) fn respond(&mut self, status: u16, bytes: Bytes, cx: &Context, fx: &mut Effects) {
        match (self.state, status) {
            (State::Proceeding, 100..200) => {
                self.response = Some(bytes.clone());
                fx.send.push(bytes);
            }
            (State::Proceeding, 200..300) => {
                // RFC 6026: the user agent repeats its 2xx itself; this transaction only keeps the INVITE from
                // coming up again.
                self.state = State::Accepted;
                self.response = None;
                fx.send.push(bytes);
                fx.arm.push((Timer::L, cx.now + cx.timing.timeout()));
            }
            (State::Proceeding, _) => {
                self.state = State::Completed;
                self.response = Some(bytes.clone());
                fx.send.push(bytes);
                fx.arm.push((Timer::H, cx.now + cx.timing.timeout()));
                if !cx.reliable {
                    self.retransmit = cx.timing.t1;
                    self.retransmit_at = cx.now + cx.timing.t1;
                    fx.arm.push((Timer::G, self.retransmit_at));
                }
            }
            (State::Accepted, 200..300) => fx.send.push(bytes),
            // The final response is out: nothing can follow it.
            (State::Accepted | State::Completed | State::Confirmed | State::Terminated, _) => {}
        }
    }

    /// The INVITE came again.
    pub(crate) fn on_retransmission(&self, fx: &mut Effects) {
        match self.state {
            State::Proceeding | State::Completed => fx.send.extend(self.response.clone()),
            State::Confirmed | State::Accepted | State::Terminated => {}
        }
    }

    /// An ACK with the INVITE's branch: `true` if it is the role's (the ACK of a 2xx), `false` if it ends here.
    pub(crate) fn on_ack(&mut self, cx: &Context, fx: &mut Effects) -> bool {
        match self.state {
            State::Completed => {
                self.state = State::Confirmed;
                // Timer I: T4 on UDP, 0 s on reliable transports.
                if cx.reliable {
                    self.terminate(fx);
                } else {
                    fx.arm.push((Timer::I, cx.now + cx.timing.t4));
                }
                false
            }
            State::Accepted => true,
            State::Proceeding | State::Confirmed | State::Terminated => false,
        }
    }

    pub(crate) fn on_timer(&mut self, timer: Timer, due: Instant, cx: &Context, fx: &mut Effects) {
        match (self.state, timer) {
            (State::Completed, Timer::G) if due == self.retransmit_at => {
                self.retransmit = (self.retransmit * 2).min(cx.timing.t2);
                self.retransmit_at = cx.now + self.retransmit;
                fx.send.extend(self.response.clone());
                fx.arm.push((Timer::G, self.retransmit_at));
            }
            (State::Completed, Timer::H) => {
                fx.unacknowledged = true;
                self.terminate(fx);
            }
            (State::Confirmed, Timer::I) | (State::Accepted, Timer::L) => self.terminate(fx),
            // Outlived by a change of state.
            (State::Proceeding | State::Completed | State::Confirmed | State::Accepted | State::Terminated, _) => {}
        }
    }

    /// Whether nothing has been sent yet.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.state == State::Proceeding && self.response.is_none()
    }

    /// Whether a final response has been sent: a CANCEL then has no effect (RFC 3261 §9.2).
    pub(crate) fn is_final(&self) -> bool {
        self.state != State::Proceeding
    }

    fn terminate(&mut self, fx: &mut Effects) {
        self.state = State::Terminated;
        fx.terminated = true;
    }
}

#[cfg(test)]
mod tests;
