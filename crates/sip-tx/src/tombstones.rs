use std::collections::VecDeque;

use bytes::Bytes;
use sip_transport::ReturnPath;
use wire::Instant;

/// What is left of server transactions that are over but for requests that come again: key, way back and response. There
/// are as many as requests in 64*T1, and none is looked at again but by chance. So they lie one behind the other in the order
/// in which they go: what is written and read in a row costs the memory little, where as many pieces, each freed by itself,
/// would miss the caches a dozen times each.
#[derive(Debug, Default)]
pub(crate) struct Tombstones {
    /// The oldest first. All but the last are full.
    chunks: VecDeque<Chunk>,
    /// The number of the first chunk.
    first: u64,
    /// How many stones of the first chunk are gone.
    gone: usize,
    count: usize,
}

#[derive(Debug)]
struct Chunk {
    stones: Vec<Stone>,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Stone {
    due: Instant,
    hash: u64,
    path: ReturnPath,
    /// Where its key begins in the octets of the chunk, where that ends and the response begins, and where that ends.
    places: [u32; 3],
}

/// Names a stone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StoneId {
    chunk: u64,
    at: u32,
}

/// Octets and stones of a chunk, about.
const BYTES: usize = 128 * 1024;
const STONES: usize = 256;

impl Tombstones {
    /// Keeps a transaction until `due`, which is not before that of any other. An empty response is never sent.
    pub(crate) fn push(&mut self, hash: u64, key: &[u8], path: ReturnPath, response: &[u8], due: Instant) -> StoneId {
        let is_full = |chunk: &Chunk| chunk.stones.len() == STONES || chunk.bytes.len() >= BYTES;
        if self.chunks.back().is_none_or(is_full) {
            self.chunks.push_back(Chunk { stones: Vec::with_capacity(STONES), bytes: Vec::with_capacity(BYTES) });
        }
        let number = self.first + self.chunks.len() as u64 - 1;
        let chunk = self.chunks.back_mut().expect("one was put there if there was none");
        let start = chunk.bytes.len();
        chunk.bytes.extend_from_slice(key);
        let middle = chunk.bytes.len();
        chunk.bytes.extend_from_slice(response);
        let places = [start, middle, chunk.bytes.len()].map(|place| place as u32);
        debug_assert!(
            chunk.stones.last().is_none_or(|last| last.due <= due),
            "stones go in the order in which they came"
        );
        chunk.stones.push(Stone { due, hash, path, places });
        self.count += 1;
        StoneId { chunk: number, at: chunk.stones.len() as u32 - 1 }
    }

    /// Whether a stone that has not gone has this key.
    pub(crate) fn has_key(&self, id: StoneId, key: &[u8]) -> bool {
        self.find(id).is_some_and(|(stone, bytes)| &bytes[stone.places[0] as usize..stone.places[1] as usize] == key)
    }

    /// What answers the request that came again, and on which way. `None` where nothing was sent the first time.
    pub(crate) fn response(&self, id: StoneId) -> Option<(ReturnPath, Bytes)> {
        let (stone, bytes) = self.find(id)?;
        let response = &bytes[stone.places[1] as usize..stone.places[2] as usize];
        (!response.is_empty()).then(|| (stone.path, Bytes::copy_from_slice(response)))
    }

    /// When the first one goes.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.chunks.front()?.stones.get(self.gone).map(|stone| stone.due)
    }

    /// Takes the first stone that is due away: its name, and the hash of its key.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(StoneId, u64)> {
        let chunk = self.chunks.front()?;
        let stone = chunk.stones.get(self.gone).filter(|stone| stone.due <= now)?;
        let taken = (StoneId { chunk: self.first, at: self.gone as u32 }, stone.hash);
        let is_last = self.gone + 1 == chunk.stones.len();
        self.gone += 1;
        self.count -= 1;
        if is_last {
            // Also if it is not full: what comes next begins another one.
            self.chunks.pop_front();
            (self.first, self.gone) = (self.first + 1, 0);
        }
        Some(taken)
    }

    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    fn find(&self, id: StoneId) -> Option<(&Stone, &[u8])> {
        let chunk = self.chunks.get(usize::try_from(id.chunk.checked_sub(self.first)?).ok()?)?;
        Some((chunk.stones.get(id.at as usize)?, &chunk.bytes))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::return_path;

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn stones_are_found_until_they_go_and_go_in_order() {
        let (mut stones, path) = (Tombstones::default(), return_path());
        let ids: Vec<StoneId> = (0..1000_u64)
            .map(|n| stones.push(n, &n.to_be_bytes(), path, &vec![7; 400 * usize::from(n % 3 > 0)], at(n)))
            .collect();
        assert_eq!(stones.len(), 1000);
        for (n, id) in ids.iter().enumerate() {
            assert!(stones.has_key(*id, &(n as u64).to_be_bytes()) && !stones.has_key(*id, b"other"));
            assert_eq!(stones.response(*id).map(|(_, bytes)| bytes.len()), (n % 3 > 0).then_some(400));
        }
        for n in 0..1000 {
            assert_eq!((stones.next(), stones.pop_due(at(n))), (Some(at(n)), Some((ids[n as usize], n))));
            assert_eq!(stones.pop_due(at(n)), None);
        }
        assert_eq!((stones.len(), stones.next(), stones.chunks.len()), (0, None, 0));
        assert!(!stones.has_key(ids[3], &3_u64.to_be_bytes()), "what has gone is not found");
        let id = stones.push(1, b"k", path, b"", at(2000));
        assert!(stones.has_key(id, b"k") && !ids.contains(&id), "no name is used twice");
    }
}
