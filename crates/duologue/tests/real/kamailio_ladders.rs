//! Figures 9 and 10 through two Kamailio cores, as tshark saw them, judged by the flows. `interop/kamailio/run` shows the ladders.

use std::collections::BTreeMap;

use flow::ladder::{self, Style};
use flow::{CloseBy, MediaPath, Message, Observed};
use interop::{Capture, Core, Loopback, Transport, Tshark};

use crate::ground::{self, Place};

const SUBSCRIBERS: &[(&str, &str)] = &[("alice", "alices-word"), ("bob", "bobs-word")];

/// The SIP of a capture between these nodes, named by their ports, but for what sets no session up and closes none.
fn observed(capture: &Capture, nodes: &BTreeMap<String, &str>) -> Vec<Observed> {
    let fields = [
        "frame.time_epoch",
        "udp.srcport",
        "udp.dstport",
        "sip.Method",
        "sip.Status-Code",
        "sip.Call-ID",
        "sip.CSeq",
        "sip.from.tag",
        "sip.Via.branch",
    ];
    let rows = capture.fields("sip", &fields).into_iter().filter_map(|row| {
        let first = |n: usize| row[n].split('|').next().unwrap_or_default().to_owned();
        let (from, to) = (*nodes.get(&first(1))?, *nodes.get(&first(2))?);
        let cseq = first(6);
        let method = cseq.split(' ').nth(1).unwrap_or_default().to_owned();
        let message = match first(4).parse() {
            Ok(status) => Message::response(status, method.clone()),
            Err(_) => Message::request(first(3)),
        };
        let seconds: f64 = first(0).parse().ok()?;
        let is_of_a_session = ["INVITE", "ACK", "BYE"].contains(&method.as_str());
        is_of_a_session.then(|| Observed {
            from: from.to_owned(),
            to: to.to_owned(),
            message,
            call_id: first(5),
            cseq,
            from_tag: first(7),
            branch: first(8),
            reliable: false,
            at_us: (seconds.fract() * 1e6) as u64 + (seconds as u64 % 1_000_000) * 1_000_000,
        })
    });
    rows.collect()
}

/// A session from set-up to close: the ladder of the close, and the verdicts on both.
#[expect(clippy::print_stdout, reason = "what `interop/kamailio/run` shows")]
fn play(place: Place) {
    let lease = Loopback::lease();
    let [a, b, pf_a, pf_b] = lease.ports();
    let config = [ground::pf_behind(a, "pf-a", pf_a, place), ground::pf_behind(b, "pf-b", pf_b, place)];
    let _pfs = ground::serve(&config.join("\n"), &[pf_a, pf_b]);
    let core = |domain, listen, peer, pf| {
        Core { domain, listen, peer, pf: Some(pf), is_named: true, transport: Transport::Udp, subscribers: SUBSCRIBERS }
            .start()
    };
    let _core_a = core("home1.test", a, ("home2.test", b), pf_a);
    let _core_b = core("home2.test", b, ("home1.test", a), pf_b);
    let [alice, bob] = ground::callers(&lease, a, b, Transport::Udp, ["a", "a"]);
    let tshark = Tshark::start(&format!("udp and host {}", lease.ip()));
    let ends = [alice.address(), bob.address()];
    let bob = bob.start();
    let traffic = [alice.run(), bob.finish()];
    assert!(traffic.iter().all(|seen| ground::call_ids(seen, "BYE sip:").len() == 1));
    let mut capture = tshark.stop();
    let all =
        [("core-a", a), ("core-b", b), ("pf-a", pf_a), ("pf-b", pf_b), ("client-a", ends[0]), ("client-b", ends[1])];
    for (_, addr) in all {
        capture = capture.decode_as(&format!("udp.port=={},sip", addr.port()));
    }
    let nodes = all.into_iter().map(|(name, addr)| (addr.port().to_string(), name)).collect();
    let seen = observed(&capture, &nodes);

    let path = if place == Place::On { MediaPath::On } else { MediaPath::Off };
    let is_close = |seen: &&Observed| seen.cseq.ends_with("BYE");
    let (close, set_up): (Vec<&Observed>, Vec<&Observed>) = seen.iter().partition(is_close);
    let [close, set_up] = [close, set_up].map(|part| part.into_iter().cloned().collect::<Vec<_>>());
    let up = flow::set_up(path, path).check(&set_up);
    let (closing, verdict) = flow::check_best(flow::closings(path, path, CloseBy::A), &up.dialogs, &close).unwrap();
    println!("\n{}: {}, through two Kamailio cores\n", closing.clause, closing.title);
    println!("{}", ladder::render(&closing.nodes, &ladder::rows_seen(closing, &close, &verdict), &Style::default()));
    assert!(up.conforms(), "{:#?}\n{set_up:#?}", up.violations);
    assert!(verdict.conforms(), "{:#?}", verdict.violations);
    println!("conforms to {}: {} arrows", closing.clause, close.len());
}

#[test]
fn figures_9_and_10_conform_through_two_kamailio_cores() {
    play(Place::Off);
    play(Place::On);
}
