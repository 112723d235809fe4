use std::io;
use std::net::SocketAddr;

use engine::{BindError, ClientAuth, Engine, Handle, Limits, Listen, Sockets, Tls};
use msrp::Listeners;
use sip_tx::Listener;
use wire::{Node, Transport};

/// MSRP's group of ports: never the port of SIP.
const MSRP: u8 = 1;

/// Where a node is to listen. Port 0 lets the kernel choose; the SIP listeners that ask for it get one port in common, but for
/// TLS, which has one of its own.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Addresses {
    /// SIP.
    pub sip: Vec<(Transport, SocketAddr)>,
    /// MSRP, for nodes that may stand on the media path: TCP or TLS, each at most once. The first one is what the node
    /// offers, the other one takes offers over its protocol.
    pub msrp: Vec<(Transport, SocketAddr)>,
    /// Whether those who come for SIP over TLS must have a certificate that is trusted. For MSRP the description says whose
    /// it must be.
    pub client_auth: ClientAuth,
}

/// The bound sockets of a node that has no role yet: a role is told the actual addresses when it is made.
pub struct Bound {
    name: String,
    sockets: Sockets,
    listeners: Vec<Listener>,
    msrp: Option<Listeners>,
}

impl Bound {
    /// Binds all sockets of the node `name`, or none. Without `tls` nothing may listen over TLS, and nothing leaves over it.
    pub fn bind(name: &str, wanted: &Addresses, tls: Option<Tls>) -> Result<Bound, BindError> {
        let sip = wanted.sip.iter().map(|(transport, addr)| Listen::new(*transport, *addr));
        let sip = sip.map(|listen| listen.client_auth(wanted.client_auth));
        let msrp = wanted.msrp.iter().map(|(transport, addr)| Listen::new(*transport, *addr).group(MSRP));
        let listens: Vec<Listen> = sip.chain(msrp).collect();
        let fingerprint = tls.as_ref().map(|tls| msrp::fingerprint(&tls.identity().fingerprint()));
        let sockets = Sockets::bind_secret(&listens, Limits::default(), tls)?;
        let (sip, msrp) = sockets.bound().split_at(wanted.sip.len());
        let listeners = sip.iter().map(|l| Listener { transport: l.transport, addr: l.addr }).collect();
        let mut msrp = msrp.iter().map(|listen| msrp::Listener {
            addr: listen.addr,
            fingerprint: fingerprint.clone().filter(|_| listen.transport == Transport::Tls),
        });
        let msrp = msrp.next().map(|offered| Listeners::new(offered, msrp.next()));
        Ok(Bound { name: name.to_owned(), sockets, listeners, msrp })
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The SIP listeners, with the ports that the kernel chose.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// The address of the SIP listener for `transport`.
    pub fn sip(&self, transport: Transport) -> Option<SocketAddr> {
        self.listeners.iter().find(|l| l.transport == transport).map(|l| l.addr)
    }

    /// The MSRP listeners.
    pub const fn msrp(&self) -> Option<&Listeners> {
        self.msrp.as_ref()
    }

    /// Runs the node in a thread with its name.
    pub fn start<N: Node + Send + 'static>(self, node: N, options: engine::Options<N>) -> io::Result<Handle<N>> {
        Engine::spawn(&self.name, self.sockets, node, options)
    }
}

#[cfg(test)]
mod tests {
    use engine::Identity;

    use super::*;

    fn any(transport: Transport) -> (Transport, SocketAddr) {
        (transport, SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    fn addresses(sip: Vec<(Transport, SocketAddr)>, msrp: Vec<(Transport, SocketAddr)>) -> Addresses {
        Addresses { sip, msrp, client_auth: ClientAuth::Asked }
    }

    #[test]
    fn sip_has_one_port_for_both_transports_and_msrp_another() {
        let wanted = addresses(vec![any(Transport::Udp), any(Transport::Tcp)], vec![any(Transport::Tcp)]);
        let bound = Bound::bind("n", &wanted, None).unwrap();
        let udp = bound.sip(Transport::Udp).unwrap();
        assert_ne!(udp.port(), 0);
        assert_eq!(bound.sip(Transport::Tcp), Some(udp));
        assert_ne!(bound.msrp().unwrap().offered().addr.port(), udp.port());
        assert_eq!((bound.listeners().len(), bound.sip(Transport::Tls)), (2, None));
    }

    #[test]
    fn msrp_is_offered_over_the_first_protocol_and_tls_shows_the_certificate() {
        let tls = Tls::new(Identity::self_signed(&[]).unwrap());
        let ours = msrp::fingerprint(&tls.identity().fingerprint());
        let wanted = addresses(vec![any(Transport::Tls)], vec![any(Transport::Tls), any(Transport::Tcp)]);
        let bound = Bound::bind("n", &wanted, Some(tls)).unwrap();
        let fingerprints: Vec<_> = bound.msrp().unwrap().iter().map(|listener| listener.fingerprint.clone()).collect();
        assert_eq!(fingerprints, [Some(ours), None]);

        let refused = Bound::bind("n", &wanted, None).err().unwrap().to_string();
        assert!(refused.contains("the node has no certificate"), "{refused}");
    }

    #[test]
    fn an_address_that_is_taken_is_named() {
        let holder = Bound::bind("a", &addresses(vec![any(Transport::Tcp)], vec![]), None).unwrap();
        let taken = holder.sip(Transport::Tcp).unwrap();
        let again = Bound::bind("b", &addresses(vec![(Transport::Tcp, taken)], vec![]), None);
        let error = again.err().unwrap().to_string();
        assert!(error.starts_with(&format!("cannot listen on tcp {taken}: ")), "{error}");
    }
}
