//! A session of an earlier life, of which only its dialog is known.

use sip::{Address, ParseError, Uri};

use super::{Cx, Session, Side, State};
use crate::config::Intervals;
use crate::{Cause, Dialog, Snapshot};

impl Session {
    /// A session with the dialog of a snapshot.
    pub(crate) fn resumed(snapshot: &Snapshot, intervals: Intervals) -> Result<Session, ParseError> {
        Uri::parse(&snapshot.remote_target)?;
        for address in [&snapshot.local, &snapshot.remote] {
            Address::parse(address)?;
        }
        let mut session = Session::new(Side::Resumed, State::Established, snapshot.contact.clone(), intervals);
        session.add_peer(Dialog::resumed(snapshot));
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
