use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A table of the last so many entries: the oldest one makes room for the next.
#[derive(Debug)]
pub(crate) struct Recent<V> {
    capacity: usize,
    entries: BTreeMap<Arc<str>, V>,
    /// The keys, oldest first.
    order: VecDeque<Arc<str>>,
}

impl<V> Recent<V> {
    pub(crate) fn new(capacity: usize) -> Recent<V> {
        Recent { capacity: capacity.max(1), entries: BTreeMap::new(), order: VecDeque::new() }
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        self.entries.get_mut(key)
    }

    /// Adds an entry, unless there is one: says whether it was added.
    pub(crate) fn insert(&mut self, key: &str, value: V) -> bool {
        if self.entries.contains_key(key) {
            return false;
        }
        if self.order.len() == self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
        let key: Arc<str> = key.into();
        self.order.push_back(Arc::clone(&key));
        self.entries.insert(key, value);
        true
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<V> {
        let value = self.entries.remove(key)?;
        self.order.retain(|k| **k != *key);
        Some(value)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}
