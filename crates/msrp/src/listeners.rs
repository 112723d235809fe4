use std::net::SocketAddr;

use sdp::{Fingerprint, Protocol};

/// A listener of a node for MSRP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listener {
    /// The bound address.
    pub addr: SocketAddr,
    /// Over TLS, the fingerprint of the certificate that is shown there (RFC 8122). None over TCP.
    pub fingerprint: Option<Fingerprint>,
}

impl Listener {
    /// TCP or TLS.
    pub fn protocol(&self) -> Protocol {
        Protocol::over(self.is_tls())
    }

    /// Whether it is TLS.
    pub const fn is_tls(&self) -> bool {
        self.fingerprint.is_some()
    }
}

/// All listeners of a node for MSRP, one at least.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listeners {
    offered: Listener,
    other: Option<Listener>,
}

impl Listeners {
    /// The one that is offered, and one for offers over the other protocol.
    pub const fn new(offered: Listener, other: Option<Listener>) -> Listeners {
        Listeners { offered, other }
    }

    /// What an offer of ours names.
    pub const fn offered(&self) -> &Listener {
        &self.offered
    }

    /// What an answer of ours names, which is over the protocol of the offer (RFC 3264 §6); `None` if there is none.
    pub fn over(&self, protocol: Protocol) -> Option<&Listener> {
        self.iter().find(|listener| listener.protocol() == protocol)
    }

    /// Where connections over this protocol come to; over one without a listener, where those of [`Listeners::offered`] do.
    pub fn addr(&self, protocol: Protocol) -> SocketAddr {
        self.over(protocol).unwrap_or(&self.offered).addr
    }

    /// What an answer to this description names: [`Listeners::offered`] if it is no offer of MSRP.
    pub fn answering(&self, offer: &[u8]) -> Option<&Listener> {
        match sdp::glance(offer) {
            Ok(Some(media)) => self.over(media.protocol),
            Ok(None) | Err(_) => Some(&self.offered),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Listener> {
        std::iter::once(&self.offered).chain(&self.other)
    }
}

impl From<SocketAddr> for Listeners {
    /// TCP and nothing else.
    fn from(addr: SocketAddr) -> Listeners {
        Listeners::new(Listener { addr, fingerprint: None }, None)
    }
}
