//! What the tables of the machines' tests are written in.

use bytes::Bytes;
use sip::{Either, Limits, Message, Request, Response};
use sip_transport::{Flow, ReturnPath, Transports};
use wire::{Instant, Timing, Transport};

use crate::effects::{Context, Effects, Timer};

/// The moment at which machines are started.
pub(crate) const START: Instant = Instant::from_nanos(1_000_000_000);

pub(crate) fn context(now: Instant, reliable: bool) -> Context {
    Context { now, timing: Timing::default(), reliable }
}

/// Effects in words, timers in seconds from now: `deliver, send ACK, arm D 32`.
pub(crate) fn words(fx: Effects, now: Instant) -> String {
    let mut words: Vec<String> = Vec::new();
    words.extend(fx.deliver.then(|| "deliver".to_owned()));
    words.extend(fx.suppressed.then(|| "suppress".to_owned()));
    words.extend(fx.send.iter().map(|bytes| format!("send {}", label(bytes))));
    words.extend(fx.arm.iter().map(|(timer, at)| format!("arm {timer:?} {}", (*at - now).as_secs_f64())));
    words.extend(fx.failed.map(|why| format!("fail {why:?}")));
    words.extend(fx.unacknowledged.then(|| "unacknowledged".to_owned()));
    words.extend(fx.terminated.then(|| "end".to_owned()));
    words.join(", ")
}

/// The method or the status.
pub(crate) fn label(bytes: &Bytes) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut line = text.split([' ', '\r']);
    let first = line.next().unwrap_or_default();
    if first == "SIP/2.0" { line.next().unwrap_or_default() } else { first }.to_owned()
}

pub(crate) fn timer(name: &str) -> Timer {
    match name {
        "A" => Timer::A,
        "B" => Timer::B,
        "D" => Timer::D,
        "E" => Timer::E,
        "F" => Timer::F,
        "G" => Timer::G,
        "H" => Timer::H,
        "I" => Timer::I,
        "J" => Timer::J,
        "K" => Timer::K,
        "L" => Timer::L,
        "M" => Timer::M,
        "Cancelled" => Timer::Cancelled,
        other => panic!("no timer {other}"),
    }
}

pub(crate) fn request(method: &str) -> Request {
    let text = format!(
        "{method} sip:b@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa, SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKb\r\n\
         Route: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\nMax-Forwards: 7\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: c\r\n\
         CSeq: 5 {method}\r\nRequire: x\r\nContent-Length: 0\r\n\r\n"
    );
    match Message::parse(Bytes::from(text), &Limits::default()).unwrap().split() {
        Either::Request(request) => request,
        Either::Response(_) => panic!("a request"),
    }
}

/// The way back to the sender of a request.
pub(crate) fn return_path() -> ReturnPath {
    let addr = "10.0.0.1:5060".parse().unwrap();
    let transports = Transports::new(Vec::new(), Limits::default(), None);
    transports.return_path(&request("BYE"), &Flow { transport: Transport::Udp, local: addr, remote: addr, conn: None })
}

pub(crate) fn response(request: &Request, status: u16, tag: &str) -> Response {
    Message::parse_response(request.respond(status, tag).finish()).unwrap()
}
