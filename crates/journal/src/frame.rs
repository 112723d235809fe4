//! The format of an entry in a segment.
//!
//! | octets | what |
//! |---|---|
//! | 4 | `DLj1` |
//! | 4 | CRC-32 of everything behind it |
//! | 4 | octets of the value |
//! | 8 | number: one more than that of the frame before |
//! | 8 | key |
//! | 1 | 1: keep the value; 2: forget the key |
//! | n | value |
//!
//! Numbers are little-endian. Behind the last frame a segment holds zeros.

use std::ops::Range;

use wire::Entry;

const MARK: &[u8; 4] = b"DLj1";
/// Octets before the value.
pub const HEADER: usize = 29;
const KEEP: u8 = 1;
const FORGET: u8 = 2;

/// A frame in a segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Where it starts.
    pub offset: usize,
    /// Its number.
    pub number: u64,
    /// The key.
    pub key: u64,
    /// Where its value is, unless it forgets the key.
    pub value: Option<Range<usize>>,
}

impl Frame {
    /// Octets of the whole frame.
    pub fn size(&self) -> usize {
        HEADER + self.value.as_ref().map_or(0, ExactSizeIterator::len)
    }
}

/// Octets of the frame of a value.
pub const fn size_of(value: Option<&[u8]>) -> usize {
    match value {
        Some(value) => HEADER + value.len(),
        None => HEADER,
    }
}

/// Writes a frame behind what is in `out`.
pub fn write(number: u64, key: u64, value: Option<&[u8]>, out: &mut Vec<u8>) {
    let start = out.len();
    let octets = value.map_or(0, <[u8]>::len);
    out.extend_from_slice(MARK);
    out.extend_from_slice(&[0; 4]);
    // `Entry::MAX` bounds it.
    out.extend_from_slice(&u32::try_from(octets).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&key.to_le_bytes());
    out.push(if value.is_some() { KEEP } else { FORGET });
    out.extend_from_slice(value.unwrap_or_default());
    let crc = crc32fast::hash(&out[start + 8..]);
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
}

/// Reads the frame that starts at `offset`, if a whole one does that checks.
pub fn read(segment: &[u8], offset: usize) -> Option<Frame> {
    let header = segment.get(offset..offset + HEADER)?;
    let number = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().unwrap_or_default());
    let word = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap_or_default());
    let octets = word(8) as usize;
    if &header[..4] != MARK || octets > Entry::MAX {
        return None;
    }
    let end = offset + HEADER + octets;
    if crc32fast::hash(segment.get(offset + 8..end)?) != word(4) {
        return None;
    }
    let value = match header[28] {
        KEEP => Some(offset + HEADER..end),
        FORGET if octets == 0 => None,
        _ => return None,
    };
    Some(Frame { offset, number: number(12), key: number(20), value })
}

/// What a segment holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scan {
    /// The frames that check.
    pub frames: Vec<Frame>,
    /// What does not check and has frames behind it.
    pub bad: Vec<Range<usize>>,
    /// What does not check and has none: a write that was not finished, as far as it came.
    pub torn: Range<usize>,
}

impl Scan {
    /// Where the next frame goes.
    pub const fn next_offset(&self) -> usize {
        self.torn.start
    }
}

/// Reads all frames of a segment, past those that do not check.
pub fn scan(segment: &[u8]) -> Scan {
    let mut found = Scan::default();
    let mut at = 0;
    while let Some(next) = next_frame(segment, at) {
        if next.offset > at {
            found.bad.push(at..next.offset);
        }
        at = next.offset + next.size();
        found.frames.push(next);
    }
    let last = segment.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
    found.torn = at..last.max(at);
    found
}

fn next_frame(segment: &[u8], from: usize) -> Option<Frame> {
    read(segment, from).or_else(|| {
        let rest = segment.get(from..)?;
        memchr::memmem::find_iter(rest, MARK).find_map(|at| read(segment, from + at))
    })
}
