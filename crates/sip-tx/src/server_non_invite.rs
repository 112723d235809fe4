use bytes::Bytes;

use crate::effects::{Context, Effects, Timer};

/// Non-INVITE server transaction (RFC 3261 §17.2.2 with RFC 4320).
#[derive(Debug)]
pub(crate) struct ServerNonInvite {
    state: State,
    /// The response to repeat when the request comes again.
    response: Option<Bytes>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

impl ServerNonInvite {
    pub(crate) const fn new() -> ServerNonInvite {
        ServerNonInvite { state: State::Trying, response: None }
    }

    /// A response from the role.
    pub(crate) fn respond(&mut self, status: u16, bytes: Bytes, cx: &Context, fx: &mut Effects) {
        match (self.state, status) {
            (State::Trying | State::Proceeding, 100..200) => {
                self.state = State::Proceeding;
                self.response = Some(bytes.clone());
                fx.send.push(bytes);
            }
            (State::Trying | State::Proceeding, _) => {
                self.state = State::Completed;
                fx.send.push(bytes.clone());
                // Timer J: 64*T1 on UDP, 0 s on reliable transports.
                if cx.reliable {
                    self.terminate(fx);
                } else {
                    self.response = Some(bytes);
                    fx.arm.push((Timer::J, cx.now + cx.timing.timeout()));
                }
            }
            // RFC 3261 §17.2.2: any other final response from the role is discarded.
            (State::Completed | State::Terminated, _) => {}
        }
    }

    /// No response will come: Completed with nothing to repeat.
    pub(crate) fn leave_unanswered(&mut self, cx: &Context, fx: &mut Effects) {
        match self.state {
            State::Trying | State::Proceeding => {
                (self.state, self.response) = (State::Completed, None);
                if cx.reliable {
                    self.terminate(fx);
                } else {
                    fx.arm.push((Timer::J, cx.now + cx.timing.timeout()));
                }
            }
            State::Completed | State::Terminated => {}
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

    fn terminate(&mut self, fx: &mut Effects) {
        self.state = State::Terminated;
        fx.terminated = true;
    }
}
