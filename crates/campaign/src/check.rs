//! What must hold at the end (reliability, invariants I1 to I4); `scenarios::audit` looks at what was on the wire.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flow::{MediaPath, Message, Observed};
use role_client::Event;
use scenarios::{Site, System, audit};
use sim::{Arrow, Fate, Net};
use wire::Transport;

use crate::{Kind, Plan, What};

/// A message that a client took from its user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Posted {
    pub(crate) from: Site,
    pub(crate) id: String,
    pub(crate) text: String,
}

/// Whether a close surely gets through: nobody dies, and what holds it up is over well before Timer F. A connection that is
/// asked for while nothing crosses is given up sooner; with losses, few repetitions are left.
pub(crate) fn is_gentle(plan: &Plan) -> bool {
    let held_up: Duration = plan.events.iter().map(|event| event.what.lasts()).sum();
    let late: Duration = plan.events.iter().map(|event| delay(&event.what)).sum();
    let most = if plan.link.loss > 0.0 {
        0
    } else if plan.topology.transport == Transport::Tcp {
        8
    } else {
        20
    };
    !plan.strikes(&[Kind::Crash, Kind::BlackHole]) && held_up + late <= Duration::from_secs(most)
}

const fn delay(what: &What) -> Duration {
    if let What::Delay(_, extra) = what { *extra } else { Duration::ZERO }
}

/// Whether a BYE may pass a function off the media path by, because nobody sends it or it does not get so far.
pub(crate) fn may_miss_a_bye(plan: &Plan) -> bool {
    !is_gentle(plan)
}

/// All of it.
///
/// # Panics
/// When something does not hold.
pub(crate) fn all(plan: &Plan, system: &System, posted: &[Posted]) {
    audit(system, &plan.crashed());
    assert_eq!(system.open(), [], "I2: something is still held");
    if !plan.fails() && plan.link.loss == 0.0 {
        every_bye_is_answered(system);
    }
    records(plan, system);
    messages(plan, system, posted);
}

/// Whether the first BYE is of a side that no ACK has reached.
pub(crate) fn an_ack_never_came(net: &Net) -> bool {
    let call_id = |arrow: &Arrow| arrow.text().lines().find(|line| line.starts_with("Call-ID:")).map(str::to_owned);
    let Some(bye) = net.arrows().iter().find(|arrow| arrow.label == "BYE" && &*arrow.from != "stranger") else {
        return false;
    };
    let mut of_dialog = net.arrows().iter().filter(|arrow| call_id(arrow) == call_id(bye));
    let answered = of_dialog.clone().any(|arrow| arrow.from == bye.from && answers_invite(arrow));
    let has_come = |arrow: &Arrow| arrow.label == "ACK" && arrow.to == bye.from && arrow.fate == Fate::Delivered;
    answered && !of_dialog.any(has_come)
}

fn answers_invite(arrow: &Arrow) -> bool {
    arrow.label == "200 OK" && arrow.text().contains("INVITE\r\n")
}

/// Where nothing fails, nobody has to give up waiting.
fn every_bye_is_answered(system: &System) {
    let seen = system.observed_since(wire::Instant::ZERO);
    let is_final = |arrow: &&Observed| arrow.message.status().is_some_and(|status| status >= 200);
    let answered: BTreeSet<_> = seen.iter().filter(is_final).map(|arrow| (&arrow.branch, &arrow.cseq)).collect();
    let byes = seen.iter().filter(|arrow| arrow.message == Message::request("BYE") && arrow.from != "stranger");
    for bye in byes {
        let is_answered = answered.contains(&(&bye.branch, &bye.cseq));
        assert!(is_answered, "{} is not answered by {}: {bye:?}", bye.from, bye.to);
    }
}

/// I3: a session that was up on both sides has one record at each participating function. That it has not two is looked at by
/// the audit. Where a function dies, an INVITE that is repeated may become two sessions, so only the caller's side is counted,
/// and only on the media path with a journal, where no session is up before it is kept.
fn records(plan: &Plan, system: &System) {
    let crashed = plan.crashed();
    if crashed.contains(&Site::ClientA) || crashed.contains(&Site::ClientB) {
        return;
    }
    let count = |name: &str| system.told_by(name).filter(|event| matches!(event, Event::Established { .. })).count();
    let calls = plan.events.iter().filter(|event| event.what == What::Call).count();
    let surely_both = (count("client-a") + count("client-b")).saturating_sub(calls);
    let keeps = plan.durable && plan.topology.pf_a == MediaPath::On;
    let expected = match (crashed.as_slice(), keeps) {
        ([], _) => [surely_both; 2],
        (_, true) => [count("client-a"), 0],
        (_, false) => [0; 2],
    };
    for (pf, expected) in [Site::PfA, Site::PfB].into_iter().zip(expected) {
        let written = system.records.iter().filter(|(site, _)| *site == pf).count();
        assert!(written >= expected, "I3: {} wrote {written} records of {expected} sessions or more", pf.name());
    }
}

/// I4: no message comes twice, or changed; one that was taken comes, or its sender is told; a sender is told once.
fn messages(plan: &Plan, system: &System, posted: &[Posted]) {
    let crashed = plan.crashed();
    let mut came: BTreeMap<&str, BTreeSet<&[u8]>> = BTreeMap::new();
    for (who, event) in &system.told {
        if let Event::Message { content, .. } = event {
            let is_first = came.entry(who).or_default().insert(content);
            assert!(is_first, "I4: {who} got a message twice: {event:?}");
            let is_known = posted.iter().any(|posted| posted.text.as_bytes() == &**content);
            assert!(is_known, "I4: {who} got what nobody sent");
        }
    }
    for Posted { from, id, text } in posted.iter().filter(|posted| !crashed.contains(&posted.from)) {
        let to = if *from == Site::ClientA { Site::ClientB } else { Site::ClientA };
        let has_come = came.get(to.name()).is_some_and(|came| came.contains(text.as_bytes()));
        let mut ends = system.told_by(from.name()).filter_map(|event| end_of(event, id));
        let end = ends.next().unwrap_or_else(|| panic!("I4: {} was told nothing of message {id}", from.name()));
        assert_eq!(ends.next(), None, "I4: {} was told twice of message {id}", from.name());
        // A message dies with its receiver, and with a function that holds part of it.
        let may_die = crashed.contains(&to)
            || (crashed.contains(&Site::PfA) && plan.topology.pf_a == MediaPath::On)
            || (crashed.contains(&Site::PfB) && plan.topology.pf_b == MediaPath::On);
        match end {
            End::Sent => assert!(has_come || may_die, "I4: message {id} was taken and did not come"),
            End::NotSent { unknown } => {
                assert!(
                    !has_come || unknown || may_die,
                    "I4: message {id} came, and its sender was told that it did not"
                );
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Sent,
    NotSent { unknown: bool },
}

fn end_of(event: &Event, id: &str) -> Option<End> {
    match event {
        Event::Sent { message_id, .. } if message_id == id => Some(End::Sent),
        Event::NotSent { message_id, unknown, .. } if message_id == id => Some(End::NotSent { unknown: *unknown }),
        Event::Sent { .. }
        | Event::NotSent { .. }
        | Event::ReceiptLost { .. }
        | Event::RelayUp
        | Event::RelayFailed { .. }
        | Event::Registered { .. }
        | Event::RegistrationFailed { .. }
        | Event::Unregistered
        | Event::Incoming { .. }
        | Event::Ringing { .. }
        | Event::Established { .. }
        | Event::Failed { .. }
        | Event::Closed { .. }
        | Event::MediaUp { .. }
        | Event::Message { .. }
        | Event::Delivered { .. }
        | Event::Displayed { .. }
        | Event::Composing { .. } => None,
    }
}
