use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use wire::Transport;

use crate::{ClientAuth, Limits};

/// How often a common port is looked for: the kernel chooses it for one transport and it may be taken for the other.
const PORT_TRIES: usize = 32;

/// Connections that wait to be accepted. The kernel caps it (net.core.somaxconn).
const BACKLOG: i32 = 1024;

/// One address to listen on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listen {
    /// UDP, TCP, or TLS if the node has a certificate.
    pub transport: Transport,
    /// Where; port 0 lets the kernel choose.
    pub addr: SocketAddr,
    /// Listeners of the same group that ask for port 0 get the same port, as SIP over UDP and over TCP should.
    pub group: u8,
    /// Over TLS, whether those who connect must have a certificate.
    pub client_auth: ClientAuth,
}

impl Listen {
    /// A listener in group 0.
    pub const fn new(transport: Transport, addr: SocketAddr) -> Listen {
        Listen { transport, addr, group: 0, client_auth: ClientAuth::Asked }
    }

    /// For datagrams.
    pub const fn udp(addr: SocketAddr) -> Listen {
        Listen::new(Transport::Udp, addr)
    }

    /// For TCP connections.
    pub const fn tcp(addr: SocketAddr) -> Listen {
        Listen::new(Transport::Tcp, addr)
    }

    /// For connections over TLS.
    pub const fn tls(addr: SocketAddr) -> Listen {
        Listen::new(Transport::Tls, addr)
    }

    /// The same with another wish for certificates.
    pub const fn client_auth(self, client_auth: ClientAuth) -> Listen {
        Listen { client_auth, ..self }
    }

    /// The same in another group: another port if the kernel chooses it.
    pub const fn group(self, group: u8) -> Listen {
        Listen { group, ..self }
    }
}

/// Why a node cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// One of the addresses cannot be had.
    #[error("cannot listen on {transport} {addr}: {reason}")]
    Listen {
        /// The transport asked for.
        transport: Transport,
        /// The address asked for.
        addr: SocketAddr,
        /// What the operating system said.
        reason: io::Error,
    },
    /// The operating system has no readiness queue for us.
    #[error("cannot wait for sockets: {0}")]
    Poll(io::Error),
}

/// A bound socket, listening if it is TCP.
pub(crate) enum Bound {
    Udp(std::net::UdpSocket),
    Tcp(std::net::TcpListener),
}

impl Bound {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Bound::Udp(socket) => socket.local_addr(),
            Bound::Tcp(listener) => listener.local_addr(),
        }
    }
}

/// Binds all or none, in order. The addresses that come back are the actual ones.
pub(crate) fn bind_all(wanted: &[Listen], limits: &Limits) -> Result<Vec<(Listen, Bound)>, BindError> {
    let mut slots: Vec<Option<(Listen, Bound)>> = wanted.iter().map(|_| None).collect();
    for (i, listen) in wanted.iter().enumerate() {
        if slots[i].is_some() {
            continue;
        }
        let same_port: Vec<usize> = (i..wanted.len()).filter(|j| i == *j || shares_port(listen, &wanted[*j])).collect();
        let group: Vec<Listen> = same_port.iter().map(|j| wanted[*j]).collect();
        for (j, bound) in same_port.into_iter().zip(bind_group(&group, limits)?) {
            slots[j] = Some(bound);
        }
    }
    Ok(slots.into_iter().flatten().collect())
}

fn shares_port(a: &Listen, b: &Listen) -> bool {
    // TLS listens beside TCP, so it cannot have the same port.
    let is_tls = |listen: &Listen| listen.transport == Transport::Tls;
    a.group == b.group && a.addr.port() == 0 && b.addr.port() == 0 && !is_tls(a) && !is_tls(b)
}

/// Binds the first; the others on the same port if the kernel chose it. All again if that port is taken.
fn bind_group(group: &[Listen], limits: &Limits) -> Result<Vec<(Listen, Bound)>, BindError> {
    let mut tries = if group.len() > 1 { PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        match bind_once(group, limits) {
            Err(BindError::Listen { reason, .. }) if reason.kind() == io::ErrorKind::AddrInUse && tries > 0 => {}
            outcome => return outcome,
        }
    }
}

fn bind_once(group: &[Listen], limits: &Limits) -> Result<Vec<(Listen, Bound)>, BindError> {
    let mut port = None;
    let mut all = Vec::with_capacity(group.len());
    for wanted in group {
        let mut listen = *wanted;
        listen.addr.set_port(port.unwrap_or(wanted.addr.port()));
        let fail = |reason| BindError::Listen { transport: listen.transport, addr: listen.addr, reason };
        let bound = bind(&listen, limits).map_err(fail)?;
        let addr = bound.local_addr().map_err(fail)?;
        port = Some(addr.port());
        all.push((Listen { addr, ..listen }, bound));
    }
    Ok(all)
}

fn bind(listen: &Listen, limits: &Limits) -> io::Result<Bound> {
    match listen.transport {
        Transport::Udp => bind_udp(listen.addr, limits),
        Transport::Tcp | Transport::Tls => bind_tcp(listen.addr),
    }
}

fn bind_udp(addr: SocketAddr, limits: &Limits) -> io::Result<Bound> {
    let socket = socket_for(addr, Type::DGRAM, Protocol::UDP)?;
    // The kernel grants what it may; less is not an error.
    socket.set_recv_buffer_size(limits.udp_buffer)?;
    socket.set_send_buffer_size(limits.udp_buffer)?;
    socket.bind(&addr.into())?;
    Ok(Bound::Udp(socket.into()))
}

fn bind_tcp(addr: SocketAddr) -> io::Result<Bound> {
    let socket = socket_for(addr, Type::STREAM, Protocol::TCP)?;
    // A restarted node gets its port back although old connections are in TIME-WAIT (RFC 9293 §3.6.1). A port that
    // somebody listens on is still refused. Not so for UDP, where the option would let two sockets share a port.
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(Bound::Tcp(socket.into()))
}

/// A nonblocking socket of the address's family. IPv6 sockets take no IPv4: each family has its own listener.
fn socket_for(addr: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), kind, Some(protocol))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Starts a connection from `from`, or from where the routing table says if that is the unspecified address.
pub(crate) fn connect(from: IpAddr, to: SocketAddr) -> io::Result<std::net::TcpStream> {
    let socket = socket_for(to, Type::STREAM, Protocol::TCP)?;
    if !from.is_unspecified() {
        socket.bind(&SocketAddr::new(from, 0).into())?;
    }
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&to.into()) {
        Ok(()) => {}
        Err(e) if e.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(e) => return Err(e),
    }
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any_port(ip: &str) -> SocketAddr {
        SocketAddr::new(ip.parse().unwrap(), 0)
    }

    #[test]
    fn a_group_gets_one_port_and_another_group_another() {
        let v4 = any_port("127.0.0.1");
        let wanted = [Listen::udp(v4), Listen::tcp(v4).group(1), Listen::tcp(v4)];
        for _ in 0..20 {
            let bound = bind_all(&wanted, &Limits::default()).unwrap();
            let ports: Vec<u16> = bound.iter().map(|(listen, _)| listen.addr.port()).collect();
            assert!(ports.iter().all(|p| *p != 0));
            assert_eq!(ports[0], ports[2]);
            assert_ne!(ports[0], ports[1]);
        }
    }

    #[test]
    fn a_taken_port_is_named_with_the_reason() {
        let holder = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let addr = holder.local_addr().unwrap();
        let Err(error) = bind_all(&[Listen::udp(addr)], &Limits::default()) else {
            panic!("the port is taken");
        };
        let said = error.to_string();
        assert!(said.starts_with(&format!("cannot listen on udp {addr}: Address already in use")), "{said}");
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_refused() {
        let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = holder.local_addr().unwrap();
        let Err(error) = bind_all(&[Listen::tcp(addr)], &Limits::default()) else {
            panic!("the port is taken");
        };
        assert!(error.to_string().starts_with(&format!("cannot listen on tcp {addr}: Address already in use")));
    }

    #[test]
    fn two_listeners_of_a_kind_in_one_group_cannot_share_a_port() {
        let v4 = any_port("127.0.0.1");
        assert!(bind_all(&[Listen::tcp(v4), Listen::tcp(v4)], &Limits::default()).is_err());
    }

    #[test]
    fn tls_in_a_group_has_a_port_of_its_own() {
        let v4 = any_port("127.0.0.1");
        let bound = bind_all(&[Listen::udp(v4), Listen::tls(v4), Listen::tcp(v4)], &Limits::default()).unwrap();
        let ports: Vec<u16> = bound.iter().map(|(listen, _)| listen.addr.port()).collect();
        assert_eq!(ports[0], ports[2]);
        assert!(ports[1] != 0 && ports[1] != ports[0]);
    }
}
