use wire::Transport::{Tcp, Tls, Udp};

use super::*;

const LOCAL: &str = "10.0.0.1:5060";
const PEER: &str = "10.0.0.2:4000";

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn listeners() -> Vec<Listener> {
    [(Udp, LOCAL), (Tcp, LOCAL), (Tls, "10.0.0.1:5061"), (Udp, "[2001:db8::1]:5060"), (Tcp, "[2001:db8::1]:5060")]
        .map(|(transport, text)| Listener { transport, addr: addr(text) })
        .to_vec()
}

fn node() -> Transports {
    Transports::new(listeners(), Limits { head: 2000, headers: 20, body: 5000 }, None)
}

fn request(method: &str, via: &str) -> String {
    format!(
        "{method} sip:b@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{via};branch=z9hG4bKa\r\nMax-Forwards: 70\r\n\
         From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: c\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

fn response(via: &str) -> String {
    format!(
        "SIP/2.0 200 OK\r\nVia: {via}\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>;tag=2\r\nCall-ID: c\r\n\
         CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}

/// What the node was seen to do, in the order of its doing.
#[derive(Default, Debug)]
struct Seen {
    /// `address: start line`, `conn: start line`, `connect address`, `close`.
    out: Vec<String>,
    texts: Vec<String>,
    received: Vec<Received>,
    failed: usize,
}

fn drain(node: &mut Transports) -> Seen {
    let mut seen = Seen::default();
    let first_line = |data: &Bytes| String::from_utf8_lossy(data).lines().next().unwrap_or_default().to_owned();
    while let Some(output) = node.poll_output() {
        seen.out.push(match output {
            Output::Datagram { remote, data, .. } => {
                seen.texts.push(String::from_utf8_lossy(&data).into_owned());
                format!("{remote}: {}", first_line(&data))
            }
            Output::Connect { transport, remote, .. } => format!("connect {transport} {remote}"),
            Output::Write { conn, data } => {
                seen.texts.push(String::from_utf8_lossy(&data).into_owned());
                format!("{}: {}", if conn.is_accepted() { "accepted" } else { "opened" }, first_line(&data))
            }
            Output::Read { .. } => "read".to_owned(),
            Output::Close { .. } => "close".to_owned(),
            Output::Keep { .. } => "keep".to_owned(),
        });
    }
    while let Some(event) = node.poll_event() {
        match event {
            Event::Received(received) => seen.received.push(*received),
            Event::Failed { .. } => seen.failed += 1,
        }
    }
    node.check_invariants();
    seen
}

fn datagram(node: &mut Transports, remote: &str, data: impl Into<Vec<u8>>) -> Seen {
    let remote = addr(remote);
    let local = listeners().iter().find(|l| l.transport == Udp && l.addr.is_ipv4() == remote.is_ipv4()).unwrap().addr;
    node.handle_input(Input::Datagram { local, remote, data: Bytes::from(data.into()) }, Instant::ZERO);
    drain(node)
}

fn accept(node: &mut Transports, n: u64, transport: Transport, remote: &str) -> ConnId {
    let conn = ConnId::accepted(n);
    let (local, remote) = (addr(LOCAL), addr(remote));
    node.handle_input(Input::Accepted { conn, transport, local, remote, peer: None }, Instant::ZERO);
    conn
}

fn stream(node: &mut Transports, conn: ConnId, data: impl Into<Vec<u8>>) -> Seen {
    node.handle_input(Input::Stream { conn, data: Bytes::from(data.into()) }, Instant::ZERO);
    drain(node)
}

fn close(node: &mut Transports, conn: ConnId, failed: bool) -> Seen {
    node.handle_input(Input::Closed { conn, failed }, Instant::ZERO);
    drain(node)
}

fn answer(node: &mut Transports, received: &Received) -> Seen {
    let Either::Request(request) = &received.message else { panic!("a request") };
    let path = node.return_path(request, &received.flow);
    node.send_response(&path, request.respond(200, "t").finish());
    drain(node)
}

fn via_of(text: &str) -> &str {
    text.lines().find_map(|line| line.strip_prefix("Via: ")).unwrap()
}

#[test]
fn responses_over_udp_go_where_the_via_and_the_source_say() {
    // (sent-by and parameters, source, where the response goes, what is added to the Via)
    let table = [
        ("UDP 10.0.0.2:4000", PEER, "10.0.0.2:4000", ""),
        ("UDP 10.0.0.2", PEER, "10.0.0.2:5060", ""),
        ("UDP 10.0.0.2:7000", PEER, "10.0.0.2:7000", ""),
        ("UDP 192.168.0.9:7000", PEER, "10.0.0.2:7000", ";received=10.0.0.2"),
        ("UDP host.example", PEER, "10.0.0.2:5060", ";received=10.0.0.2"),
        ("UDP 192.168.0.9:7000;rport", PEER, "10.0.0.2:4000", ";received=10.0.0.2"),
        ("UDP 10.0.0.2:7000;rport", PEER, "10.0.0.2:4000", ";received=10.0.0.2"),
        ("UDP 10.0.0.2:7000;maddr=10.0.0.7", PEER, "10.0.0.7:7000", ""),
        ("UDP 10.0.0.2;maddr=10.0.0.7;rport", PEER, "10.0.0.7:5060", ";received=10.0.0.2"),
        // A multicast group is not served: the response goes to the source.
        ("UDP 10.0.0.2;maddr=224.0.1.75", PEER, "10.0.0.2:5060", ""),
        ("UDP [2001:db8::2]:4000", "[2001:db8::2]:4000", "[2001:db8::2]:4000", ""),
        ("UDP [2001:DB8::2]", "[2001:db8::2]:4000", "[2001:db8::2]:5060", ""),
        ("UDP [2001:db8::9];rport", "[2001:db8::2]:4000", "[2001:db8::2]:4000", ";received=2001:db8::2"),
    ];
    for (via, source, to, added) in table {
        let mut node = node();
        let seen = datagram(&mut node, source, request("OPTIONS", via));
        let sent = answer(&mut node, &seen.received[0]);
        assert_eq!(sent.out, [format!("{to}: SIP/2.0 200 OK")], "{via}");
        let port = addr(source).port();
        let stamped = via.replace(";rport", &format!(";rport={port}"));
        assert_eq!(via_of(&sent.texts[0]), format!("SIP/2.0/{stamped};branch=z9hG4bKa{added}"), "{via}");
    }
}

#[test]
fn a_response_to_port_zero_is_counted_and_not_sent() {
    let mut node = node();
    let seen = datagram(&mut node, PEER, request("OPTIONS", "UDP 10.0.0.2:0"));
    assert_eq!(answer(&mut node, &seen.received[0]).out, Vec::<String>::new());
    assert_eq!(node.stats().unsendable, 1);
}

#[test]
fn a_response_that_is_forwarded_without_a_transaction_follows_its_via() {
    let table = [
        ("SIP/2.0/UDP 10.0.0.2", "10.0.0.2:5060: SIP/2.0 200 OK"),
        ("SIP/2.0/UDP h;received=10.0.0.3;rport=99", "10.0.0.3:99: SIP/2.0 200 OK"),
        ("SIP/2.0/UDP h:70;received=10.0.0.3;maddr=10.0.0.4;rport=9", "10.0.0.4:70: SIP/2.0 200 OK"),
        ("SIP/2.0/TLS 10.0.0.2", "connect tls 10.0.0.2:5061"),
        ("SIP/2.0/TCP 10.0.0.2;maddr=10.0.0.9", "connect tcp 10.0.0.2:5060"),
    ];
    for (via, first) in table {
        let mut node = node();
        node.send_response_by_via(Bytes::from(response(via)));
        assert_eq!(drain(&mut node).out[0], first, "{via}");
    }
    let mut node = node();
    for via in ["SIP/2.0/UDP host.example", "SIP/2.0/SCTP 10.0.0.2"] {
        node.send_response_by_via(Bytes::from(response(via)));
    }
    assert_eq!((drain(&mut node).out.len(), node.stats().unsendable), (0, 2));
}

#[test]
fn a_response_is_taken_only_when_its_topmost_via_is_ours() {
    let mut node = node();
    let ours = "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa, SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKb";
    assert_eq!(datagram(&mut node, PEER, response(ours)).received.len(), 1);
    let theirs = "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKb, SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa";
    assert_eq!(datagram(&mut node, PEER, response(theirs)).received.len(), 0);
    assert_eq!(datagram(&mut node, PEER, response("SIP/2.0/UDP 10.0.0.1:99;branch=z")).received.len(), 0);
    assert_eq!((node.stats().received, node.stats().foreign_responses), (3, 2));
}

#[test]
fn a_stream_is_cut_into_messages_wherever_it_is_segmented() {
    let one = request("OPTIONS", "TCP 10.0.0.2");
    let with_body = one.replace("Content-Length: 0\r\n\r\n", "Content-Length: 4\r\n\r\nbody");
    let whole = format!("{one}\r\n{with_body}{one}");
    for cut in 0..whole.len() {
        let mut node = node();
        let conn = accept(&mut node, 1, Tcp, PEER);
        let mut seen = stream(&mut node, conn, &whole[..cut]);
        seen.received.extend(stream(&mut node, conn, &whole[cut..]).received);
        assert_eq!(seen.received.len(), 3, "cut at {cut}");
        assert_eq!(node.stats().malformed, 0);
    }
    let mut node = node();
    let conn = accept(&mut node, 1, Tcp, PEER);
    let count: usize = whole.bytes().map(|b| stream(&mut node, conn, [b]).received.len()).sum();
    assert_eq!(count, 3);
}

#[test]
fn a_keep_alive_is_answered_however_it_is_segmented() {
    for chunks in [&["\r\n\r\n"][..], &["\r\n", "\r\n"], &["\r", "\n\r", "\n"], &["\r", "\n", "\r", "\n"]] {
        let mut node = node();
        let conn = accept(&mut node, 1, Tcp, PEER);
        let out: Vec<_> = chunks.iter().flat_map(|chunk| stream(&mut node, conn, *chunk).texts).collect();
        assert_eq!(out, ["\r\n"], "{chunks:?}");
        assert_eq!(node.stats().keep_alives, 1);
    }
}

#[test]
fn one_crlf_between_messages_is_no_keep_alive() {
    let mut node = node();
    let conn = accept(&mut node, 1, Tcp, PEER);
    let one = request("OPTIONS", "TCP 10.0.0.2");
    let seen = stream(&mut node, conn, format!("\r\n{one}\r\n{one}\r\n"));
    assert_eq!((seen.out.len(), seen.received.len()), (0, 2));
}

#[test]
fn keep_alives_over_udp_are_counted_and_not_answered() {
    let mut node = node();
    for blank in ["", "\r\n\r\n", "\0\0\0\0"] {
        let seen = datagram(&mut node, PEER, blank);
        assert_eq!((seen.out.len(), seen.received.len()), (0, 0));
    }
    assert_eq!((node.stats().keep_alives, node.stats().malformed), (3, 0));
}

/// Requests that cannot be taken, with the status line that answers them.
fn malformed() -> Vec<(String, &'static str)> {
    let good = request("INVITE", "UDP 10.0.0.2:4000");
    let many = "X: y\r\n".repeat(30);
    let long = format!("X: {}\r\n", "y".repeat(2500));
    vec![
        (good.replace("CSeq: 1 INVITE", "CSeq: 1 BYE"), "SIP/2.0 400"),
        (good.replace("From:", "Fro:"), "SIP/2.0 400"),
        (good.replace("CSeq: 1", "CSeq: 99999999999"), "SIP/2.0 400"),
        (good.replace("Content-Length: 0", "no colon here\r\nContent-Length: 0"), "SIP/2.0 400"),
        (good.replace("Content-Length: 0", "Content-Length: 5001"), "SIP/2.0 413"),
        (good.replace("INVITE sip:b@10.0.0.1 SIP/2.0", "INVITE sip:b@10.0.0.1 SIP/7.0"), "SIP/2.0 505"),
        (good.replace("Content-Length", &format!("{many}Content-Length")), "SIP/2.0 513"),
        (good.replace("Content-Length", &format!("{long}Content-Length")), "SIP/2.0 513"),
    ]
}

#[test]
fn a_malformed_request_is_answered_over_udp_with_what_is_wrong() {
    for (text, status) in malformed() {
        let mut node = node();
        let seen = datagram(&mut node, "10.0.0.2:5555", text.clone());
        assert_eq!(seen.received.len(), 0, "{text}");
        assert!(seen.out[0].starts_with(&format!("10.0.0.2:4000: {status}")), "{:?} to {text}", seen.out);
        assert!(seen.texts[0].contains("Call-ID: c\r\n"), "{}", seen.texts[0]);
        assert_eq!((seen.out.len(), node.stats().malformed), (1, 1));
    }
}

#[test]
fn the_answer_to_a_malformed_request_finds_its_way_through_a_nat() {
    let mut node = node();
    let text = request("INVITE", "UDP 192.168.0.9:7000;rport").replace("CSeq: 1 INVITE", "CSeq: 1 BYE");
    let seen = datagram(&mut node, "10.0.0.2:5555", text);
    assert!(seen.out[0].starts_with("10.0.0.2:5555: SIP/2.0 400"), "{:?}", seen.out);
    let via = via_of(&seen.texts[0]);
    assert!(via.contains(";rport=5555") && via.contains(";received=10.0.0.2"), "{via}");
}

#[test]
fn a_malformed_request_is_answered_over_tcp_and_closed_only_when_the_stream_is_lost() {
    for (text, status) in malformed() {
        let mut node = node();
        let conn = accept(&mut node, 1, Tcp, PEER);
        let seen = stream(&mut node, conn, text.clone());
        assert!(seen.out[0].starts_with(&format!("accepted: {status}")), "{:?} to {text}", seen.out);
        let lost = text.contains("5001") || text.len() > 2000;
        assert_eq!(seen.out.get(1).is_some_and(|out| out == "close"), lost, "{text}");
        assert_eq!(node.connections(), usize::from(!lost), "{text}");
    }
}

#[test]
fn a_stream_without_a_length_is_closed_for_nobody_knows_what_it_says() {
    let mut node = node();
    let conn = accept(&mut node, 1, Tcp, PEER);
    let text = request("OPTIONS", "TCP 10.0.0.2").replace("Content-Length: 0\r\n", "");
    let seen = stream(&mut node, conn, text);
    assert_eq!((seen.out, seen.failed, node.connections()), (vec!["close".to_owned()], 1, 0));
    // What still arrives on it is nobody's.
    assert_eq!(stream(&mut node, conn, request("OPTIONS", "TCP 10.0.0.2")).received.len(), 0);
}

#[test]
fn a_malformed_ack_or_response_and_what_has_no_via_is_never_answered() {
    let ack = request("ACK", "UDP 10.0.0.2").replace("CSeq: 1", "CSeq: x");
    let texts = [
        ack.clone(),
        format!("\r\n{ack}"),
        request("ACK", "UDP 10.0.0.2").replace("Call-ID", "bad line\r\nCall-ID"),
        response("SIP/2.0/UDP 10.0.0.1").replace("CSeq: 1", "CSeq: x"),
        request("OPTIONS", "UDP 10.0.0.2").replace("Via:", "Vio:"),
        request("OPTIONS", "UDP 10.0.0.2:x"),
        "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2\r\n\r\n".to_owned(),
        "garbage".to_owned(),
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
    ];
    for (n, text) in texts.into_iter().enumerate() {
        let mut node = node();
        let seen = datagram(&mut node, PEER, text.clone());
        assert_eq!((seen.out.len(), seen.received.len(), node.stats().malformed), (0, 0, 1), "{n}: {text}");
    }
}

#[test]
fn what_a_stream_leaves_unfinished_is_counted() {
    let mut node = node();
    let conn = accept(&mut node, 1, Tcp, PEER);
    stream(&mut node, conn, "OPTIONS sip:a SIP/2.0\r\n");
    close(&mut node, conn, false);
    assert_eq!((node.stats().malformed, node.stats().closed_connections, node.connections()), (1, 1, 0));
}

fn hop(node: &mut Transports, transport: Transport, to: &str, size: usize) -> Hop {
    node.hop(&Target::new(transport, addr(to)), size, "z9hG4bKx".to_owned()).unwrap()
}

#[test]
fn a_connection_is_opened_once_and_reused() {
    let mut node = node();
    let first = hop(&mut node, Tcp, "10.0.0.3:5060", 500);
    node.send_request(&first, Bytes::from("one"));
    let second = hop(&mut node, Tcp, "10.0.0.3:5060", 500);
    node.send_request(&second, Bytes::from("two"));
    assert_eq!(drain(&mut node).out, ["connect tcp 10.0.0.3:5060", "opened: one", "opened: two"]);
    // Not up yet: should it fail, then it was refused, and another try is of no use.
    assert_eq!((first.is_reused, second.is_reused), (false, false));
    let conn = first.conn.unwrap();
    node.handle_input(Input::Connected { conn, local: addr("10.0.0.1:50000"), peer: None }, Instant::ZERO);
    let third = hop(&mut node, Tcp, "10.0.0.3:5060", 500);
    assert!(third.is_reused && third.conn == Some(conn));
    // Another transport, another port: another connection.
    assert_ne!(hop(&mut node, Tls, "10.0.0.3:5060", 500).conn, Some(conn));
    assert_ne!(hop(&mut node, Tcp, "10.0.0.3:5070", 500).conn, Some(conn));
}

#[test]
fn a_hop_outlives_its_connection() {
    let mut node = node();
    let mut first = hop(&mut node, Tcp, "10.0.0.3:5060", 500);
    drain(&mut node);
    assert_eq!(close(&mut node, first.conn.unwrap(), true).failed, 1);
    node.send_request(&first, Bytes::from("ack"));
    assert_eq!(drain(&mut node).out, ["connect tcp 10.0.0.3:5060", "opened: ack"]);
    let gone = first.conn;
    assert!(node.refresh(&mut first) && first.conn != gone);
    assert_eq!(drain(&mut node).out, Vec::<String>::new());
}

#[test]
fn a_response_uses_the_connection_of_its_request_or_a_new_one_to_sent_by() {
    let mut node = node();
    let conn = accept(&mut node, 1, Tcp, PEER);
    let seen = stream(&mut node, conn, request("OPTIONS", "TCP 10.0.0.2:5080;rport"));
    assert_eq!(answer(&mut node, &seen.received[0]).out, ["accepted: SIP/2.0 200 OK"]);
    close(&mut node, conn, false);
    let out = answer(&mut node, &seen.received[0]).out;
    assert_eq!(out, ["connect tcp 10.0.0.2:5080", "opened: SIP/2.0 200 OK"]);
}

#[test]
fn an_alias_brings_our_requests_back_on_the_accepted_connection() {
    for (via, back) in [
        ("TCP 10.0.0.2:5080;alias", true),
        ("TCP 10.0.0.2:5080", false),
        ("TCP 10.0.0.9:5080;alias", false),
        ("TLS 10.0.0.2:5080;alias", false),
    ] {
        let mut node = node();
        let conn = accept(&mut node, 1, Tcp, PEER);
        stream(&mut node, conn, request("OPTIONS", via));
        let to = if via.contains("10.0.0.9") { "10.0.0.9:5080" } else { "10.0.0.2:5080" };
        let hop = hop(&mut node, Tcp, to, 500);
        assert_eq!(hop.conn == Some(conn), back, "{via}");
        assert!(hop.via().ends_with(";alias"), "{}", hop.via());
        if back {
            // The peer's listener is known, so a stale connection can be replaced.
            assert!(hop.is_reused);
            close(&mut node, conn, true);
            let fresh = node.reopened(&hop).unwrap();
            assert_eq!(drain(&mut node).out, ["connect tcp 10.0.0.2:5080"]);
            assert_eq!((fresh.via(), node.reopened(&fresh)), (hop.via(), None));
        }
    }
}

#[test]
fn a_client_that_can_only_be_reached_on_its_own_connection_is_not_dialled() {
    let mut node = node();
    let conn = accept(&mut node, 1, Tcp, PEER);
    let target = Target { transport: Tcp, addr: addr(PEER), conn: Some(conn) };
    let hop = node.hop(&target, 500, "z9hG4bKx".to_owned()).unwrap();
    assert_eq!((hop.conn, hop.is_reused), (Some(conn), false));
    close(&mut node, conn, true);
    assert_eq!(node.reopened(&hop), None);
}

#[test]
fn a_large_request_leaves_udp_for_tcp_unless_the_path_is_known_to_carry_it() {
    let mut unknown = node();
    assert_eq!(hop(&mut unknown, Udp, "10.0.0.3:5060", 1300 - VIA_ROOM).transport, Udp);
    let large = hop(&mut unknown, Udp, "10.0.0.3:5060", 1301 - VIA_ROOM);
    assert_eq!((large.transport, large.was_udp, large.is_reused), (Tcp, true, false));
    let back = unknown.udp_instead(&large).unwrap();
    assert_eq!((back.transport, back.conn, back.was_udp), (Udp, None, false));
    assert!(back.via().starts_with("SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKx"), "{}", back.via());
    assert_eq!(unknown.udp_instead(&back), None);
    // What was asked to go by TCP has no business on UDP.
    let asked = hop(&mut unknown, Tcp, "10.0.0.3:5060", 5000);
    assert_eq!(unknown.udp_instead(&asked), None);

    let mut known = Transports::new(listeners(), Limits::default(), Some(9000));
    assert_eq!(hop(&mut known, Udp, "10.0.0.3:5060", 8800 - VIA_ROOM).transport, Udp);
    assert_eq!(hop(&mut known, Udp, "10.0.0.3:5060", 8801 - VIA_ROOM).transport, Tcp);

    let only_udp = vec![Listener { transport: Udp, addr: addr(LOCAL) }];
    let mut only_udp = Transports::new(only_udp, Limits::default(), None);
    assert_eq!(hop(&mut only_udp, Udp, "10.0.0.3:5060", 5000).transport, Udp);
    assert_eq!(only_udp.hop(&Target::new(Tcp, addr(PEER)), 1, String::new()), None);
    assert_eq!(only_udp.hop(&Target::new(Udp, addr("[::1]:5060")), 1, String::new()), None);
}

#[test]
fn more_than_a_datagram_holds_is_counted_and_not_sent() {
    let mut node = node();
    let hop = Hop { conn: None, ..hop(&mut node, Udp, "10.0.0.3:5060", 10) };
    node.send_request(&hop, Bytes::from(vec![b'x'; DATAGRAM_MAX + 1]));
    assert_eq!((drain(&mut node).out.len(), node.stats().unsendable), (0, 1));
}

#[test]
fn the_via_of_a_hop_fits_its_capacity_and_names_the_address() {
    let mut node = node();
    assert_eq!(hop(&mut node, Udp, "10.0.0.3:5060", 1).via(), "SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKx");
    let v6 = hop(&mut node, Tcp, "[2001:db8::2]:5060", 1).via();
    assert_eq!(v6, "SIP/2.0/TCP [2001:db8::1]:5060;rport;branch=z9hG4bKx;alias");
    let longest: SocketAddr = "[1111:2222:3333:4444:5555:6666:7777:8888]:65535".parse().unwrap();
    let hop = Hop { local: longest, ..hop(&mut node, Tcp, "[2001:db8::2]:5060", 1) };
    assert!(hop.via().capacity() <= 116 + hop.branch.len(), "no second allocation");
}

#[test]
fn an_unfinished_message_holds_no_more_than_the_limits_of_framing() {
    let mut node = node();
    let conn = accept(&mut node, 1, Tcp, PEER);
    let mut most = 0;
    while let Some(known) = node.connections.get(conn) {
        most = most.max(known.buffer.len());
        stream(&mut node, conn, "X: yyyyyyyyyyyyyy\r\n");
    }
    assert!(most <= 2000, "{most}");
    assert_eq!(node.connections(), 0);
}
