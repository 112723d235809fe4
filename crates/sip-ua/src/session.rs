//! The invite session: one INVITE and what comes of it, at either end (RFC 3261 §13-15).
//!
//! The state is here, each procedure in a file of its own below.

mod ack;
mod callee;
mod caller;
mod cancel;
mod challenge;
mod close;
mod in_dialog;
mod modify;
mod offer;
mod own_request;
mod resume;
mod timer;
mod tomb;

use bytes::Bytes;
use sip::{Message, Request};
use sip_tx::{ClientId, Incoming, Owner, ServerId, Stack, Target};
use wire::{Instant, Key, Now, Timers};

pub(crate) use ack::Unacked;
pub(crate) use callee::Callee;
pub(crate) use caller::Caller;
pub(crate) use close::{Closing, Waiting};
pub(crate) use in_dialog::Pending;
pub(crate) use modify::Retry;
pub(crate) use offer::Exchange;
pub(crate) use own_request::Own;
pub use timer::{EXPIRED, too_small};
pub(crate) use timer::{SessionTimer, check as check_interval};
pub(crate) use tomb::Tomb;

use crate::config::{Intervals, Parts};
use crate::draft::Draft;
use crate::user_agent::Shared;
use crate::{Body, Cause, Dialog, DialogId, HalfDialog, Headers, UaEvent};

/// The state of a session.
///
/// ```text
/// UAC: Calling -> Proceeding -> Early -> Established -> Closing -> Terminated
/// UAS: Incoming -> Early -> AnsweredNoAck -> Established -> Closing -> Terminated
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// UAC: INVITE sent.
    Calling,
    /// UAC: a provisional response came, no dialog yet.
    Proceeding,
    /// A provisional response made at least one early dialog.
    Early,
    /// UAC: we cancelled and wait for the final response.
    Cancelling,
    /// UAS: INVITE received.
    Incoming,
    /// UAS: 2xx sent, no ACK yet.
    AnsweredNoAck,
    /// Both know.
    Established,
    /// UAS: we want to close and wait for the ACK (RFC 3261 §15).
    PendingBye,
    /// BYE sent.
    Closing,
    /// Over; stragglers are answered.
    Terminated,
}

/// Which end of the INVITE we are.
#[derive(Debug)]
pub(crate) enum Side {
    /// We sent it.
    Caller(Box<Caller>),
    /// We received it.
    Callee(Callee),
    /// An earlier life of ours did one or the other.
    Resumed,
}

/// What a session waits for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Timer {
    /// Repeat the 2xx (RFC 3261 §13.3.1.4: T1, doubled up to T2).
    Repeat,
    /// Give up waiting for the ACK (64*T1).
    NoAck,
    /// Repeat the provisional response (RFC 3261 §13.3.1.1: every minute).
    Progress,
    /// Try the re-INVITE or UPDATE again that met the peer's (RFC 3261 §14.1).
    Glare,
    /// Nothing was heard of our INVITE since its last provisional response. Proxies on the way cancel after Timer C
    /// (RFC 3261 §16.6 step 11), and whoever rings longer says so every minute (§13.3.1.1): silence for as long means that
    /// a node on the way has died.
    Unanswered,
    /// An early dialog was closed by BYE, but its INVITE goes on: cancel it.
    EarlyBye,
    /// Refresh the session (RFC 4028).
    Refresh,
    /// Close a session that nobody has refreshed.
    Expiry,
    /// Send a BYE once more that was answered with a temporary failure.
    ByeAgain,
    /// Forget the session.
    Tombstone,
}

/// One dialog of a session. A session has several only when its INVITE was forked.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) dialog: Dialog,
    /// The ACKs sent, for repeated 2xx.
    pub(crate) acks: Vec<ack::Sent>,
    pub(crate) bye_sent: bool,
    pub(crate) bye_received: bool,
}

impl Peer {
    pub(crate) const fn new(dialog: Dialog) -> Peer {
        Peer { dialog, acks: Vec::new(), bye_sent: false, bye_received: false }
    }
}

/// An invite session at one end: what a role may read of it.
#[derive(Debug)]
pub struct Session {
    side: Side,
    state: State,
    contact: Bytes,
    pinned: Option<Target>,
    peers: Vec<Peer>,
    /// Which of the peers the session is with; the callee's only one, the caller's first 2xx.
    chosen: Option<usize>,
    exchange: Exchange,
    /// A 2xx made the offer: its dialog and sequence number, for the ACK with our answer.
    owed_ack: Option<(usize, u32)>,
    remote_body: Option<Body>,
    local_body: Option<Body>,
    unacked: Option<Unacked>,
    pending: Vec<Pending>,
    own: Vec<Own>,
    retry: Option<Retry>,
    timer: SessionTimer,
    closing: Option<Closing>,
    /// BYEs that wait to be sent once more.
    byes: Vec<Waiting>,
    timers: Timers<Timer>,
    ended: Option<Cause>,
    gone: bool,
}

/// The session description in a message. It is kept for long, and so not in the memory of the message, which is that of
/// many others.
fn description(message: &Message) -> Option<Body> {
    let sdp = Body::of(message).filter(Body::is_sdp)?;
    Some(Body { bytes: Bytes::copy_from_slice(&sdp.bytes), ..sdp })
}

/// What a session is given to act with; what it wants told goes into `events`.
pub(crate) struct Cx<'a> {
    pub(crate) stack: &'a mut Stack,
    pub(crate) shared: &'a Shared,
    pub(crate) key: Key,
    pub(crate) now: Now,
    pub(crate) events: Vec<UaEvent>,
    /// Dialogs that requests must be able to find from here on.
    pub(crate) opened: Vec<DialogId>,
    /// Dialogs that requests shall not find any more.
    pub(crate) closed: Vec<DialogId>,
}

impl Cx<'_> {
    pub(crate) fn tell(&mut self, event: UaEvent) {
        self.events.push(event);
    }

    /// Sends a request in a transaction of its own. `None` when its next hop cannot be reached.
    pub(crate) fn send(&mut self, draft: &Draft, pinned: Option<&Target>) -> Option<ClientId> {
        let (hop, bytes) = draft.route(self.stack, pinned, &self.shared.resolver)?;
        Some(self.stack.request(hop, draft.method, bytes, Owner::Session(self.key), self.now))
    }

    /// Answers a request in a session.
    pub(crate) fn respond(&mut self, tx: ServerId, request: &Request, status: u16, tag: &[u8], parts: &Parts<'_>) {
        let bytes = self.shared.config.response(request, status, tag, parts);
        self.stack.respond(tx, status, bytes, self.now);
    }

    /// Answers a request with a status and header fields.
    pub(crate) fn reply(&mut self, incoming: &Incoming, status: u16, headers: &Headers) {
        let parts = Parts { contact: None, headers, body: None };
        self.respond(incoming.tx, &incoming.request, status, incoming.request.to_tag(), &parts);
    }

    pub(crate) fn after_timeout(&self) -> Instant {
        self.now.at + self.stack.timing().timeout()
    }
}

/// The session is in a state in which this cannot be asked of it. Roles meet this in races: the session may have ended
/// a moment ago, and [`UaEvent::Ended`] is on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not possible in state {0:?}")]
pub struct WrongState(pub State);

impl Session {
    fn new(side: Side, state: State, contact: Bytes, intervals: Intervals) -> Session {
        Session {
            side,
            state,
            contact,
            pinned: None,
            peers: Vec::new(),
            chosen: None,
            exchange: Exchange::Stable,
            owed_ack: None,
            remote_body: None,
            local_body: None,
            unacked: None,
            pending: Vec::new(),
            own: Vec::new(),
            retry: None,
            timer: SessionTimer::new(intervals),
            closing: None,
            byes: Vec::new(),
            timers: Timers::new(),
            ended: None,
            gone: false,
        }
    }

    /// Where it is.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Whether we sent the INVITE.
    pub const fn is_caller(&self) -> bool {
        matches!(self.side, Side::Caller(_))
    }

    /// What our INVITE makes dialogs of, if we sent one.
    pub fn half_dialog(&self) -> Option<&HalfDialog> {
        self.as_caller().map(|caller| &caller.half)
    }

    /// The Call-ID of its INVITE.
    pub fn call_id(&self) -> &[u8] {
        let half = self.half_dialog().map(|half| &half.call_id);
        half.or_else(|| self.dialog_ids().next().map(|id| &id.call_id)).map_or(b"", |call_id| &call_id[..])
    }

    /// The dialog, once there is one; of several early ones the first.
    pub fn dialog(&self) -> Option<&Dialog> {
        self.peers.get(self.chosen.unwrap_or(0)).map(|peer| &peer.dialog)
    }

    /// The peer's last session description.
    pub const fn remote_sdp(&self) -> Option<&Body> {
        self.remote_body.as_ref()
    }

    /// Our last session description.
    pub const fn local_sdp(&self) -> Option<&Body> {
        self.local_body.as_ref()
    }

    /// Our Contact.
    pub const fn contact(&self) -> &Bytes {
        &self.contact
    }

    /// Why it ended, if it has.
    pub const fn ended(&self) -> Option<Cause> {
        self.ended
    }

    pub(crate) fn next_timer(&self) -> Option<Instant> {
        self.timers.next()
    }

    pub(crate) fn dialog_ids(&self) -> impl Iterator<Item = &DialogId> {
        self.peers.iter().map(|peer| peer.dialog.id())
    }

    /// Most sessions have one dialog, and stay with one.
    fn add_peer(&mut self, dialog: Dialog) {
        self.peers.reserve_exact(1);
        self.peers.push(Peer::new(dialog));
    }

    fn peer_of(&self, remote_tag: &[u8]) -> Option<usize> {
        self.peers.iter().position(|peer| peer.dialog.id().remote_tag == remote_tag)
    }

    /// Whether its tombstone has served its time.
    pub(crate) const fn is_gone(&self) -> bool {
        self.gone
    }

    /// Fires what is due.
    pub(crate) fn on_timeout(&mut self, cx: &mut Cx<'_>) {
        while let Some(timer) = self.timers.pop_due(cx.now.at) {
            match timer {
                Timer::Repeat => self.repeat_answer(cx),
                Timer::NoAck => self.on_no_ack(cx),
                Timer::Progress => self.repeat_progress(cx),
                Timer::Glare => self.retry_modification(cx),
                Timer::Unanswered => self.give_up_calling(cx),
                Timer::EarlyBye => self.cancel_closed_invite(cx),
                Timer::Refresh => self.refresh(cx),
                Timer::Expiry => self.expire(cx),
                Timer::ByeAgain => self.send_byes_again(cx),
                Timer::Tombstone => {
                    self.abandon_requests(cx);
                    self.gone = true;
                }
            }
        }
    }

    /// The session is over: says so once, and stays as a tombstone for whatever still comes (64*T1, the life of any
    /// transaction of it).
    fn terminate(&mut self, cause: Cause, cx: &mut Cx<'_>) {
        if self.state == State::Terminated {
            return;
        }
        self.withdraw_pending(cx);
        self.state = State::Terminated;
        self.shed();
        self.timers.clear();
        self.timers.arm(Timer::Tombstone, cx.after_timeout());
        self.await_byes();
        self.ended = Some(cause);
        cx.tell(UaEvent::Ended { cause });
    }

    /// Gives back what only a session that lives needs: tombstones are many.
    fn shed(&mut self) {
        (self.unacked, self.retry, self.closing) = (None, None, None);
        (self.local_body, self.remote_body) = (None, None);
        self.pending.shrink_to_fit();
        self.own.shrink_to_fit();
        match &mut self.side {
            Side::Caller(caller) if !caller.is_pending => caller.answered(),
            Side::Caller(_) | Side::Resumed => {}
            Side::Callee(callee) => callee.answered(),
        }
    }

    fn note_remote_body(&mut self, message: &Message) -> bool {
        let sdp = description(message);
        let found = sdp.is_some();
        if found {
            self.remote_body = sdp;
        }
        found
    }

    /// What must hold whenever nobody is at work on the session.
    #[cfg(debug_assertions)]
    pub(crate) fn check_invariants(&self) {
        let is_over = self.state == State::Terminated;
        assert_eq!(is_over, self.ended.is_some(), "a session has ended exactly when it is terminated");
        let is_buried = self.gone || self.timers.deadline(Timer::Tombstone).is_some();
        assert!(!is_over || is_buried, "a tombstone is taken away in time");
        assert!(!is_over || (self.unacked.is_none() && self.pending.is_empty()), "nothing is open in a tombstone");
        assert!(
            self.unacked.is_none() || self.timers.deadline(Timer::NoAck).is_some(),
            "a 2xx without ACK is not repeated for ever"
        );
        assert!(
            !matches!(self.state, State::Established | State::AnsweredNoAck | State::PendingBye)
                || self.chosen.is_some(),
            "an answered session has a dialog"
        );
        assert!(self.state != State::Closing || self.closing.is_some(), "a session that closes knows why");
        assert!(self.pending.iter().all(|p| p.request.method() != sip::Method::Bye), "a BYE is answered at once");
    }
}
