//! What becomes of messages under way.

use super::state::{Message, State, Who};
use super::{Close, Patience, Steps, ends, node, step};

pub(super) fn steps(close: &Close, from: &State, steps: &mut Steps) {
    for message in from.net.kinds() {
        if message.is_for_end() {
            ends::take(from, message, steps);
        } else {
            deliver(close, from, message, steps);
        }
        if from.left.losses > 0 {
            let mut next = *from;
            next.left.losses -= 1;
            next.net.take(message);
            step(steps, Patience::Fault, Who::Net, None, lost(message), next);
        }
        if from.left.duplicates > 0 && message.is_request() {
            let mut next = *from;
            next.left.duplicates -= 1;
            next.net.send(message);
            step(steps, Patience::Fault, Who::Net, None, "doubles a BYE", next);
        }
    }
}

/// To a node that holds the session, or else to one that is up.
fn deliver(close: &Close, from: &State, message: Message, steps: &mut Steps) {
    let mut holders = close.nodes().filter(|n| from.nodes[*n].session.is_some()).peekable();
    if holders.peek().is_some() {
        return holders.for_each(|holder| node::take(close, from, holder, message, steps));
    }
    match close.nodes().find(|n| from.nodes[*n].is_up) {
        Some(idle) => node::take_without_session(from, idle, message, steps),
        None => {
            let mut next = *from;
            next.net.take(message);
            step(steps, Patience::Prompt, Who::Net, None, unheard(message), next);
        }
    }
}

const fn lost(message: Message) -> &'static str {
    match message {
        Message::ByeFrom(0) => "loses the BYE of end A",
        Message::ByeFrom(_) => "loses the BYE of end B",
        Message::ByeTo(0, _) => "loses the BYE to end A",
        Message::ByeTo(..) => "loses the BYE to end B",
        Message::OkTo(0) | Message::GoneTo(0) => "loses the answer to end A",
        Message::OkTo(_) | Message::GoneTo(_) => "loses the answer to end B",
        Message::OkFrom(0) | Message::GoneFrom(0) | Message::RefusalFrom(0, _) => "loses the answer of end A",
        Message::OkFrom(_) | Message::GoneFrom(_) | Message::RefusalFrom(..) => "loses the answer of end B",
    }
}

const fn unheard(message: Message) -> &'static str {
    match message {
        Message::ByeFrom(0) => "brings the BYE of end A to a node that is down",
        Message::ByeFrom(_) => "brings the BYE of end B to a node that is down",
        Message::OkFrom(_) | Message::GoneFrom(_) | Message::RefusalFrom(..) => {
            "brings an answer to a node that is down"
        }
        Message::ByeTo(..) | Message::OkTo(_) | Message::GoneTo(_) => "brings a message to a node that is down",
    }
}
