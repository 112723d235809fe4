//! Entries in the store that end the process which takes them up, whichever process that is.
//!
//! How often an entry was begun and not survived is kept beside it, and goes with it to who takes over. Those that nobody has
//! died of are begun together. After a death they all are suspects, and the next life begins them one at a time: so the one
//! that kills has killed three times when it is left alone, and the others proceed.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use engine::Try;
use store::{Lease, Lives as _, Measured};

/// How often an entry is taken up that nobody has survived.
const TRIES: u32 = 3;

/// Tries the entries of a node.
pub(super) struct Trial {
    store: Arc<Measured>,
    lease: Lease,
    /// Entries by what is known of them.
    tries: BTreeMap<u64, u32>,
    /// Begun and not yet survived.
    begun: Vec<u64>,
    left_alone: LeftAlone,
}

/// How many entries of a node are left alone.
pub(super) type LeftAlone = Arc<AtomicUsize>;

impl std::fmt::Debug for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trial").field("lease", &self.lease).field("begun", &self.begun.len()).finish_non_exhaustive()
    }
}

impl Trial {
    /// A trial of these entries, which are put in the order in which they are to be taken up: suspects come last.
    pub(super) fn of(
        store: &Arc<Measured>,
        lease: &Lease,
        entries: &mut [(u64, Bytes)],
        left_alone: &LeftAlone,
    ) -> Trial {
        let known = store.tries(lease).unwrap_or_else(|error| {
            tracing::warn!(%error, node = %lease.node, "what was not survived cannot be had: all is taken up");
            Vec::new()
        });
        let known: BTreeMap<u64, u32> = known.into_iter().collect();
        let tries = |key: &u64| known.get(key).copied().unwrap_or(0);
        entries.sort_by_key(|(key, _)| (tries(key), *key));
        let tries = entries.iter().map(|(key, _)| (*key, tries(key))).collect();
        let (store, lease, left_alone) = (Arc::clone(store), lease.clone(), Arc::clone(left_alone));
        Trial { store, lease, tries, begun: Vec::new(), left_alone }
    }

    /// Those that were begun are survived, and these begin, before anything else happens. Without the store there is no trial,
    /// and the entries are taken up as they are.
    fn begin(&mut self, keys: Vec<u64>) {
        let survived = mem::take(&mut self.begun).into_iter().map(|key| (key, 0));
        let begun = keys.iter().map(|key| (*key, self.tries.get(key).copied().unwrap_or(0) + 1));
        let tries: Vec<(u64, u32)> = survived.chain(begun).collect();
        if !tries.is_empty()
            && let Err(error) = self.store.set_tries(&self.lease, &tries)
        {
            tracing::warn!(%error, node = %self.lease.node, "what is being taken up cannot be written down");
        }
        self.begun = keys;
    }
}

impl Try for Trial {
    fn admits(&mut self, key: u64) -> bool {
        let tries = self.tries.get(&key).copied().unwrap_or(0);
        if tries >= TRIES {
            self.left_alone.fetch_add(1, Ordering::Relaxed);
            let node = &self.lease.node;
            tracing::error!(key, %node, "an entry in the store ends whoever takes it up: it is left alone there");
            return false;
        }
        if tries > 0 {
            self.begin(vec![key]);
        } else if self.begun.is_empty() {
            let clean = self.tries.iter().filter(|(_, tries)| **tries == 0).map(|(key, _)| *key).collect();
            self.begin(clean);
        }
        true
    }

    fn passed(&mut self) {
        self.begin(Vec::new());
    }
}

#[cfg(test)]
mod tests {
    use store::{Memory, Role};
    use wire::Entry;

    use super::*;

    /// What a life of a node takes up: it dies of one entry, if that comes.
    fn life(store: &Arc<Measured>, lease: &Lease, kills: u64, left_alone: &LeftAlone) -> (Vec<u64>, bool) {
        let mut entries = store.recall(lease).unwrap();
        let mut trial = Trial::of(store, lease, &mut entries, left_alone);
        let mut taken_up = Vec::new();
        for (key, _) in entries {
            if trial.admits(key) {
                taken_up.push(key);
                if key == kills {
                    return (taken_up, false);
                }
            }
        }
        trial.passed();
        (taken_up, true)
    }

    #[test]
    fn an_entry_that_kills_three_nodes_one_after_another_is_left_alone_and_the_others_proceed() {
        let store = Arc::new(Measured::new(Arc::new(Memory::default())));
        let first = store.begin("pf-0", Role::Participating).unwrap();
        let entry = |key| Entry { key, value: Some("x".into()), opens: false };
        store.keep(&first, &(0..1_000).map(entry).collect::<Vec<_>>()).unwrap();
        let left_alone = LeftAlone::default();
        // 1. Each node that takes over dies of the same entry.
        let (mut lease, mut taken_up) = (first, Vec::new());
        for heir in 1..=3 {
            let (all, survived) = life(&store, &lease, 500, &left_alone);
            assert!(!survived);
            taken_up.push(all.len());
            let dead = store.holders(Role::Participating).unwrap().remove(0);
            lease = store.begin(&format!("pf-{heir}"), Role::Participating).unwrap();
            assert_eq!(store.take_over(&lease, &dead).unwrap().unwrap().len(), 1_000);
        }
        // The first time nobody knows which one it was; then those in front are cleared, and so is all that was not reached.
        assert_eq!(taken_up, [501, 501, 1_000]);
        assert_eq!(left_alone.load(Ordering::Relaxed), 0);
        // 2. The next one leaves it alone, and so do all that follow.
        for n in 1..3 {
            let (all, survived) = life(&store, &lease, 500, &left_alone);
            assert_eq!((all.len(), all.contains(&500), survived), (999, false, true));
            assert_eq!((store.tries(&lease), left_alone.load(Ordering::Relaxed)), (Ok(vec![(500, 3)]), n));
        }
        // 3. It is still there for who looks into it.
        assert_eq!(store.recall(&lease).unwrap().len(), 1_000);
    }
}
