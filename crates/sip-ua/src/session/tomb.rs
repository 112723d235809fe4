//! What is kept of a session that is over, for its stragglers.
//!
//! A busy node has far more sessions that ended within the last 32 seconds than sessions. Whole ones would be scattered over
//! pieces of memory that nobody has touched for as long, each a wait for the memory when it is taken apart.

use bytes::Bytes;
use sip_tx::{ClientId, Hop, ServerId, Target};
use wire::Instant;

use super::{Callee, Caller, Peer, Session, Side, State, Timer, ack};
use crate::config::Intervals;
use crate::index::{DialogParts, Origin};
use crate::{Cause, Dialog, DialogId, HalfDialog, Headers};

/// A session that has ended: what its stragglers are answered with, and nothing else. [`Tomb::open`] makes the session again
/// that answers one.
#[derive(Debug)]
pub(crate) struct Tomb {
    texts: Texts,
    of: Of,
    /// Whether there was a dialog.
    has_dialog: bool,
    is_chosen: bool,
    bye_sent: bool,
    bye_received: bool,
    local_cseq: u32,
    remote_cseq: Option<u32>,
    ended: Cause,
    until: Instant,
}

/// Which end of the INVITE we were.
#[derive(Debug)]
enum Of {
    Caller(Box<OfCaller>),
    Callee { tx: ServerId, cseq: u32 },
    Resumed,
}

/// What the ACKs of further 2xx to the INVITE are made of.
#[derive(Debug)]
struct OfCaller {
    tx: ClientId,
    cseq: u32,
    secure: bool,
    pinned: Option<Target>,
    /// The sequence number of the ACK that was sent, and where it went.
    ack: Option<(u32, Hop)>,
}

/// The texts of a tomb, by their places.
#[derive(Clone, Copy)]
enum Text {
    CallId,
    LocalTag,
    RemoteTag,
    /// From of our INVITE.
    Local,
    /// Its Request-URI.
    Uri,
    /// The header fields with its credentials.
    Authorization,
    /// The ACK that was sent.
    Ack,
}

/// How many there are.
const TEXTS: usize = 7;

/// A few texts in one piece of memory.
#[derive(Debug)]
struct Texts {
    octets: Box<[u8]>,
    /// Where each ends.
    ends: [u32; TEXTS],
}

impl Texts {
    fn new(texts: [&[u8]; TEXTS]) -> Option<Texts> {
        let octets = texts.concat().into_boxed_slice();
        u32::try_from(octets.len()).ok()?;
        let mut end = 0;
        let ends = texts.map(|text| {
            end += text.len() as u32;
            end
        });
        Some(Texts { octets, ends })
    }

    fn get(&self, text: Text) -> &[u8] {
        let place = text as usize;
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.octets[start as usize..self.ends[place] as usize]
    }

    fn own(&self, text: Text) -> Bytes {
        Bytes::copy_from_slice(self.get(text))
    }
}

impl Session {
    /// The tomb of a session that has ended. `None` while something of it is still under way, and for the few that have more
    /// to remember than a tomb has room for: forks, and ACKs of re-INVITEs.
    pub(crate) fn entomb(&self) -> Option<Tomb> {
        let ended = self.ended.filter(|_| self.own.is_empty() && self.byes.is_empty() && !self.is_calling())?;
        let until = self.timers.deadline(Timer::Tombstone)?;
        let peer = self.peers.first();
        let acks = peer.map_or(&[][..], |peer| &peer.acks[..]);
        if self.peers.len() > 1 || acks.len() > 1 {
            return None;
        }
        let ack = acks.first();
        let half = self.half_dialog();
        let dialog = peer.map(|peer| &peer.dialog);
        let [call_id, local_tag] = match (half, dialog.map(Dialog::id)) {
            (Some(HalfDialog { call_id, local_tag, .. }), _) | (None, Some(DialogId { call_id, local_tag, .. })) => {
                [&call_id[..], local_tag]
            }
            (None, None) => return None,
        };
        let authorization = self.as_caller().map_or(&[][..], |caller| caller.authorization.as_bytes());
        let texts = Texts::new([
            call_id,
            local_tag,
            dialog.map_or(&[], |dialog| &dialog.id().remote_tag),
            half.map_or(&[], |half| &half.local),
            half.map_or(&[], |half| &half.uri),
            authorization,
            ack.map_or(&[], |ack| &ack.bytes),
        ])?;
        Some(Tomb {
            texts,
            of: self.of(ack),
            has_dialog: peer.is_some(),
            is_chosen: self.chosen.is_some(),
            bye_sent: peer.is_some_and(|peer| peer.bye_sent),
            bye_received: peer.is_some_and(|peer| peer.bye_received),
            local_cseq: dialog.map_or(0, Dialog::local_cseq),
            remote_cseq: dialog.and_then(Dialog::remote_cseq),
            ended,
            until,
        })
    }

    fn of(&self, ack: Option<&ack::Sent>) -> Of {
        match &self.side {
            Side::Caller(caller) => Of::Caller(Box::new(OfCaller {
                tx: caller.tx,
                cseq: caller.half.cseq,
                secure: caller.half.secure,
                pinned: self.pinned,
                // The branch named a transaction that ACKs do not have; it stands in the octets.
                ack: ack.map(|ack| (ack.cseq, Hop { branch: String::new(), ..ack.hop.clone() })),
            })),
            Side::Callee(callee) => Of::Callee { tx: callee.tx, cseq: callee.cseq },
            Side::Resumed => Of::Resumed,
        }
    }
}

impl Tomb {
    /// When it has served its time.
    pub(crate) const fn until(&self) -> Instant {
        self.until
    }

    /// The dialog, if there was one.
    pub(crate) fn dialog(&self) -> Option<DialogParts<'_>> {
        let parts = [Text::CallId, Text::LocalTag, Text::RemoteTag].map(|text| self.texts.get(text));
        self.has_dialog.then(|| DialogParts::new(parts))
    }

    /// The INVITE that made it, if we received one.
    pub(crate) fn invited_in(&self) -> Option<Origin<'_>> {
        let Of::Callee { cseq, .. } = self.of else { return None };
        Some(Origin::new([Text::CallId, Text::RemoteTag].map(|text| self.texts.get(text)), cseq))
    }

    /// The session that it is of, as far as a straggler can tell.
    pub(crate) fn open(&self, intervals: Intervals) -> Session {
        let texts = &self.texts;
        let id = DialogId {
            call_id: texts.own(Text::CallId),
            local_tag: texts.own(Text::LocalTag),
            remote_tag: texts.own(Text::RemoteTag),
        };
        let mut acks = Vec::new();
        let (mut pinned, mut secure) = (None, false);
        let side = match &self.of {
            Of::Caller(caller) => {
                (pinned, secure) = (caller.pinned, caller.secure);
                acks.extend(caller.ack.as_ref().map(|(cseq, hop)| ack::Sent {
                    cseq: *cseq,
                    hop: hop.clone(),
                    bytes: texts.own(Text::Ack),
                }));
                let half = HalfDialog {
                    call_id: id.call_id.clone(),
                    local_tag: id.local_tag.clone(),
                    local: texts.own(Text::Local),
                    uri: texts.own(Text::Uri),
                    cseq: caller.cseq,
                    secure,
                };
                let authorization = Headers::from_bytes(texts.get(Text::Authorization));
                Side::Caller(Box::new(Caller::buried(caller.tx, half, authorization)))
            }
            Of::Callee { tx, cseq } => Side::Callee(Callee::buried(*tx, *cseq)),
            Of::Resumed => Side::Resumed,
        };
        let mut session = Session::new(side, State::Terminated, Bytes::new(), intervals);
        if self.has_dialog {
            let dialog = Dialog::buried(id, self.local_cseq, self.remote_cseq, secure);
            session.peers.push(Peer { dialog, acks, bye_sent: self.bye_sent, bye_received: self.bye_received });
        }
        session.pinned = pinned;
        session.chosen = self.is_chosen.then_some(0);
        session.ended = Some(self.ended);
        session.timers.arm(Timer::Tombstone, self.until);
        session
    }
}
