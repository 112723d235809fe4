//! Requests inside a session that change or use it, and requests outside any session.

use std::time::Duration;

use cpm::{Profile, Service};
use flow::MediaPath;
use scenarios::{ALICE, Ask, BOB, OFFER, Phone, Setup, Site, System, Topology, audit, header};
use sim::NodeId;
use sip::{Method, Name};
use sip_tx::Target;
use wire::Transport;

const FIGURE_9: Topology = Topology { pf_a: MediaPath::Off, pf_b: MediaPath::Off, transport: Transport::Udp };

/// Two phones, registered.
fn phones(setup: Setup) -> (System, NodeId<Phone>, NodeId<Phone>) {
    let mut system = setup.build();
    let caller = system.phone("caller", Site::ClientA, 5060);
    let callee = system.phone("callee", Site::ClientB, 5060);
    for phone in [caller, callee] {
        system.net.node_mut(phone, Phone::register);
    }
    system.settle();
    system.net[caller].responses.clear();
    system.net[callee].responses.clear();
    (system, caller, callee)
}

/// Two phones with a session.
fn session(seed: u64, topology: Topology) -> (System, NodeId<Phone>, NodeId<Phone>) {
    let (mut system, caller, callee) = phones(Setup::new(seed, topology));
    system.net.node_mut(caller, |phone, now| phone.ask(Ask::invite(BOB), now));
    system.settle();
    assert_eq!(system.net[caller].statuses(), [200]);
    (system, caller, callee)
}

fn within(system: &mut System, phone: NodeId<Phone>, method: &str, change: impl FnOnce(Ask) -> Ask) -> u16 {
    system.net.node_mut(phone, |phone, now| {
        let ask = change(phone.within(method));
        phone.send_within(ask, now);
    });
    system.settle();
    system.net[phone].statuses().last().copied().unwrap_or_default()
}

fn end(mut system: System, closer: NodeId<Phone>) {
    assert_eq!(within(&mut system, closer, "BYE", |ask| ask), 200, "{}", system.net.ladder());
    system.run_for(Duration::from_secs(70));
    audit(&system, &[]);
    assert_eq!((system.open(), system.records.len()), (vec![], 2), "{:?}", system.topology);
}

#[test]
fn a_refresh_by_reinvite_or_update_is_answered_from_either_side() {
    for topology in Topology::all() {
        for method in ["INVITE", "UPDATE"] {
            for by_caller in [true, false] {
                let (mut system, caller, callee) = session(71, topology);
                let (asks, other) = if by_caller { (caller, callee) } else { (callee, caller) };
                let status = within(&mut system, asks, method, |ask| ask.sdp(OFFER));
                let what = format!("{topology:?} {method} {by_caller}\n{}", system.net.ladder());
                assert_eq!(status, 200, "{what}");
                let came = system.net[other].received(Method::from_bytes(method.as_bytes())).len();
                let is_first_invite = usize::from(method == "INVITE" && by_caller);
                // Off the path it passes; on the path it is answered on its leg.
                let passes = (topology.pf_a, topology.pf_b) == (MediaPath::Off, MediaPath::Off);
                assert_eq!(came, is_first_invite + usize::from(passes), "{what}");
                end(system, asks);
            }
        }
    }
}

#[test]
fn an_answer_on_the_leg_is_the_one_that_was_given_before() {
    let on = Topology { pf_a: MediaPath::On, ..FIGURE_9 };
    let (mut system, caller, _) = session(72, on);
    let path = |response: &sip::Response| {
        let sdp = scenarios::body(response);
        sdp.lines().find(|l| l.starts_with("a=path:")).map(str::to_owned)
    };
    let first = path(&system.net[caller].responses[0]);
    assert_eq!(within(&mut system, caller, "INVITE", |ask| ask.sdp(OFFER)), 200);
    let again = path(&system.net[caller].responses[1]);
    assert!(first.is_some());
    assert_eq!(first, again);
    end(system, caller);
}

#[test]
fn a_reinvite_that_offers_what_cannot_be_is_refused_and_the_session_goes_on() {
    let on = Topology { pf_a: MediaPath::On, ..FIGURE_9 };
    let (mut system, caller, _) = session(73, on);
    assert_eq!(within(&mut system, caller, "INVITE", |ask| ask.sdp(scenarios::AUDIO)), 488, "{}", system.net.ladder());
    end(system, caller);
}

#[test]
fn a_message_inside_the_session_passes_or_is_refused_on_the_leg() {
    for topology in Topology::all() {
        let (mut system, caller, callee) = session(74, topology);
        let passes = (topology.pf_a, topology.pf_b) == (MediaPath::Off, MediaPath::Off);
        let status = within(&mut system, caller, "MESSAGE", |ask| {
            ask.body("text/plain", "hi").with("P-Asserted-Identity", "<sip:president@home1.test>")
        });
        assert_eq!(status, if passes { 200 } else { 405 }, "{topology:?}\n{}", system.net.ladder());
        if passes {
            let came = system.net[callee].received(Method::Message)[0].clone();
            assert_eq!(header(&came, Name::PAssertedIdentity), "", "what a client asserts of itself is not believed");
        }
        end(system, caller);
    }
}

#[test]
fn a_request_of_a_dialog_that_the_core_never_saw_is_refused() {
    for topology in Topology::all() {
        let (mut system, caller, _) = session(75, topology);
        let status = within(&mut system, caller, "BYE", |ask| ask.with("Call-ID", "no-such-call"));
        // The mark in its Route is that of another dialog.
        assert_eq!(status, 403, "{topology:?}\n{}", system.net.ladder());
        end(system, caller);
    }
}

#[test]
fn a_client_answers_481_to_what_it_does_not_know() {
    let (mut system, caller, _) = phones(Setup::new(76, FIGURE_9));
    let client_b = system.client_b;
    system.net.node_mut(client_b, role_client::Client::register);
    system.settle();
    for method in ["BYE", "UPDATE", "INFO", "INVITE"] {
        // Past the cores, which would not let it through.
        system.net[caller].core = Target::new(Transport::Udp, Site::ClientB.sip());
        let ask = Ask::new(method, "sip:bob@10.0.1.1:5060").with("To", "<sip:bob@home2.test>;tag=nobody");
        system.net.node_mut(caller, |phone, now| phone.ask(ask, now));
        system.settle();
        assert_eq!(system.net[caller].statuses().last(), Some(&481), "{method}\n{}", system.net.ladder());
    }
}

#[test]
fn nodes_answer_when_they_are_asked_whether_they_live() {
    let mut setup = Setup::new(77, FIGURE_9);
    setup.pf_a.trusted.push(sim::addr("10.0.0.9:0").ip());
    let (mut system, caller, _) = phones(setup);
    for (site, uri) in
        [(Site::CoreA, "sip:10.0.0.2:5060"), (Site::CoreA, "sip:home1.test"), (Site::PfA, "sip:10.0.0.3:5060")]
    {
        system.net[caller].core = Target::new(Transport::Udp, site.sip());
        system.net.node_mut(caller, |phone, now| phone.ask(Ask::new("OPTIONS", uri), now));
        system.settle();
        assert_eq!(system.net[caller].statuses().last(), Some(&200), "{uri}\n{}", system.net.ladder());
    }
}

#[test]
fn options_to_a_user_reach_the_device() {
    let (mut system, caller, callee) = phones(Setup::new(78, FIGURE_9));
    system.net.node_mut(caller, |phone, now| phone.ask(Ask::new("OPTIONS", BOB), now));
    system.settle();
    assert_eq!(system.net[caller].statuses(), [200]);
    assert_eq!(system.net[callee].received(Method::Options).len(), 1);
}

#[test]
fn a_pager_message_passes_both_functions() {
    for topology in Topology::all() {
        let (mut system, caller, callee) = phones(Setup::new(79, topology));
        system.net.node_mut(caller, |phone, now| phone.ask(Ask::message(BOB), now));
        system.settle();
        let ladder = system.net.ladder();
        assert_eq!(system.net[caller].statuses(), [200], "{topology:?}\n{ladder}");
        let came = system.net[callee].received(Method::Message)[0].clone();
        assert_eq!(header(&came, Name::PAssertedService), Service::PagerMessage.icsi());
        assert!(scenarios::body(&came).starts_with("From: <sip:anonymous"));
        let passed = system.net.arrows().iter().filter(|a| a.label == "MESSAGE" && a.from.starts_with("pf-")).count();
        assert_eq!(passed, 2, "{ladder}");
        system.run_for(Duration::from_secs(70));
        assert_eq!((system.open(), system.records.len()), (vec![], 0));
    }
}

#[test]
fn a_pager_message_of_who_may_send_none_is_refused() {
    for (pf, by) in [(Site::PfA, "pf-a"), (Site::PfB, "pf-b")] {
        let mut setup = Setup::new(80, FIGURE_9);
        let services = vec![Service::Session];
        let config = if pf == Site::PfA { &mut setup.pf_a } else { &mut setup.pf_b };
        config.default_profile = Profile { services, ..Profile::default() };
        let (mut system, caller, _) = phones(setup);
        system.net.node_mut(caller, |phone, now| phone.ask(Ask::message(BOB), now));
        system.settle();
        assert_eq!(system.net[caller].statuses(), [403]);
        let warning = header(&system.net[caller].responses[0], Name::Warning);
        assert_eq!(warning, format!("399 {by}.test \"127 Service not authorised\""));
    }
}

/// 3GPP TS 24.229 §5.7.1.1: the core tells an application server that a user has registered.
#[test]
fn a_third_party_register_is_answered_with_its_expires() {
    let mut setup = Setup::new(81, FIGURE_9);
    setup.pf_a.trusted.push(sim::addr("10.0.0.9:0").ip());
    let (mut system, core, _) = phones(setup);
    system.net[core].core = Target::new(Transport::Udp, Site::PfA.sip());
    for expires in ["720", "0"] {
        let ask = Ask::new("REGISTER", "sip:10.0.0.3:5060")
            .with("To", &format!("<{ALICE}>"))
            .with("From", "<sip:10.0.0.2:5060>;tag=core")
            .with("Event", "registration")
            .with("Expires", expires);
        system.net.node_mut(core, |phone, now| phone.ask(ask, now));
        system.settle();
        let answer = system.net[core].responses.last().expect("an answer").clone();
        assert_eq!((answer.status(), header(&answer, Name::Expires)), (200, expires.to_owned()));
    }
}

#[test]
fn a_request_that_belongs_nowhere_is_refused() {
    let mut setup = Setup::new(82, FIGURE_9);
    setup.pf_a.trusted.push(sim::addr("10.0.0.9:0").ip());
    let (mut system, caller, _) = phones(setup);
    let cases = [
        (Site::CoreA, "BYE", "sip:bob@home2.test", ";tag=x", 481),
        (Site::PfA, "BYE", "sip:10.0.0.3:5060", ";tag=x", 481),
        (Site::PfA, "INVITE", "sip:10.0.0.3:5060", ";tag=x", 481),
        (Site::PfA, "MESSAGE", "sip:10.0.0.3:5060", "", 404),
        (Site::CoreA, "SUBSCRIBE", "sip:10.0.0.2:5060", "", 404),
    ];
    for (site, method, uri, tag, status) in cases {
        system.net[caller].core = Target::new(Transport::Udp, site.sip());
        let ask = Ask::new(method, uri).with("To", &format!("<{uri}>{tag}"));
        system.net.node_mut(caller, |phone, now| phone.ask(ask, now));
        system.settle();
        assert_eq!(system.net[caller].statuses().last(), Some(&status), "{site:?} {method}\n{}", system.net.ladder());
    }
}

#[test]
fn the_hops_run_out_inside_a_dialog_as_well() {
    for topology in Topology::all().into_iter().filter(|topology| topology.pf_a == MediaPath::Off) {
        for (hops, by) in [("0", "core-a"), ("1", "pf-a"), ("2", "core-a"), ("3", "core-b")] {
            let (mut system, caller, _) = session(83, topology);
            let status = within(&mut system, caller, "INFO", |ask| ask.with("Max-Forwards", hops));
            let ladder = system.net.ladder();
            assert_eq!(status, 483, "{hops} {topology:?}\n{ladder}");
            let refusal = system.net.arrows().iter().find(|a| a.label.starts_with("483")).expect("the refusal");
            assert_eq!(&*refusal.from, by, "{hops} {topology:?}\n{ladder}");
        }
    }
}
