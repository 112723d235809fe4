use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// No UDP datagram is longer (the length field of RFC 768 has 16 bits); also the most read from a stream at once.
pub(crate) const READ_MAX: usize = 65_535;

/// What is read at once beyond this is handed out as it lies, and copied up to this: to copy so little costs less than memory
/// that is in no cache, and short pieces share a block.
const SHORT: usize = 16 * 1024;

/// Short pieces share one block, so that none costs an allocation.
const BLOCK: usize = 256 * 1024;

/// Used memory of either kind that waits until nobody holds a slice of it any more.
const SPARE: usize = 16;

/// The memory that sockets read into.
///
/// As long as nobody keeps what was read, every read goes to the same place, and nothing is ever filled with zeros twice. What
/// is read is handed out as slices of something larger. A slice that is kept keeps all of that: a node that stores a part of
/// a message for long copies it.
pub(crate) struct ReadPool {
    /// Where the next read goes: [`READ_MAX`] octets that nobody else holds.
    room: BytesMut,
    /// Earlier rooms that were handed out, the oldest first.
    lent: VecDeque<Bytes>,
    /// Where short pieces go; empty, what it has room for is free.
    block: BytesMut,
    /// Earlier blocks, the oldest first.
    spare: VecDeque<BytesMut>,
}

impl ReadPool {
    pub(crate) fn new() -> ReadPool {
        ReadPool {
            room: BytesMut::zeroed(READ_MAX),
            lent: VecDeque::with_capacity(SPARE),
            block: BytesMut::with_capacity(BLOCK),
            spare: VecDeque::with_capacity(SPARE),
        }
    }

    /// Room for one read of up to [`READ_MAX`] bytes. What it holds is of no meaning.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        &mut self.room
    }

    /// Takes the first `len` bytes of the room, which a read has filled.
    pub(crate) fn take(&mut self, len: usize) -> Bytes {
        if len <= SHORT {
            self.make_place(len);
            return place(&mut self.block, &self.room[..len]);
        }
        let next = self.returned().unwrap_or_else(|| BytesMut::zeroed(READ_MAX));
        let whole = std::mem::replace(&mut self.room, next).freeze();
        let data = whole.slice(..len);
        self.lent.push_back(whole);
        data
    }

    /// A copy of what was read elsewhere.
    pub(crate) fn copy(&mut self, data: &[u8]) -> Bytes {
        self.make_place(data.len());
        place(&mut self.block, data)
    }

    /// The oldest room that was handed out, if all its slices are gone. Of too many in use the oldest is forgotten.
    fn returned(&mut self) -> Option<BytesMut> {
        let oldest = self.lent.pop_front()?;
        let kept = match oldest.try_into_mut() {
            Ok(room) if room.len() == READ_MAX => return Some(room),
            Ok(_) => return None,
            Err(kept) => kept,
        };
        if self.lent.len() < SPARE {
            self.lent.push_back(kept);
        }
        None
    }

    /// Sees to it that a short piece has a place in the block: at its start if nobody holds a slice of it, or else behind those.
    fn make_place(&mut self, len: usize) {
        if !self.block.try_reclaim(BLOCK) && self.block.capacity() < len {
            let next = self.reclaim().unwrap_or_else(|| BytesMut::with_capacity(BLOCK));
            let used = std::mem::replace(&mut self.block, next);
            if self.spare.len() == SPARE {
                self.spare.pop_front();
            }
            self.spare.push_back(used);
        }
    }

    /// The oldest spare block, if all its slices are gone.
    fn reclaim(&mut self) -> Option<BytesMut> {
        let mut block = self.spare.pop_front()?;
        if block.try_reclaim(BLOCK) {
            return Some(block);
        }
        self.spare.push_back(block);
        None
    }
}

fn place(block: &mut BytesMut, data: &[u8]) -> Bytes {
    block.extend_from_slice(data);
    block.split().freeze()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn read(pool: &mut ReadPool, len: usize, fill: u8) -> Bytes {
        let room = pool.room();
        assert_eq!(room.len(), READ_MAX);
        room[..len].fill(fill);
        pool.take(len)
    }

    #[test]
    fn what_nobody_keeps_leaves_its_memory_to_the_next_read() {
        for (len, places) in [(5000, 1), (SHORT + 1, 2)] {
            let mut pool = ReadPool::new();
            let used: BTreeSet<_> = (0..100).map(|fill| read(&mut pool, len, fill).as_ptr()).collect();
            assert_eq!(used.len(), places, "reads of {len}");
        }
    }

    #[test]
    fn a_kept_slice_is_not_written_over_and_memory_is_used_again_once_it_is_gone() {
        for len in [5000, SHORT, SHORT + 1, READ_MAX] {
            let mut pool = ReadPool::new();
            let mut used = BTreeSet::new();
            let (mut kept, mut recent) = (Vec::new(), VecDeque::new());
            for round in 0..1000_usize {
                let fill = round as u8;
                let slice = read(&mut pool, len, fill);
                assert!(slice.iter().all(|b| *b == fill));
                used.insert(slice.as_ptr() as usize / BLOCK);
                if round % 400 == 0 {
                    kept.push((fill, slice.clone()));
                }
                // A few are always under way.
                recent.push_back((fill, slice));
                recent.truncate(8);
                if round % 3 == 0 {
                    recent.pop_front();
                }
            }
            assert!(used.len() < 30, "{} blocks for reads of {len}", used.len());
            kept.extend(recent);
            assert!(kept.iter().all(|(fill, slice)| slice.iter().all(|b| b == fill)), "reads of {len}");
        }
    }

    #[test]
    fn an_empty_datagram_takes_nothing() {
        let mut pool = ReadPool::new();
        pool.room();
        assert!(pool.take(0).is_empty() && pool.copy(b"").is_empty());
        assert_eq!(pool.room().len(), READ_MAX);
    }
}
