//! After a restart: sessions of an earlier life are ended in order.
//!
//! The media of a session on the media path died with the process, so it cannot be carried on: both legs are closed. That is
//! the audit as well: a leg whose BYE we missed while we were dead answers 481, and the other one is closed all the same.
//! Off the media path nothing depends on us but the record; the session goes on.

use bytes::Bytes;
use cpm::{Closing, Release};
use sip_ua::Snapshot;
use wire::{Key, Now};

use crate::Participating;
use crate::bridge::{Bridge, Drain};
use crate::close;
use crate::media::LegMedia;
use crate::row::{About, Intent, Row};

/// Our requests since the row was written have used fewer sequence numbers than this. A BYE whose number was used before
/// would be answered 500, and the leg would live on; gaps are allowed (RFC 3261 §12.2.2).
const CSEQ_JUMP: u32 = 1_000;

/// RFC 3261 §8.1.1.5: sequence numbers are less than 2^31.
const MAX_CSEQ: u32 = (1 << 31) - 2;

impl Participating {
    /// An entry of an earlier life.
    pub(crate) fn on_recalled(&mut self, key: u64, value: &Bytes, now: Now) {
        match serde_json::from_slice(value) {
            Ok(Row::Bridge { session, legs, intent }) => self.resume_bridge(key, session, *legs, intent, now),
            Ok(Row::Relay { session, caller_tag, dialogs }) => {
                let facts = session.into_facts(key);
                self.control.opened(&facts.served.aor);
                self.relays.resume(facts, caller_tag, dialogs, now);
                self.journal.counters.resumed += 1;
            }
            Ok(Row::Over { record }) => self.control.take_over(record),
            Err(error) => self.on_unreadable(key, &error),
        }
    }

    fn on_unreadable(&mut self, key: u64, error: &dyn std::fmt::Display) {
        // It may be that of a later version of ours.
        tracing::error!(key = %format_args!("{key:016x}"), %error, "an entry of the journal cannot be read and is left alone");
        self.journal.counters.unreadable += 1;
    }

    fn resume_bridge(&mut self, key: u64, session: About, legs: [Snapshot; 2], intent: Option<Intent>, now: Now) {
        let resumed = legs.map(|mut leg| {
            leg.local_cseq = leg.local_cseq.saturating_add(CSEQ_JUMP).min(MAX_CSEQ);
            self.ua.resume(&leg)
        });
        let [caller, callee] = match resumed {
            [Ok(caller), Ok(callee)] => [caller, callee],
            [Err(error), other] | [other, Err(error)] => {
                if let Ok(other) = other {
                    // Half a session is closed as well.
                    self.ua.close(&mut self.stack, other, &sip_ua::Headers::new(), now);
                }
                return self.on_unreadable(key, &error);
            }
        };
        let facts = session.into_facts(key);
        self.control.opened(&facts.served.aor);
        self.journal.counters.resumed += 1;
        let listener = self.config.msrp.offered().clone();
        let legs = [caller, callee].map(|leg| (leg, LegMedia::new(listener.clone(), None, self.stack.entropy())));
        let bridge = self.bridges.insert(Bridge::resumed(facts, legs));
        match intent {
            Some(intent) => self.resume_closing(bridge, intent, now),
            None => self.release(bridge, Release::Restarted, now),
        }
    }

    /// It was being closed: that goes on at once.
    fn resume_closing(&mut self, key: Key, intent: Intent, now: Now) {
        let Some(bridge) = self.bridges.get_mut(key) else { return };
        let (from, closing) = (intent.from, intent.closing);
        bridge.close_as(intent);
        let Some(from) = from else {
            let why = if let Closing::Released(why) = closing { why } else { Release::Restarted };
            return self.release(key, why, now);
        };
        // One leg had closed: its BYE is answered if it comes again.
        let bye = Some(close::headers(bridge));
        bridge.drain = Some(Drain { from, bye, is_late: true });
        let closed = bridge.session(from);
        self.ua.resume_closed(&mut self.stack, closed, now);
    }
}
