//! The design holds under every mix of faults within the bounds, and each of its rules is needed.
//!
//! `cargo xtask model` searches the larger bounds, which take minutes.

#![expect(clippy::print_stdout, reason = "the ladders are for whoever reads the test")]

use model::{Rule, Violation, ladder, quick, search, without};

/// States of the largest case that every change is checked against, with room.
const MOST: usize = 4_000_000;

fn holds(name: &str) {
    let case = quick().into_iter().find(|case| case.name == name).expect("there is such a case");
    let found = search(&case.close(), MOST);
    if let Some((violation, way)) = found.violation {
        panic!("{name}: {violation}\n{}", ladder(&way));
    }
    assert!(found.states > 10_000, "the faults were tried: {} states", found.states);
}

/// Leaves a rule out, and shows the shortest way to what then goes wrong.
fn breaks(rule: Rule, expected: Violation) {
    let (violation, way) = search(&without(rule), MOST).violation.unwrap_or_else(|| panic!("nobody misses `{rule}`"));
    println!("without {rule}: {violation}\n{}", ladder(&way));
    assert_eq!(violation, expected, "\n{}", ladder(&way));
    // The same faults do no harm to the whole design.
    let whole = model::Close { without: None, ..without(rule) };
    assert!(search(&whole, MOST).violation.is_none(), "with {rule}");
}

macro_rules! cases {
    ($($test:ident: $name:literal;)*) => { $(#[test] fn $test() { holds($name); })* };
}

macro_rules! rules {
    ($($test:ident: $rule:ident, $violation:expr;)*) => {
        $(#[test] fn $test() { breaks(Rule::$rule, $violation); })*

        /// Every rule has its test.
        #[test]
        fn no_rule_is_without_a_test() {
            assert_eq!(Rule::ALL, [$(Rule::$rule),*]);
        }
    };
}

cases! {
    losses_and_duplicates: "losses and duplicates";
    a_crash_a_loss_and_a_duplicate: "a crash, a loss and a duplicate";
    two_crashes: "two crashes";
    a_crash_and_a_death: "a crash and a death";
    a_crash_and_a_refusal: "a crash and a refusal";
    the_operator_closes: "the operator closes, with a crash";
    a_wrong_take_over: "a wrong take-over";
}

#[test]
fn every_case_has_its_test() {
    assert_eq!(quick().len(), 7);
}

rules! {
    without_the_row_at_set_up_a_restart_knows_nothing: RowAtSetUp, Violation::NotAudited;
    without_the_intent_nobody_knows_who_closed: IntentBefore200, Violation::WrongCause;
    without_the_cseq_jump_the_bye_is_refused: CseqJump, Violation::LegAlive;
    with_a_refusal_taken_for_the_end_a_leg_lives: RefusalIsNotClosed, Violation::PromiseBroken;
    without_a_close_after_the_restart_a_missed_bye_is_never_known: RestartCloses, Violation::NotAudited;
    without_a_look_at_the_481_the_record_blames_the_restart: GoneIsTheCause, Violation::WrongCause;
    without_the_session_timer_a_death_is_never_known: SessionTimer, Violation::LegAlive;
    without_timer_f_a_session_waits_for_the_dead: TimerFEndsTheLeg, Violation::Records(0);
    with_two_entries_a_crash_loses_the_record: OneEntry, Violation::Records(0);
    without_a_key_a_crash_doubles_the_record: RecordKey, Violation::Records(2);
    without_compare_and_set_two_owners_write_two_records: CompareAndSet, Violation::Records(2);
    without_the_fence_the_former_owner_waits_for_ever: Fence, Violation::Held;
}
