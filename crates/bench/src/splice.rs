//! The floor of W3: octets of one TCP connection go on another one, and nothing else happens.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};

use anyhow::{Context as _, Result};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};

/// What is read at once.
const ROOM: usize = 64 * 1024;
/// Connections that are spliced, both ends counted.
const MOST: usize = 8192;

/// One end of a spliced pair; the other one stands beside it.
struct End {
    stream: TcpStream,
    /// Read from the other end and not written here yet.
    rest: Vec<u8>,
    /// Nothing more comes from here.
    ended: bool,
}

/// Forwards every connection to `target`. Runs until the process is ended.
pub fn splice(listen: SocketAddr, target: SocketAddr) -> Result<()> {
    run(TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?, target)
}

fn run(mut listener: TcpListener, target: SocketAddr) -> Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    poll.registry().register(&mut listener, Token(MOST), Interest::READABLE)?;
    let (mut ends, mut room): (Vec<End>, _) = (Vec::new(), vec![0; ROOM]);
    loop {
        match poll.poll(&mut events, None) {
            Err(e) if e.kind() != io::ErrorKind::Interrupted => return Err(e.into()),
            Ok(()) | Err(_) => {}
        }
        for event in &events {
            let Token(at) = event.token();
            if at == MOST {
                accept(&listener, target, &mut ends, poll.registry())?;
                continue;
            }
            // What this end takes again, the other one may have waited for.
            if event.is_writable() {
                forward(&mut ends, at ^ 1, &mut room);
            }
            if event.is_readable() || event.is_read_closed() {
                forward(&mut ends, at, &mut room);
            }
        }
    }
}

fn accept(listener: &TcpListener, target: SocketAddr, ends: &mut Vec<End>, registry: &Registry) -> io::Result<()> {
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) if ends.len() < MOST => stream,
            Ok(_) => continue,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(e) => return Err(e),
        };
        for mut stream in [stream, TcpStream::connect(target)?] {
            stream.set_nodelay(true)?;
            registry.register(&mut stream, Token(ends.len()), Interest::READABLE | Interest::WRITABLE)?;
            ends.push(End { stream, rest: Vec::new(), ended: false });
        }
    }
}

/// Forwards what comes from the end `at` until it has nothing or the other one takes nothing.
fn forward(ends: &mut [End], at: usize, room: &mut [u8]) {
    let (pair, side) = (at & !1, at & 1);
    let [first, second] = &mut ends[pair..pair + 2] else { return };
    let (from, to) = if side == 0 { (first, second) } else { (second, first) };
    loop {
        if !to.rest.is_empty() {
            match to.stream.write(&to.rest) {
                Ok(len) => drop(to.rest.drain(..len)),
                Err(e) if is_later(&e) => return,
                Err(_) => to.rest.clear(),
            }
            continue;
        }
        if from.ended {
            // The other side may be gone already.
            let _gone = to.stream.shutdown(Shutdown::Write);
            return;
        }
        match from.stream.read(room) {
            Ok(len) if len > 0 => {
                let written = to.stream.write(&room[..len]);
                from.ended |= written.as_ref().is_err_and(|e| !is_later(e));
                to.rest.extend_from_slice(&room[written.unwrap_or_default()..len]);
            }
            Err(e) if is_later(&e) => return,
            Ok(_) | Err(_) => from.ended = true,
        }
    }
}

/// Whether the kernel will say when it is time to try again.
fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener as Listener;
    use std::net::TcpStream as Stream;

    use super::*;

    #[test]
    fn what_goes_in_comes_out_and_so_does_the_answer() {
        let target = Listener::bind("127.0.0.1:0").unwrap();
        let to = target.local_addr().unwrap();
        let listener = Listener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let place = listener.local_addr().unwrap();
        std::thread::spawn(move || run(TcpListener::from_std(listener), to));
        let body: Vec<u8> = (0..8_000_000_u32).map(|n| (n % 251) as u8).collect();
        let sent = body.clone();
        let writer = std::thread::spawn(move || {
            let mut stream = Stream::connect(place).unwrap();
            stream.write_all(&sent).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        let (mut reader, _) = target.accept().unwrap();
        let mut got = Vec::new();
        reader.read_to_end(&mut got).unwrap();
        reader.write_all(b"thanks").unwrap();
        drop(reader);
        assert_eq!((got == body, writer.join().unwrap()), (true, "thanks".to_owned()));
    }
}
