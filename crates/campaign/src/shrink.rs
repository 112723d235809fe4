use std::time::Duration;

use sim::Link;

use crate::{Event, Plan};

/// Leaves out of a failing plan what it fails without: events, the troubles of the link, time. What is left fails as well,
/// though it may fail otherwise.
pub fn shrink(plan: &Plan, fails: impl Fn(&Plan) -> bool) -> Plan {
    let mut least = plan.clone();
    loop {
        let smaller = candidates(&least).into_iter().find(&fails);
        match smaller {
            Some(smaller) => least = smaller,
            None => return least,
        }
    }
}

/// Plans that are simpler by one thing, the most promising first.
fn candidates(plan: &Plan) -> Vec<Plan> {
    let with = |change: &dyn Fn(&mut Plan)| {
        let mut candidate = plan.clone();
        change(&mut candidate);
        candidate
    };
    let link = Link::default();
    let without = |i| {
        with(&|plan| {
            plan.events.remove(i);
        })
    };
    let mut candidates: Vec<Plan> = (0..plan.events.len()).map(without).collect();
    candidates.push(with(&|plan| plan.durable = false));
    candidates.push(with(&|plan| plan.link = link));
    candidates.push(with(&|plan| plan.link.loss = 0.0));
    candidates.push(with(&|plan| plan.link.duplicate = 0.0));
    candidates.push(with(&|plan| plan.link.jitter = Duration::ZERO));
    for i in 0..plan.events.len() {
        candidates.push(with(&|plan| earlier(&mut plan.events, i)));
    }
    candidates.retain(|candidate| candidate != plan);
    candidates
}

/// Begins an event at a round second, or right after the one before.
fn earlier(events: &mut [Event], i: usize) {
    let before = i.checked_sub(1).map_or(Duration::ZERO, |before| events[before].at);
    let round = Duration::from_secs(events[i].at.as_secs());
    events[i].at = if round >= before && round < events[i].at { round } else { before };
}
