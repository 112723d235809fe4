use std::io::{self, IoSlice, Read, Write};
use std::net::IpAddr;
use std::sync::Arc;

use rustls::{Connection, RootCertStore};
use wire::PeerCertificate;

use super::{examine, provider};

/// How far a handshake is.
pub(crate) enum Handshake {
    /// Both sides have proved what they had to.
    Done,
    /// The kernel has nothing more, or takes nothing more, for now.
    Blocked,
}

/// TLS on one connection: octets of the network on one side, octets of the node on the other.
pub(crate) struct Session {
    tls: Connection,
    roots: Arc<RootCertStore>,
    /// We have said that we send no more.
    said_goodbye: bool,
}

impl Session {
    pub(super) fn new(tls: Connection, roots: Arc<RootCertStore>) -> Session {
        Session { tls, roots, said_goodbye: false }
    }

    /// Goes on with the handshake as far as the kernel lets it.
    pub(crate) fn handshake(&mut self, stream: &mut (impl Read + Write)) -> io::Result<Handshake> {
        loop {
            if !self.push(stream)? {
                return Ok(Handshake::Blocked);
            }
            if !self.tls.is_handshaking() {
                return Ok(Handshake::Done);
            }
            match self.pull(stream) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Handshake::Blocked),
                Err(e) => return Err(e),
            }
        }
    }

    /// What is known about the peer once the handshake is done; nothing if it gave no certificate.
    pub(crate) fn peer(&self, remote: IpAddr) -> Option<Arc<PeerCertificate>> {
        let chain = self.tls.peer_certificates()?;
        let is_server = matches!(self.tls, Connection::Client(_));
        let algorithms = provider().signature_verification_algorithms;
        Some(Arc::new(examine(chain, &self.roots, &algorithms, remote, is_server).0))
    }

    /// Reads octets of the node; 0 when the peer has said that it sends no more. That the stream ends without a word is an
    /// error, because anybody on the way can cut it there (RFC 8446 §6.1).
    pub(crate) fn read(&mut self, stream: &mut (impl Read + Write), room: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.tls.reader().read(room) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
            self.pull(stream)?;
            // An answer that the protocol itself owes, such as to a change of keys; what the kernel does not take of it
            // leaves with the next octets of the node.
            if self.tls.wants_write() {
                self.push(stream)?;
            }
        }
    }

    /// Takes octets of the network in and looks at them; 0 at their end.
    fn pull(&mut self, stream: &mut (impl Read + Write)) -> io::Result<usize> {
        let read = self.tls.read_tls(stream)?;
        if let Err(error) = self.tls.process_new_packets() {
            // The peer is told why, if the kernel takes it; the connection is over in any case.
            let _alert = self.push(stream);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(read)
    }

    /// Seals octets of the node, which leave with [`Session::push`]; how many.
    pub(crate) fn seal(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.tls.writer().write_vectored(pieces)
    }

    /// Whether something that is sealed has not left.
    pub(crate) fn is_pending(&self) -> bool {
        self.tls.wants_write()
    }

    /// Hands the kernel what is sealed; false when it does not take all.
    pub(crate) fn push(&mut self, stream: &mut impl Write) -> io::Result<bool> {
        while self.tls.wants_write() {
            match self.tls.write_tls(stream) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(e) => return Err(e),
            }
        }
        Ok(true)
    }

    /// Says, after everything else, that we send no more (RFC 8446 §6.1).
    pub(crate) fn say_goodbye(&mut self) {
        if !std::mem::replace(&mut self.said_goodbye, true) {
            self.tls.send_close_notify();
        }
    }
}
