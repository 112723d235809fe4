//! A session of an earlier life, of which only its dialog is known.

use sip::{Builder, Message, Method, Name, ParseError};

use super::{Cx, Peer, Session, Side, State};
use crate::config::Intervals;
use crate::{Cause, Dialog, Snapshot};

impl Session {
    /// A session with the dialog of a snapshot.
    pub(crate) fn resumed(snapshot: &Snapshot, intervals: Intervals) -> Result<Session, ParseError> {
        // The INVITE is lost, and all that could be asked of it is in the dialog; what stands for it is never sent.
        let invite = Builder::request(Method::Invite, &snapshot.remote_target)
            .header(Name::Via, "SIP/2.0/UDP invalid.invalid;branch=z9hG4bK-resumed")
            .header(Name::MaxForwards, "70")
            .header(Name::From, &snapshot.local)
            .header(Name::To, &snapshot.remote)
            .header(Name::CallId, &snapshot.call_id)
            .header(Name::CSeq, "0 INVITE")
            .finish();
        let invite = Message::parse_request(invite)?;
        let mut session = Session::new(Side::Resumed, State::Established, invite, snapshot.contact.clone(), intervals);
        session.peers.push(Peer::new(Dialog::resumed(snapshot)));
        session.chosen = Some(0);
        Ok(session)
    }

    /// The peer has closed: its BYE may come again, and is answered as one that crossed ours.
    pub(crate) fn end_as_closed(&mut self, cx: &mut Cx<'_>) {
        for peer in &mut self.peers {
            peer.bye_sent = true;
        }
        self.terminate(Cause::RemoteBye, cx);
    }
}
