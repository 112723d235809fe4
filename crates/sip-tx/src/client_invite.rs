use std::time::Duration;

use bytes::Bytes;
use sip::{Builder, Method, Name, Request, Response};
use wire::Instant;

use crate::effects::{Context, Effects, Timer};
use crate::event::Failure;
use crate::key;

/// INVITE client transaction (RFC 3261 §17.1.1 with RFC 6026 §7.2).
#[derive(Debug)]
pub(crate) struct ClientInvite {
    state: State,
    request: Bytes,
    /// The ACK of the final response, repeated when that is.
    ack: Option<Bytes>,
    retransmit: Duration,
    retransmit_at: Instant,
    cancel: Cancel,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Calling,
    Proceeding,
    Completed,
    Accepted,
    Terminated,
}

/// RFC 3261 §9.1: a CANCEL waits for the first provisional response.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Cancel {
    No,
    /// Wanted; sent with this Reason once a provisional response is there.
    Wanted(Option<Vec<u8>>),
    Sent,
}

impl ClientInvite {
    pub(crate) fn start(request: Bytes, cx: &Context, fx: &mut Effects) -> ClientInvite {
        fx.send.push(request.clone());
        let retransmit_at = cx.now + cx.timing.t1;
        if cx.reliable {
            fx.arm.push((Timer::B, cx.now + cx.timing.timeout()));
        } else {
            // Timer B is armed with the first repetition: most requests are answered before, and a timer that is armed
            // stays in the queue until it is due.
            fx.arm.push((Timer::A, retransmit_at));
        }
        ClientInvite {
            state: State::Calling,
            request,
            ack: None,
            retransmit: cx.timing.t1,
            retransmit_at,
            cancel: Cancel::No,
        }
    }

    /// Returns the CANCEL to send now, if one was waiting for this response.
    pub(crate) fn on_response(&mut self, response: &Response, cx: &Context, fx: &mut Effects) -> Option<Bytes> {
        match (self.state, response.status()) {
            (State::Calling | State::Proceeding, 100..200) => {
                self.state = State::Proceeding;
                fx.deliver = true;
                return self.release_cancel(cx, fx);
            }
            (State::Calling | State::Proceeding, 200..300) => {
                self.state = State::Accepted;
                fx.deliver = true;
                fx.arm.push((Timer::M, cx.now + cx.timing.timeout()));
            }
            (State::Calling | State::Proceeding, _) => {
                self.state = State::Completed;
                fx.deliver = true;
                self.ack = ack(&self.request, response);
                fx.send.extend(self.ack.clone());
                // Timer D: at least 32 s on UDP, 0 s on reliable transports.
                if cx.reliable {
                    self.terminate(fx);
                } else {
                    fx.arm.push((Timer::D, cx.now + cx.timing.timeout()));
                }
            }
            (State::Accepted, 200..300) => fx.deliver = true,
            (State::Completed, 300..) => fx.send.extend(self.ack.clone()),
            // A provisional or another final response after the final one: late or confused, of no consequence.
            (State::Accepted | State::Completed, _) | (State::Terminated, _) => {}
        }
        None
    }

    pub(crate) fn on_timer(&mut self, timer: Timer, due: Instant, cx: &Context, fx: &mut Effects) {
        match (self.state, timer) {
            (State::Calling, Timer::A) if due == self.retransmit_at => {
                if self.retransmit == cx.timing.t1 {
                    fx.arm.push((Timer::B, due + cx.timing.timeout().saturating_sub(cx.timing.t1)));
                }
                self.retransmit *= 2;
                self.retransmit_at = cx.now + self.retransmit;
                fx.send.push(self.request.clone());
                fx.arm.push((Timer::A, self.retransmit_at));
            }
            (State::Calling, Timer::B) | (State::Calling | State::Proceeding, Timer::Cancelled) => {
                fx.failed = Some(Failure::Timeout);
                self.terminate(fx);
            }
            (State::Completed, Timer::D) | (State::Accepted, Timer::M) => self.terminate(fx),
            // Outlived by a change of state.
            (State::Calling | State::Proceeding | State::Completed | State::Accepted | State::Terminated, _) => {}
        }
    }

    pub(crate) fn on_transport_error(&mut self, fx: &mut Effects) {
        match self.state {
            State::Calling | State::Proceeding => {
                fx.failed = Some(Failure::Transport);
                self.terminate(fx);
            }
            State::Completed | State::Accepted | State::Terminated => {}
        }
    }

    /// Asks for a CANCEL: returns it if it may go now.
    pub(crate) fn cancel(&mut self, reason: Option<&[u8]>, cx: &Context, fx: &mut Effects) -> Option<Bytes> {
        match (self.state, &self.cancel) {
            (State::Calling | State::Proceeding, Cancel::No) => {
                self.cancel = Cancel::Wanted(reason.map(<[u8]>::to_vec));
                if self.state == State::Proceeding { self.release_cancel(cx, fx) } else { None }
            }
            (State::Calling | State::Proceeding, Cancel::Wanted(_) | Cancel::Sent)
            | (State::Completed | State::Accepted | State::Terminated, _) => None,
        }
    }

    fn release_cancel(&mut self, cx: &Context, fx: &mut Effects) -> Option<Bytes> {
        let Cancel::Wanted(reason) = &self.cancel else { return None };
        let request = key::own_request(&self.request)?;
        let cancel = cancel(&request, reason.as_deref());
        self.cancel = Cancel::Sent;
        fx.arm.push((Timer::Cancelled, cx.now + cx.timing.timeout()));
        Some(cancel)
    }

    pub(crate) const fn request(&self) -> &Bytes {
        &self.request
    }

    /// Lets go of the request, which is of no more use to the machine once a final response is there.
    pub(crate) fn forget_request(&mut self) {
        match self.state {
            State::Completed | State::Accepted | State::Terminated => self.request = Bytes::new(),
            State::Calling | State::Proceeding => {}
        }
    }

    /// Whether nothing has been heard of the request.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.state == State::Calling
    }

    /// Sends the request another way, perhaps changed for it. Only while it is unanswered.
    pub(crate) fn resend_as(&mut self, request: Bytes, cx: &Context, fx: &mut Effects) {
        debug_assert!(self.is_unanswered(), "an answered request is not sent again");
        self.request = request;
        fx.send.push(self.request.clone());
        if !cx.reliable {
            self.retransmit_at = cx.now + self.retransmit;
            fx.arm.push((Timer::A, self.retransmit_at));
        }
    }

    fn terminate(&mut self, fx: &mut Effects) {
        self.state = State::Terminated;
        fx.terminated = true;
    }
}

/// RFC 3261 §17.1.1.3: the ACK of a final response other than 2xx, made from the INVITE and the To of the response.
fn ack(invite: &Bytes, response: &Response) -> Option<Bytes> {
    let invite = key::own_request(invite)?;
    let builder = hop_by_hop(&invite, Method::Ack);
    Some(builder.header(Name::To, response.header(Name::To)?).finish())
}

/// RFC 3261 §9.1: a CANCEL is like its INVITE in everything that routes it.
fn cancel(invite: &Request, reason: Option<&[u8]>) -> Bytes {
    let builder = hop_by_hop(invite, Method::Cancel).copied(invite, Name::To);
    builder.maybe(Name::Reason, reason).finish()
}

fn hop_by_hop(invite: &Request, method: Method) -> Builder {
    let via = invite.top_via();
    Builder::request(method, invite.uri_text())
        .header(Name::Via, via)
        .header(Name::MaxForwards, "70")
        .copied(invite, Name::Route)
        .copied(invite, Name::From)
        .header(Name::CallId, invite.call_id())
        .header(Name::CSeq, format!("{} {method}", invite.cseq().number))
}

#[cfg(test)]
mod tests;
