//! The function ends a session by itself: a BYE on every leg, at once and independently of each other.

use std::collections::VecDeque;
use std::time::Duration;

use cpm::{Closing, Release};
use wire::{Entropy, Instant, Key, Now};

use crate::bridge::{Bridge, Leg};
use crate::view::{Place, SessionId};
use crate::{Participating, close};

/// The mean time between two releases: when many sessions end together, their BYEs do not.
const PACE: Duration = Duration::from_millis(2);

/// Up to this much lateness is made up for: hosts do not wake a node for every release. Whoever was away for longer goes on at
/// the pace, or many would go at once.
const ARREARS: Duration = Duration::from_millis(20);

/// The sessions that are to be released, in turn.
#[derive(Debug, Default)]
pub(crate) struct Releases {
    /// Each session is in it once, so there are at most as many as sessions.
    waiting: VecDeque<Key>,
    /// When the next one may go.
    free_at: Instant,
}

impl Releases {
    fn push(&mut self, key: Key, now: Now) {
        if self.waiting.is_empty() {
            self.free_at = self.free_at.max(now.at);
        }
        self.waiting.push_back(key);
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.waiting.front().map(|_| self.free_at)
    }

    /// Takes the next one if it may go. The time to the one after it is drawn, or every node of a network that has seen the
    /// same failure would send in step.
    pub(crate) fn pop_due(&mut self, dice: &mut Entropy, now: Now) -> Option<Key> {
        let key = self.waiting.front().filter(|_| self.free_at <= now.at).copied()?;
        self.waiting.pop_front();
        let jitter = Duration::from_nanos(dice.below(PACE.as_nanos() as u64));
        if now.at - self.free_at > ARREARS {
            self.free_at = now.at;
        }
        self.free_at = self.free_at + PACE / 2 + jitter;
        Some(key)
    }
}

/// Why a session is not closed at an operator's command.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CloseError {
    /// There is no such session any more.
    #[error("there is no such session: it has ended, or is ending")]
    Unknown,
    /// The function is a proxy in this session.
    #[error(
        "the session passes this function off the media path, as through a proxy, which has no dialog to close (C.2.3.1, \
         Figure 9); ask the core to release it, and set `supervised` with media_path = \"auto\", or media_path = \"on\", \
         for sessions to come"
    )]
    OffMediaPath,
}

impl Participating {
    /// Ends a session because an operator wants it. It has ended when its record is there.
    pub fn close_session(&mut self, id: SessionId, now: Now) -> Result<(), CloseError> {
        match id.0 {
            Place::On(key) if self.bridges.get_mut(key).is_some_and(|bridge| bridge.drain.is_none()) => {
                self.release(key, Release::Operator, now);
                self.work(now);
                Ok(())
            }
            Place::Off(token) if self.relays.has(token) => Err(CloseError::OffMediaPath),
            Place::On(_) | Place::Off(_) => Err(CloseError::Unknown),
        }
    }

    /// Begins to shut down: sessions on the media path are closed, at a bounded pace; new ones and standalone messages are
    /// refused with 503; requests of sessions off the media path, and of those that are closing, are served as before.
    pub fn shut_down(&mut self, now: Now) {
        self.is_shutting_down = true;
        for key in self.bridges.live_keys() {
            self.release(key, Release::Shutdown, now);
        }
        self.work(now);
    }

    /// Whether nothing is left that [`Participating::shut_down`] closes.
    pub fn is_drained(&self) -> bool {
        self.bridges.live() == 0
    }

    /// Ends a session for a reason of the network's own, as soon as its turn comes. The first reason counts.
    pub(crate) fn release(&mut self, key: Key, why: Release, now: Now) {
        let Some(bridge) = self.bridges.get_mut(key) else { return };
        if bridge.release.is_none() && bridge.drain.is_none() && !bridge.is_closed() {
            bridge.release = Some(why);
            self.bridges.releases.push(key, now);
            self.carry_out_releases(now);
        }
    }

    /// Carries out what may go by now.
    pub(crate) fn carry_out_releases(&mut self, now: Now) {
        while let Some(key) = self.bridges.releases.pop_due(self.stack.entropy(), now) {
            self.carry_out_release(key, now);
        }
    }

    fn carry_out_release(&mut self, key: Key, now: Now) {
        // 1. Somebody may have closed it while it waited for its turn: then it is his close.
        let is_open = |bridge: &&mut Bridge| bridge.drain.is_none() && !bridge.hold.is_closing();
        let Some(bridge) = self.bridges.get_mut(key).filter(is_open) else { return };
        let Some(why) = bridge.release else { return };
        bridge.closed_by(Closing::Released(why), why.reason().map(str::to_owned));
        let (served, conversation_id) = (bridge.served_leg(), bridge.facts.conversation_id.clone());
        tracing::info!(why = why.as_str(), %conversation_id, "the function ends a session");

        // 2. Messages under way have the time that they have at any other close, but no BYE waits for them.
        let headers = close::headers(bridge);
        let sessions = Leg::BOTH.map(|leg| (leg, bridge.session(leg)));
        self.start_draining(key, served, None, now);

        // 3. A BYE (or CANCEL, or refusal) on every leg. A user without a device is not called after.
        for (leg, session) in sessions {
            if leg == served && !why.reaches_served_user() {
                self.ua.abandon(&mut self.stack, session, now);
            } else {
                self.close_leg(session, &headers, now);
            }
        }

        // 4. What is left to do is what follows any close.
        self.go_on_closing(key, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f58_many_releases_are_paced_at_500_a_second_and_not_in_step() {
        let (mut releases, mut dice) = (Releases::default(), Entropy::from_seed(1));
        (0..1000).for_each(|n| releases.push(Key::from_bits(n), Now::default()));
        let (mut now, mut gaps) = (Now::default(), std::collections::BTreeSet::new());
        for n in 0..1000 {
            let due = releases.next_timeout().expect("more wait");
            gaps.insert(due - now.at);
            now.at = now.at.max(due);
            assert_eq!(releases.pop_due(&mut dice, now), Some(Key::from_bits(n)), "in turn");
            assert_eq!(releases.pop_due(&mut dice, now), None, "one at a time");
        }
        assert!((1.9..2.1).contains(&(now.at - Instant::ZERO).as_secs_f64()), "{now:?}");
        assert!(gaps.len() > 900, "the gaps are drawn");
        assert_eq!((releases.len(), releases.next_timeout()), (0, None));
    }

    #[test]
    fn f58_whoever_is_woken_every_5_ms_keeps_the_pace_and_whoever_was_away_makes_up_for_20_ms() {
        let (mut releases, mut dice) = (Releases::default(), Entropy::from_seed(1));
        let at = |ms: u64| Now { at: Instant::ZERO + Duration::from_millis(ms), ..Now::default() };
        (0..2000).for_each(|n| releases.push(Key::from_bits(n), at(60_000)));
        let mut gone = |ms: u64| std::iter::from_fn(|| releases.pop_due(&mut dice, at(ms))).count();
        assert_eq!(gone(60_000), 1, "nothing is made up for that was not waiting");
        let each: Vec<usize> = (1..=200).map(|n| gone(60_000 + 5 * n)).collect();
        assert!(each.iter().all(|gone| (1..=5).contains(gone)), "{each:?}");
        assert!((480..=520).contains(&each.iter().sum::<usize>()), "{each:?}");
        assert_eq!(gone(70_000), 1, "away for nine seconds");
        let (once, twice) = (gone(70_020), gone(70_040));
        assert!((7..=20).contains(&once) && (7..=20).contains(&twice), "{once}, {twice}");
    }
}
