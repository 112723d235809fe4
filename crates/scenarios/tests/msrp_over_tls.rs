//! MSRP over TLS on some legs and over TCP on others, and who is not the one that the description named (RFC 8122).

use std::collections::BTreeSet;
use std::time::Duration;

use flow::{CloseBy, MediaPath};
use role_client::{Client, Event};
use scenarios::{Setup, Site, System, Topology};
use wire::Transport;

fn topology(pf_a: MediaPath, pf_b: MediaPath) -> Topology {
    Topology { pf_a, pf_b, transport: Transport::Udp }
}

fn texts(system: &System, name: &str) -> Vec<String> {
    let text = |event: &Event| {
        if let Event::Message { content, .. } = event {
            Some(String::from_utf8_lossy(content).into_owned())
        } else {
            None
        }
    };
    system.told_by(name).filter_map(text).collect()
}

/// Who sent MSRP to whom, over what.
fn legs(system: &System) -> BTreeSet<(String, String, Transport)> {
    let arrows = system.net.arrows().iter().filter(|arrow| arrow.label.starts_with("MSRP "));
    arrows.map(|arrow| (arrow.from.to_string(), arrow.to.to_string(), arrow.transport)).collect()
}

/// Between whom, and over what.
type Hop = (&'static str, &'static str, Transport);

#[test]
fn each_leg_is_over_what_its_caller_offers() {
    use MediaPath::{Off, On};
    use Site::{ClientA, PfA, PfB};
    use Transport::{Tcp, Tls};
    // Where the functions stand, who offers TLS, and what each leg then is.
    let cases: [(Topology, &[Site], &[Hop]); 5] = [
        (topology(Off, Off), &[ClientA], &[("client-a", "client-b", Tls)]),
        (topology(On, Off), &[ClientA], &[("client-a", "pf-a", Tls), ("pf-a", "client-b", Tcp)]),
        (topology(On, Off), &[PfA], &[("client-a", "pf-a", Tcp), ("pf-a", "client-b", Tls)]),
        (topology(On, On), &[PfA], &[("client-a", "pf-a", Tcp), ("pf-a", "pf-b", Tls), ("pf-b", "client-b", Tcp)]),
        (
            topology(On, On),
            &[ClientA, PfB],
            &[("client-a", "pf-a", Tls), ("pf-a", "pf-b", Tcp), ("pf-b", "client-b", Tls)],
        ),
    ];
    for (topology, offering, expected) in cases {
        let mut system = Setup::new(3, topology).msrp_over_tls(offering).build();
        system.register();
        system.settle();
        let start = system.net.now();
        let sessions = system.establish();
        let (_, dialogs) = system.check_set_up(start);
        for (client, session, text) in [(system.client_a, sessions.0, "there"), (system.client_b, sessions.1, "back")] {
            let id = system.net.node_mut(client, |c: &mut Client, now| c.send(session, text, now));
            assert!(id.is_some(), "{topology:?}");
        }
        system.settle();
        assert_eq!(texts(&system, "client-b"), ["there"], "{topology:?} {offering:?}");
        assert_eq!(texts(&system, "client-a"), ["back"], "{topology:?} {offering:?}");
        let both_ways = expected.iter().flat_map(|(a, b, over)| [(a, b, over), (b, a, over)]);
        let expected: BTreeSet<_> =
            both_ways.map(|(from, to, over)| ((*from).to_owned(), (*to).to_owned(), *over)).collect();
        assert_eq!(legs(&system), expected, "{topology:?} {offering:?}");
        let closing = system.net.now();
        system.close(CloseBy::A, sessions);
        system.settle();
        let verdict = system.check_close(CloseBy::A, &dialogs, closing);
        assert!(verdict.conforms(), "{topology:?}: {:#?}\n{}", verdict.violations, system.net.ladder());
        system.run_for(Duration::from_secs(70));
        assert_eq!(system.open(), [], "{topology:?}");
    }
}

#[test]
fn who_shows_another_certificate_than_described_gets_no_word_and_the_session_lives() {
    let mut system = Setup::new(4, topology(MediaPath::Off, MediaPath::Off)).msrp_over_tls(&[Site::ClientA]).build();
    system.net.set_certificate(system.client_b, Site::PfB.certificate());
    system.register();
    system.settle();
    let sessions = system.establish();
    let id = system.net.node_mut(system.client_a, |c: &mut Client, now| c.send(sessions.0, "for bob alone", now));
    assert!(id.is_some());
    system.run_for(Duration::from_secs(3));
    assert_eq!(legs(&system), BTreeSet::new(), "nothing is said to a stranger");
    let tells = |system: &System, is: fn(&Event) -> bool| system.told.iter().filter(|(_, event)| is(event)).count();
    assert_eq!(tells(&system, |event| matches!(event, Event::MediaUp { .. } | Event::Closed { .. })), 0);

    // The right one is there when the connection is made again.
    system.net.set_certificate(system.client_b, Site::ClientB.certificate());
    system.run_for(Duration::from_secs(30));
    assert_eq!(texts(&system, "client-b"), ["for bob alone"]);
    assert_eq!(tells(&system, |event| matches!(event, Event::Closed { .. })), 0);
    system.close(CloseBy::B, sessions);
    system.run_for(Duration::from_secs(100));
    assert_eq!(system.open(), []);
}
