use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use mio::net::TcpStream;
use wire::{ConnId, Now, PeerCertificate};

use crate::effects::Effects;
use crate::pool::{READ_MAX, ReadPool};
use crate::tap::Path;
use crate::tls::{Handshake, Session};

/// Pieces handed to the kernel in one call.
const GATHER: usize = 64;

/// Octets sealed at once: as many as a TLS record holds (RFC 8446 §5.1). What is sealed and has not left counts as unwritten.
const RECORD: usize = 16 * 1024;

/// How far a connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// The peer has not accepted yet; what is written waits.
    Connecting,
    /// TLS: the two sides have not proved yet who they are; what is written waits.
    Handshaking,
    /// Both directions may be open.
    Open,
    /// We closed our direction and discard what still comes, so that the kernel does not answer it with a reset, which
    /// would destroy what the peer has not read yet (RFC 9293 §3.6).
    Shut,
}

/// One TCP connection.
pub(crate) struct Conn {
    pub(crate) id: ConnId,
    pub(crate) stream: TcpStream,
    /// TLS on it, if it is to be a secret.
    tls: Option<Box<Session>>,
    pub(crate) path: Path,
    pub(crate) phase: Phase,
    /// The node knows it: false once the node closed it or was told that it ended.
    pub(crate) owned: bool,
    /// The peer closed its direction.
    pub(crate) ended: bool,
    /// Writing failed; what the peer sent before is still to be read.
    pub(crate) broken: bool,
    /// The kernel took something since this was last looked at.
    pub(crate) progress: bool,
    /// It stands in the queue of those that may have something to read.
    pub(crate) in_ready: bool,
    /// It stands among those that what was gathered is for.
    pub(crate) in_gathered: bool,
    /// It stands in the queue of those that have something written to be told of.
    pub(crate) in_written: bool,
    /// The kernel may have something to read. It says so only once (edge triggered), so this outlasts a time without reading.
    pub(crate) readable: bool,
    /// The node wants to hear more. When it does not, the connection stays registered: what comes in wakes us only until
    /// the kernel's buffer is full, and neither way costs a system call.
    pub(crate) reading: bool,
    /// The kernel reported an error, which reading will come to.
    pub(crate) erred: bool,
    /// The kernel reported that the peer closed its direction, which reading will come to.
    pub(crate) ending: bool,
    /// Octets that the kernel took and the node was not told of.
    pub(crate) written: usize,
    /// The kernel takes nothing until it says so.
    blocked: bool,
    queue: VecDeque<Bytes>,
    queued: usize,
    /// Octets that TLS has sealed and the kernel has not taken whole. They count among `queued`.
    sealed: usize,
}

/// What came of reading once.
pub(crate) enum ReadOutcome {
    Data(Bytes),
    Blocked,
    Ended,
    Failed,
}

impl Conn {
    pub(crate) fn new(id: ConnId, stream: TcpStream, tls: Option<Session>, path: Path, phase: Phase) -> Conn {
        Conn {
            id,
            stream,
            tls: tls.map(Box::new),
            path,
            phase,
            owned: true,
            ended: false,
            broken: false,
            progress: false,
            in_ready: false,
            in_gathered: false,
            in_written: false,
            readable: false,
            reading: true,
            erred: false,
            ending: false,
            written: 0,
            blocked: false,
            queue: VecDeque::new(),
            queued: 0,
            sealed: 0,
        }
    }

    /// Whether TLS is spoken on it.
    pub(crate) fn is_secret(&self) -> bool {
        self.tls.is_some()
    }

    /// Goes on with the handshake of TLS.
    pub(crate) fn handshake(&mut self) -> io::Result<Handshake> {
        match &mut self.tls {
            Some(tls) => tls.handshake(&mut self.stream),
            None => Ok(Handshake::Done),
        }
    }

    /// What TLS has found out about the peer.
    pub(crate) fn peer(&self) -> Option<Arc<PeerCertificate>> {
        self.tls.as_ref()?.peer(self.path.remote.ip())
    }

    /// Says over TLS that we send no more; whether that has left.
    pub(crate) fn say_goodbye(&mut self, fx: &mut Effects) -> bool {
        if let Some(tls) = &mut self.tls {
            tls.say_goodbye();
            self.flush(fx);
        }
        self.broken || self.tls.as_ref().is_none_or(|tls| !tls.is_pending())
    }

    /// Bytes that the kernel has not taken yet.
    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    pub(crate) fn push(&mut self, data: Bytes) {
        self.queued += data.len();
        self.queue.push_back(data);
    }

    /// The kernel says that it takes more.
    pub(crate) fn unblock(&mut self) {
        self.blocked = false;
    }

    /// Hands the kernel as much as it takes.
    pub(crate) fn flush(&mut self, fx: &mut Effects) {
        if self.tls.is_some() {
            self.flush_sealed(fx);
        } else {
            self.flush_plain(fx);
        }
        if self.broken {
            self.discard_queue(fx);
        }
    }

    /// Seals a record at a time. What the kernel took of one is not known, so it counts when all of it has left.
    fn flush_sealed(&mut self, fx: &mut Effects) {
        while !self.blocked && !self.broken && matches!(self.phase, Phase::Open) {
            let Some(tls) = &mut self.tls else { return };
            let was_pending = tls.is_pending();
            match tls.push(&mut self.stream) {
                Ok(true) => {
                    let written = std::mem::take(&mut self.sealed);
                    self.progress |= was_pending;
                    self.queued -= written;
                    self.written += written;
                    fx.counters.stream_bytes_out += written as u64;
                    if self.queue.is_empty() {
                        return;
                    }
                    self.seal(fx);
                }
                Ok(false) => self.blocked = true,
                Err(e) => self.on_write_error(&e),
            }
        }
    }

    /// The tap sees what is sealed before any of it can reach the peer.
    fn seal(&mut self, fx: &mut Effects) {
        let at = fx.probe.before();
        let mut slices = [IoSlice::new(&[]); GATHER];
        let mut room = RECORD;
        let mut used = 0;
        for (slice, data) in slices.iter_mut().zip(&self.queue) {
            let piece = &data[..data.len().min(room)];
            *slice = IoSlice::new(piece);
            room -= piece.len();
            used += 1;
            if room == 0 {
                break;
            }
        }
        let Some(tls) = &mut self.tls else { return };
        match tls.seal(&slices[..used]) {
            Ok(sealed) => {
                self.sealed = sealed;
                self.take_queued(sealed, at, fx);
            }
            Err(e) => self.on_write_error(&e),
        }
    }

    fn on_write_error(&mut self, error: &io::Error) {
        tracing::debug!(remote = %self.path.remote, %error, "writing to a connection failed");
        self.broken = true;
    }

    /// Takes octets that have gone from the queue.
    fn take_queued(&mut self, mut gone: usize, at: Option<Now>, fx: &mut Effects) {
        while gone > 0
            && let Some(first) = self.queue.front_mut()
        {
            let len = gone.min(first.len());
            fx.probe.sent(at, self.path, &first[..len]);
            first.advance(len);
            gone -= len;
            if first.is_empty() {
                self.queue.pop_front();
            }
        }
    }

    fn flush_plain(&mut self, fx: &mut Effects) {
        while !self.queue.is_empty() && !self.blocked && !self.broken && self.phase == Phase::Open {
            let at = fx.probe.before();
            match self.write_gathered() {
                Ok(written) => {
                    self.progress = true;
                    self.queued -= written;
                    self.written += written;
                    fx.counters.stream_bytes_out += written as u64;
                    self.take_queued(written, at, fx);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.blocked = true,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => self.on_write_error(&e),
            }
        }
    }

    /// What cannot be written any more.
    pub(crate) fn discard_queue(&mut self, fx: &mut Effects) {
        fx.counters.stream_bytes_dropped += self.queued as u64;
        self.queue.clear();
        self.queued = 0;
        self.sealed = 0;
    }

    fn write_gathered(&mut self) -> io::Result<usize> {
        if self.queue.len() == 1 {
            return match self.stream.write(&self.queue[0])? {
                0 => Err(io::ErrorKind::WriteZero.into()),
                n => Ok(n),
            };
        }
        let mut slices = [IoSlice::new(&[]); GATHER];
        for (slice, data) in slices.iter_mut().zip(&self.queue) {
            *slice = IoSlice::new(data);
        }
        let used = self.queue.len().min(GATHER);
        match self.stream.write_vectored(&slices[..used])? {
            0 => Err(io::ErrorKind::WriteZero.into()),
            n => Ok(n),
        }
    }

    /// Reads once, at most [`READ_MAX`] bytes.
    pub(crate) fn read(&mut self, pool: &mut ReadPool, fx: &mut Effects) -> ReadOutcome {
        if self.ended {
            return ReadOutcome::Blocked;
        }
        loop {
            let room = &mut pool.room()[..READ_MAX];
            let read = match &mut self.tls {
                Some(tls) => tls.read(&mut self.stream, room),
                None => self.stream.read(room),
            };
            return match read {
                Ok(0) if self.broken => ReadOutcome::Failed,
                Ok(0) => ReadOutcome::Ended,
                Ok(n) => {
                    self.readable = n == READ_MAX || !self.is_emptied_by_less();
                    let data = pool.take(n);
                    fx.probe.received(self.path, &data);
                    ReadOutcome::Data(data)
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock && !self.broken => ReadOutcome::Blocked,
                Err(_) => ReadOutcome::Failed,
            };
        }
    }

    /// Whether a read that gets less than there is room for has taken all there is: the kernel reports what comes later (epoll(7),
    /// "Questions and answers", 9). What it has reported already is still to be read, and TLS may hold more than it gives.
    const fn is_emptied_by_less(&self) -> bool {
        self.tls.is_none() && !self.ending && !self.erred && !self.broken
    }

    /// What became of connecting: `None` while the peer has not answered.
    pub(crate) fn connected(&mut self) -> Option<io::Result<()>> {
        match self.stream.take_error() {
            Ok(None) => {}
            Ok(Some(e)) | Err(e) => return Some(Err(e)),
        }
        match self.stream.peer_addr() {
            Ok(_) => Some(self.learn_local()),
            Err(e) if e.kind() == io::ErrorKind::NotConnected => None,
            Err(e) => Some(Err(e)),
        }
    }

    fn learn_local(&mut self) -> io::Result<()> {
        self.path.local = self.stream.local_addr()?;
        // Two ends that call each other at the same moment make one connection (RFC 9293 §3.5, figure 7); a socket can so
        // meet itself when nobody listens on the port it happens to have been given.
        if self.path.local == self.path.remote {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(())
    }

    /// Ends our direction; false if there is nothing to end any more.
    pub(crate) fn shut(&mut self) -> bool {
        self.phase = Phase::Shut;
        self.stream.shutdown(Shutdown::Write).is_ok()
    }
}
