use bytes::Bytes;
use etherparse::{SlicedPacket, TransportSlice};
use wire::{Instant, Now, Timestamp};

use super::*;
use crate::tap::Seen;

fn addr(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn recording(seen: impl IntoIterator<Item = (usize, u64, Transport, [u16; 2], What)>) -> Recording {
    let start = Now { at: Instant::ZERO, utc: Timestamp::from_micros(7_999_990) };
    let mut recording = Recording::new(start);
    for (node, micros, transport, [local, remote], what) in seen {
        let at = Now { at: Instant::from_nanos(micros * 1000), ..Now::default() };
        recording.record(Seen { node, at, transport, local: addr(local), remote: addr(remote), what });
    }
    recording
}

fn sent(data: impl Into<Bytes>) -> What {
    What::Sent(data.into())
}

/// The packets of a file: time and octets.
fn read(file: &[u8]) -> Vec<(u64, &[u8])> {
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    assert_eq!((word(0), word(4), word(16), word(20)), (0xa1b2_c3d4, 0x0004_0002, 262_144, 1));
    let (mut at, mut packets) = (24, Vec::new());
    while at < file.len() {
        let (time, len) = (u64::from(word(at)) * 1_000_000 + u64::from(word(at + 4)), word(at + 8) as usize);
        assert_eq!(word(at + 12) as usize, len);
        packets.push((time, &file[at + 16..at + 16 + len]));
        at += 16 + len;
    }
    packets
}

/// `A>B SYN,ACK seq ack len`, with A and B as ports and numbers relative to the first ones.
fn show(packet: &[u8]) -> String {
    let sliced = SlicedPacket::from_ethernet(packet).unwrap();
    match sliced.transport.unwrap() {
        TransportSlice::Tcp(tcp) => {
            assert_eq!(tcp.checksum(), checksum(&sliced.net, &tcp));
            let flags = [(tcp.syn(), "S"), (tcp.fin(), "F"), (tcp.psh(), "P"), (tcp.ack(), "A")];
            let flags: String = flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
            let (seq, ack) = (tcp.sequence_number() % 1000, tcp.acknowledgment_number() % 1000);
            format!("{}>{} {flags} {seq} {ack} {}", tcp.source_port(), tcp.destination_port(), tcp.payload().len())
        }
        TransportSlice::Udp(udp) => {
            format!("{}>{} {}", udp.source_port(), udp.destination_port(), String::from_utf8_lossy(udp.payload()))
        }
        TransportSlice::Icmpv4(_) | TransportSlice::Icmpv6(_) | TransportSlice::Igmp(_) => panic!("not ours"),
    }
}

fn checksum(net: &Option<etherparse::NetSlice<'_>>, tcp: &etherparse::TcpSlice<'_>) -> u16 {
    let Some(etherparse::NetSlice::Ipv4(ip)) = net else { panic!("IPv4") };
    tcp.to_header().calc_checksum_ipv4(&ip.header().to_header(), tcp.payload()).unwrap()
}

fn shown(recording: &Recording) -> Vec<(u64, String)> {
    let mut file = Vec::new();
    write([recording], &mut file).unwrap();
    read(&file).into_iter().map(|(time, packet)| (time, show(packet))).collect()
}

#[test]
fn a_datagram_is_written_once_where_it_was_sent_with_the_time_of_day() {
    let udp = Transport::Udp;
    let recording = recording([
        (1, 9, udp, [62, 61], What::Received(Bytes::from_static(b"BYE"))),
        (0, 5, udp, [61, 62], sent("BYE")),
        (1, 10, udp, [62, 61], sent("200")),
    ]);
    assert_eq!(shown(&recording), [(7_999_995, "61>62 BYE".to_owned()), (8_000_000, "62>61 200".to_owned())]);
}

#[test]
fn a_connection_has_a_handshake_numbers_that_fit_and_an_end() {
    let tcp = Transport::Tcp;
    let recording = recording([
        (1, 1, tcp, [62, 40], What::Opened { by_us: false }),
        (0, 2, tcp, [40, 62], What::Opened { by_us: true }),
        (0, 3, tcp, [40, 62], sent("abc")),
        (1, 4, tcp, [62, 40], What::Received(Bytes::from_static(b"abc"))),
        (1, 5, tcp, [62, 40], sent("de")),
        (0, 6, tcp, [40, 62], What::Received(Bytes::from_static(b"de"))),
        (1, 7, tcp, [62, 40], What::Closed),
        (0, 8, tcp, [40, 62], What::Closed),
    ]);
    let shown: Vec<String> = shown(&recording).into_iter().map(|(_, text)| text).collect();
    assert_eq!(
        shown,
        [
            "40>62 S 0 0 0",
            "62>40 SA 0 1 0",
            "40>62 A 1 1 0",
            "40>62 PA 1 1 3",
            "62>40 A 1 4 0",
            "62>40 PA 1 4 2",
            "40>62 A 4 3 0",
            "62>40 FA 3 4 0",
            "40>62 FA 4 4 0",
            "62>40 A 4 5 0",
        ]
    );
}

#[test]
fn a_long_piece_is_cut_into_segments_and_what_is_left_open_is_closed() {
    let tcp = Transport::Tcp;
    let recording = recording([
        (0, 1, tcp, [40, 62], What::Opened { by_us: true }),
        (0, 2, tcp, [40, 62], sent(vec![b'x'; 65_483 + 17])),
    ]);
    let shown: Vec<String> = shown(&recording).into_iter().map(|(_, text)| text).collect();
    let expected =
        ["40>62 A 1 1 65483", "40>62 PA 484 1 17", "40>62 FA 501 1 0", "62>40 FA 1 502 0", "40>62 A 502 2 0"];
    assert_eq!(shown[3..], expected);
}

#[test]
fn messages_that_were_picked_are_written_in_connections_of_their_own() {
    let at = Timestamp::from_micros(1_000_007);
    let passage =
        |transport, [from, to]: [u16; 2], data| Passage { at, transport, from: addr(from), to: addr(to), data };
    let messages = [
        passage(Transport::Tcp, [61, 62], &b"BYE"[..]),
        passage(Transport::Udp, [61, 62], b"BYE"),
        passage(Transport::Tcp, [62, 61], b"200 OK"),
    ];
    let mut file = Vec::new();
    write_messages(messages, &mut file).unwrap();
    let shown: Vec<String> = read(&file)
        .into_iter()
        .map(|(time, packet)| {
            assert_eq!(time, 1_000_007);
            show(packet)
        })
        .collect();
    let open = ["61>62 S 0 0 0", "62>61 SA 0 1 0", "61>62 A 1 1 0"];
    let said = ["61>62 PA 1 1 3", "62>61 A 1 4 0", "61>62 BYE", "62>61 PA 1 4 6", "61>62 A 4 7 0"];
    let close = ["61>62 FA 4 7 0", "62>61 FA 7 5 0", "61>62 A 5 8 0"];
    assert_eq!(shown, [&open[..], &said, &close].concat());
}
