//! The foreign programs among themselves: what our helpers claim about them, without any node of ours.

use std::net::UdpSocket;
use std::time::Duration;

use interop::{Kamailio, Loopback, Sipp, Torture, Transport, Tshark, options};

const SOON: Duration = Duration::from_secs(20);

/// A Kamailio that answers OPTIONS and nothing else.
const ANSWERS_OPTIONS: &str = r#"
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
listen=udp:{{listen}}
listen=tcp:{{listen}}
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "xlog.so"
request_route {
	if ($rm != "OPTIONS") { sl_send_reply("405", "Method Not Allowed"); exit; }
	xlog("L_ERR", "asked by $si\n");
	sl_send_reply("200", "Alive");
}
"#;

fn answers_options(lease: &Loopback) -> Kamailio {
    let listen = lease.port();
    Kamailio::start("kamailio", &interop::fill(ANSWERS_OPTIONS, &[("listen", &listen.to_string())]), listen)
}

/// Asks with an OPTIONS.
const ASKS: &str = r#"<?xml version="1.0"?><scenario><send retrans="500"><![CDATA[
OPTIONS sip:[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:[who]@[local_ip]>;tag=1
To: <sip:[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 OPTIONS
Content-Length: 0

]]></send><recv response="200"/></scenario>"#;

/// Answers one OPTIONS.
const ANSWERS: &str = r#"<?xml version="1.0"?><scenario><recv request="OPTIONS"/><send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=2
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send></scenario>"#;

#[test]
fn sipp_asks_sipp_and_both_show_what_went_over_the_wire() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let lease = Loopback::lease();
        let [a, b] = lease.ports();
        let uas = Sipp::new("uas", ANSWERS, b).over(transport).start();
        let asked = Sipp::new("uac", ASKS, a).to(b).over(transport).key("who", "somebody").run().messages;
        let answered = uas.finish().messages;
        for messages in [asked, answered] {
            assert!(messages.contains("<sip:somebody@") && messages.contains("SIP/2.0 200 OK"), "{messages}");
        }
    }
}

#[test]
fn a_failed_scenario_says_what_sipp_said() {
    let lease = Loopback::lease();
    let [a, nobody] = lease.ports();
    let uac = Sipp::new("uac", ASKS, a).to(nobody).over(Transport::Tcp).key("who", "x").within(Duration::from_secs(5));
    let error = std::panic::catch_unwind(|| uac.run()).unwrap_err();
    let text = error.downcast_ref::<String>().unwrap();
    assert!(text.contains("SIPp scenario uac failed") && text.contains("refused"), "{text}");
}

#[test]
fn tshark_sees_what_was_sent_while_it_captured_and_dissects_it() {
    let lease = Loopback::lease();
    let [a, b] = lease.ports();
    let (from, _to) = (UdpSocket::bind(a).unwrap(), UdpSocket::bind(b).unwrap());
    let tshark = Tshark::start(&format!("host {}", lease.ip()));
    for number in 1..=3 {
        let request = format!(
            "OPTIONS sip:b@{b} SIP/2.0\r\nVia: SIP/2.0/UDP {a};branch=z9hG4bK{number}\r\nCall-ID: c{number}\r\n\
             CSeq: {number} OPTIONS\r\nFrom: <sip:a@{a}>;tag=1\r\nTo: <sip:b@{b}>\r\nContent-Length: 0\r\n\r\n"
        );
        from.send_to(request.as_bytes(), b).unwrap();
    }
    let capture = tshark.stop().decode_as(&format!("udp.port=={},sip", b.port()));
    let rows = capture.fields("sip", &["sip.Method", "sip.Call-ID", "udp.dstport"]);
    let port = b.port().to_string();
    assert_eq!(rows, [["OPTIONS", "c1", &port], ["OPTIONS", "c2", &port], ["OPTIONS", "c3", &port]]);
    assert_eq!(capture.fields("", &["frame.number"]).len(), 3);
}

#[test]
fn kamailio_starts_with_a_configuration_of_ours_and_answers() {
    let lease = Loopback::lease();
    let mut kamailio = answers_options(&lease);
    for transport in [Transport::Udp, Transport::Tcp] {
        assert_eq!(options(kamailio.address(), transport, lease.ip(), SOON), Some(200));
    }
    assert!(kamailio.wait_log("asked by", SOON).ends_with(&lease.ip().to_string()));
}

#[test]
fn a_broken_kamailio_configuration_fails_with_what_kamailio_said() {
    let lease = Loopback::lease();
    let listen = lease.port();
    let error =
        std::panic::catch_unwind(|| Kamailio::start("kamailio", "request_route { nonsense(", listen)).unwrap_err();
    let text = error.downcast_ref::<String>().unwrap();
    assert!(text.contains("kamailio ended") && text.contains("syntax error"), "{text}");
}

#[test]
fn the_torture_messages_reach_a_node_and_its_answers_come_back() {
    let lease = Loopback::lease();
    let kamailio = answers_options(&lease);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../sip/tests/torture/rfc4475");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    for transport in [Transport::Udp, Transport::Tcp] {
        let torture = Torture { node: kamailio.address(), transport, patience: Duration::from_millis(200) };
        let cases = torture.run(&Loopback::lease(), &files);
        assert_eq!(cases.len(), 49);
        assert!(cases.iter().all(|c| c.alive));
        let answer = |name: &str| cases.iter().find(|c| c.name == name).unwrap().answer;
        // An OPTIONS, an INVITE on a port of its Via, and a response.
        assert_eq!(answer("sdp01"), Some(405), "{transport:?}");
        assert_eq!(answer("escruri"), Some(405), "{transport:?}");
        assert_eq!(answer("bigcode"), None, "{transport:?}");
        assert!(cases.iter().filter(|c| c.answer.is_some()).count() > 25, "{cases:?}");
    }
}
