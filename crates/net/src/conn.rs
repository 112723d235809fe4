use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;

use bytes::{Buf, Bytes};
use mio::net::TcpStream;
use wire::ConnId;

use crate::effects::Effects;
use crate::pool::{READ_MAX, ReadPool};
use crate::tap::Path;

/// Pieces handed to the kernel in one call.
const GATHER: usize = 64;

/// How far a connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// The peer has not accepted yet; what is written waits.
    Connecting,
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
    /// It stands in the queue of those that may have something for the node.
    pub(crate) in_ready: bool,
    /// The kernel may have something to read. It says so only once (edge triggered), so this outlasts a time without reading.
    pub(crate) readable: bool,
    /// The node wants to hear more. When it does not, the connection stays registered: what comes in wakes us only until
    /// the kernel's buffer is full, and neither way costs a system call.
    pub(crate) reading: bool,
    /// The kernel reported an error, which reading will come to.
    pub(crate) erred: bool,
    /// Octets that the kernel took and the node was not told of.
    pub(crate) written: usize,
    /// The kernel takes nothing until it says so.
    blocked: bool,
    queue: VecDeque<Bytes>,
    queued: usize,
}

/// What came of reading once.
pub(crate) enum ReadOutcome {
    Data(Bytes),
    Blocked,
    Ended,
    Failed,
}

impl Conn {
    pub(crate) fn new(id: ConnId, stream: TcpStream, path: Path, phase: Phase) -> Conn {
        Conn {
            id,
            stream,
            path,
            phase,
            owned: true,
            ended: false,
            broken: false,
            progress: false,
            in_ready: false,
            readable: false,
            reading: true,
            erred: false,
            written: 0,
            blocked: false,
            queue: VecDeque::new(),
            queued: 0,
        }
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
        while !self.queue.is_empty() && !self.blocked && !self.broken && self.phase == Phase::Open {
            let at = fx.probe.before();
            match self.write_gathered() {
                Ok(mut written) => {
                    self.progress = true;
                    self.queued -= written;
                    self.written += written;
                    fx.counters.stream_bytes_out += written as u64;
                    while written > 0
                        && let Some(first) = self.queue.front_mut()
                    {
                        let len = written.min(first.len());
                        fx.probe.sent(at, self.path, &first[..len]);
                        first.advance(len);
                        written -= len;
                        if first.is_empty() {
                            self.queue.pop_front();
                        }
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.blocked = true,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    tracing::debug!(remote = %self.path.remote, error = %e, "writing to a connection failed");
                    self.broken = true;
                }
            }
        }
        if self.broken {
            self.discard_queue(fx);
        }
    }

    /// What cannot be written any more.
    pub(crate) fn discard_queue(&mut self, fx: &mut Effects) {
        fx.counters.stream_bytes_dropped += self.queued as u64;
        self.queue.clear();
        self.queued = 0;
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
            return match self.stream.read(room) {
                Ok(0) if self.broken => ReadOutcome::Failed,
                Ok(0) => ReadOutcome::Ended,
                Ok(n) => {
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
