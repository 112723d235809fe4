//! The entries of the two tables, and the machines in them: INVITE or not, the stack treats them alike.

use bytes::Bytes;
use sip::{Method, Response};
use sip_transport::{Hop, ReturnPath};
use wire::Instant;

use crate::client_invite::ClientInvite;
use crate::client_non_invite::ClientNonInvite;
use crate::effects::{Context, Effects, Timer};
use crate::event::Owner;
use crate::server_invite::ServerInvite;
use crate::server_non_invite::ServerNonInvite;

#[derive(Debug)]
pub(super) struct Server {
    pub(super) machine: ServerMachine,
    pub(super) method: Method,
    /// When the request came.
    pub(super) began: Instant,
    /// The hash of its key.
    pub(super) hash: u64,
    pub(super) path: ReturnPath,
    pub(super) owner: Option<Owner>,
    /// The client wants to be told of overload (RFC 7339).
    pub(super) wants_oc: bool,
}

#[derive(Debug)]
pub(super) enum ServerMachine {
    Invite(ServerInvite),
    NonInvite(ServerNonInvite),
}

impl ServerMachine {
    pub(super) fn new(method: Method, now: Instant) -> ServerMachine {
        if method == Method::Invite {
            ServerMachine::Invite(ServerInvite::new())
        } else {
            ServerMachine::NonInvite(ServerNonInvite::new(now))
        }
    }

    pub(super) fn respond(&mut self, status: u16, bytes: Bytes, cx: &Context, fx: &mut Effects) {
        match self {
            ServerMachine::Invite(machine) => machine.respond(status, bytes, cx, fx),
            ServerMachine::NonInvite(machine) => machine.respond(status, bytes, cx, fx),
        }
    }

    /// A further request of this transaction: `true` if it is the role's (the ACK of a 2xx), `false` if it ends here.
    pub(super) fn on_request(&mut self, method: Method, cx: &Context, fx: &mut Effects) -> bool {
        match self {
            ServerMachine::Invite(machine) if method == Method::Ack => return machine.on_ack(cx, fx),
            ServerMachine::Invite(machine) => machine.on_retransmission(fx),
            ServerMachine::NonInvite(machine) => machine.on_retransmission(fx),
        }
        false
    }

    pub(super) fn on_timer(&mut self, timer: Timer, due: Instant, cx: &Context, fx: &mut Effects) {
        match self {
            ServerMachine::Invite(machine) => machine.on_timer(timer, due, cx, fx),
            ServerMachine::NonInvite(machine) => machine.on_timer(timer, fx),
        }
    }

    /// The response that is repeated when the request comes again.
    pub(super) const fn response(&self) -> Option<&Bytes> {
        match self {
            ServerMachine::Invite(_) => None,
            ServerMachine::NonInvite(machine) => machine.response(),
        }
    }

    pub(super) fn is_unanswered(&self) -> bool {
        match self {
            ServerMachine::Invite(machine) => machine.is_unanswered(),
            ServerMachine::NonInvite(_) => false,
        }
    }

    pub(super) fn is_final(&self) -> bool {
        match self {
            ServerMachine::Invite(machine) => machine.is_final(),
            ServerMachine::NonInvite(machine) => machine.is_final(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Client {
    pub(super) machine: ClientMachine,
    pub(super) method: Method,
    /// When the request left.
    pub(super) began: Instant,
    pub(super) hop: Hop,
    pub(super) owner: Option<Owner>,
    /// Its outcome has been counted.
    pub(super) is_counted: bool,
}

#[derive(Debug)]
pub(super) enum ClientMachine {
    /// The place is taken, the request not sent yet.
    Reserved,
    Invite(ClientInvite),
    NonInvite(ClientNonInvite),
}

impl ClientMachine {
    pub(super) fn start(method: Method, request: Bytes, cx: &Context, fx: &mut Effects) -> ClientMachine {
        if method == Method::Invite {
            ClientMachine::Invite(ClientInvite::start(request, cx, fx))
        } else {
            ClientMachine::NonInvite(ClientNonInvite::start(request, cx, fx))
        }
    }

    /// Returns the CANCEL to send now, if one was waiting for this response.
    pub(super) fn on_response(&mut self, response: &Response, cx: &Context, fx: &mut Effects) -> Option<Bytes> {
        match self {
            ClientMachine::Invite(machine) => return machine.on_response(response, cx, fx),
            ClientMachine::NonInvite(machine) => machine.on_response(response, cx, fx),
            ClientMachine::Reserved => {}
        }
        None
    }

    pub(super) fn on_timer(&mut self, timer: Timer, due: Instant, cx: &Context, fx: &mut Effects) {
        match self {
            ClientMachine::Invite(machine) => machine.on_timer(timer, due, cx, fx),
            ClientMachine::NonInvite(machine) => machine.on_timer(timer, due, cx, fx),
            ClientMachine::Reserved => {}
        }
    }

    pub(super) fn on_transport_error(&mut self, fx: &mut Effects) {
        match self {
            ClientMachine::Invite(machine) => machine.on_transport_error(fx),
            ClientMachine::NonInvite(machine) => machine.on_transport_error(fx),
            ClientMachine::Reserved => {}
        }
    }

    /// The request, if it has been sent.
    pub(super) const fn request(&self) -> Option<&Bytes> {
        match self {
            ClientMachine::Invite(machine) => Some(machine.request()),
            ClientMachine::NonInvite(machine) => Some(machine.request()),
            ClientMachine::Reserved => None,
        }
    }

    /// Lets go of the request, once a final response is there: the transaction goes on for as long as 64*T1.
    pub(super) fn forget_request(&mut self) {
        match self {
            ClientMachine::Invite(machine) => machine.forget_request(),
            ClientMachine::NonInvite(machine) => machine.forget_request(),
            ClientMachine::Reserved => {}
        }
    }

    /// The request, if it has been sent and nothing has been heard of it: then it may be sent another way.
    pub(super) fn unanswered(&self) -> Option<&Bytes> {
        match self {
            ClientMachine::Invite(machine) => Some(machine.request()).filter(|_| machine.is_unanswered()),
            ClientMachine::NonInvite(machine) => Some(machine.request()).filter(|_| machine.is_unanswered()),
            ClientMachine::Reserved => None,
        }
    }

    /// Sends the request again in other words, another way.
    pub(super) fn resend_as(&mut self, request: Bytes, cx: &Context, fx: &mut Effects) {
        match self {
            ClientMachine::Invite(machine) => machine.resend_as(request, cx, fx),
            ClientMachine::NonInvite(machine) => machine.resend_as(request, cx, fx),
            ClientMachine::Reserved => {}
        }
    }
}
