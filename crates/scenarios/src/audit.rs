//! What must hold whatever the network did: looked at in what was on the wire and in what the clients told their users.

use std::collections::{BTreeMap, BTreeSet};

use flow::{Message, Observed};
use role_client::{Event, SessionId};

use crate::system::Told;
use crate::{Site, System};

/// Checks everything below; nodes that have died are given as `restarted`, since what they have forgotten nobody can hold
/// against them.
///
/// # Panics
/// When something does not hold.
pub fn audit(system: &System, restarted: &[Site]) {
    let seen = system.observed_since(wire::Instant::ZERO);
    let is_broken = system.net.broken_ends() > 0;
    let byes = one_bye_per_leg_and_side(&seen, restarted, is_broken);
    if let Err(broken) = byes.and_then(|()| one_final_answer_per_request(&seen, restarted, is_broken)) {
        panic!("{broken}\n{}", system.net.ladder());
    }
    one_end_per_session(system);
    one_record_per_session(system, restarted);
}

/// One, and once more for each reason: a challenge, a 491, a 503, and three times a 500.
const MOST_BYES: usize = 7;

fn is_restarted(restarted: &[Site], name: &str) -> bool {
    restarted.iter().any(|site| site.name() == name)
}

/// Each side of a dialog closes it with at most one BYE: one sequence number, and one branch on each hop. Another number
/// needs an answer to the one before that was a reason to say it again. Repetitions of the same transaction are the
/// transport's affair.
fn one_bye_per_leg_and_side(seen: &[Observed], restarted: &[Site], is_broken: bool) -> Result<(), String> {
    let mut byes: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    let mut copies: BTreeMap<(&str, &str, &str, &str, &str), BTreeSet<&str>> = BTreeMap::new();
    for arrow in seen.iter().filter(|arrow| arrow.message == Message::request("BYE")) {
        byes.entry((&arrow.call_id, &arrow.from_tag)).or_default().insert(&arrow.cseq);
        // A node that has forgotten a BYE forwards its repetition as a new one, and so does everybody behind it.
        if restarted.is_empty() {
            let leg = (arrow.call_id.as_str(), arrow.from_tag.as_str(), arrow.cseq.as_str());
            let hop = (arrow.from.as_str(), arrow.to.as_str(), leg.0, leg.1, leg.2);
            copies.entry(hop).or_default().insert(&arrow.branch);
        }
    }
    let may_be_said_again = |leg: &(&str, &str), number: &str| {
        seen.iter().any(|arrow| {
            let is_of_it = (arrow.call_id.as_str(), arrow.from_tag.as_str()) == *leg && arrow.cseq == number;
            is_of_it && matches!(arrow.message.status(), Some(401 | 407 | 491 | 500 | 503))
        })
    };
    let too_many = |(leg, numbers): &(&(&str, &str), &BTreeSet<&str>)| {
        numbers.iter().filter(|number| !may_be_said_again(leg, number)).count() > 1 || numbers.len() > MOST_BYES
    };
    // A node that comes back closes again what it may have closed before.
    if let Some((leg, numbers)) = byes.iter().find(too_many).filter(|_| restarted.is_empty()) {
        return Err(format!("a side closes its leg once: {leg:?} with {numbers:?}"));
    }
    // What a broken connection may have swallowed is sent again on another. A node that has answered it already takes that for
    // another request: over a stream Timer J is zero (RFC 3261 §17.2.2).
    let most = if is_broken { 2 } else { 1 };
    if let Some((hop, branches)) = copies.iter().find(|(_, branches)| branches.len() > most) {
        return Err(format!("a node sends a BYE in one transaction: {hop:?} in {branches:?}"));
    }
    Ok(())
}

/// A server transaction sends one final status.
fn one_final_answer_per_request(seen: &[Observed], restarted: &[Site], is_broken: bool) -> Result<(), String> {
    let mut answers: BTreeMap<(&str, &str, &str), BTreeSet<u16>> = BTreeMap::new();
    // Over a stream Timer J is zero: the BYE that comes again on another connection is answered as another request.
    let may_come_again = |arrow: &Observed| is_broken && arrow.reliable && arrow.cseq.ends_with(" BYE");
    for arrow in seen.iter().filter(|arrow| !is_restarted(restarted, &arrow.from) && !may_come_again(arrow)) {
        if let Message::Response { status: 200.., .. } = arrow.message {
            let status = arrow.message.status().unwrap_or_default();
            answers.entry((&arrow.from, &arrow.branch, &arrow.cseq)).or_default().insert(status);
        }
    }
    match answers.iter().find(|(_, statuses)| statuses.len() > 1) {
        Some((request, statuses)) => Err(format!("one final answer per request: {request:?} with {statuses:?}")),
        None => Ok(()),
    }
}

/// A client tells its user of each session in order: up at most once, then over exactly once, or failed exactly once and
/// never up. Nothing comes after the end.
fn one_end_per_session(system: &System) {
    let mut sessions: BTreeMap<(&str, SessionId), Told> = BTreeMap::new();
    sessions.extend(system.calls.iter().map(|session| (("client-a", *session), Told::Begun)));
    for (who, event) in &system.told {
        let Some((session, next)) = Told::by(event) else { continue };
        let is_close = matches!(event, Event::Closed { .. });
        let known = sessions.insert((*who, session), next);
        let in_order = match (known, next) {
            (None, Told::Begun | Told::Up) | (Some(Told::Begun), Told::Begun | Told::Up) => true,
            (None | Some(Told::Begun), Told::Over) => !is_close,
            (Some(Told::Up), Told::Over) => is_close,
            (Some(Told::Up), Told::Begun | Told::Up) | (Some(Told::Over), _) => false,
        };
        assert!(in_order, "{who} is told {event:?} when {session:?} is {known:?}: {:#?}", system.told);
    }
    for ((who, session), told) in sessions {
        assert_eq!(told, Told::Over, "{who} is left with {session:?}: {:#?}\n{}", system.told, system.net.ladder());
    }
}

/// A participating function writes a session down at most once. A node before it that has forgotten an INVITE makes another
/// session of its repetition, with the same identities.
fn one_record_per_session(system: &System, restarted: &[Site]) {
    if [Site::CoreA, Site::PfA, Site::CoreB, Site::PfB].iter().any(|site| restarted.contains(site)) {
        return;
    }
    let mut written = BTreeSet::new();
    for (site, record) in &system.records {
        assert!(record.ended >= record.started, "{record:?}");
        let is_first = written.insert((*site, &record.contribution_id));
        assert!(is_first, "{} wrote twice: {record:?}\n{}", site.name(), system.net.ladder());
    }
}
