//! `media_path = auto`: each participating function decides at INVITE whether it must see the messages of the session.

use std::collections::BTreeSet;
use std::time::Duration;

use cpm::{MediaPath as Place, MediaPathPolicy, Profile, Reason};
use flow::MediaPath;
use scenarios::{ALICE, Ask, BOB, OFFER, Phone, Setup, Site, System, Topology, header};
use sip::Name;
use wire::Transport;

const ANYWHERE: Topology = Topology { pf_a: MediaPath::Off, pf_b: MediaPath::Off, transport: Transport::Udp };

/// Both functions decide for themselves, by all reasons that there are but those `without`.
fn auto(seed: u64, without: &[Reason]) -> Setup {
    let enabled: Vec<_> = Reason::ALL.iter().map(|(reason, _)| *reason).filter(|r| !without.contains(r)).collect();
    let mut setup = Setup::new(seed, ANYWHERE);
    for pf in [&mut setup.pf_a, &mut setup.pf_b] {
        pf.media_path = MediaPathPolicy::Auto(enabled.clone());
        pf.default_profile.idle_session = None;
    }
    setup
}

/// Sets a session up with `offer` and closes it. Returns how many dialogs it had, and where the functions stood.
fn play(setup: Setup, offer: &str) -> (usize, Vec<(Site, Place)>) {
    let mut system: System = setup.build();
    let caller = system.phone("caller", Site::ClientA, 5060);
    let callee = system.phone("callee", Site::ClientB, 5060);
    for phone in [caller, callee] {
        system.net.node_mut(phone, Phone::register);
    }
    system.settle();
    system.net.node_mut(caller, |phone, now| phone.ask(Ask::invite(BOB).sdp(offer), now));
    system.settle();
    assert_eq!(system.net[caller].statuses().last(), Some(&200), "{}", system.net.ladder());
    system.net.node_mut(caller, Phone::bye);
    system.settle();
    let observed = system.observed_since(wire::Instant::ZERO);
    let invites = observed.iter().filter(|o| o.message == flow::Message::request("INVITE"));
    let dialogs: BTreeSet<_> = invites.map(|o| o.call_id.clone()).collect();
    let mut places: Vec<_> = system.records.iter().map(|(site, record)| (*site, record.media_path)).collect();
    places.sort_unstable();
    (dialogs.len(), places)
}

fn places(a: Place, b: Place) -> Vec<(Site, Place)> {
    vec![(Site::PfA, a), (Site::PfB, b)]
}

#[test]
fn without_a_reason_both_stay_off() {
    assert_eq!(play(auto(61, &[]), OFFER), (1, places(Place::Off, Place::Off)));
}

#[test]
fn each_reason_of_a_profile_keeps_its_own_function_on() {
    let plain = Profile { idle_session: None, ..Profile::default() };
    let cases = [
        (Reason::Recording, Profile { records_messages: true, ..plain.clone() }),
        (Reason::StoreAndForward, Profile { defers_messages: true, ..plain.clone() }),
        (Reason::MultiDevice, Profile { devices: 2, ..plain.clone() }),
        (Reason::ContentPolicy, Profile { max_message_size: Some(1_000_000), ..plain.clone() }),
        (Reason::Inactivity, Profile { idle_session: Some(Duration::from_secs(300)), ..plain.clone() }),
        (Reason::Supervision, Profile { supervised: true, ..plain }),
    ];
    for (reason, profile) in cases {
        let with = |without: &[Reason], users: &[&str]| {
            let mut setup = auto(62, without);
            for user in users {
                setup.pf_a.profiles.insert((*user).to_owned(), profile.clone());
                setup.pf_b.profiles.insert((*user).to_owned(), profile.clone());
            }
            play(setup, OFFER)
        };
        assert_eq!(with(&[], &[ALICE, BOB]), (3, places(Place::On, Place::On)), "{reason:?}");
        assert_eq!(with(&[], &[ALICE]), (2, places(Place::On, Place::Off)), "{reason:?} of the originating user");
        assert_eq!(with(&[], &[BOB]), (2, places(Place::Off, Place::On)), "{reason:?} of the terminating user");
        assert_eq!(with(&[reason], &[ALICE, BOB]), (1, places(Place::Off, Place::Off)), "{reason:?} is not enabled");
    }
}

/// Handsets only dial out. Once one function is on the path and can be dialled, the other one need not be.
#[test]
fn an_offer_of_a_handset_that_only_dials_keeps_the_first_function_on() {
    let handset = OFFER.replace("actpass", "active");
    assert_eq!(play(auto(63, &[]), &handset), (2, places(Place::On, Place::Off)));
    assert_eq!(play(auto(63, &[Reason::Unreachable]), &handset), (1, places(Place::Off, Place::Off)));
}

#[test]
fn on_or_off_is_decided_once_for_the_life_of_a_session() {
    let mut system = auto(64, &[]).build();
    system.register();
    system.settle();
    let first = system.establish();
    let records = Profile { records_messages: true, ..Profile::default() };
    system.net.node_mut(system.pf_a, |pf, now| pf.inner().set_profile(ALICE, records, now));
    let second = system.establish();
    system.close(flow::CloseBy::A, first);
    system.close(flow::CloseBy::B, second);
    system.settle();
    let of_a = system.records.iter().filter(|(site, _)| *site == Site::PfA);
    let mut placed: Vec<_> = of_a.map(|(_, record)| (record.started, record.media_path)).collect();
    placed.sort_unstable();
    assert_eq!(placed.into_iter().map(|(_, place)| place).collect::<Vec<_>>(), [Place::Off, Place::On]);
}

#[test]
fn on_the_media_path_each_leg_has_addresses_of_its_own_and_the_same_identities() {
    for (pf_a, pf_b) in [(MediaPath::On, MediaPath::On), (MediaPath::Off, MediaPath::Off)] {
        let mut system = System::new(65, Topology { pf_a, pf_b, ..ANYWHERE });
        let caller = system.phone("caller", Site::ClientA, 5060);
        let callee = system.phone("callee", Site::ClientB, 5060);
        for phone in [caller, callee] {
            system.net.node_mut(phone, Phone::register);
        }
        system.settle();
        let ask = Ask::invite(BOB)
            .with("Subject", "lunch")
            .with("Privacy", "none")
            .with("InReplyTo-Contribution-ID", "77777777-7777-4888-8999-aaaaaaaaaaaa")
            .with("Session-Replaces", "88888888-7777-4888-8999-aaaaaaaaaaaa");
        system.net.node_mut(caller, |phone, now| phone.ask(ask, now));
        system.settle();
        let invite = system.net[callee].received(sip::Method::Invite)[0].clone();
        let names = [
            (Name::Subject, "lunch"),
            (Name::Privacy, "none"),
            (Name::InReplyToContributionId, "77777777-7777-4888-8999-aaaaaaaaaaaa"),
            (Name::SessionReplaces, "88888888-7777-4888-8999-aaaaaaaaaaaa"),
            (Name::ConversationId, "11111111-2222-4333-8444-555555555555"),
            (Name::ContributionId, "66666666-7777-4888-8999-aaaaaaaaaaaa"),
            (Name::PAssertedService, "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session"),
        ];
        for (name, value) in names {
            assert_eq!(header(&invite, name), value, "{name:?}");
        }
        let (path_of, answer) = (|sdp: String| sdp.lines().find(|l| l.starts_with("a=path:")).map(str::to_owned), {
            let answers = &system.net[caller].responses;
            scenarios::body(answers.last().expect("an answer"))
        });
        let (offered, answered) = (path_of(scenarios::body(&invite)), path_of(answer));
        let phone = "a=path:msrp://10.0.0.9:2855/phone;tcp";
        if pf_a == MediaPath::On {
            let starts = |path: &Option<String>, text: &str| path.as_deref().is_some_and(|p| p.starts_with(text));
            assert!(starts(&offered, "a=path:msrp://10.0.1.3:2855/"), "{offered:?}");
            assert!(starts(&answered, "a=path:msrp://10.0.0.3:2855/"), "{answered:?}");
        } else {
            assert_eq!((offered.as_deref(), answered.as_deref()), (Some(phone), Some(phone)));
        }
    }
}
