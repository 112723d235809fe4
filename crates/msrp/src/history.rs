use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::MessageId;

/// The last messages that ended, with what became of them; the oldest is forgotten for a new one.
#[derive(Debug)]
pub(crate) struct History<T> {
    limit: usize,
    /// Only looked up, never walked.
    known: HashMap<MessageId, T, foldhash::fast::RandomState>,
    order: VecDeque<MessageId>,
}

impl<T: Copy> History<T> {
    pub(crate) fn new(limit: usize) -> History<T> {
        History { limit, known: HashMap::default(), order: VecDeque::new() }
    }

    pub(crate) fn insert(&mut self, id: MessageId, what: T) {
        if self.known.insert(id.clone(), what).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    pub(crate) fn get(&self, id: &str) -> Option<T> {
        self.known.get(id).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten() {
        let id = |n: u32| MessageId::parse(&format!("id-{n}")).unwrap();
        let mut history = History::new(2);
        for n in [1, 2, 2, 3] {
            history.insert(id(n), n);
        }
        assert_eq!([1, 2, 3].map(|n| history.get(id(n).as_str())), [None, Some(2), Some(3)]);
    }
}
