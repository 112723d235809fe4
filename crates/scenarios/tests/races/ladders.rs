//! The ladders of the races: a file for each test, `ladders/NAME.txt`, with a section for each topology that looks different.
//!
//! A section begins with `[off udp]`, `[on tcp]` or `[on udp tcp CASE]`: where the participating functions stand, which
//! transports it holds for, and the case where the test has several. Lines that begin with `#` say why.

use std::path::Path;

/// The ladder of a test for a topology, `PLACE TRANSPORT CASE`.
///
/// # Panics
/// When there is none.
#[track_caller]
pub(crate) fn find(test: &str, key: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/races/ladders").join(format!("{test}.txt"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let wanted: Vec<&str> = key.split_whitespace().collect();
    let sections = text.split("\n[").map(|section| section.strip_prefix('[').unwrap_or(section));
    let found = sections.filter_map(|section| section.split_once("]\n")).find(|(head, _)| is(head, &wanted));
    let (_, ladder) = found.unwrap_or_else(|| panic!("{} has no section for `{key}`", path.display()));
    ladder.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
}

/// Whether a section is for this place and transport, and for this case or for none.
fn is(head: &str, wanted: &[&str]) -> bool {
    let head: Vec<&str> = head.split_whitespace().collect();
    let named = |word: &str| ["udp", "tcp"].contains(&word);
    let (place, rest) = (head.first(), head.get(1..).unwrap_or_default());
    let case = rest.iter().find(|word| !named(word));
    place == wanted.first() && wanted.get(1).is_some_and(|transport| rest.contains(transport)) && case == wanted.get(2)
}
