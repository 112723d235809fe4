use std::io;
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};
use wire::Transport;

use crate::effects::{Deadline, Effects};
use crate::tap::Path;
use crate::tls::Acceptor;

/// Errors in a row before a listener pauses.
const ERRORS_IN_A_ROW: usize = 8;

/// A listening TCP socket, with TLS or without.
pub(crate) struct TcpPort {
    pub(crate) listener: TcpListener,
    local: SocketAddr,
    port: usize,
    /// What begins TLS on what is accepted.
    pub(crate) acceptor: Option<Acceptor>,
}

impl TcpPort {
    /// `port` is its place in the configuration.
    pub(crate) fn new(listener: TcpListener, local: SocketAddr, port: usize, acceptor: Option<Acceptor>) -> TcpPort {
        TcpPort { listener, local, port, acceptor }
    }

    /// The way to a peer that connected here.
    pub(crate) fn path(&self, remote: SocketAddr) -> Path {
        let transport = if self.acceptor.is_some() { Transport::Tls } else { Transport::Tcp };
        Path { transport, local: self.local, remote }
    }

    /// Accepts one connection. `None`: nobody waits, or the process has no room, and then the listener pauses. It must be
    /// tried again by itself, because the kernel does not report those that already wait a second time; and it must not
    /// be tried at once, because the reason does not go away by that.
    pub(crate) fn accept(&self, fx: &mut Effects) -> Option<(TcpStream, SocketAddr)> {
        for _ in 0..ERRORS_IN_A_ROW {
            match self.listener.accept() {
                Ok(accepted) => return Some(accepted),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return None,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // The peer gave up while it waited.
                Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => fx.counters.accept_errors += 1,
                Err(e) => {
                    fx.counters.accept_errors += 1;
                    tracing::warn!(local = %self.local, error = %e, "cannot accept a connection");
                    break;
                }
            }
        }
        fx.deadlines.arm(Deadline::Accept { port: self.port }, fx.clock.at() + fx.limits.accept_pause);
        None
    }
}
