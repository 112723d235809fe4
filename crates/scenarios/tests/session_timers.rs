//! Session timers in the whole system: between the clients where the participating functions are off the media path, leg by
//! leg where they are on it.

use std::time::Duration;

use cpm::Closing;
use flow::MediaPath;
use role_client::{ClosedBy, Event};
use scenarios::{Ask, BOB, Cast, Phone, Setup, Site, System, Topology, header};
use sip::{Method, Name};
use sip_ua::Intervals;
use wire::Instant;

const SECOND: Duration = Duration::from_secs(1);

fn is_on(topology: Topology) -> bool {
    topology.pf_a == MediaPath::On && topology.pf_b == MediaPath::On
}

/// Both off, or both on.
fn plain() -> impl Iterator<Item = Topology> {
    Topology::all().into_iter().filter(|topology| topology.pf_a == topology.pf_b)
}

/// Nobody says anything in these sessions, and nobody minds.
fn quiet(seed: u64, topology: Topology) -> Setup {
    let mut setup = Setup::new(seed, topology);
    for pf in [&mut setup.pf_a, &mut setup.pf_b] {
        pf.default_profile.idle_session = None;
        // The phones here speak SIP alone.
        pf.media_grace = None;
    }
    // Nor does a registration run out first, which would end the sessions of its user too.
    (setup.client_a.expires, setup.client_b.expires) = (3600, 3600);
    setup
}

/// A system with a session that is up; returns when.
fn established(setup: Setup) -> (System, Instant) {
    let mut system = setup.build();
    system.register();
    system.settle();
    system.establish();
    let up = system.net.now();
    (system, up)
}

/// The refreshes since then, untimed.
fn refreshes(system: &System, since: Instant) -> String {
    let ladder = system.sip_ladder_since(since).only(|arrow| {
        let text = arrow.text();
        text.contains("UPDATE") && text.contains("CSeq:") && text.lines().any(|l| l.ends_with(" UPDATE"))
    });
    ladder
        .untimed()
        .to_string()
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n")
        .collect()
}

#[test]
fn a_session_is_refreshed_at_half_of_its_interval_and_lives_on() {
    for topology in Topology::all() {
        let (mut system, up) = established(quiet(101, topology));
        system.net.run_until(up + 901 * SECOND);
        let seen = refreshes(&system, up);
        let end_to_end = "client-a -> core-a UPDATE\ncore-a -> pf-a UPDATE\npf-a -> core-a UPDATE\n\
            core-a -> core-b UPDATE\ncore-b -> pf-b UPDATE\npf-b -> core-b UPDATE\ncore-b -> client-b UPDATE\n\
            client-b -> core-b 200 OK\ncore-b -> pf-b 200 OK\npf-b -> core-b 200 OK\ncore-b -> core-a 200 OK\n\
            core-a -> pf-a 200 OK\npf-a -> core-a 200 OK\ncore-a -> client-a 200 OK\n";
        if (topology.pf_a, topology.pf_b) == (MediaPath::Off, MediaPath::Off) {
            assert_eq!(seen, end_to_end, "{topology:?}");
        }
        // Every leg has its own, and all of them together have as many arrows as one end to end.
        assert_eq!(seen.lines().count(), 14, "{topology:?}\n{seen}");
        // A day later nobody has lost patience.
        system.run_for(24 * 3600 * SECOND);
        assert_eq!((system.up("client-a").len(), system.up("client-b").len()), (1, 1), "{topology:?}");
        assert_eq!(system.records, []);
        system.close_all_of("client-a");
        system.run_for(70 * SECOND);
        assert_eq!(system.records.len(), 2);
    }
}

#[test]
fn a_client_that_vanishes_is_missed_and_its_session_ends_on_every_leg() {
    for topology in plain() {
        let (mut system, up) = established(quiet(102, topology));
        system.net.isolate(system.client_a);
        system.net.run_until(up + 1_760 * SECOND);
        system.listen();
        assert_eq!(system.up("client-b").len(), 1, "{topology:?}");
        system.net.run_until(up + 1_768 * SECOND);
        system.settle();
        system.listen();
        // The callee's BYE, or that of PF B whose leg was closed at once when PF A gave up on leg 1.
        let bye = system
            .net
            .arrows()
            .iter()
            .rev()
            .find(|a| a.label == "BYE" && (&*a.to == "client-b" || &*a.from == "client-b"));
        let bye = bye.expect("the session was closed").text();
        assert!(bye.contains("Reason: SIP;cause=408;text=\"Session timer expired\"\r\n"), "{topology:?}\n{bye}");
        system.run_for(70 * SECOND);
        let by = |event: &Event| if let Event::Closed { by, .. } = event { Some(*by) } else { None };
        let by = system.told_by("client-b").find_map(by);
        assert_eq!(by, Some(if is_on(topology) { ClosedBy::Peer } else { ClosedBy::Nobody }), "{topology:?}");
        assert_eq!(system.records.len(), 2, "{topology:?}");
        for (site, record) in &system.records {
            let seconds = (record.ended.as_micros() - record.started.as_micros()) / 1_000_000;
            match (is_on(topology), site) {
                (true, Site::PfA) => assert_eq!((record.closing, record.bye), (Closing::Expired, Some(200))),
                (true, _) => assert_eq!((record.closing, record.bye), (Closing::Peer, Some(200))),
                // Client B has closed, and Client A did not answer.
                (false, Site::PfA) => assert_eq!((record.closing, record.bye), (Closing::Peer, Some(408))),
                (false, _) => assert_eq!((record.closing, record.bye), (Closing::ServedUser, Some(408))),
            }
            assert!((1_767..=1_802).contains(&seconds), "{topology:?} {site:?} {seconds}");
        }
    }
}

/// RFC 4028 §8: a proxy learns of the interval from the 2xx, and has its own view of when it is over.
#[test]
fn off_the_media_path_a_session_that_nobody_refreshes_is_given_up_32_s_after_its_interval() {
    for topology in plain().filter(|topology| !is_on(*topology)) {
        let (mut system, up) = established(quiet(103, topology));
        system.net.isolate(system.client_a);
        system.net.isolate(system.client_b);
        system.net.run_until(up + 1_830 * SECOND);
        system.listen();
        assert_eq!(system.records, [], "{topology:?}");
        system.run_for(3 * SECOND);
        let closings: Vec<_> = system.records.iter().map(|(_, record)| (record.closing, record.bye)).collect();
        assert_eq!(closings, [(Closing::Expired, None); 2], "{topology:?}");
    }
}

#[test]
fn an_interval_that_is_too_short_for_a_pf_is_raised_on_the_way() {
    for topology in plain() {
        let mut setup = quiet(104, topology);
        setup.client_a.intervals = Intervals { session_expires: 90, min_se: 90 };
        setup.pf_b.intervals = Intervals { session_expires: 1800, min_se: 600 };
        setup.pf_a.intervals = Intervals { session_expires: 300, min_se: 200 };
        let (mut system, up) = established(setup);
        let arrows = system.net.arrows();
        let refusals: Vec<_> = arrows
            .iter()
            .filter(|a| a.label.starts_with("422") && &*a.to != "client-a" && a.from.starts_with("pf-"))
            .map(|a| a.from.to_string())
            .collect();
        // Off the path, the client hears of both; on it, PF A hears of PF B.
        let expected: &[&str] = if is_on(topology) { &["pf-a", "pf-b"] } else { &["pf-a", "pf-b", "pf-a"] };
        assert_eq!(refusals, expected, "{topology:?}\n{}", system.net.ladder());
        let agreed: Vec<_> = arrows
            .iter()
            .filter(|a| a.label == "200 OK" && a.text().contains(" INVITE\r\n"))
            .map(|a| {
                a.text()
                    .lines()
                    .find_map(|l| l.strip_prefix("Session-Expires: ").map(str::to_owned))
                    .unwrap_or_default()
            })
            .collect();
        if is_on(topology) {
            assert_eq!(
                (agreed.first().map(String::as_str), agreed.last().map(String::as_str)),
                (Some("1800;refresher=uac"), Some("200;refresher=uac"))
            );
        } else {
            assert!(agreed.iter().all(|interval| interval == "600;refresher=uac"), "{agreed:?}");
        }
        system.net.run_until(up + 1_000 * SECOND);
        assert_eq!(system.up("client-a").len(), 1);
        system.close_all_of("client-b");
        system.run_for(70 * SECOND);
        assert_eq!((system.open(), system.records.len()), (vec![], 2), "{topology:?}");
    }
}

/// Handsets that know nothing of session timers are not bothered with them.
#[test]
fn phones_without_timers_are_not_refreshed_on_the_media_path() {
    for topology in plain().filter(|topology| is_on(*topology)) {
        let mut cast = Cast::new(quiet(105, topology));
        cast.ask(Ask::invite(BOB));
        let up = cast.system.net.now();
        cast.system.net.run_until(up + 4_000 * SECOND);
        let asked = |method| {
            cast.system
                .net
                .arrows()
                .iter()
                .filter(|a| a.sent_at > up && a.label == method && a.to.starts_with("call"))
                .count()
        };
        assert_eq!((asked("UPDATE"), asked("INVITE")), (0, 0), "{topology:?}\n{}", cast.system.net.ladder());
    }
}

/// A refresh by re-INVITE of a phone whose Allow has no UPDATE.
#[test]
fn a_phone_that_takes_no_update_is_refreshed_by_reinvite_with_the_same_description() {
    for topology in plain().filter(|topology| is_on(*topology)) {
        let mut cast = Cast::new(quiet(106, topology));
        let (caller, callee) = (cast.caller, cast.callee);
        for phone in [caller, callee] {
            let register = |phone: &mut Phone, now| phone.ask(phone.registration().with("Expires", "3600"), now);
            cast.system.net.node_mut(phone, register);
        }
        cast.system.settle();
        cast.phone(callee).says = vec![(Name::SessionExpires, "1800;refresher=uac".to_owned())];
        cast.ask(Ask::invite(BOB));
        cast.system.run_for(905 * SECOND);
        let invites = cast.came(Method::Invite);
        assert_eq!(invites.len(), 2, "{topology:?}\n{}", cast.system.net.ladder());
        assert_eq!(invites[0].body(), invites[1].body(), "the same o= line among others");
        assert_eq!(header(&invites[1], Name::SessionExpires), "1800;refresher=uac");
        assert_eq!(cast.came(Method::Ack).len(), 2);
    }
}
