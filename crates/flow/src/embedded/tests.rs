use std::collections::BTreeSet;

use super::*;
use crate::{Arrow, Message};

const PLACES: [(MediaPath, MediaPath); 4] = [
    (MediaPath::Off, MediaPath::Off),
    (MediaPath::On, MediaPath::On),
    (MediaPath::On, MediaPath::Off),
    (MediaPath::Off, MediaPath::On),
];

fn count(flow: &Flow, is: impl Fn(&Message) -> bool) -> usize {
    flow.arrows.iter().filter(|arrow| is(arrow.message())).count()
}

fn closing_flows() -> impl Iterator<Item = &'static Flow> {
    all().iter().filter(|flow| flow.kind == Kind::Closing)
}

#[test]
fn every_file_of_the_folder_is_embedded_and_named_after_its_flow() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../flows");
    let on_disk: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| format!("flows/{}", entry.unwrap().file_name().to_str().unwrap()))
        .filter(|file| file.ends_with(".toml"))
        .collect();
    let embedded: BTreeSet<String> = FILES.iter().map(|(file, _)| (*file).to_owned()).collect();
    assert_eq!(on_disk, embedded);
    for ((file, _), flow) in FILES.iter().zip(all()) {
        let name = file.trim_start_matches("flows/").trim_end_matches(".toml");
        assert_eq!(flow.id.trim_start_matches("c.2.3.1-"), name);
        assert_eq!(by_id(&flow.id), Some(flow), "ids are unique");
    }
}

#[test]
fn every_combination_of_places_and_closers_has_its_flows() {
    for (pf_a, pf_b) in PLACES {
        assert_eq!(set_up(pf_a, pf_b).arrows.len(), 35);
        for by in [CloseBy::A, CloseBy::B, CloseBy::Both] {
            let flow = closing(pf_a, pf_b, by);
            assert_eq!((flow.pf_a, flow.pf_b, flow.close_by), (Some(pf_a), Some(pf_b), Some(by)));
            assert_eq!(closings(pf_a, pf_b, by)[0], flow);
        }
    }
    assert_eq!(closing(MediaPath::Off, MediaPath::Off, CloseBy::A).id, "c.2.3.1-figure-9");
    assert_eq!(closing(true.into(), true.into(), CloseBy::B).id, "c.2.3.1-figure-10-b-closes");
    assert_eq!(set_up(MediaPath::Off, MediaPath::On).id, "set-up-m2");
    let crossings: Vec<&str> =
        closings(MediaPath::On, MediaPath::On, CloseBy::Both).iter().map(|flow| flow.id.as_str()).collect();
    assert_eq!(
        crossings,
        [
            "c.2.3.1-figure-10-crossing",
            "c.2.3.1-figure-10-crossing-leg-1",
            "c.2.3.1-figure-10-crossing-leg-3",
            "c.2.3.1-figure-10-crossing-in-pf-a",
            "c.2.3.1-figure-10-crossing-in-pf-b",
            "c.2.3.1-figure-10",
            "c.2.3.1-figure-10-b-closes",
        ]
    );
    assert_eq!(registration().map(|flow| flow.id.as_str()), ["registration-a", "registration-b"]);
}

#[test]
fn a_close_by_one_user_is_seven_requests_and_seven_answers() {
    for flow in closing_flows().filter(|flow| flow.close_by != Some(CloseBy::Both)) {
        assert_eq!((count(flow, Message::is_request), count(flow, Message::is_final)), (7, 7), "{}", flow.id);
    }
}

#[test]
fn a_crossing_has_a_second_request_on_one_leg_only() {
    for (id, arrows) in [
        ("c.2.3.1-figure-9-crossing", 28),
        ("c.2.3.1-figure-10-crossing", 20),
        ("c.2.3.1-figure-10-crossing-leg-1", 18),
        ("c.2.3.1-figure-10-crossing-leg-3", 18),
        ("c.2.3.1-m1-crossing", 24),
        ("c.2.3.1-m1-crossing-leg-1", 18),
        ("c.2.3.1-m2-crossing", 24),
        ("c.2.3.1-m2-crossing-leg-2", 18),
    ] {
        let flow = by_id(id).unwrap();
        assert_eq!(flow.arrows.len(), arrows, "{id}");
        for dialog in flow.dialogs() {
            let crosses = flow.crosses.as_deref() == Some(dialog);
            let on_leg = flow.arrows.iter().filter(|arrow| arrow.dialog == dialog);
            let transactions: BTreeSet<u16> = on_leg.clone().map(|arrow| arrow.transaction).collect();
            assert_eq!(transactions.len(), if crosses { 2 } else { 1 }, "{id}, dialog {dialog}");
            // 481 is an answer only where the other side may have ended the dialog already.
            let or_481 = on_leg.filter(|arrow| arrow.message().is_final()).all(|arrow| arrow.messages.len() == 2);
            assert_eq!(or_481, crosses, "{id}, dialog {dialog}");
        }
    }
}

#[test]
fn a_pf_in_which_both_requests_meet_sends_none() {
    for (id, pf) in [
        ("c.2.3.1-figure-10-crossing-in-pf-a", "pf-a"),
        ("c.2.3.1-figure-10-crossing-in-pf-b", "pf-b"),
        ("c.2.3.1-m1-crossing-in-pf-a", "pf-a"),
        ("c.2.3.1-m2-crossing-in-pf-b", "pf-b"),
    ] {
        let flow = by_id(id).unwrap();
        assert_eq!((count(flow, Message::is_request), count(flow, Message::is_final)), (7, 7), "{id}");
        let requests = |is: &dyn Fn(&Arrow) -> bool| {
            flow.arrows.iter().filter(|arrow| arrow.message().is_request() && is(arrow)).count()
        };
        assert_eq!((requests(&|arrow| arrow.to == pf), requests(&|arrow| arrow.from == pf)), (2, 0), "{id}");
        let transactions: BTreeSet<u16> = flow.arrows.iter().map(|arrow| arrow.transaction).collect();
        assert_eq!(transactions.len(), flow.dialogs().len(), "{id}");
    }
}

#[test]
fn every_request_is_answered_on_the_hop_that_it_took() {
    for flow in closing_flows() {
        let hops = |is: fn(&Message) -> bool, end: fn(&Arrow) -> (&str, &str)| {
            let mut hops: Vec<_> = flow
                .arrows
                .iter()
                .filter(|arrow| is(arrow.message()))
                .map(|arrow| (arrow.transaction, arrow.dialog.as_str(), end(arrow)))
                .collect();
            hops.sort_unstable();
            hops
        };
        let asked = hops(Message::is_request, |arrow| (&arrow.from, &arrow.to));
        let answered = hops(Message::is_final, |arrow| (&arrow.to, &arrow.from));
        assert_eq!(asked, answered, "{}", flow.id);
    }
}

/// Client A is Client B, Core A is Core B, PF A is PF B; legs count from the other end.
fn mirrored(flow: &Flow) -> Vec<Arrow> {
    let other = |node: &str| match node.split_at(node.len() - 1) {
        (role, "a") => format!("{role}b"),
        (role, _) => format!("{role}a"),
    };
    let legs = flow.dialogs().len();
    let leg = |name: &str| name.parse::<usize>().map_or(name.to_owned(), |number| (legs + 1 - number).to_string());
    let mirror = |arrow: &Arrow| Arrow {
        from: other(&arrow.from),
        to: other(&arrow.to),
        dialog: leg(&arrow.dialog),
        note: None,
        ..arrow.clone()
    };
    flow.arrows.iter().map(mirror).collect()
}

#[test]
fn a_close_by_b_is_the_close_by_a_of_the_mirrored_topology() {
    for (pf_a, pf_b) in PLACES {
        let by_b = closing(pf_a, pf_b, CloseBy::B);
        assert_eq!(by_b.arrows, mirrored(closing(pf_b, pf_a, CloseBy::A)), "{}", by_b.id);
    }
}

#[test]
fn figure_9_is_strict_and_figure_10_is_the_partial_order_of_its_legs() {
    let after = |id: &str| by_id(id).unwrap().arrows.iter().map(|arrow| arrow.after.clone()).collect::<Vec<_>>();
    let strict: Vec<Vec<u16>> = (1..=14).map(|step: u16| (1..step).next_back().into_iter().collect()).collect();
    assert_eq!(after("c.2.3.1-figure-9"), strict);
    let mut legs = strict;
    legs[5 - 1] = vec![3];
    legs[11 - 1] = vec![8];
    assert_eq!(after("c.2.3.1-figure-10"), legs);
}

#[test]
fn a_session_is_closed_in_the_dialogs_in_which_it_was_set_up() {
    for flow in closing_flows() {
        let (pf_a, pf_b) = (flow.pf_a.unwrap(), flow.pf_b.unwrap());
        let as_set = |flow: &'static Flow| flow.dialogs().into_iter().collect::<BTreeSet<_>>();
        assert_eq!(as_set(flow), as_set(set_up(pf_a, pf_b)), "{}", flow.id);
        let legs = 1 + [pf_a, pf_b].iter().filter(|place| **place == MediaPath::On).count();
        assert_eq!(flow.dialogs().len(), legs, "{}", flow.id);
    }
}

#[test]
fn a_set_up_takes_every_hop_with_invite_200_and_ack() {
    for (pf_a, pf_b) in PLACES {
        let flow = set_up(pf_a, pf_b);
        let of = |name: &str| {
            let message: Message = name.parse().unwrap();
            flow.arrows.iter().filter(|arrow| arrow.message() == &message && !arrow.optional).count()
        };
        assert_eq!((of("INVITE"), of("200 INVITE"), of("ACK")), (7, 7, 7), "{}", flow.id);
        assert!(flow.arrows.iter().all(|arrow| arrow.optional == matches!(arrow.message().status(), Some(100..200))));
    }
}
