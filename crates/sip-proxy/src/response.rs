use std::time::Duration;

use bytes::Bytes;
use sip::{Edit, Name, Response};
use sip_tx::{ClientId, Failure, Stack};
use wire::{Key, Now, Timing};

use crate::context::{Context, Outcome};
use crate::{Proxy, ProxyEvent};

/// RFC 3326: what a fork is told that lost to another one.
const ELSEWHERE: &[u8] = b"SIP;cause=200;text=\"Call completed elsewhere\"";

impl Proxy {
    /// Response processing (RFC 3261 §16.7). Redirections are forwarded, not followed.
    pub(crate) fn on_response(&mut self, stack: &mut Stack, key: Key, tx: ClientId, response: Box<Response>, now: Now) {
        // 1. Find the context.
        let Some(context) = self.contexts.get_mut(key) else { return };
        let Some(fork) = context.fork(tx) else { return };
        let status = response.status();

        // 2. Timer C.
        if response.is_provisional() {
            fork.proceeding = true;
            if status > 100 {
                fork.timer_c = now.at + stack.timing().timer_c;
            }
        }

        // 3. Remove the topmost Via. A response without another one is for nobody behind us.
        let is_for_upstream = response.values(Name::Via).nth(1).is_some();

        // 4. Add the response to the context.
        let is_success = response.is_success();
        let is_first = fork.is_pending();
        if is_success && is_for_upstream {
            fork.outcome = Some(Outcome::Success);
        } else if !response.is_provisional() && is_first {
            let outcome = if is_for_upstream { Outcome::Response(response) } else { Outcome::Failed(502) };
            fork.outcome = Some(outcome);
            if status >= 600 {
                context.give_up(stack, None, now);
            }
            return self.settle(stack, key, now);
        }

        // 5. Forward at once what must not wait: provisional responses other than 100, and every 2xx to INVITE. To other
        // methods only 100 is provisional (RFC 4320 §4.1), and only the first 2xx counts.
        let is_timely = match (is_success, context.is_invite()) {
            (true, true) => context.status.is_none_or(|status| status < 300),
            (true, false) => !context.is_answered(),
            (false, true) => status > 100 && !context.is_answered(),
            (false, false) => false,
        };
        if !is_timely || !is_for_upstream {
            return self.settle(stack, key, now);
        }

        // 9. Forward the response.
        let bytes = context.print_response(&response, |_| {});
        stack.respond(context.server, status, bytes, now);
        self.events.push_back(context.report(status, Some(response)));

        // 10. Generate CANCELs. A 2xx that comes again, for want of its ACK, changes nothing.
        if is_success && is_first {
            if context.is_invite() {
                let until = now.at + stack.timing().timeout();
                context.linger = Some(until);
                self.fifos.linger.arm(key, until);
            }
            context.answered(status);
            context.give_up(stack, Some(ELSEWHERE), now);
            self.settle(stack, key, now);
        }
    }

    /// A client transaction ended without a final response (RFC 3261 §16.8 and §16.9).
    pub(crate) fn on_failed(&mut self, stack: &mut Stack, key: Key, tx: ClientId, why: Failure, now: Now) {
        let Some(context) = self.contexts.get_mut(key) else { return };
        let cancelled = context.cancelled;
        let Some(fork) = context.fork(tx).filter(|fork| fork.is_pending()) else { return };
        let status = match why {
            Failure::Timeout if cancelled => 487,
            Failure::Timeout => 408,
            Failure::Transport => 503,
        };
        fork.outcome = Some(Outcome::Failed(status));
        self.settle(stack, key, now);
    }

    /// Timer C (RFC 3261 §16.8): an INVITE that rings for ever is cancelled; one that was never heard of counts as 408.
    pub(crate) fn on_timer_c(&mut self, stack: &mut Stack, (key, at): (Key, u32), now: Now) {
        let Some(context) = self.contexts.get_mut(key) else { return };
        let Some(fork) = context.forks.get_mut(at as usize).filter(|fork| fork.is_pending()) else { return };
        if fork.timer_c > now.at {
            // A provisional response has moved it.
            return self.fifos.moved.arm((key, at), fork.timer_c);
        }
        let proceeding = fork.proceeding;
        if let Some(client) = fork.client {
            stack.cancel(client, None, now);
        }
        if !proceeding {
            fork.outcome = Some(Outcome::Failed(408));
        }
        self.settle(stack, key, now);
    }

    /// RFC 4320 §4.1: a non-INVITE request is answered 100 only when upstream's Timer E has reached T2.
    pub(crate) fn on_trying(&mut self, stack: &mut Stack, key: Key, now: Now) {
        let Some(context) = self.contexts.get_mut(key).filter(|context| !context.is_answered()) else { return };
        if let Some(incoming) = &context.incoming {
            stack.respond(context.server, 100, incoming.request.respond(100, "").finish(), now);
        }
    }

    /// Goes on once all forks have ended: with the next group, the best response, or the end of the context.
    pub(crate) fn settle(&mut self, stack: &mut Stack, key: Key, now: Now) {
        let Some(context) = self.contexts.get_mut(key) else { return };
        while context.is_settled() && !context.is_answered() {
            let Some(later) = &mut context.later else { break };
            let Some(group) = later.groups.next() else {
                context.later = None;
                break;
            };
            let Some(later) = context.later.take() else { break };
            context.start(stack, group, &later.recipe, &mut self.fifos, now);
            context.later = Some(later);
        }
        if !context.is_settled() {
            return;
        }
        if !context.is_answered() {
            match context.best(stack) {
                Some(best) => {
                    stack.respond(context.server, best.status, best.bytes, now);
                    context.answered(best.status);
                    self.events.push_back(context.report(best.status, best.response));
                }
                // The transaction sends nothing, but absorbs what comes again.
                None => stack.respond(context.server, 408, Bytes::new(), now),
            }
        }
        if context.linger.is_none_or(|until| until <= now.at) {
            let (tag, status) = (context.tag, context.status);
            self.contexts.remove(key);
            self.events.push_back(ProxyEvent::Done { context: key, tag, status });
        }
    }
}

impl Context {
    /// The response as it goes upstream: without our Via, with the role's edits.
    pub(crate) fn print_response(&self, response: &Response, more: impl FnOnce(&mut Edit<'_>)) -> Bytes {
        let mut edit = response.edit();
        edit.remove_top(Name::Via, 1);
        self.response_edits.apply(&mut edit);
        more(&mut edit);
        if self.stream && !response.has(Name::ContentLength) {
            edit.append(Name::ContentLength, response.body().len().to_string());
        }
        edit.finish()
    }

    /// Notes that a final response went upstream.
    pub(crate) fn answered(&mut self, status: u16) {
        self.status.get_or_insert(status);
        (self.incoming, self.later) = (None, None);
    }

    /// Tries nothing more, and cancels what still rings (RFC 3261 §16.7 step 10).
    pub(crate) fn give_up(&mut self, stack: &mut Stack, reason: Option<&[u8]>, now: Now) {
        self.later = None;
        if self.is_invite() {
            for client in self.forks.iter().filter(|fork| fork.is_pending()).filter_map(|fork| fork.client) {
                stack.cancel(client, reason, now);
            }
        }
    }
}

/// How long Timer E takes to reach T2.
pub(crate) fn trying_after(timing: &Timing) -> Duration {
    let (mut sum, mut interval) = (Duration::ZERO, timing.t1.max(Duration::from_millis(1)));
    while interval < timing.t2 {
        sum += interval;
        interval *= 2;
    }
    sum
}
