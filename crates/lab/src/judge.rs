//! The arrows of a flow against the flows as data.

use flow::{Dialogs, Flow, Observed, Verdict};
use wire::Instant;

use crate::recording::Recording;
use crate::{NODES, Scenario};

/// A part of a session's life: what it should be, what was seen, and how they compare.
#[derive(Clone, Debug)]
pub struct Part {
    /// The flow that fits best.
    pub flow: &'static Flow,
    /// The arrows, in the order of sending.
    pub arrows: Vec<Observed>,
    /// The comparison.
    pub verdict: Verdict,
}

/// All parts.
#[derive(Clone, Debug)]
pub(crate) struct Judgement {
    pub(crate) registrations: [Part; 2],
    pub(crate) set_up: Part,
    /// Nothing until somebody was told to close.
    pub(crate) closing: Option<Part>,
}

impl Judgement {
    /// Compares what was recorded so far.
    pub(crate) fn of(scenario: &Scenario, recording: &Recording, close: Option<Instant>) -> Judgement {
        let (before, after) = recording.arrows(close);
        let (registrations, session): (Vec<_>, Vec<_>) =
            before.into_iter().partition(|arrow| arrow.message.method() == "REGISTER");
        let (of_b, of_a) = registrations.into_iter().partition(is_b);
        let [flow_a, flow_b] = flow::registration();
        let set_up = Part::check(flow::set_up(scenario.pf_a, scenario.pf_b), session);
        let closing = close.is_some().then(|| Part::closing(scenario, &set_up.verdict.dialogs, after));
        Judgement { registrations: [Part::check(flow_a, of_a), Part::check(flow_b, of_b)], set_up, closing }
    }

    pub(crate) fn is_registered(&self) -> bool {
        self.registrations.iter().all(|part| part.verdict.conforms())
    }

    pub(crate) fn is_set_up(&self) -> bool {
        self.set_up.verdict.conforms()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closing.as_ref().is_some_and(|part| part.verdict.conforms())
    }
}

/// Registration stays within one side: the second half of [`NODES`] is User B's.
fn is_b(arrow: &Observed) -> bool {
    NODES[NODES.len() / 2..].contains(&arrow.from.as_str())
}

impl Part {
    fn check(flow: &'static Flow, arrows: Vec<Observed>) -> Part {
        let verdict = flow.check(&arrows);
        Part { flow, arrows, verdict }
    }

    fn closing(scenario: &Scenario, dialogs: &Dialogs, arrows: Vec<Observed>) -> Part {
        let flows = flow::closings(scenario.pf_a, scenario.pf_b, scenario.close_by);
        let best = flow::check_best(flows, dialogs, &arrows);
        let usual = || (scenario.flow(), scenario.flow().check_in(dialogs, &arrows));
        let (flow, verdict) = best.unwrap_or_else(usual);
        Part { flow, arrows, verdict }
    }
}
