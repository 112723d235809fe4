//! What comes in: framing, stamping, refusing what cannot be parsed.

use std::net::SocketAddr;

use bytes::Bytes;
use sip::header::Via;
use sip::{Builder, Either, Frame, Limits, Malformed, Message, Name, ParseError, Request};
use wire::{ConnId, Instant, Output, Transport};

use super::{Event, Received, Transports, response_addr};
use crate::flow::{Flow, default_port, parse_ip, transport_from_token};

impl Transports {
    pub(super) fn on_datagram(&mut self, local: SocketAddr, remote: SocketAddr, data: Bytes, now: Instant) {
        // Keep-alives over UDP are blank lines or a few zero octets; nobody expects an answer to them.
        if data.len() < 8 && data.iter().all(|b| matches!(b, b'\r' | b'\n' | 0)) {
            self.stats.keep_alives += 1;
            return;
        }
        let flow = Flow { transport: Transport::Udp, local, remote, conn: None };
        self.on_message(data, flow, now);
    }

    pub(super) fn on_stream(&mut self, conn: ConnId, data: &[u8], now: Instant) {
        let Some(known) = self.connections.get_mut(conn) else { return };
        known.buffer.extend_from_slice(data);
        let flow = Flow { transport: known.transport, local: known.local, remote: known.remote, conn: Some(conn) };
        // Looked up again each time: answering a message may close the connection.
        while let Some(known) = self.connections.get_mut(conn) {
            match sip::frame(&known.buffer, &self.limits) {
                Ok(Frame::Incomplete) => return,
                Ok(Frame::Blank { len, ping }) => {
                    let _blank = known.buffer.split_to(len);
                    // The two CRLFs of a ping may come in two segments. Only the peer that opened the connection sends
                    // pings (RFC 5626 §4.4); single CRLFs from the other side are answers to ours.
                    let second_half = known.half_ping && conn.is_accepted();
                    known.half_ping = !ping && !second_half;
                    if ping || second_half {
                        self.pong(conn);
                    }
                }
                Ok(Frame::Message { len }) => {
                    known.half_ping = false;
                    let message = known.buffer.split_to(len).freeze();
                    self.on_message(message, flow, now);
                }
                Err(error) => {
                    let rest = known.buffer.split().freeze();
                    return self.on_lost_framing(conn, rest, flow, error, now);
                }
            }
        }
    }

    /// RFC 5626 §4.4.1: a double CRLF is answered by a single one.
    fn pong(&mut self, conn: ConnId) {
        self.stats.keep_alives += 1;
        self.outputs.push_back(Output::Write { conn, data: Bytes::from_static(b"\r\n") });
    }

    /// The stream cannot be followed any further: answer the request it broke at, if its head is there, and close.
    pub(super) fn on_lost_framing(&mut self, conn: ConnId, rest: Bytes, flow: Flow, error: ParseError, now: Instant) {
        let message = match Message::parse(rest.clone(), &self.limits) {
            Ok(message) => Some(Box::new(message)),
            Err(malformed) => malformed.message.or_else(|| salvage(&rest, &malformed.error)),
        };
        self.on_malformed(Malformed { error, message }, &flow, now);
        self.connections.remove(conn);
        self.stats.closed_connections += 1;
        self.outputs.push_back(Output::Close { conn });
        self.events.push_back(Event::Failed { conn, was_up: true });
    }

    pub(super) fn on_message(&mut self, data: Bytes, flow: Flow, now: Instant) {
        let message = match Message::parse(data.clone(), &self.limits) {
            Ok(message) => message.split(),
            Err(Malformed { error, message }) => {
                let message = message.or_else(|| salvage(&data, &error));
                return self.on_malformed(Malformed { error, message }, &flow, now);
            }
        };
        self.stats.received += 1;
        let message = match message {
            Either::Request(mut request) => {
                request.stamp_received(flow.remote);
                self.learn_alias(&request, &flow);
                Either::Request(request)
            }
            Either::Response(response) => {
                let via = response.via();
                if !self.is_ours(via.host, via.port) {
                    self.stats.foreign_responses += 1;
                    return;
                }
                Either::Response(response)
            }
        };
        self.events.push_back(Event::Received(Box::new(Received { message, flow })));
    }

    pub(super) fn learn_alias(&mut self, request: &Request, flow: &Flow) {
        let (Some(conn), via) = (flow.conn, request.via()) else { return };
        if via.params.has("alias")
            && let Some(ip) = parse_ip(via.host)
            && transport_from_token(via.transport) == Some(flow.transport)
        {
            let addr = SocketAddr::new(ip, via.port.unwrap_or(default_port(flow.transport)));
            if flow.transport != Transport::Tls || self.has_proved(conn, addr) {
                self.connections.alias(conn, addr);
            }
        }
    }

    /// Whether the peer of a TLS connection has the certificate that a connection of our own to that address would have to find.
    /// RFC 5923 §8.1: only then its alias counts.
    pub fn has_proved(&self, conn: ConnId, addr: SocketAddr) -> bool {
        let peer = self.connections.get(conn).and_then(|known| known.peer.as_ref());
        peer.is_some_and(|peer| self.wanted_at(addr).accepts(peer))
    }

    /// A request that cannot be parsed is answered if its Via can be (never an ACK), everything else is dropped; both are
    /// counted and logged.
    pub(super) fn on_malformed(&mut self, malformed: Malformed, flow: &Flow, now: Instant) {
        self.stats.malformed += 1;
        let Malformed { error, message } = malformed;
        let source = flow.remote.ip();
        if self.complaints.is_due(source, now) {
            tracing::warn!(%source, %error, "malformed SIP (logged once a minute per source)");
        }
        if error.status == 0 {
            return;
        }
        let is_ack = |m: &Message| m.bytes().trim_ascii_start().starts_with(b"ACK ");
        let Some(mut message) = message.filter(|m| m.is_request() && !is_ack(m)) else { return };
        let needed = [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq];
        let top = message.values(Name::Via).next().unwrap_or_default();
        if top.is_empty() || needed.iter().filter(|n| message.has(**n)).count() < 2 {
            return;
        }
        let remote = match Via::parse(top) {
            Ok(via) => response_addr(&via, flow),
            // The fault may be in the Via itself: its sent-by is all that an answer needs of it.
            Err(_) => match sent_by_port(top) {
                Some(port) => SocketAddr::new(flow.remote.ip(), port),
                None => return,
            },
        };
        message.stamp_received(flow.remote);
        let phrase = match error.status {
            400 => format!("Bad Request ({error})"),
            status => sip::reason(status).to_owned(),
        };
        let answer = Builder::response_with_reason(&message, error.status, &phrase, "").finish();
        match flow.conn {
            Some(conn) => self.write(conn, answer),
            None => self.datagram(flow.local, remote, answer),
        }
    }
}

/// The port of sent-by in a Via that is no Via otherwise, if that much of it can be read.
fn sent_by_port(via: &[u8]) -> Option<u16> {
    let end = via.iter().position(|b| matches!(b, b';' | b',')).unwrap_or(via.len());
    let sent_by = via[..end].trim_ascii().rsplit(|b| b.is_ascii_whitespace()).next()?;
    match sent_by.iter().rposition(|b| *b == b':') {
        None => Some(default_port(Transport::Udp)),
        Some(colon) => std::str::from_utf8(&sent_by[colon + 1..]).ok()?.parse().ok(),
    }
}

/// The head up to the line with the fault, as a message of its own: enough, often, to answer a request whose head cannot be
/// read to its end.
fn salvage(data: &[u8], error: &ParseError) -> Option<Box<Message>> {
    let sound = data.get(..error.at)?;
    let lines = sound.windows(2).rposition(|pair| pair == b"\r\n")? + 2;
    let head = [&sound[..lines], b"\r\n"].concat();
    match Message::parse(Bytes::from(head), &Limits { headers: usize::MAX, head: usize::MAX, body: usize::MAX }) {
        Ok(message) => Some(Box::new(message)),
        Err(malformed) => malformed.message,
    }
}
