use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// No UDP datagram is longer (the length field of RFC 768 has 16 bits); also the most read from a stream at once.
pub(crate) const READ_MAX: usize = 65_535;

/// Several reads share one block, so that a datagram costs neither an allocation nor a copy.
const BLOCK: usize = 256 * 1024;

/// Used-up blocks that wait until nobody holds a slice of them any more.
const SPARE: usize = 16;

/// The memory that sockets read into.
///
/// What is read is handed out as slices of large blocks. A slice that is kept keeps its whole block: a node that stores a
/// part of a message for long copies it.
pub(crate) struct ReadPool {
    block: BytesMut,
    spare: VecDeque<BytesMut>,
}

impl ReadPool {
    pub(crate) fn new() -> ReadPool {
        ReadPool { block: BytesMut::with_capacity(BLOCK), spare: VecDeque::with_capacity(SPARE) }
    }

    /// Room for one read of up to [`READ_MAX`] bytes. What it holds is of no meaning.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.block.len() < READ_MAX {
            if self.block.capacity() < READ_MAX {
                self.next_block();
            }
            // Only what the last read took is initialised anew.
            self.block.resize(READ_MAX, 0);
        }
        &mut self.block[..READ_MAX]
    }

    /// Takes the first `len` bytes of the room, which a read has filled.
    pub(crate) fn take(&mut self, len: usize) -> Bytes {
        self.block.split_to(len).freeze()
    }

    /// A copy of what was read elsewhere.
    pub(crate) fn copy(&mut self, data: &[u8]) -> Bytes {
        self.room()[..data.len()].copy_from_slice(data);
        self.take(data.len())
    }

    fn next_block(&mut self) {
        let next = self.reclaim().unwrap_or_else(|| BytesMut::with_capacity(BLOCK));
        let used = std::mem::replace(&mut self.block, next);
        if self.spare.len() == SPARE {
            self.spare.pop_front();
        }
        self.spare.push_back(used);
    }

    /// The oldest spare block, if all its slices are gone.
    fn reclaim(&mut self) -> Option<BytesMut> {
        let mut block = self.spare.pop_front()?;
        block.clear();
        if block.try_reclaim(BLOCK) {
            return Some(block);
        }
        self.spare.push_back(block);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_keep_what_was_read_and_blocks_are_used_again() {
        let mut pool = ReadPool::new();
        let mut blocks = std::collections::BTreeSet::new();
        let mut kept = Vec::new();
        for round in 0..1000_usize {
            let fill = round as u8;
            let room = pool.room();
            assert_eq!(room.len(), READ_MAX);
            room[..5000].fill(fill);
            let slice = pool.take(5000);
            assert!(slice.iter().all(|b| *b == fill));
            if round % 400 == 0 {
                kept.push((fill, slice.clone()));
            }
            blocks.insert(slice.as_ptr() as usize / BLOCK);
        }
        assert!(blocks.len() < 20, "blocks are used again, not allocated: {}", blocks.len());
        assert!(kept.iter().all(|(fill, slice)| slice.iter().all(|b| b == fill)), "a kept slice is not written over");
    }

    #[test]
    fn an_empty_datagram_takes_nothing() {
        let mut pool = ReadPool::new();
        pool.room();
        assert!(pool.take(0).is_empty());
        assert_eq!(pool.room().len(), READ_MAX);
    }
}
