//! Which step each observed arrow is, and what the flow does not allow.
//!
//! Three passes, each over the arrows in the order seen, each giving an arrow the earliest open step that fits and
//! preferring one whose predecessors have been seen: first only steps that fit in every respect, then steps whose
//! Call-ID or CSeq is wrong, then answers with another status. So one wrong arrow never takes the step of a right one.

use std::collections::BTreeMap;

use crate::verdict::hop;
use crate::{Arrow, Dialogs, Fault, Flow, Hop, Match, Observed, Verdict, Violation};

impl Flow {
    /// Checks what was seen on the wire against this flow.
    ///
    /// The arrows are those of one session, in the order on the wire.
    pub fn check(&self, observed: &[Observed]) -> Verdict {
        self.check_in(&Dialogs::new(), observed)
    }

    /// Checks like [`Flow::check`], in dialogs that are known from the set-up.
    pub fn check_in(&self, known: &Dialogs, observed: &[Observed]) -> Verdict {
        let mut check = Check::new(self, known, observed);
        check.find_repetitions();
        for pass in [Pass::Exact, Pass::WrongIds, Pass::WrongStatus] {
            check.assign(pass);
        }
        check.into_verdict()
    }
}

/// Checks against several flows and keeps the one with the fewest violations, the first of equals.
///
/// For [`closings`](crate::closings): a crossing is decided by who was quicker.
pub fn check_best<'f>(
    flows: impl IntoIterator<Item = &'f Flow>,
    known: &Dialogs,
    observed: &[Observed],
) -> Option<(&'f Flow, Verdict)> {
    let checked = flows.into_iter().map(|flow| (flow, flow.check_in(known, observed)));
    checked.min_by_key(|(_, verdict)| verdict.violations.len())
}

/// The flow, of all there are, that fits best: what a capture shows.
pub fn best(observed: &[Observed]) -> Option<(&'static Flow, Verdict)> {
    check_best(crate::all(), &Dialogs::new(), observed)
}

/// How strict an assignment is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// Nodes, message, Call-ID and CSeq fit.
    Exact,
    /// Nodes and message fit.
    WrongIds,
    /// Nodes and method fit; the answer is another one.
    WrongStatus,
}

/// CSeq and From tag: what all hops of one transaction share.
type Series<'a> = (&'a str, &'a str);

struct Check<'a> {
    flow: &'a Flow,
    observed: &'a [Observed],
    /// Per step: the observed arrow that it is.
    seen: Vec<Option<usize>>,
    matches: Vec<Match>,
    /// Per observed arrow: the earlier one that it repeats.
    repeats: Vec<Option<usize>>,
    /// Call-IDs by dialog. More than one only after a violation, so that each is reported once.
    calls: BTreeMap<&'a str, Vec<&'a str>>,
    /// CSeq and From tag by transaction; the same holds.
    series: BTreeMap<u16, Vec<Series<'a>>>,
    /// What the assignment itself found wrong, with the place of the arrow.
    faults: Vec<(usize, Violation)>,
}

impl<'a> Check<'a> {
    fn new(flow: &'a Flow, known: &'a Dialogs, observed: &'a [Observed]) -> Self {
        let calls = known.iter().map(|(dialog, call_id)| (dialog.as_str(), vec![call_id.as_str()])).collect();
        Self {
            flow,
            observed,
            seen: vec![None; flow.arrows.len()],
            matches: vec![Match::default(); observed.len()],
            repeats: vec![None; observed.len()],
            calls,
            series: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    fn find_repetitions(&mut self) {
        let mut first = BTreeMap::new();
        for (index, arrow) in self.observed.iter().enumerate() {
            let original = *first.entry(arrow.identity()).or_insert(index);
            if original != index {
                self.repeats[index] = Some(original);
                self.matches[index].retransmission = arrow.may_repeat();
            }
        }
    }

    fn assign(&mut self, pass: Pass) {
        for index in 0..self.observed.len() {
            if self.repeats[index].is_some() || self.matches[index].step.is_some() {
                continue;
            }
            let open = self.flow.arrows.iter().filter(|arrow| self.seen[slot(arrow.step)].is_none());
            let fitting = open.filter(|arrow| self.fits(arrow, index, pass));
            if let Some(arrow) = fitting.min_by_key(|arrow| self.preference(arrow, index)) {
                self.take(arrow, index, pass);
            }
        }
    }

    fn fits(&self, arrow: &Arrow, index: usize, pass: Pass) -> bool {
        let seen = &self.observed[index];
        if arrow.from != seen.from || arrow.to != seen.to {
            return false;
        }
        match pass {
            Pass::Exact => {
                arrow.messages.contains(&seen.message) && self.call_fits(arrow, seen) && self.series_fits(arrow, seen)
            }
            Pass::WrongIds => arrow.messages.contains(&seen.message),
            Pass::WrongStatus => {
                let expected = arrow.message();
                expected.method() == seen.message.method() && expected.is_final() && seen.message.is_final()
            }
        }
    }

    /// The smallest wins: the right dialog, the right transaction, predecessors seen, the earliest step.
    fn preference(&self, arrow: &Arrow, index: usize) -> (bool, bool, bool, u16) {
        let seen = &self.observed[index];
        let ready = arrow.after.iter().all(|step| self.is_done(*step, index));
        (!self.call_fits(arrow, seen), !self.series_fits(arrow, seen), !ready, arrow.step)
    }

    /// True if the step was seen before the arrow at `index`; an optional one counts if what it follows was.
    fn is_done(&self, step: u16, index: usize) -> bool {
        let arrow = &self.flow.arrows[slot(step)];
        match self.seen[slot(step)] {
            Some(earlier) => earlier < index,
            None => arrow.optional && arrow.after.iter().all(|step| self.is_done(*step, index)),
        }
    }

    /// One dialog, one Call-ID; and no two dialogs share one.
    fn call_fits(&self, arrow: &Arrow, seen: &Observed) -> bool {
        match self.calls.get(arrow.dialog.as_str()) {
            Some(known) => known.contains(&seen.call_id.as_str()),
            None => self.dialog_of(&seen.call_id).is_none(),
        }
    }

    fn dialog_of(&self, call_id: &str) -> Option<&'a str> {
        self.calls.iter().find(|(_, known)| known.contains(&call_id)).map(|(dialog, _)| *dialog)
    }

    /// One transaction, one CSeq and From tag; and no two transactions of a dialog share both, if the tag is known.
    fn series_fits(&self, arrow: &Arrow, seen: &Observed) -> bool {
        let series = series(seen);
        if let Some(known) = self.series.get(&arrow.transaction) {
            return known.contains(&series);
        }
        let taken = |(transaction, known): (&u16, &Vec<Series<'_>>)| {
            let first = &self.flow.arrows[slot(*transaction)];
            first.dialog == arrow.dialog && known.contains(&series)
        };
        seen.from_tag.is_empty() || !self.series.iter().any(taken)
    }

    fn take(&mut self, arrow: &'a Arrow, index: usize, pass: Pass) {
        let seen = &self.observed[index];
        let (call_fits, series_fits) = (self.call_fits(arrow, seen), self.series_fits(arrow, seen));
        if !call_fits {
            self.report(index, arrow.step, self.wrong_dialog(arrow, seen));
        } else if !series_fits {
            self.report(index, arrow.step, self.wrong_cseq(arrow, seen));
        }
        if pass == Pass::WrongStatus {
            self.report(index, arrow.step, Fault::WrongStatus { actual: seen.message.clone() });
        }
        self.seen[slot(arrow.step)] = Some(index);
        self.matches[index].step = Some(arrow.step);
        remember(self.calls.entry(&arrow.dialog).or_default(), &seen.call_id);
        remember(self.series.entry(arrow.transaction).or_default(), series(seen));
    }

    fn report(&mut self, index: usize, step: u16, fault: Fault) {
        self.faults.push((index, Violation::of_step(self.flow, step, fault)));
    }

    fn wrong_dialog(&self, arrow: &Arrow, seen: &Observed) -> Fault {
        let known = self.calls.get(arrow.dialog.as_str()).and_then(|known| known.first());
        Fault::WrongDialog {
            dialog: arrow.dialog.clone(),
            expected: known.map(|call_id| (*call_id).to_owned()),
            actual: seen.call_id.clone(),
            taken_by: self.dialog_of(&seen.call_id).map(str::to_owned),
        }
    }

    fn wrong_cseq(&self, arrow: &Arrow, seen: &Observed) -> Fault {
        let known = self.series.get(&arrow.transaction).and_then(|known| known.first());
        let expected = known.map_or_else(|| "of its own".to_owned(), |series| print(*series));
        Fault::WrongCseq { expected, actual: print(series(seen)) }
    }

    fn into_verdict(mut self) -> Verdict {
        for index in 0..self.observed.len() {
            self.finish(index);
        }
        self.faults.sort_by_key(|(index, _)| *index);
        let (roots, consequences) = self.missing();
        let seen = self.faults.into_iter().map(|(_, violation)| violation);
        let violations = roots.into_iter().chain(seen).chain(consequences).collect();
        let first = |(dialog, known): (&str, Vec<&str>)| Some((dialog.to_owned(), (*known.first()?).to_owned()));
        let dialogs = self.calls.into_iter().filter_map(first).collect();
        Verdict { matches: self.matches, violations, dialogs }
    }

    /// Settles what is left about one arrow: its step if it repeats another one, whether it is extra, its order.
    fn finish(&mut self, index: usize) {
        if let Some(original) = self.repeats[index] {
            self.matches[index].step = self.matches[original].step;
            // The original has been reported if it has no place in the flow.
            if !self.matches[index].retransmission {
                self.extra(index, true);
            }
            return;
        }
        let Some(step) = self.matches[index].step else { return self.extra(index, false) };
        for before in self.seen_before(step) {
            if self.seen[slot(before)] > Some(index) {
                self.report(index, step, Fault::OutOfOrder { before, hop: hop(self.flow, before) });
            }
        }
    }

    fn extra(&mut self, index: usize, repeated: bool) {
        let seen = &self.observed[index];
        let hop = Hop { from: seen.from.clone(), to: seen.to.clone(), message: seen.message.clone() };
        let fault = Fault::Extra { index, repeated };
        self.faults.push((index, Violation { clause: self.flow.clause.clone(), step: None, hop, fault }));
    }

    /// The nearest steps that were seen and that `step` must follow, looking through those that were not.
    fn seen_before(&self, step: u16) -> Vec<u16> {
        let (mut found, mut passed) = (Vec::new(), Vec::new());
        let mut open = self.flow.arrows[slot(step)].after.clone();
        while let Some(before) = open.pop() {
            if self.seen[slot(before)].is_some() {
                remember(&mut found, before);
            } else if !passed.contains(&before) {
                passed.push(before);
                open.extend(&self.flow.arrows[slot(before)].after);
            }
        }
        found.sort_unstable();
        found
    }

    /// The steps that were not seen: first those that nothing explains, then those behind another missing one.
    fn missing(&self) -> (Vec<Violation>, Vec<Violation>) {
        let is_missing = |arrow: &&Arrow| self.seen[slot(arrow.step)].is_none() && !arrow.optional;
        let (mut roots, mut consequences) = (Vec::new(), Vec::new());
        for arrow in self.flow.arrows.iter().filter(is_missing) {
            let waits_for = self.missing_before(arrow);
            let violation = Violation::of_step(self.flow, arrow.step, Fault::Missing { waits_for });
            if waits_for.is_none() { roots.push(violation) } else { consequences.push(violation) }
        }
        (roots, consequences)
    }

    fn missing_before(&self, arrow: &Arrow) -> Option<u16> {
        let mut open = arrow.after.clone();
        while let Some(before) = open.pop() {
            let before = &self.flow.arrows[slot(before)];
            if self.seen[slot(before.step)].is_none() {
                if !before.optional {
                    return Some(before.step);
                }
                open.extend(&before.after);
            }
        }
        None
    }
}

fn slot(step: u16) -> usize {
    usize::from(step) - 1
}

fn series(seen: &Observed) -> Series<'_> {
    (&seen.cseq, &seen.from_tag)
}

fn print((cseq, from_tag): Series<'_>) -> String {
    if from_tag.is_empty() { cseq.to_owned() } else { format!("{cseq} (From tag {from_tag})") }
}

fn remember<T: PartialEq>(known: &mut Vec<T>, value: T) {
    if !known.contains(&value) {
        known.push(value);
    }
}

#[cfg(test)]
mod tests;
