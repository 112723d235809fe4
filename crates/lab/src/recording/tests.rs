use wire::Timestamp;

use super::*;

const CORE_A: NodeIndex = 1;
const PF_A: NodeIndex = 2;

fn addr(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn bye(call_id: &str) -> String {
    format!(
        "BYE sip:b@127.0.0.1:5070 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5061;branch=z9hG4bK7\r\n\
         From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>;tag=2\r\nCall-ID: {call_id}\r\nCSeq: 2 BYE\r\nMax-Forwards: 70\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

fn ok(call_id: &str) -> String {
    format!(
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5061;branch=z9hG4bK7\r\nFrom: <sip:a@x>;tag=1\r\n\
         To: <sip:b@x>;tag=2\r\nCall-ID: {call_id}\r\nCSeq: 2 BYE\r\nContent-Length: 0\r\n\r\n"
    )
}

/// Core A at port 5061, PF A at 5062; the PF's MSRP at 2855.
fn recording() -> Recording {
    let start = Now { at: Instant::from_nanos(500), utc: Timestamp::from_micros(1_000_000) };
    let mut recording = Recording::new(start);
    for transport in [Transport::Udp, Transport::Tcp] {
        recording.listens(CORE_A, transport, addr(5061), Purpose::Sip);
        recording.listens(PF_A, transport, addr(5062), Purpose::Sip);
    }
    recording.listens(PF_A, Transport::Tcp, addr(2855), Purpose::Msrp);
    recording
}

fn seen(node: NodeIndex, nanos: u64, transport: Transport, local: u16, remote: u16, what: What) -> Seen {
    let at = Now { at: Instant::from_nanos(nanos), ..Now::default() };
    Seen { node, at, transport, local: addr(local), remote: addr(remote), what }
}

fn sent(data: &str) -> What {
    What::Sent(Bytes::copy_from_slice(data.as_bytes()))
}

fn received(data: &str) -> What {
    What::Received(Bytes::copy_from_slice(data.as_bytes()))
}

fn kinds(recording: &Recording) -> Vec<&'static str> {
    recording.findings().into_iter().map(|finding| finding.kind).collect()
}

#[test]
fn a_datagram_is_an_arrow_at_the_time_of_sending() {
    let mut recording = recording();
    recording.record(seen(PF_A, 9_000, Transport::Udp, 5062, 5061, received(&bye("c"))));
    recording.record(seen(CORE_A, 5_500, Transport::Udp, 5061, 5062, sent(&bye("c"))));
    recording.record(seen(CORE_A, 5_500, Transport::Udp, 5061, 5062, sent("\r\n\r\n")));
    recording.record(seen(PF_A, 9_500, Transport::Udp, 5062, 5061, sent(&ok("c"))));
    assert!(!recording.all_received());
    recording.record(seen(CORE_A, 9_900, Transport::Udp, 5061, 5062, received(&ok("c"))));
    assert!(recording.all_received());

    let (before, after) = recording.arrows(Some(Instant::from_nanos(9_500)));
    assert_eq!((before.len(), after.len()), (1, 1));
    let arrow = &before[0];
    assert_eq!((arrow.from.as_str(), arrow.to.as_str(), arrow.at_us), ("core-a", "pf-a", 1_000_005));
    assert_eq!((arrow.message.to_string().as_str(), arrow.cseq.as_str()), ("BYE", "2 BYE"));
    assert_eq!(
        (arrow.call_id.as_str(), arrow.from_tag.as_str(), arrow.branch.as_str(), arrow.reliable),
        ("c", "1", "z9hG4bK7", false)
    );
    assert_eq!((after[0].from.as_str(), after[0].message.to_string().as_str()), ("pf-a", "200 OK"));
    assert_eq!(kinds(&recording), Vec::<&str>::new());
}

#[test]
fn a_connection_belongs_to_who_opened_it_and_its_pieces_are_put_together() {
    let mut recording = recording();
    let (tcp, text) = (Transport::Tcp, bye("c") + &bye("d"));
    // The acceptor may be heard first: the lab's queue has the order of nobody's clock.
    recording.record(seen(PF_A, 80, tcp, 5062, 40_000, What::Opened { by_us: false }));
    recording.record(seen(PF_A, 150, tcp, 5062, 40_000, received(&text[..20])));
    recording.record(seen(PF_A, 160, tcp, 5062, 40_000, sent(&ok("c"))));
    recording.record(seen(CORE_A, 90, tcp, 40_000, 5062, What::Opened { by_us: true }));
    recording.record(seen(CORE_A, 100, tcp, 40_000, 5062, sent(&text[..250])));
    recording.record(seen(CORE_A, 120, tcp, 40_000, 5062, sent(&text[250..])));
    recording.record(seen(PF_A, 170, tcp, 5062, 40_000, received(&text[20..])));
    recording.record(seen(CORE_A, 190, tcp, 40_000, 5062, received(&ok("c"))));

    let (arrows, none) = recording.arrows(None);
    let shown: Vec<_> = arrows.iter().map(|a| format!("{} {} {} {}", a.from, a.to, a.message, a.call_id)).collect();
    assert_eq!(shown, ["core-a pf-a BYE c", "core-a pf-a BYE d", "pf-a core-a 200 OK c"]);
    assert!(none.is_empty() && arrows.iter().all(|arrow| arrow.reliable));
    assert_eq!(kinds(&recording), Vec::<&str>::new());
}

#[test]
fn what_is_sent_and_not_received_is_found_and_the_reverse() {
    let mut recording = recording();
    recording.record(seen(CORE_A, 1, Transport::Udp, 5061, 5062, sent(&bye("c"))));
    recording.record(seen(CORE_A, 2, Transport::Udp, 5061, 5062, sent(&bye("c"))));
    recording.record(seen(PF_A, 3, Transport::Udp, 5062, 5061, received(&bye("c"))));
    recording.record(seen(PF_A, 4, Transport::Udp, 5062, 5061, received(&bye("other"))));
    recording.record(seen(CORE_A, 5, Transport::Udp, 5061, 9, sent(&bye("c"))));
    let texts: Vec<String> = recording.findings().into_iter().map(|finding| finding.text).collect();
    assert_eq!(
        texts,
        [
            "core-a -> pf-a, BYE was sent and never received",
            "core-a -> 127.0.0.1:9, BYE was sent and never received",
            "core-a -> pf-a, BYE was received, but no node sent it",
            "core-a -> 127.0.0.1:9, BYE was sent to an address that is no node's",
        ]
    );
}

#[test]
fn what_is_not_sip_is_found_and_msrp_is_left_alone() {
    let mut recording = recording();
    recording.record(seen(CORE_A, 1, Transport::Udp, 5061, 5062, sent("hello")));
    recording.record(seen(PF_A, 2, Transport::Udp, 5062, 5061, received("hello")));
    recording.record(seen(CORE_A, 3, Transport::Tcp, 40_000, 5062, What::Opened { by_us: true }));
    recording.record(seen(CORE_A, 4, Transport::Tcp, 40_000, 5062, sent("half a mess")));
    recording.record(seen(CORE_A, 5, Transport::Tcp, 40_001, 2855, What::Opened { by_us: true }));
    recording.record(seen(CORE_A, 6, Transport::Tcp, 40_001, 2855, sent("MSRP a SEND\r\n")));
    assert_eq!(kinds(&recording), ["malformed", "malformed"]);
    assert_eq!(recording.findings()[1].text, "core-a -> pf-a: 11 octets on the connection make no SIP message");
    assert_eq!(recording.arrows(None).0, []);
}
