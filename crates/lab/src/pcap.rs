//! What was on the wire, as a capture file that Wireshark and tshark read.
//!
//! The octets, their order and their times are those of the taps: datagrams and pieces of streams as the kernel took them.
//! The headers around them are made here, since a tap sees no headers: Ethernet with empty addresses as on a Linux
//! loopback, IP, UDP, and for each connection a handshake where it opened, segments and acknowledgements with sequence
//! numbers that fit, and an end. TLS looks like TCP: a tap sees what is inside.

mod tcp;

use std::io::{self, Write};
use std::net::SocketAddr;

use etherparse::{PacketBuilder, PacketBuilderStep};
use wire::{Timestamp, Transport};

use crate::recording::Recording;
use crate::tap::What;

/// The largest packet that is announced: an IP packet is at most 65,535 octets.
const SNAPLEN: u32 = 262_144;
/// LINKTYPE_ETHERNET.
const ETHERNET: u32 = 1;
const TTL: u8 = 64;

/// A packet with its headers.
#[derive(Debug)]
struct Packet {
    micros: u64,
    data: Vec<u8>,
}

/// A message that passed between two sockets.
#[derive(Clone, Copy, Debug)]
pub struct Passage<'m> {
    /// When.
    pub at: Timestamp,
    /// Over what.
    pub transport: Transport,
    /// From where.
    pub from: SocketAddr,
    /// To where.
    pub to: SocketAddr,
    /// The message.
    pub data: &'m [u8],
}

/// Writes the recordings one after the other.
pub(crate) fn write<'r>(recordings: impl IntoIterator<Item = &'r Recording>, out: &mut dyn Write) -> io::Result<()> {
    file(recordings.into_iter().flat_map(packets), out)
}

/// Writes messages that were picked out of what passed. Of a connection there is no more than they are: it seems to have been opened by
/// who sends the first one, and closed after the last one.
pub fn write_messages<'m>(messages: impl IntoIterator<Item = Passage<'m>>, out: &mut dyn Write) -> io::Result<()> {
    let mut connections = tcp::Connections::default();
    let mut packets = Vec::new();
    for Passage { at, transport, from, to, data } in messages {
        if transport == Transport::Udp {
            packets.extend(udp(at.as_micros(), from, to, data));
        } else {
            connections.pass((transport, from, to), data, at.as_micros(), &mut packets);
        }
    }
    let end = packets.last().map_or(0, |packet| packet.micros);
    connections.close_all(end, &mut packets);
    file(packets, out)
}

fn file(packets: impl IntoIterator<Item = Packet>, out: &mut dyn Write) -> io::Result<()> {
    // The classic format, little endian, microseconds: magic, version 2.4, time zone, accuracy, snap length, link type.
    out.write_all(&0xa1b2_c3d4_u32.to_le_bytes())?;
    out.write_all(&2_u16.to_le_bytes())?;
    out.write_all(&4_u16.to_le_bytes())?;
    out.write_all(&[0; 8])?;
    out.write_all(&SNAPLEN.to_le_bytes())?;
    out.write_all(&ETHERNET.to_le_bytes())?;
    for packet in packets {
        let (seconds, micros) = ((packet.micros / 1_000_000) as u32, (packet.micros % 1_000_000) as u32);
        let len = packet.data.len() as u32;
        for field in [seconds, micros, len, len] {
            out.write_all(&field.to_le_bytes())?;
        }
        out.write_all(&packet.data)?;
    }
    Ok(())
}

fn packets(recording: &Recording) -> Vec<Packet> {
    let mut connections = tcp::Connections::default();
    let mut packets = Vec::new();
    for seen in recording.seen() {
        let micros = recording.micros(seen.at.at);
        if seen.transport != Transport::Udp {
            connections.see(seen, micros, &mut packets);
        } else if let What::Sent(data) = &seen.what {
            packets.extend(udp(micros, seen.local, seen.remote, data));
        }
    }
    // Those that were open at the end were closed with the nodes.
    let end = packets.last().map_or(0, |packet| packet.micros);
    connections.close_all(end, &mut packets);
    packets
}

fn udp(micros: u64, from: SocketAddr, to: SocketAddr, data: &[u8]) -> Option<Packet> {
    let builder = ip(from, to)?.udp(from.port(), to.port());
    let mut packet = Vec::with_capacity(builder.size(data.len()));
    builder.write_to_vec(&mut packet, data).ok()?;
    Some(Packet { micros, data: packet })
}

/// Ethernet and IP; nothing if the families differ, which no socket allows.
fn ip(from: SocketAddr, to: SocketAddr) -> Option<PacketBuilderStep<etherparse::IpHeaders>> {
    let ethernet = PacketBuilder::ethernet2([0; 6], [0; 6]);
    match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => Some(ethernet.ipv4(from.ip().octets(), to.ip().octets(), TTL)),
        (SocketAddr::V6(from), SocketAddr::V6(to)) => Some(ethernet.ipv6(from.ip().octets(), to.ip().octets(), TTL)),
        (SocketAddr::V4(_), SocketAddr::V6(_)) | (SocketAddr::V6(_), SocketAddr::V4(_)) => None,
    }
}

#[cfg(test)]
mod tests;
