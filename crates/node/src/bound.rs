use std::io;
use std::net::SocketAddr;

use engine::{BindError, Engine, Handle, Listen, Sockets};
use sip_tx::Listener;
use wire::{Node, Transport};

/// MSRP's group of ports: never the port of SIP.
const MSRP: u8 = 1;

/// Where a node is to listen. Port 0 lets the kernel choose; the SIP listeners that ask for it get one port in common.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Addresses {
    /// SIP.
    pub sip: Vec<(Transport, SocketAddr)>,
    /// MSRP over TCP, for nodes that may stand on the media path.
    pub msrp: Option<SocketAddr>,
}

/// The bound sockets of a node that has no role yet: a role is told the actual addresses when it is made.
pub struct Bound {
    name: String,
    sockets: Sockets,
    listeners: Vec<Listener>,
    msrp: Option<SocketAddr>,
}

impl Bound {
    /// Binds all sockets of the node `name`, or none.
    pub fn bind(name: &str, wanted: &Addresses) -> Result<Bound, BindError> {
        let sip = wanted.sip.iter().map(|(transport, addr)| Listen::new(*transport, *addr));
        let listens: Vec<Listen> = sip.chain(wanted.msrp.map(|addr| Listen::tcp(addr).group(MSRP))).collect();
        let sockets = Sockets::bind(&listens)?;
        let (sip, msrp) = sockets.bound().split_at(wanted.sip.len());
        let listeners = sip.iter().map(|l| Listener { transport: l.transport, addr: l.addr }).collect();
        let msrp = msrp.first().map(|listen| listen.addr);
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

    /// The address of the MSRP listener.
    pub const fn msrp(&self) -> Option<SocketAddr> {
        self.msrp
    }

    /// Runs the node in a thread with its name.
    pub fn start<N: Node + Send + 'static>(self, node: N, options: engine::Options<N>) -> io::Result<Handle<N>> {
        Engine::spawn(&self.name, self.sockets, node, options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(transport: Transport) -> (Transport, SocketAddr) {
        (transport, SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    #[test]
    fn sip_has_one_port_for_both_transports_and_msrp_another() {
        let sip = vec![any(Transport::Udp), any(Transport::Tcp)];
        let bound = Bound::bind("n", &Addresses { sip, msrp: Some(any(Transport::Tcp).1) }).unwrap();
        let udp = bound.sip(Transport::Udp).unwrap();
        assert_ne!(udp.port(), 0);
        assert_eq!(bound.sip(Transport::Tcp), Some(udp));
        assert_ne!(bound.msrp().unwrap().port(), udp.port());
        assert_eq!((bound.listeners().len(), bound.sip(Transport::Tls)), (2, None));
    }

    #[test]
    fn an_address_that_is_taken_is_named() {
        let holder = Bound::bind("a", &Addresses { sip: vec![any(Transport::Tcp)], msrp: None }).unwrap();
        let taken = holder.sip(Transport::Tcp).unwrap();
        let again = Bound::bind("b", &Addresses { sip: vec![(Transport::Tcp, taken)], msrp: None });
        let error = again.err().unwrap().to_string();
        assert!(error.starts_with(&format!("cannot listen on tcp {taken}: ")), "{error}");
    }
}
