//! What a node of the participating function does.

use super::state::{Cause, LegIs, Message, Node, SIDES, Session, Side, State, Who};
use super::{CSEQ_JUMP, Close, Patience, RETRIES, Rule, Steps, is_up, step};

pub(super) fn steps(close: &Close, from: &State, n: usize, steps: &mut Steps) {
    let node = from.nodes[n];
    if !node.is_up {
        return step(steps, Patience::Prompt, Who::Pf(n), None, "starts again", started(close, from, n));
    }
    if from.left.crashes > 0 {
        let mut next = *from;
        next.left.crashes -= 1;
        next.nodes[n] = Node::default();
        // What it was told it will be told again, if the end still lives.
        next.is_told &= next.journal.closed;
        // An operator's command that was not written down is forgotten: nobody was told that it was done. A session that
        // is in the journal is closed for another reason then. What another node is closing stays right.
        let is_closing = |node: &Node| node.session.is_some_and(|session| session.closing.is_some());
        let is_right = next.journal.closing.is_some() || next.nodes.iter().any(is_closing);
        next.has_cause = is_right || SIDES.iter().any(|x| !is_up(from, *x));
        step(steps, Patience::Fault, Who::Pf(n), None, "crashes", next);
    }
    take_over(close, from, n, steps);
    outbox(close, from, n, steps);
    if let Some(session) = node.session {
        begin(close, from, n, &session, steps);
        journal(close, from, n, &session, steps);
        for x in SIDES {
            leg(close, from, n, &session, x, steps);
        }
        finish(close, from, n, &session, steps);
    }
}

/// A node that starts resumes what the journal says is its own.
fn started(close: &Close, from: &State, n: usize) -> State {
    let mut next = *from;
    next.nodes[n] = Node { is_up: true, ..Node::default() };
    if usize::from(from.journal.owner) == n {
        resume(close, &mut next, n);
    }
    next
}

/// The media died with the process, so a resumed session is closed: on the leg that has not closed already, or on both.
fn resume(close: &Close, next: &mut State, n: usize) {
    let journal = next.journal;
    if !journal.opened || journal.closed {
        return;
    }
    let restarted = close.has(Rule::RestartCloses).then_some(Cause::Restarted);
    let (closing, is_kept) = (journal.closing.or(restarted), journal.closing.is_some());
    let mut session = Session { closing, is_kept, epoch: journal.epoch, ..Session::default() };
    next.has_cause |= session.closing.is_some();
    for x in SIDES {
        let leg = &mut session.legs[x];
        leg.cseq = if close.has(Rule::CseqJump) { CSEQ_JUMP } else { 0 };
        match session.closing {
            None => {}
            Some(Cause::Gone(side)) if usize::from(side) == x => leg.is = LegIs::Closed,
            Some(Cause::Gone(_) | Cause::Operator | Cause::Restarted) => leg.is = LegIs::Closing,
        }
    }
    next.nodes[n].session = Some(session);
}

/// Another node takes the session over: rightly when its owner is down, wrongly when that one is only slow.
fn take_over(close: &Close, from: &State, n: usize, steps: &mut Steps) {
    let owner = usize::from(from.journal.owner);
    let is_wrong = from.nodes[owner].is_up;
    if !close.bounds.second_node || owner == n || from.journal.closed || (is_wrong && from.left.take_overs == 0) {
        return;
    }
    let mut next = *from;
    next.left.take_overs -= u8::from(is_wrong);
    next.journal.owner = n as u8;
    next.journal.epoch += 1;
    // It begins with what is in the journal, as after a crash.
    next.is_told = false;
    resume(close, &mut next, n);
    let what = if is_wrong { "takes over, wrongly" } else { "takes over" };
    step(steps, Patience::Fault, Who::Pf(n), None, what, next);
}

/// What starts a close, or moves sequence numbers before.
fn begin(close: &Close, from: &State, n: usize, session: &Session, steps: &mut Steps) {
    if session.closing.is_some() {
        return;
    }
    let who = Who::Pf(n);
    if from.left.operator > 0 && is_up(from, 0) && is_up(from, 1) {
        let mut next = *from;
        next.left.operator -= 1;
        next.has_cause = true;
        let mut closing = *session;
        closing.closing = Some(Cause::Operator);
        closing.legs.iter_mut().for_each(|leg| leg.is = LegIs::Closing);
        next.nodes[n].session = Some(closing);
        step(steps, Patience::Fault, who, None, "is told to close", next);
    }
    for x in SIDES {
        if from.left.updates > 0 && is_up(from, x) {
            let mut next = *from;
            next.left.updates -= 1;
            update(&mut next, n, session, x);
            step(steps, Patience::Fault, who, Some(Who::End(x)), "UPDATE", next);
        }
        if close.has(Rule::SessionTimer) && !is_up(from, x) && !from.net.any(|m| m.is_bye_from(x)) {
            let next = found_gone(from, n, session, x);
            step(steps, Patience::SessionTimer, who, None, expired(x), next);
        }
    }
}

/// A request inside the dialog, of which nothing but the sequence number matters.
fn update(next: &mut State, n: usize, session: &Session, x: Side) {
    let cseq = session.legs[x].cseq + 1;
    with(next, n, session, |session| session.legs[x].cseq = cseq);
    next.ends[x].seen = next.ends[x].seen.max(cseq);
}

fn found_gone(from: &State, n: usize, session: &Session, x: Side) -> State {
    let mut next = *from;
    next.nodes[n].session = Some(closing(session, x));
    next
}

const fn expired(x: Side) -> &'static str {
    if x == 0 { "session timer of leg A expires" } else { "session timer of leg B expires" }
}

/// The session as it is once this side is gone.
fn closing(session: &Session, x: Side) -> Session {
    let mut closing = *session;
    closing.closing = closing.closing.or(Some(Cause::Gone(x as u8)));
    closing.legs[x].is = LegIs::Closed;
    let other = &mut closing.legs[1 - x];
    if other.is == LegIs::Up {
        other.is = LegIs::Closing;
    }
    closing
}

/// Whether this node may still write about the session.
fn is_owner(close: &Close, from: &State, session: &Session) -> bool {
    !close.has(Rule::CompareAndSet) || (session.epoch == from.journal.epoch && !from.journal.closed)
}

/// The intent to close goes to the journal.
fn journal(close: &Close, from: &State, n: usize, session: &Session, steps: &mut Steps) {
    let Some(cause) = session.closing else { return };
    if session.is_kept && is_owner(close, from, session) {
        return;
    }
    let is_time = close.has(Rule::IntentBefore200) || session.legs.iter().all(|leg| !leg.owes_answer);
    if is_owner(close, from, session) && is_time {
        let mut next = *from;
        next.journal.closing = Some(cause);
        with(&mut next, n, session, |session| session.is_kept = true);
        return step(steps, Patience::Prompt, Who::Pf(n), None, "journal: closing", next);
    }
    if !is_owner(close, from, session) && close.has(Rule::Fence) {
        let mut next = *from;
        next.nodes[n].session = None;
        step(steps, Patience::Prompt, Who::Pf(n), None, "is not the owner any more, and lets go", next);
    }
}

/// What is sent on one leg.
fn leg(close: &Close, from: &State, n: usize, session: &Session, x: Side, steps: &mut Steps) {
    let (who, to, leg) = (Who::Pf(n), Some(Who::End(x)), session.legs[x]);
    let is_written = session.is_kept || !close.has(Rule::IntentBefore200);
    if leg.owes_answer && is_written {
        let mut next = *from;
        let cause = if session.is_kept { from.journal.closing } else { session.closing };
        next.promised = next.promised.or(cause);
        next.net.send(Message::OkTo(x as u8));
        with(&mut next, n, session, |session| session.legs[x].owes_answer = false);
        step(steps, Patience::Prompt, who, to, "200", next);
    }
    // ARCHITECTURE: a BYE is answered before the next one is sent.
    let comes_after = !session.legs[1 - x].owes_answer;
    let is_under_way = from.net.any(|m| m.side() == x && matches!(m, Message::ByeTo(..)));
    if leg.is != LegIs::Closing || is_under_way || !is_written {
        return;
    }
    if leg.sent < close.bounds.sends && comes_after {
        let mut next = *from;
        // A BYE that was refused has its next number already.
        let cseq = leg.cseq + u8::from(leg.sent == 0 && leg.refused == 0);
        next.net.send(Message::ByeTo(x as u8, cseq));
        with(&mut next, n, session, |session| {
            session.legs[x].cseq = cseq;
            session.legs[x].sent += 1;
        });
        let what = match (leg.sent, leg.refused) {
            (0, 0) => "BYE",
            (0, _) => "BYE (higher CSeq)",
            _ => "BYE (repeated)",
        };
        step(steps, Patience::Prompt, who, to, what, next);
    }
    let answer_comes = from
        .net
        .any(|m| m.side() == x && matches!(m, Message::OkFrom(_) | Message::GoneFrom(_) | Message::RefusalFrom(..)));
    if leg.sent == close.bounds.sends && !answer_comes && close.has(Rule::TimerFEndsTheLeg) {
        let mut next = *from;
        with(&mut next, n, session, |session| session.legs[x].is = LegIs::Closed);
        step(steps, Patience::Prompt, who, None, "Timer F", next);
    }
}

fn with(next: &mut State, n: usize, session: &Session, change: impl FnOnce(&mut Session)) {
    let mut changed = *session;
    change(&mut changed);
    next.nodes[n].session = Some(changed);
}

/// A node that holds the session takes a message.
pub(super) fn take(close: &Close, from: &State, n: usize, message: Message, steps: &mut Steps) {
    let Some(session) = from.nodes[n].session else { return };
    let (who, x) = (Who::Pf(n), message.side());
    let mut next = *from;
    next.net.take(message);
    let mut changed = session;
    let what = match message {
        Message::ByeFrom(_) => {
            changed = closing(&session, x);
            changed.legs[x].owes_answer = true;
            "reads the BYE"
        }
        Message::OkFrom(_) | Message::GoneFrom(_) => {
            if session.legs[x].is == LegIs::Closing {
                changed.legs[x].is = LegIs::Closed;
            }
            // The end had closed while nobody was here.
            let had_closed = matches!(message, Message::GoneFrom(_)) && session.closing == Some(Cause::Restarted);
            if had_closed && session.legs[x].is == LegIs::Closing {
                // What a former owner hears is in no record of its own.
                next.is_told |= is_owner(close, from, &session);
                if close.has(Rule::GoneIsTheCause) {
                    changed.closing = Some(Cause::Gone(x as u8));
                }
            }
            "has the answer"
        }
        Message::RefusalFrom(_, cseq) if session.legs[x].cseq == cseq => {
            refused(close, &mut changed, x);
            "has the refusal"
        }
        Message::RefusalFrom(..) => "ignores an old refusal",
        Message::OkTo(_) | Message::GoneTo(_) | Message::ByeTo(..) => return,
    };
    next.nodes[n].session = Some(changed);
    step(steps, Patience::Prompt, who, None, what, next);
}

fn refused(close: &Close, session: &mut Session, x: Side) {
    let leg = &mut session.legs[x];
    if leg.is != LegIs::Closing {
        return;
    }
    if close.has(Rule::RefusalIsNotClosed) && leg.refused < RETRIES {
        leg.refused += 1;
        leg.cseq += 1;
        leg.sent = 0;
    } else {
        leg.is = LegIs::Closed;
    }
}

/// A node that holds nothing takes a message: it asks the journal whether somebody does.
pub(super) fn take_without_session(from: &State, n: usize, message: Message, steps: &mut Steps) {
    let x = message.side();
    let mut next = *from;
    next.net.take(message);
    let is_open = from.journal.opened && !from.journal.closed;
    if matches!(message, Message::ByeFrom(_)) && !is_open {
        next.net.send(Message::GoneTo(x as u8));
        return step(steps, Patience::Prompt, Who::Pf(n), Some(Who::End(x)), "481", next);
    }
    step(steps, Patience::Prompt, Who::Pf(n), None, "has no use for a message", next);
}

/// Both legs are closed: the session ends, and its record goes to the outbox.
fn finish(close: &Close, from: &State, n: usize, session: &Session, steps: &mut Steps) {
    let is_over = session.legs.iter().all(|leg| leg.is == LegIs::Closed && !leg.owes_answer);
    if !is_over || !session.is_kept || !is_owner(close, from, session) {
        return;
    }
    let mut next = *from;
    next.journal.closed = true;
    next.journal.closing = session.closing;
    next.nodes[n].session = None;
    if close.has(Rule::OneEntry) {
        next.journal.outbox |= 1 << session.epoch;
        return step(steps, Patience::Prompt, Who::Pf(n), None, "journal: closed, with its record", next);
    }
    next.nodes[n].unwritten = true;
    step(steps, Patience::Prompt, Who::Pf(n), None, "journal: closed", next);
}

/// Records go from the journal to the sink, and are then taken out of the journal.
fn outbox(close: &Close, from: &State, n: usize, steps: &mut Steps) {
    let (node, who) = (from.nodes[n], Who::Pf(n));
    if node.unwritten {
        let mut next = *from;
        next.nodes[n].unwritten = false;
        next.sink.records += 1;
        next.sink.cause = from.journal.closing;
        step(steps, Patience::Prompt, who, None, "hands the record over", next);
    }
    if from.journal.outbox == 0 {
        return;
    }
    let mut next = *from;
    if node.delivered {
        next.journal.outbox = 0;
        next.nodes[n].delivered = false;
        return step(steps, Patience::Prompt, who, None, "journal: delivered", next);
    }
    let new = if close.has(Rule::RecordKey) { from.journal.outbox & !from.sink.keys } else { from.journal.outbox };
    next.sink.records = (from.sink.records + new.count_ones() as u8).min(3);
    next.sink.keys |= new;
    next.sink.cause = from.journal.closing;
    next.nodes[n].delivered = true;
    step(steps, Patience::Prompt, who, None, "hands the record over", next);
}
