//! Who a request is from, as far as its way tells (RFC 3325 §4): what it says of users is believed or not by that.

use std::net::SocketAddr;

use sip::{Request, Uri};
use sip_proxy::{Preprocessed, Reject};
use sip_tx::Flow;

use crate::{Core, Trust};

/// Who sent a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// The core of another domain.
    Peer,
    /// The participating function.
    ApplicationServer,
    /// Anybody else: a client.
    Client,
}

impl Core {
    /// Who sent a request, if who did may send over the listener that it came on.
    pub(crate) fn origin(&self, request: &Request, flow: &Flow) -> Result<Origin, Reject> {
        let (by_address, addr) = self.by_address(request, flow);
        let is_it = |listener: &sip_tx::Listener| listener.transport == flow.transport && listener.addr == flow.local;
        let trust = self.config.trust.iter().find(|(listener, _)| is_it(listener)).map(|(_, trust)| *trust);
        match (trust, by_address) {
            (None, origin) => Ok(origin),
            (Some(Trust::Access), _) => Ok(Origin::Client),
            (Some(Trust::Core), Origin::ApplicationServer) => Ok(Origin::ApplicationServer),
            (Some(Trust::Peer), Origin::Peer) if self.is_proved(flow, addr) => Ok(Origin::Peer),
            (Some(Trust::Core), Origin::Peer | Origin::Client)
            | (Some(Trust::Peer), Origin::Peer | Origin::ApplicationServer | Origin::Client) => {
                Err(Reject::new(403).because("not whom this listener is for"))
            }
        }
    }

    /// Without TLS the address is all the proof there is.
    fn is_proved(&self, flow: &Flow, addr: Option<SocketAddr>) -> bool {
        let transports = self.stack.transports();
        let is_tls = flow.transport == wire::Transport::Tls;
        !is_tls || flow.conn.zip(addr).is_some_and(|(conn, addr)| transports.has_proved(conn, addr))
    }

    /// By the address that a request came from: datagrams show the sender's socket, streams only its host, so there the
    /// sent-by of its Via counts as well.
    fn by_address(&self, request: &Request, flow: &Flow) -> (Origin, Option<SocketAddr>) {
        let sent_by = || {
            let via = request.via();
            let host = std::str::from_utf8(via.host).ok().and_then(|h| h.trim_matches(['[', ']']).parse().ok())?;
            Some(SocketAddr::new(host, via.port.unwrap_or(5060))).filter(|addr| addr.ip() == flow.remote.ip())
        };
        let sent_by = flow.conn.and_then(|_| sent_by());
        let is = |addr: &SocketAddr| flow.remote == *addr || sent_by == Some(*addr);
        if let Some(addr) = self.trigger.filter(is) {
            return (Origin::ApplicationServer, Some(addr));
        }
        let peer = self.config.peers.iter().map(|peer| peer.addr).find(is);
        (if peer.is_some() { Origin::Peer } else { Origin::Client }, peer)
    }

    /// Other domains reach our users, and nobody else through us.
    pub(crate) fn must_be_for_us(&self, request: &Request, pre: &Preprocessed) -> Result<(), Reject> {
        let uri: Uri<'_> = pre.uri(request);
        let is_ours = self.is_home(&uri) || self.number_of(&uri).is_some();
        if is_ours { Ok(()) } else { Err(Reject::new(403).because("no way through here to other domains")) }
    }
}
