//! The flow files of `flows/`, as part of the binary.

use std::sync::LazyLock;

use crate::{CloseBy, Flow, Kind, MediaPath};

macro_rules! embed {
    ($name:literal) => {
        (concat!("flows/", $name, ".toml"), include_str!(concat!("../../../flows/", $name, ".toml")))
    };
}

/// File name and text. Where several flows fit a question, the first one here is the usual one.
const FILES: [(&str, &str); 26] = [
    embed!("registration-a"),
    embed!("registration-b"),
    embed!("set-up-9"),
    embed!("set-up-10"),
    embed!("set-up-m1"),
    embed!("set-up-m2"),
    embed!("figure-9"),
    embed!("figure-10"),
    embed!("m1"),
    embed!("m2"),
    embed!("figure-9-b-closes"),
    embed!("figure-10-b-closes"),
    embed!("m1-b-closes"),
    embed!("m2-b-closes"),
    embed!("figure-9-crossing"),
    embed!("figure-10-crossing"),
    embed!("m1-crossing"),
    embed!("m2-crossing"),
    embed!("figure-10-crossing-leg-1"),
    embed!("figure-10-crossing-leg-3"),
    embed!("m1-crossing-leg-1"),
    embed!("m2-crossing-leg-2"),
    embed!("figure-10-crossing-in-pf-a"),
    embed!("figure-10-crossing-in-pf-b"),
    embed!("m1-crossing-in-pf-a"),
    embed!("m2-crossing-in-pf-b"),
];

static FLOWS: LazyLock<Vec<Flow>> = LazyLock::new(|| {
    let load = |(file, text): &(&str, &str)| Flow::load(file, text).unwrap_or_else(|error| panic!("{error}"));
    FILES.iter().map(load).collect()
});

/// Every flow there is.
pub fn all() -> &'static [Flow] {
    &FLOWS
}

/// The flow with this id, such as `c.2.3.1-figure-9`.
pub fn by_id(id: &str) -> Option<&'static Flow> {
    all().iter().find(|flow| flow.id == id)
}

/// The closing flow for these places of the PFs. If both close at once it is the case where neither is quicker; see
/// [`closings`] for the others.
pub fn closing(pf_a: MediaPath, pf_b: MediaPath, by: CloseBy) -> &'static Flow {
    find(pf_a, pf_b, Kind::Closing, Some(by))
}

/// Every closing flow that conforms for these places of the PFs, the usual one first.
///
/// There is more than one only if both close at once and a PF is on the media path: who was quicker decides on which leg
/// the requests meet, or whether they meet at all, so the flows where one side alone closes come last.
pub fn closings(pf_a: MediaPath, pf_b: MediaPath, by: CloseBy) -> Vec<&'static Flow> {
    let order: &[CloseBy] = match by {
        CloseBy::A => &[CloseBy::A],
        CloseBy::B => &[CloseBy::B],
        CloseBy::Both => &[CloseBy::Both, CloseBy::A, CloseBy::B],
    };
    let fits = |by: CloseBy| all().iter().filter(move |flow| is(flow, pf_a, pf_b, Kind::Closing, Some(by)));
    order.iter().copied().flat_map(fits).collect()
}

/// The set-up for these places of the PFs.
pub fn set_up(pf_a: MediaPath, pf_b: MediaPath) -> &'static Flow {
    find(pf_a, pf_b, Kind::SetUp, None)
}

/// The registrations of User A and of User B.
pub fn registration() -> [&'static Flow; 2] {
    [&all()[0], &all()[1]]
}

fn is(flow: &Flow, pf_a: MediaPath, pf_b: MediaPath, kind: Kind, by: Option<CloseBy>) -> bool {
    flow.kind == kind && flow.pf_a == Some(pf_a) && flow.pf_b == Some(pf_b) && flow.close_by == by
}

fn find(pf_a: MediaPath, pf_b: MediaPath, kind: Kind, by: Option<CloseBy>) -> &'static Flow {
    let found = all().iter().find(|flow| is(flow, pf_a, pf_b, kind, by));
    found.expect("a test walks every combination of places and closers")
}

#[cfg(test)]
mod tests;
