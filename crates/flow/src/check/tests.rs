//! A good run of every flow, and the runs of functions that are broken on purpose.

use proptest::prelude::*;

use super::*;
use crate::{Message, by_id};

/// The arrows of a flow as a faultless network shows them, at one per millisecond.
fn run(id: &str) -> Vec<Observed> {
    by_id(id).unwrap().arrows.iter().map(on_the_wire).collect()
}

fn on_the_wire(arrow: &Arrow) -> Observed {
    let message = arrow.message().clone();
    Observed {
        from: arrow.from.clone(),
        to: arrow.to.clone(),
        call_id: format!("call-{}", arrow.dialog),
        // Both ends of a dialog may well count alike.
        cseq: if message.method() == "REGISTER" {
            format!("{} REGISTER", arrow.transaction)
        } else {
            format!("2 {}", message.method())
        },
        from_tag: format!("tag-{}", arrow.transaction),
        branch: format!("z9hG4bK-{}-{}", arrow.transaction, arrow.step),
        reliable: false,
        message,
        at_us: u64::from(arrow.step) * 1000,
    }
}

/// The run with these steps, in this order.
fn run_of(id: &str, steps: impl IntoIterator<Item = usize>) -> Vec<Observed> {
    let all = run(id);
    steps.into_iter().map(|step| all[step - 1].clone()).collect()
}

fn violations(id: &str, observed: &[Observed]) -> Vec<String> {
    by_id(id).unwrap().check(observed).violations.iter().map(ToString::to_string).collect()
}

const FIGURE_9: &str = "c.2.3.1-figure-9";
const FIGURE_10: &str = "c.2.3.1-figure-10";

#[test]
fn every_flow_conforms_to_itself_step_by_step() {
    for flow in crate::all() {
        let observed = run(&flow.id);
        let verdict = flow.check(&observed);
        assert!(verdict.conforms(), "{}: {:#?}", flow.id, verdict.violations);
        let steps: Vec<Option<u16>> = flow.arrows.iter().map(|arrow| Some(arrow.step)).collect();
        assert_eq!(verdict.steps(), steps, "{}", flow.id);
        let dialogs: Vec<&str> = verdict.dialogs.keys().map(String::as_str).collect();
        let mut expected = flow.dialogs();
        expected.sort_unstable();
        assert_eq!(dialogs, expected, "{}", flow.id);
    }
}

#[test]
fn a_run_is_recognized_as_the_flow_that_it_is() {
    for flow in crate::all() {
        let (found, verdict) = best(&run(&flow.id)).unwrap();
        assert_eq!(found.id, flow.id);
        assert!(verdict.conforms());
    }
}

#[test]
fn legs_may_interleave_in_figure_10() {
    for order in [
        [1, 2, 3, 5, 4, 6, 7, 8, 11, 9, 12, 10, 13, 14],
        [1, 2, 3, 5, 6, 7, 8, 11, 12, 13, 14, 9, 10, 4],
        [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 9, 10],
    ] {
        assert_eq!(violations(FIGURE_10, &run_of(FIGURE_10, order)), [""; 0]);
    }
}

#[test]
fn optional_arrows_may_be_left_out() {
    for flow in crate::all() {
        let needed = flow.arrows.iter().filter(|arrow| !arrow.optional);
        assert_eq!(violations(&flow.id, &needed.map(on_the_wire).collect::<Vec<_>>()), [""; 0], "{}", flow.id);
    }
}

#[test]
fn a_pf_that_drops_the_bye_is_found_at_its_first_missing_arrow() {
    let found = violations(FIGURE_9, &run_of(FIGURE_9, [1, 2]));
    assert_eq!(found.len(), 12);
    assert_eq!(found[0], "step 3 (pf-a -> core-a, BYE) is missing [C.2.3.1, Figure 9]");
    assert_eq!(found[1], "step 4 (core-a -> core-b, BYE) is missing, as is step 3 before it [C.2.3.1, Figure 9]");
}

#[test]
fn a_pf_that_drops_the_bye_of_the_next_leg_leaves_the_first_leg_right() {
    let found = violations(FIGURE_10, &run_of(FIGURE_10, [1, 2, 3, 4]));
    assert_eq!(found.len(), 10);
    assert_eq!(found[0], "step 5 (pf-a -> core-a, BYE) is missing [C.2.3.1, Figure 10]");
}

#[test]
fn a_pf_that_never_answers_leaves_one_missing_arrow_for_each_hop() {
    let found = violations(FIGURE_10, &run_of(FIGURE_10, [1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]));
    assert_eq!(
        found,
        [
            "step 3 (pf-a -> core-a, 200 OK) is missing [C.2.3.1, Figure 10]",
            "step 4 (core-a -> client-a, 200 OK) is missing, as is step 3 before it [C.2.3.1, Figure 10]",
        ]
    );
}

#[test]
fn the_core_that_gives_up_is_seen_behind_the_pf_that_dropped_the_bye() {
    let mut observed = run_of(FIGURE_9, [1, 2]);
    observed.push(Observed { message: Message::response(408, "BYE"), ..run_of(FIGURE_9, [14])[0].clone() });
    let found = violations(FIGURE_9, &observed);
    assert_eq!(found[0], "step 3 (pf-a -> core-a, BYE) is missing [C.2.3.1, Figure 9]");
    assert_eq!(
        found[1],
        "step 14 (core-a -> client-a, 200 OK) was answered 408 Request Timeout instead [C.2.3.1, Figure 9]"
    );
    assert_eq!(found.len(), 2 + 10, "steps 4 to 13 are consequences");
}

#[test]
fn a_pf_that_forwards_before_it_answers_is_out_of_order() {
    let found = violations(FIGURE_10, &run_of(FIGURE_10, [1, 2, 5, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14]));
    assert_eq!(
        found,
        [
            "step 5 (pf-a -> core-a, BYE) came before step 3 (pf-a -> core-a, 200 OK), which it must follow [C.2.3.1, Figure 10]"
        ]
    );
}

#[test]
fn a_pf_that_waits_for_the_far_end_is_out_of_order_once() {
    let late = run_of(FIGURE_10, [1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 3, 4]);
    let verdict = by_id(FIGURE_10).unwrap().check(&late);
    assert_eq!(verdict.violations.len(), 1);
    assert_eq!(verdict.violations[0].step, Some(5));
    assert!(matches!(verdict.violations[0].fault, Fault::OutOfOrder { before: 3, .. }));
}

#[test]
fn an_off_path_pf_may_not_answer_for_the_far_end() {
    // The 200 of steps 12 to 14 is there before the BYE has reached Client B.
    let found = violations(FIGURE_9, &run_of(FIGURE_9, [1, 2, 13, 14, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]));
    assert_eq!(
        found,
        [
            "step 13 (pf-a -> core-a, 200 OK) came before step 12 (core-a -> pf-a, 200 OK), which it must follow [C.2.3.1, Figure 9]"
        ]
    );
}

#[test]
fn a_b2bua_that_keeps_the_call_id_is_in_the_wrong_dialog_once() {
    let mut observed = run(FIGURE_10);
    for arrow in &mut observed[4..10] {
        arrow.call_id = "call-1".to_owned();
    }
    assert_eq!(
        violations(FIGURE_10, &observed),
        ["step 5 (pf-a -> core-a, BYE) is in dialog 2, but carries Call-ID call-1 of dialog 1 [C.2.3.1, Figure 10]"]
    );
}

#[test]
fn an_off_path_pf_that_changes_the_call_id_is_in_the_wrong_dialog_once() {
    let mut observed = run(FIGURE_9);
    for arrow in &mut observed[2..12] {
        arrow.call_id = "its own\r\n".to_owned();
    }
    assert_eq!(
        violations(FIGURE_9, &observed),
        [
            "step 3 (pf-a -> core-a, BYE) is in dialog D with Call-ID call-D, but carries its own\\r\\n [C.2.3.1, Figure 9]"
        ]
    );
}

#[test]
fn the_close_must_be_in_the_dialogs_of_the_set_up() {
    let set_up = by_id("set-up-10").unwrap().check(&run("set-up-10"));
    let flow = by_id(FIGURE_10).unwrap();
    assert!(flow.check_in(&set_up.dialogs, &run(FIGURE_10)).conforms());
    let mut stranger = run(FIGURE_10);
    for arrow in &mut stranger[..4] {
        arrow.call_id = "another".to_owned();
    }
    let found = flow.check_in(&set_up.dialogs, &stranger).violations;
    assert_eq!(found.len(), 1);
    assert!(matches!(&found[0].fault, Fault::WrongDialog { expected: Some(known), .. } if known == "call-1"));
}

#[test]
fn a_proxy_that_changes_the_cseq_is_named() {
    let mut observed = run(FIGURE_9);
    for arrow in &mut observed[2..12] {
        arrow.cseq = "7 BYE".to_owned();
    }
    assert_eq!(
        violations(FIGURE_9, &observed),
        [
            "step 3 (pf-a -> core-a, BYE) is in the transaction with CSeq 2 BYE (From tag tag-1), but carries 7 BYE (From tag tag-1) [C.2.3.1, Figure 9]"
        ]
    );
}

#[test]
fn an_arrow_of_no_step_is_extra() {
    let mut observed = run(FIGURE_10);
    let second = Observed { cseq: "3 BYE".to_owned(), branch: "z9hG4bK-second".to_owned(), ..observed[4].clone() };
    observed.insert(8, second);
    let verdict = by_id(FIGURE_10).unwrap().check(&observed);
    assert_eq!(verdict.matches[8], Match::default());
    assert_eq!(verdict.violations.len(), 1);
    assert_eq!(verdict.violations[0].to_string(), "pf-a -> core-a, BYE is not part of the flow [C.2.3.1, Figure 10]");
    assert!(matches!(verdict.violations[0].fault, Fault::Extra { index: 8, repeated: false }));
}

#[test]
fn a_repetition_is_explained_by_udp_and_by_nothing_else() {
    let repeated = run_of(FIGURE_9, [1, 1, 2, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    let verdict = by_id(FIGURE_9).unwrap().check(&repeated);
    assert!(verdict.conforms());
    assert_eq!(verdict.retransmissions(), 2);
    assert_eq!(verdict.steps()[..5], [Some(1), Some(1), Some(2), Some(1), Some(3)]);

    let over_tcp: Vec<_> = repeated.into_iter().map(|seen| Observed { reliable: true, ..seen }).collect();
    let found = violations(FIGURE_9, &over_tcp);
    assert_eq!(found, ["client-a -> core-a, BYE is repeated on a reliable transport [C.2.3.1, Figure 9]"; 2]);
}

#[test]
fn the_ends_of_an_invite_repeat_its_200_and_ack_over_tcp_too() {
    let id = "set-up-9";
    let mut observed = Vec::new();
    for seen in run(id).into_iter().map(|seen| Observed { reliable: true, ..seen }) {
        let end_to_end = seen.message == Message::response(200, "INVITE") || seen.message == Message::request("ACK");
        observed.extend(std::iter::repeat_n(seen, if end_to_end { 2 } else { 1 }));
    }
    let verdict = by_id(id).unwrap().check(&observed);
    assert!(verdict.conforms(), "{:#?}", verdict.violations);
    assert_eq!(verdict.retransmissions(), 14);
}

#[test]
fn where_requests_cross_481_is_as_good_as_200() {
    let id = "c.2.3.1-figure-10-crossing";
    let mut observed = run(id);
    for step in [15, 17, 19] {
        observed[step - 1].message = Message::response(481, "BYE");
    }
    assert_eq!(violations(id, &observed), [""; 0]);
    observed[5 - 1].message = Message::response(481, "BYE");
    assert_eq!(
        violations(id, &observed),
        [
            "step 5 (pf-a -> core-a, 200 OK) was answered 481 Call/Transaction Does Not Exist instead [C.2.3.1, Figure 10, crossing]"
        ]
    );
}

#[test]
fn crossing_requests_are_told_apart_in_any_interleaving() {
    let id = "c.2.3.1-figure-9-crossing";
    let (by_a, by_b) = ((1..=28).step_by(2), (2..=28).step_by(2));
    for order in [by_a.clone().chain(by_b.clone()).collect::<Vec<_>>(), by_b.chain(by_a).collect()] {
        let verdict = by_id(id).unwrap().check(&run_of(id, order.clone()));
        assert!(verdict.conforms(), "{:#?}", verdict.violations);
        let steps: Vec<Option<u16>> = order.iter().map(|step| u16::try_from(*step).ok()).collect();
        assert_eq!(verdict.steps(), steps);
    }
}

#[test]
fn crossing_requests_are_told_apart_by_cseq_when_no_tag_is_known() {
    let id = "c.2.3.1-figure-9-crossing";
    let mut observed = run(id);
    for (index, seen) in observed.iter_mut().enumerate() {
        seen.from_tag = String::new();
        seen.cseq = if index % 2 == 0 { "2 BYE" } else { "1 BYE" }.to_owned();
    }
    assert_eq!(violations(id, &observed), [""; 0]);
}

#[test]
fn whoever_is_quicker_a_crossing_conforms() {
    let any = crate::closings(true.into(), true.into(), crate::CloseBy::Both);
    for flow in &any {
        let (found, verdict) = check_best(any.iter().copied(), &Dialogs::new(), &run(&flow.id)).unwrap();
        assert_eq!((found.id.as_str(), verdict.conforms()), (flow.id.as_str(), true));
    }
}

#[test]
fn nothing_on_the_wire_is_every_arrow_missing() {
    for flow in crate::all() {
        let needed = flow.arrows.iter().filter(|arrow| !arrow.optional).count();
        assert_eq!(flow.check(&[]).violations.len(), needed);
    }
}

#[test]
fn any_single_lost_arrow_is_the_first_violation() {
    for flow in crate::all() {
        for lost in flow.arrows.iter().filter(|arrow| !arrow.optional) {
            let mut observed = run(&flow.id);
            observed.remove(usize::from(lost.step) - 1);
            let found = flow.check(&observed).violations;
            assert_eq!(found.len(), 1, "{} without step {}: {found:#?}", flow.id, lost.step);
            assert_eq!(found[0].step, Some(lost.step));
            assert_eq!(found[0].fault, Fault::Missing { waits_for: None });
        }
    }
}

#[test]
fn records_and_violations_have_the_form_of_the_lab() {
    let flow = by_id(FIGURE_9).unwrap();
    let observed = run_of(FIGURE_9, [1, 1]);
    let verdict = flow.check(&observed);
    let records = serde_json::to_value(verdict.records(&observed)).unwrap();
    let first = serde_json::json!({
        "step": 1, "from": "client-a", "to": "core-a", "message": "BYE",
        "call_id": "call-D", "cseq": "2 BYE", "at_us": 1000
    });
    assert_eq!(records[0], first);
    assert_eq!(records[1]["retransmission"], true);
    let missing = serde_json::to_value(&verdict.violations[0]).unwrap();
    assert_eq!((&missing["kind"], &missing["step"]), (&"missing".into(), &2.into()));
    assert_eq!(missing["text"], "step 2 (core-a -> pf-a, BYE) is missing [C.2.3.1, Figure 9]");
}

/// An order of the steps: the open step with the smallest lot goes next.
fn drawn(flow: &Flow, lots: &[u32]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    while order.len() < flow.arrows.len() {
        let ready = |arrow: &&Arrow| {
            !order.contains(&usize::from(arrow.step))
                && arrow.after.iter().all(|step| order.contains(&usize::from(*step)))
        };
        let next = flow.arrows.iter().filter(ready).min_by_key(|arrow| lots[slot(arrow.step)]);
        order.push(usize::from(next.unwrap().step));
    }
    order
}

proptest! {
    #[test]
    fn every_order_that_the_flow_allows_conforms(
        index in 0..crate::all().len(),
        lots in prop::collection::vec(any::<u32>(), 40),
    ) {
        let flow = &crate::all()[index];
        let order = drawn(flow, &lots);
        let verdict = flow.check(&run_of(&flow.id, order.clone()));
        prop_assert!(verdict.conforms(), "{}: {order:?} {:#?}", flow.id, verdict.violations);
        prop_assert!(verdict.steps().into_iter().eq(order.iter().map(|step| u16::try_from(*step).ok())));
    }

    #[test]
    fn an_order_that_a_close_by_one_user_forbids_is_found(
        id in prop::sample::select(vec![FIGURE_9, FIGURE_10, "c.2.3.1-m1", "c.2.3.1-m2", "c.2.3.1-figure-10-b-closes"]),
        order in Just((1..=40).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let flow = by_id(id).unwrap();
        let order: Vec<usize> = order.into_iter().filter(|step| *step <= flow.arrows.len()).collect();
        let place = |step: u16| order.iter().position(|other| *other == usize::from(step));
        let broken = flow.arrows.iter().flat_map(|arrow| arrow.after.iter().map(move |before| (arrow.step, *before)));
        let mut broken: Vec<(u16, u16)> = broken.filter(|(step, before)| place(*step) < place(*before)).collect();
        let verdict = flow.check(&run_of(&flow.id, order.clone()));
        let mut found = Vec::new();
        for violation in &verdict.violations {
            match (violation.step, &violation.fault) {
                (Some(step), Fault::OutOfOrder { before, .. }) => found.push((step, *before)),
                other => prop_assert!(false, "{}: {other:?}", flow.id),
            }
        }
        broken.sort_unstable();
        found.sort_unstable();
        prop_assert_eq!(broken, found, "{}", flow.id);
    }

    #[test]
    fn whatever_is_seen_each_step_is_given_once_and_nothing_is_dropped(
        index in 0..crate::all().len(),
        picks in prop::collection::vec((0..crate::all().len(), 0..40_usize, 0..3_u8, any::<bool>()), 0..60),
    ) {
        let flow = &crate::all()[index];
        let observed: Vec<Observed> = picks.iter().map(|(other, step, call, reliable)| {
            let run = run(&crate::all()[*other].id);
            let seen = run[step % run.len()].clone();
            Observed { call_id: format!("call-{call}"), reliable: *reliable, ..seen }
        }).collect();
        let verdict = flow.check(&observed);
        let extra = |at: usize| verdict.violations.iter().any(|violation| {
            matches!(violation.fault, Fault::Extra { index, .. } if index == at)
        });
        let mut given = Vec::new();
        for (at, found) in verdict.matches.iter().enumerate() {
            prop_assert!(found.step.is_some() || found.retransmission || extra(at));
            if let (Some(step), false, false) = (found.step, found.retransmission, extra(at)) {
                prop_assert!(!given.contains(&step));
                given.push(step);
            }
        }
        for arrow in flow.arrows.iter().filter(|arrow| !arrow.optional && !given.contains(&arrow.step)) {
            let missing = |violation: &Violation| {
                violation.step == Some(arrow.step) && matches!(violation.fault, Fault::Missing { .. })
            };
            prop_assert!(verdict.violations.iter().any(missing));
        }
    }
}
