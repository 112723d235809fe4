/// A table that hands out small keys. A key whose entry is gone never finds a later one in its place.
#[derive(Debug)]
pub struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    len: usize,
    /// What new slots begin with: no slot that there ever was has gone so far.
    floor: u32,
}

/// Slots that an empty table keeps for the next entries. More are given back: there may once have been many.
const KEPT: usize = 1024;

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

/// The key of an entry of a [`Slab`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    /// The key as one number, for a place that has room for a number only.
    pub const fn to_bits(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    /// The key that [`Key::to_bits`] made the number of.
    pub const fn from_bits(bits: u64) -> Key {
        Key { index: bits as u32, generation: (bits >> 32) as u32 }
    }
}

impl<T> Slab<T> {
    /// An empty table.
    pub const fn new() -> Slab<T> {
        Slab { slots: Vec::new(), free: Vec::new(), len: 0, floor: 0 }
    }

    /// Adds an entry.
    pub fn insert(&mut self, value: T) -> Key {
        self.insert_with(|_| value)
    }

    /// Adds an entry that knows its key.
    pub fn insert_with(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: self.floor, value: None });
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[index as usize];
        let key = Key { index, generation: slot.generation };
        slot.value = Some(make(key));
        self.len += 1;
        key
    }

    /// The entry of a key.
    pub fn get(&self, key: Key) -> Option<&T> {
        self.slots.get(key.index as usize).filter(|s| s.generation == key.generation)?.value.as_ref()
    }

    /// The entry of a key.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.slots.get_mut(key.index as usize).filter(|s| s.generation == key.generation)?.value.as_mut()
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slots.get_mut(key.index as usize).filter(|s| s.generation == key.generation)?;
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.index);
        self.len -= 1;
        if self.is_empty() && self.slots.len() > KEPT {
            self.give_back();
        }
        Some(value)
    }

    fn give_back(&mut self) {
        let latest = self.slots.iter().map(|slot| slot.generation).max();
        *self = Slab { floor: latest.unwrap_or_default().wrapping_add(1), ..Slab::new() };
    }

    /// How many entries there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All entries, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slots.iter().enumerate().filter_map(|(i, slot)| {
            let key = Key { index: i as u32, generation: slot.generation };
            slot.value.as_ref().map(|v| (key, v))
        })
    }
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_key_finds_nothing() {
        let mut slab = Slab::new();
        let a = slab.insert('a');
        assert_eq!(slab.remove(a), Some('a'));
        let b = slab.insert('b');
        assert_eq!((slab.get(a), slab.get(b)), (None, Some(&'b')));
        assert_eq!(Key::from_bits(b.to_bits()), b);
        assert_eq!((slab.len(), slab.remove(a)), (1, None));
    }

    #[test]
    fn an_empty_table_gives_its_memory_back_and_stale_keys_still_find_nothing() {
        let mut slab = Slab::new();
        let mut stale: Vec<Key> = Vec::new();
        for _ in 0..3 {
            let keys: Vec<Key> = (0..2 * KEPT).map(|n| slab.insert(n)).collect();
            assert!(stale.iter().all(|key| slab.get(*key).is_none()));
            for key in &keys {
                slab.remove(*key);
            }
            assert_eq!((slab.len(), slab.slots.capacity()), (0, 0));
            stale.extend(keys);
        }
    }
}
