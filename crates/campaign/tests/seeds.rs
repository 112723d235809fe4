//! What every change is checked against: some hundred seeds of each group of faults. `cargo xtask sim` runs more.
//!
//! What is promised, and looked at by `campaign`:
//!
//! * Each client is told of one end of each session, within 70 s of the close where nothing keeps the BYE away for long, and
//!   no node holds anything when the tombstones are gone.
//! * Where a participating function on the media path dies, its media dies with it, and its legs are closed: by it when it
//!   comes back if it has a journal, by the users otherwise.
//! * Where a core or a participating function off the media path dies, the dialog passes as before: the way is in the
//!   Route set. What was under way is lost: an INVITE in a dead node is given up by Timer C of the node before it.
//! * Where a client dies, a participating function off the media path forgets its session as a silent one.

use campaign::{Kind, Kinds, Plan, attempt, run, shrink};
use flow::MediaPath;
use scenarios::Fault;

const SEEDS: u64 = 200;

fn holds(kinds: &[Kind]) {
    let kinds = Kinds::of(kinds);
    let report = run(0..SEEDS, &kinds, 1, |_, _| {});
    if let Some((plan, _)) = report.failures.first() {
        let least = shrink(plan, |plan| attempt(plan).is_err());
        let failure = attempt(&least).expect_err("a plan that shrank fails");
        panic!("{}\n{least}\n{}\nreplay with: {}", failure.what, failure.ladder, plan.replay());
    }
    assert!(report.total.sessions > SEEDS, "most plans have a session that is up on both sides: {:?}", report.total);
    assert!(report.total.messages > SEEDS, "{:?}", report.total);
}

#[test]
fn datagrams_may_be_lost_doubled_late_and_out_of_order() {
    holds(&[Kind::Loss, Kind::Duplicate, Kind::Reorder, Kind::Delay]);
}

#[test]
fn neighbours_may_be_apart_and_nodes_may_stall() {
    holds(&[Kind::Partition, Kind::OneWay, Kind::Stall]);
}

#[test]
fn connections_may_break_or_go_silent() {
    holds(&[Kind::Break, Kind::BlackHole]);
}

#[test]
fn any_node_may_die_and_come_back() {
    holds(&[Kind::Crash, Kind::Loss]);
}

#[test]
fn disks_may_fail_and_records_may_wait() {
    holds(&[Kind::Disk, Kind::Store]);
    holds(&[Kind::Disk, Kind::Store, Kind::Crash]);
}

#[test]
fn strangers_and_clocks_end_no_session() {
    holds(&[Kind::Forge, Kind::Clock]);
}

#[test]
fn everything_may_go_wrong_together() {
    holds(&Kind::ALL);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for seed in 0..5 {
        let plan = Plan::draw(seed, &Kinds::all());
        let ladders = [(), ()].map(|()| {
            let mut stage = None;
            campaign::play(&plan, &mut stage);
            stage.map(|system| system.net.arrows().iter().map(|arrow| arrow.data.clone()).collect::<Vec<_>>())
        });
        assert!(ladders[0].as_ref().is_some_and(|ladder| !ladder.is_empty()));
        assert_eq!(ladders[0], ladders[1]);
    }
}

/// A campaign that finds nothing is worth something only if it finds what is there.
#[test]
fn a_function_that_is_broken_on_purpose_is_found_out() {
    for fault in [Fault::DropsBye, Fault::NeverAnswers] {
        let plans = (0..60).map(|seed| Plan::draw(seed, &Kinds::of(&[])));
        let broken =
            plans.map(|plan| Plan { broken: Some(fault), ..plan }).filter(|p| p.topology.pf_a == MediaPath::On);
        let found = broken.filter(|plan| attempt(plan).is_err()).count();
        assert!(found > 0, "{fault:?}");
    }
}

#[test]
fn a_failing_plan_shrinks_to_what_it_fails_by() {
    let plan = (0..).map(|seed| Plan::draw(seed, &Kinds::all())).find(crashes).expect("seeds do not end");
    let least = shrink(&plan, crashes);
    assert_eq!(least.events.len(), 1, "{least}");
    assert!(crashes(&least));
}

fn crashes(plan: &Plan) -> bool {
    plan.events.iter().any(|event| event.what.kind() == Some(Kind::Crash))
}
