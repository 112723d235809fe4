use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;
use sip::Request;
use wire::Key;

use crate::DialogId;

/// Finds sessions by what a request says of itself. Only hashes are kept here: what they are of, the session itself knows, and a
/// second copy for each would take more memory than all else that the table needs.
#[derive(Debug, Default)]
pub(crate) struct Index {
    table: HashTable<(u64, Key)>,
    hasher: foldhash::fast::RandomState,
}

impl Index {
    /// Adds a session under what it is found by, unless it is there already.
    pub(crate) fn insert(&mut self, what: impl Hash, key: Key) {
        let entry = (self.hasher.hash_one(what), key);
        if self.table.find(entry.0, |known| *known == entry).is_none() {
            self.table.insert_unique(entry.0, entry, |(hash, _)| *hash);
        }
    }

    /// The session that `is_it` is true of.
    pub(crate) fn find(&self, what: impl Hash, is_it: impl Fn(Key) -> bool) -> Option<Key> {
        let hash = self.hasher.hash_one(what);
        self.table.find(hash, |(known, key)| *known == hash && is_it(*key)).map(|(_, key)| *key)
    }

    /// Takes a session out.
    pub(crate) fn remove(&mut self, what: impl Hash, key: Key) {
        let entry = (self.hasher.hash_one(what), key);
        if let Ok(found) = self.table.find_entry(entry.0, |known| *known == entry) {
            found.remove();
        }
    }

    /// Gives the memory back that more than `kept` entries took, once there are none.
    pub(crate) fn tidy(&mut self, kept: usize) {
        if self.table.is_empty() && self.table.capacity() > kept {
            self.table = HashTable::new();
        }
    }
}

/// What identifies a dialog at our end, wherever it stands: Call-ID, our tag, the peer's tag.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct DialogParts<'a>([&'a [u8]; 3]);

impl<'a> DialogParts<'a> {
    pub(crate) const fn new(parts: [&'a [u8]; 3]) -> DialogParts<'a> {
        DialogParts(parts)
    }

    pub(crate) fn of(id: &'a DialogId) -> DialogParts<'a> {
        DialogParts([&id.call_id, &id.local_tag, &id.remote_tag])
    }

    /// Those of a request that came inside the dialog.
    pub(crate) fn seen(request: &'a Request) -> DialogParts<'a> {
        DialogParts([request.call_id(), request.to_tag(), request.from_tag()])
    }
}

/// What a request outside a dialog has in common with its copies on other ways (RFC 3261 §8.2.2.2): Call-ID, tag of From, CSeq.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Origin<'a>([&'a [u8]; 2], u32);

impl<'a> Origin<'a> {
    /// Of Call-ID, tag and sequence number.
    pub(crate) const fn new(parts: [&'a [u8]; 2], cseq: u32) -> Origin<'a> {
        Origin(parts, cseq)
    }

    /// The origin of the INVITE that made a dialog of a callee.
    pub(crate) fn in_dialog(id: &'a DialogId, cseq: u32) -> Origin<'a> {
        Origin([&id.call_id, &id.remote_tag], cseq)
    }

    pub(crate) fn of(request: &'a Request) -> Origin<'a> {
        Origin([request.call_id(), request.from_tag()], request.cseq().number)
    }
}

#[cfg(test)]
mod tests {
    use wire::Slab;

    use super::*;

    #[test]
    fn of_two_with_one_hash_the_right_one_is_found_and_taken_out() {
        let (mut slab, mut index) = (Slab::new(), Index::default());
        let [a, b] = ["a", "b"].map(|name| slab.insert(name));
        // Twice the same is once.
        for key in [a, b, a] {
            index.insert("x", key);
        }
        assert_eq!(index.find("x", |key| slab.get(key) == Some(&"b")), Some(b));
        assert_eq!(index.find("y", |_| true), None);
        index.remove("x", a);
        assert_eq!(index.find("x", |key| key == a), None);
        assert_eq!(index.find("x", |_| true), Some(b));
        index.remove("x", b);
        index.tidy(0);
        assert_eq!((index.find("x", |_| true), index.table.capacity()), (None, 0));
    }
}
