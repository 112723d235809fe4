/// A table that hands out small keys. A key whose entry is gone never finds a later one in its place.
///
/// The slots lie in pieces that never move: a table that grew by moving would stop the world for as long as that takes, which
/// for a million entries is a tenth of a second.
#[derive(Debug)]
pub struct Slab<T> {
    /// All but the last are full.
    pieces: Vec<Vec<Slot<T>>>,
    free: Vec<u32>,
    len: usize,
    /// What new slots begin with: no slot that there ever was has gone so far.
    floor: u32,
}

/// Slots of a piece. An empty table keeps one piece for the next entries. More are given back: there may once have been many.
const PIECE: usize = 1024;

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
        Slab { pieces: Vec::new(), free: Vec::new(), len: 0, floor: 0 }
    }

    /// Adds an entry.
    pub fn insert(&mut self, value: T) -> Key {
        self.insert_with(|_| value)
    }

    /// Adds an entry that knows its key.
    pub fn insert_with(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        let index = self.free.pop().unwrap_or_else(|| self.grow());
        let slot = &mut self.pieces[index as usize / PIECE][index as usize % PIECE];
        let key = Key { index, generation: slot.generation };
        slot.value = Some(make(key));
        self.len += 1;
        key
    }

    /// Adds a slot.
    fn grow(&mut self) -> u32 {
        if self.pieces.last().is_none_or(|piece| piece.len() == PIECE) {
            // Small tables stay small.
            self.pieces.push(if self.pieces.is_empty() { Vec::new() } else { Vec::with_capacity(PIECE) });
        }
        let before = (self.pieces.len() - 1) * PIECE;
        let last = self.pieces.last_mut().expect("one was put there if there was none");
        last.push(Slot { generation: self.floor, value: None });
        (before + last.len() - 1) as u32
    }

    fn slot_mut(&mut self, key: Key) -> Option<&mut Slot<T>> {
        let slot = self.pieces.get_mut(key.index as usize / PIECE)?.get_mut(key.index as usize % PIECE)?;
        (slot.generation == key.generation).then_some(slot)
    }

    /// The entry of a key.
    pub fn get(&self, key: Key) -> Option<&T> {
        let slot = self.pieces.get(key.index as usize / PIECE)?.get(key.index as usize % PIECE)?;
        slot.value.as_ref().filter(|_| slot.generation == key.generation)
    }

    /// The entry of a key.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.slot_mut(key)?.value.as_mut()
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slot_mut(key)?;
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.index);
        self.len -= 1;
        if self.is_empty() && self.pieces.len() > 1 {
            self.give_back();
        }
        Some(value)
    }

    fn give_back(&mut self) {
        let latest = self.pieces.iter().flatten().map(|slot| slot.generation).max();
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
        self.pieces.iter().flatten().enumerate().filter_map(|(i, slot)| {
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
    fn a_table_that_grows_moves_no_entry() {
        let mut slab = Slab::new();
        let keys: Vec<Key> = (0..PIECE).map(|n| slab.insert(n)).collect();
        let places = |slab: &Slab<usize>| keys.iter().map(|key| std::ptr::from_ref(slab.get(*key).unwrap())).collect();
        let before: Vec<*const usize> = places(&slab);
        let more: Vec<Key> = (PIECE..5 * PIECE + 1).map(|n| slab.insert(n)).collect();
        let after: Vec<*const usize> = places(&slab);
        assert_eq!(before, after);
        assert!(slab.iter().map(|(_, value)| *value).eq(0..5 * PIECE + 1));
        assert_eq!(more.iter().rev().map_while(|key| slab.remove(*key)).count(), 4 * PIECE + 1);
        assert_eq!((slab.len(), slab.get(keys[PIECE - 1])), (PIECE, Some(&(PIECE - 1))));
    }

    #[test]
    fn an_empty_table_gives_its_memory_back_and_stale_keys_still_find_nothing() {
        let mut slab = Slab::new();
        let mut stale: Vec<Key> = Vec::new();
        for _ in 0..3 {
            let keys: Vec<Key> = (0..2 * PIECE).map(|n| slab.insert(n)).collect();
            assert!(stale.iter().all(|key| slab.get(*key).is_none()));
            for key in &keys {
                slab.remove(*key);
            }
            assert_eq!((slab.len(), slab.pieces.capacity()), (0, 0));
            stale.extend(keys);
        }
    }
}
