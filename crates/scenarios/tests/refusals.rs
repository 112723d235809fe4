//! What the participating functions and the cores refuse, and what the callee refuses.

use std::time::Duration;

use cpm::{Profile, Service};
use flow::MediaPath;
use scenarios::{ALICE, AUDIO, Ask, BOB, Cast, OFFER, Phone, Setup, Site, Topology, header};
use sip::{Method, Name};
use sip_tx::Target;
use wire::Transport;

fn topologies() -> impl Iterator<Item = Topology> {
    Topology::all().into_iter().filter(|topology| topology.transport == Transport::Udp)
}

const FIGURE_9: Topology = Topology { pf_a: MediaPath::Off, pf_b: MediaPath::Off, transport: Transport::Udp };

fn plain(_: &mut Setup) {}

fn same(ask: Ask) -> Ask {
    ask
}

/// A refusal: what is set up and asked, and what is answered by whom.
struct Case {
    title: &'static str,
    setup: fn(&mut Setup),
    ask: fn(Ask) -> Ask,
    status: u16,
    warning: &'static str,
    by: &'static str,
}

fn check(cases: &[Case]) {
    for case in cases {
        for topology in topologies() {
            let mut setup = Setup::new(21, topology);
            (case.setup)(&mut setup);
            let mut cast = Cast::new(setup);
            cast.ask((case.ask)(Ask::invite(BOB)));
            let what = format!("{} {topology:?}\n{}", case.title, cast.system.net.ladder());
            assert_eq!(cast.statuses(), [case.status], "{what}");
            let warning = header(&cast.last(), Name::Warning);
            assert!(warning.contains(case.warning), "{warning:?}, {what}");
            assert_eq!(warning.is_empty(), case.warning.is_empty(), "{warning:?}, {what}");
            let label = format!("{} ", case.status);
            let arrows = cast.system.net.arrows();
            let first = arrows.iter().find(|arrow| arrow.label.starts_with(&label)).expect("the refusal");
            assert_eq!(&*first.from, case.by, "{what}");
            assert_eq!(cast.came(Method::Invite).len(), 0, "{what}");
            cast.assert_nothing_is_left();
            assert_eq!(cast.system.records, [], "{what}");
        }
    }
}

fn profile(config: &mut role_participating::Config, aor: &str, profile: Profile) {
    config.profiles.insert(aor.to_owned(), profile);
}

#[test]
fn a_participating_function_says_why_it_refuses_a_session() {
    check(&[
        Case {
            title: "the originating user may not use the service",
            setup: |s| profile(&mut s.pf_a, ALICE, Profile { services: vec![], ..Profile::default() }),
            ask: same,
            status: 403,
            warning: "399 pf-a.test \"127 Service not authorised\"",
            by: "pf-a",
        },
        Case {
            title: "the terminating user may not use the service",
            setup: |s| {
                let services = vec![Service::PagerMessage];
                profile(&mut s.pf_b, BOB, Profile { services, ..Profile::default() });
            },
            ask: same,
            status: 403,
            warning: "399 pf-b.test \"127 Service not authorised\"",
            by: "pf-b",
        },
        Case {
            title: "no Conversation-ID",
            setup: plain,
            ask: |ask| ask.without("Conversation-ID"),
            status: 400,
            warning: "Conversation-ID missing",
            by: "pf-a",
        },
        Case {
            title: "no Contribution-ID",
            setup: plain,
            ask: |ask| ask.without("Contribution-ID"),
            status: 400,
            warning: "Contribution-ID missing",
            by: "pf-a",
        },
        Case {
            title: "no MSRP in the offer",
            setup: plain,
            ask: |ask| ask.sdp(AUDIO),
            status: 488,
            warning: "No MSRP in the offer",
            by: "pf-a",
        },
        Case {
            title: "an offer that is none",
            setup: plain,
            ask: |ask| ask.sdp("hello"),
            status: 488,
            warning: "SDP not understood",
            by: "pf-a",
        },
        Case {
            title: "the terminating user has blocked the originator",
            setup: |s| profile(&mut s.pf_b, BOB, Profile { blocked: vec![ALICE.to_owned()], ..Profile::default() }),
            ask: same,
            status: 603,
            warning: "",
            by: "pf-b",
        },
        Case {
            title: "the originating user has all the sessions that it may have",
            setup: |s| profile(&mut s.pf_a, ALICE, Profile { max_sessions: 0, ..Profile::default() }),
            ask: same,
            status: 403,
            warning: "Too many sessions",
            by: "pf-a",
        },
        Case {
            title: "the core triggers a function that does not trust it",
            setup: |s| s.pf_a.trusted.clear(),
            ask: same,
            status: 403,
            warning: "not a core that this function trusts",
            by: "pf-a",
        },
    ]);
}

#[test]
fn a_core_says_why_it_refuses_a_request() {
    check(&[
        Case {
            title: "an unknown user at home",
            setup: plain,
            ask: |_| Ask::invite("sip:nobody@home1.test"),
            status: 404,
            warning: "",
            by: "core-a",
        },
        Case {
            title: "an unknown user of the other domain",
            setup: plain,
            ask: |_| Ask::invite("sip:nobody@home2.test"),
            status: 404,
            warning: "",
            by: "core-b",
        },
        Case {
            title: "an unknown domain",
            setup: plain,
            ask: |_| Ask::invite("sip:bob@home3.test"),
            status: 404,
            warning: "no way to this domain",
            by: "core-a",
        },
        Case {
            title: "an unknown number",
            setup: plain,
            ask: |_| Ask::invite("tel:+19999999"),
            status: 404,
            warning: "",
            by: "core-a",
        },
        Case {
            title: "a URI of a scheme that means nothing here",
            setup: plain,
            ask: |_| Ask::invite("mailto:bob@home2.test"),
            status: 416,
            warning: "",
            by: "core-a",
        },
        Case {
            title: "a Route to somebody else",
            setup: plain,
            ask: |ask| ask.with("Route", "<sip:10.9.9.9;lr>"),
            status: 403,
            warning: "foreign Route",
            by: "core-a",
        },
        Case {
            title: "a Route to somebody else below the core's own",
            setup: plain,
            ask: |ask| ask.with("Route", "<sip:10.0.0.2:5060;lr;orig>, <sip:10.9.9.9;lr>"),
            status: 403,
            warning: "foreign Route",
            by: "core-a",
        },
        Case {
            title: "the Route of an application server in the hands of a client",
            setup: plain,
            ask: |ask| {
                ask.with("Route", "<sip:odi@10.0.0.2:5060;lr;c=orig;u=7369703a616c69636540686f6d65312e74657374>")
            },
            status: 403,
            warning: "not an application server",
            by: "core-a",
        },
        Case {
            title: "somebody else's From",
            setup: plain,
            ask: |ask| ask.with("From", "<sip:mallory@home1.test>;tag=1"),
            status: 403,
            warning: "not a subscriber",
            by: "core-a",
        },
        Case {
            title: "no hops left",
            setup: plain,
            ask: |ask| ask.with("Max-Forwards", "0"),
            status: 483,
            warning: "",
            by: "core-a",
        },
        Case {
            title: "the hops run out on the way",
            setup: plain,
            ask: |ask| ask.with("Max-Forwards", "3"),
            status: 483,
            warning: "",
            by: "core-b",
        },
        Case {
            title: "an extension that no proxy here knows",
            setup: plain,
            ask: |ask| ask.with("Proxy-Require", "teleport"),
            status: 420,
            warning: "",
            by: "core-a",
        },
    ]);
}

#[test]
fn who_has_not_registered_can_neither_call_nor_be_called() {
    for topology in topologies() {
        let mut cast = Cast::new(Setup::new(22, topology));
        let stranger = cast.system.phone("stranger", Site::ClientA, 5070);
        cast.system.net.node_mut(stranger, |phone, now| phone.ask(Ask::invite(BOB), now));
        cast.system.settle();
        assert_eq!(cast.phone(stranger).statuses(), [403]);
        assert!(header(&cast.phone(stranger).responses[0].clone(), Name::Warning).contains("not registered"));

        let callee = cast.callee;
        let gone = cast.phone(callee).registration().with("Contact", "*").with("Expires", "0");
        cast.system.net.node_mut(callee, |phone, now| phone.ask(gone, now));
        cast.system.settle();
        cast.ask(Ask::invite(BOB));
        assert_eq!(cast.statuses(), [480], "{topology:?}\n{}", cast.system.net.ladder());
        cast.assert_nothing_is_left();
    }
}

#[test]
fn what_a_client_asserts_of_itself_is_not_believed() {
    for topology in topologies() {
        let mut cast = Cast::new(Setup::new(23, topology));
        cast.ask(
            Ask::invite(BOB)
                .with("P-Asserted-Identity", "<sip:president@home1.test>")
                .with("P-Served-User", "<sip:president@home1.test>;sescase=orig;regstate=reg")
                .with("P-Asserted-Service", "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.systemmsg")
                .with("X-Vendor", "kept"),
        );
        assert_eq!(cast.statuses(), [200], "{topology:?}\n{}", cast.system.net.ladder());
        let invite = cast.came(Method::Invite).remove(0);
        assert_eq!(header(&invite, Name::PAssertedIdentity), "<sip:alice@home1.test>, <tel:+15550001>");
        assert_eq!(header(&invite, Name::PAssertedService), "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session");
        assert_eq!(header(&invite, Name::PPreferredService), "", "authorised, so asserted in its place");
        assert_eq!(header(&invite, Name::PServedUser), "", "for the application server only");
        assert_eq!(header(&invite, Name::PPreferredIdentity), "");
        assert_eq!(header(&invite, Name::PCalledPartyId), "<sip:bob@home2.test>");
    }
}

#[test]
fn a_client_may_choose_among_its_identities() {
    let mut cast = Cast::new(Setup::new(24, FIGURE_9));
    cast.ask(Ask::invite(BOB).with("P-Preferred-Identity", "tel:+1-555-0001"));
    let invite = cast.came(Method::Invite).remove(0);
    assert_eq!(header(&invite, Name::PAssertedIdentity), "<tel:+15550001>, <sip:alice@home1.test>");
}

#[test]
fn a_number_leads_to_its_user() {
    for uri in [
        "tel:+15550002",
        "tel:+1-555-00.02",
        "sip:+15550002@home2.test;user=phone",
        "sip:+15550002@home1.test;user=phone",
    ] {
        for topology in topologies() {
            let mut cast = Cast::new(Setup::new(25, topology));
            cast.ask(Ask::invite(uri));
            assert_eq!(cast.statuses(), [200], "{uri} {topology:?}\n{}", cast.system.net.ladder());
            let caller = cast.caller;
            cast.system.net.node_mut(caller, Phone::bye);
            cast.system.settle();
            assert_eq!(cast.statuses(), [200, 200], "{uri} {topology:?}\n{}", cast.system.net.ladder());
            cast.assert_nothing_is_left();
            let served: Vec<_> = cast.system.records.iter().map(|(_, record)| record.served_user.as_str()).collect();
            assert_eq!(served, [ALICE, BOB], "{uri}");
        }
    }
}

#[test]
fn a_participating_function_serves_its_core_only() {
    let mut cast = Cast::new(Setup::new(26, FIGURE_9));
    let pf = Target::new(Transport::Udp, Site::PfA.sip());
    let caller = cast.caller;
    let forged = Ask::invite(BOB).with("Route", "<sip:orig@10.0.0.3:5060;lr>");
    cast.phone(caller).core = pf;
    cast.ask(forged);
    assert_eq!(cast.statuses(), [403]);
    assert!(header(&cast.last(), Name::Warning).contains("not a core that this function trusts"));
}

#[test]
fn a_participating_function_must_know_the_session_case() {
    let mut setup = Setup::new(27, FIGURE_9);
    setup.pf_a.trusted.push(sim::addr("10.0.0.9:0").ip());
    let mut cast = Cast::new(setup);
    let caller = cast.caller;
    cast.phone(caller).core = Target::new(Transport::Udp, Site::PfA.sip());
    cast.ask(Ask::invite(BOB).with("Route", "<sip:10.0.0.3:5060;lr>"));
    assert_eq!(cast.statuses(), [403]);
    assert!(header(&cast.last(), Name::Warning).contains("session case unknown"), "{:?}", cast.last());
}

#[test]
fn a_user_barred_after_set_up_may_still_leave() {
    for topology in Topology::all() {
        for by_caller in [true, false] {
            let mut cast = Cast::new(Setup::new(28, topology));
            cast.ask(Ask::invite(BOB));
            assert_eq!(cast.statuses(), [200]);
            let barred = Profile { max_sessions: 0, blocked: vec![ALICE.to_owned()], ..Profile::default() };
            let (pf_a, pf_b) = (cast.system.pf_a, cast.system.pf_b);
            for (pf, user, place) in [(pf_a, ALICE, topology.pf_a), (pf_b, BOB, topology.pf_b)] {
                let mut barred = barred.clone();
                if place == MediaPath::Off {
                    // On the path, a function ends a session whose service is withdrawn by itself.
                    barred.services.clear();
                }
                cast.system.net.node_mut(pf, |pf, now| pf.inner().set_profile(user, barred, now));
            }
            let (closer, other) = if by_caller { (cast.caller, cast.callee) } else { (cast.callee, cast.caller) };
            cast.system.net.node_mut(closer, Phone::bye);
            cast.system.settle();
            assert_eq!(cast.phone(closer).statuses().last(), Some(&200), "{topology:?}\n{}", cast.system.net.ladder());
            assert_eq!(cast.phone(other).received(Method::Bye).len(), 1);
            cast.assert_nothing_is_left();
            assert_eq!(cast.system.records.len(), 2);
        }
    }
}

#[test]
fn what_the_callee_refuses_with_reaches_the_caller() {
    for status in [404, 415, 480, 486, 488, 500, 600, 603, 606] {
        for topology in topologies() {
            let mut cast = Cast::new(Setup::new(29, topology));
            let callee = cast.callee;
            cast.phone(callee).script = vec![(Duration::from_millis(5), 180), (Duration::from_secs(2), status)];
            cast.phone(callee).says = vec![(Name::Warning, "399 callee \"not now\"".to_owned())];
            cast.ask(Ask::invite(BOB));
            assert_eq!(cast.statuses(), [180, status], "{topology:?}\n{}", cast.system.net.ladder());
            assert!(header(&cast.last(), Name::Warning).contains("not now"), "{status} {topology:?}");
            cast.assert_nothing_is_left();
            assert_eq!(cast.system.records, []);
        }
    }
}

#[test]
fn a_503_of_the_next_hop_is_500_to_the_one_before() {
    // RFC 3261 §16.7 step 6: 503 would tell the caller that its own next hop is overloaded.
    for topology in topologies() {
        let mut cast = Cast::new(Setup::new(30, topology));
        let callee = cast.callee;
        cast.phone(callee).script = vec![(Duration::ZERO, 503)];
        cast.ask(Ask::invite(BOB));
        assert_eq!(cast.statuses(), [500], "{topology:?}");
    }
}

#[test]
fn a_callee_that_answers_without_msrp_is_left_again() {
    for topology in topologies() {
        let mut cast = Cast::new(Setup::new(35, topology));
        let callee = cast.callee;
        cast.phone(callee).sdp = AUDIO.to_owned();
        cast.ask(Ask::invite(BOB));
        let on_path = topology.pf_a == MediaPath::On || topology.pf_b == MediaPath::On;
        if !on_path {
            // Whom a proxy calls is the caller's affair.
            assert_eq!(cast.statuses(), [200]);
            continue;
        }
        assert_eq!(cast.statuses(), [488], "{topology:?}\n{}", cast.system.net.ladder());
        assert_eq!((cast.came(Method::Ack).len(), cast.came(Method::Bye).len()), (1, 1), "{topology:?}");
        cast.assert_nothing_is_left();
        assert_eq!(cast.system.records.iter().filter(|(_, r)| r.media_path == cpm::MediaPath::On).count(), 0);
    }
}

#[test]
fn a_body_that_a_function_on_the_media_path_cannot_carry_is_refused_and_passes_elsewhere() {
    let parts = format!(
        "--b\r\nContent-Type: application/sdp\r\n\r\n{OFFER}\r\n--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b--\r\n"
    );
    for topology in topologies() {
        let mut cast = Cast::new(Setup::new(36, topology));
        cast.ask(Ask::invite(BOB).body("multipart/mixed;boundary=b", &parts));
        if (topology.pf_a, topology.pf_b) == (MediaPath::Off, MediaPath::Off) {
            assert_eq!(cast.statuses(), [200]);
            let invite = cast.came(Method::Invite).remove(0);
            assert_eq!(scenarios::body(&invite), parts);
        } else {
            assert_eq!(cast.statuses(), [415], "{topology:?}\n{}", cast.system.net.ladder());
            assert_eq!(header(&cast.last(), Name::Accept), "application/sdp");
            cast.assert_nothing_is_left();
        }
    }
}
