//! What an end does by itself: leave, repeat its BYE, give up, die.

use super::state::{EndIs, Message, Side, State, Who};
use super::{Close, Patience, Steps, is_up, step};

pub(super) fn steps(close: &Close, from: &State, x: Side, steps: &mut Steps) {
    let (end, who, pf) = (from.ends[x], Who::End(x), Some(Who::Pf(0)));
    // The ends are alike: that A is the first to do something leaves nothing out.
    let may_begin = from.has_cause || x == 0;
    if is_up(from, x) && may_begin && x < usize::from(close.bounds.closers) {
        let mut next = *from;
        (next.ends[x].is, next.ends[x].sent) = (EndIs::Leaving, 1);
        (next.byes[x], next.has_cause) = (true, true);
        next.net.send(Message::ByeFrom(x as u8));
        step(steps, Patience::Fault, who, pf, "BYE", next);
    }
    if end.is == EndIs::Leaving && !from.net.any(|m| m.is_bye_from(x)) && !is_answered(from, x) {
        let mut next = *from;
        if end.sent < close.bounds.sends {
            next.ends[x].sent += 1;
            next.net.send(Message::ByeFrom(x as u8));
            step(steps, Patience::Prompt, who, pf, "BYE (repeated)", next);
        } else {
            next.ends[x].is = EndIs::Out;
            step(steps, Patience::Prompt, who, None, "Timer F", next);
        }
    }
    if matches!(end.is, EndIs::Up | EndIs::Leaving) && from.left.deaths > 0 && may_begin {
        let mut next = *from;
        next.left.deaths -= 1;
        next.ends[x].is = EndIs::Dead;
        next.has_cause = true;
        step(steps, Patience::Fault, who, None, "dies", next);
    }
}

/// An answer to its BYE is under way.
fn is_answered(from: &State, x: Side) -> bool {
    from.net.any(|m| m == Message::OkTo(x as u8) || m == Message::GoneTo(x as u8))
}

/// An end takes a message.
pub(super) fn take(from: &State, message: Message, steps: &mut Steps) {
    let x = message.side();
    let (end, who, pf) = (from.ends[x], Who::End(x), Some(Who::Pf(0)));
    let mut next = *from;
    next.net.take(message);
    match message {
        Message::OkTo(_) | Message::GoneTo(_) => {
            if end.is == EndIs::Leaving {
                next.ends[x].is = EndIs::Out;
            }
            step(steps, Patience::Prompt, who, None, "has its answer", next);
        }
        Message::ByeTo(..) if end.is == EndIs::Dead => {
            step(steps, Patience::Prompt, who, None, "is dead, and hears no BYE", next);
        }
        // RFC 3261 §12.2.2: a lower sequence number is answered 500, and the dialog lives.
        Message::ByeTo(_, cseq) if end.is != EndIs::Out && cseq < end.seen => {
            next.net.send(Message::RefusalFrom(x as u8, cseq));
            step(steps, Patience::Prompt, who, pf, "500 (CSeq too low)", next);
        }
        Message::ByeTo(_, cseq) => {
            if end.is == EndIs::Up && from.left.refusals > 0 {
                let mut sick = next;
                sick.left.refusals -= 1;
                sick.net.send(Message::RefusalFrom(x as u8, cseq));
                step(steps, Patience::Fault, who, pf, "500", sick);
            }
            let (what, answer) = match end.is {
                EndIs::Up => ("200", Message::OkFrom(x as u8)),
                EndIs::Leaving | EndIs::Out | EndIs::Dead => ("481", Message::GoneFrom(x as u8)),
            };
            next.ends[x].is = EndIs::Out;
            next.net.send(answer);
            step(steps, Patience::Prompt, who, pf, what, next);
        }
        Message::ByeFrom(_) | Message::OkFrom(_) | Message::GoneFrom(_) | Message::RefusalFrom(..) => {}
    }
}
