use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket as Raw, Type};

/// What a burst of calls may leave in a socket.
const BUFFER: usize = 8 << 20;

/// One UDP socket of the generator.
pub(crate) struct Socket {
    socket: UdpSocket,
    addr: SocketAddr,
}

impl Socket {
    /// On a port that the kernel chooses.
    pub(crate) fn bind(ip: Ipv4Addr, registry: &Registry, token: usize) -> io::Result<Socket> {
        let mut socket = UdpSocket::from_std(bind(SocketAddr::from((ip, 0)))?);
        registry.register(&mut socket, Token(token), Interest::READABLE)?;
        let addr = socket.local_addr()?;
        Ok(Socket { socket, addr })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Sends a datagram. One that the kernel does not take is lost, as on a network: it is missed or repeated.
    pub(crate) fn send(&self, to: SocketAddr, data: &[u8]) {
        let _lost = self.socket.send_to(data, to);
    }

    /// The next datagram, if one is there.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        match self.socket.recv_from(buffer) {
            Ok(received) => Ok(Some(received)),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(e),
        }
    }
}

/// A nonblocking UDP socket with a large buffer.
pub(crate) fn bind(addr: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Raw::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_recv_buffer_size(BUFFER)?;
    socket.set_send_buffer_size(BUFFER)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    Ok(socket.into())
}
