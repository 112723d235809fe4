use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::{ByteRange, FailureReport, MessageId, SessionId};

/// RFC 4975 §7.1.1: a larger chunk must be such that it can be interrupted.
pub(crate) const SMALL: usize = 2048;

/// A message that is going out: what is left of it to write, and how much of what was written is not answered.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) session: SessionId,
    pub(crate) id: MessageId,
    /// The header fields that are the same in every chunk, before and after Byte-Range.
    pub(crate) fields: Bytes,
    pub(crate) mime: Bytes,
    pub(crate) chunk: usize,
    pub(crate) failure_report: FailureReport,
    /// Chunks without an answer.
    pub(crate) unanswered: usize,
    /// It stands in the queue of its connection.
    pub(crate) is_ready: bool,
    /// Its source was told to wait.
    pub(crate) is_full: bool,
    /// Its last chunk has ended.
    pub(crate) is_written: bool,
    /// No more octets come from the source.
    pub(crate) finished: bool,
    total: Option<u64>,
    /// The next octet to write.
    next: u64,
    queue: VecDeque<Slice>,
    queued: usize,
}

/// Octets of a message, as they lie.
#[derive(Clone, Default, Debug)]
pub(crate) struct Slice {
    pub(crate) data: Bytes,
    /// They are known to hold no seven hyphens in a row, and so no end-line.
    pub(crate) plain: bool,
}

impl From<Bytes> for Slice {
    fn from(data: Bytes) -> Slice {
        Slice { data, plain: false }
    }
}

impl Slice {
    fn split_to(&mut self, len: usize) -> Slice {
        Slice { data: self.data.split_to(len), ..*self }
    }
}

impl Outgoing {
    pub(crate) const fn new(
        session: SessionId,
        id: MessageId,
        total: Option<u64>,
        fields: Bytes,
        mime: Bytes,
    ) -> Outgoing {
        Outgoing {
            session,
            id,
            fields,
            mime,
            chunk: 2048,
            failure_report: FailureReport::Yes,
            unanswered: 0,
            is_ready: false,
            is_full: false,
            is_written: false,
            finished: false,
            total,
            next: 1,
            queue: VecDeque::new(),
            queued: 0,
        }
    }

    /// Takes octets from the source. False when they are more than announced.
    pub(crate) fn push(&mut self, slice: Slice) -> bool {
        if !slice.data.is_empty() {
            self.queued += slice.data.len();
            self.queue.push_back(slice);
        }
        self.total.is_none_or(|total| self.next - 1 + self.queued as u64 <= total)
    }

    /// The source has no more. False when that is less than announced.
    pub(crate) fn finish(&mut self) -> bool {
        self.finished = true;
        let size = self.next - 1 + self.queued as u64;
        *self.total.get_or_insert(size) == size
    }

    /// Octets that wait to be written.
    pub(crate) const fn queued(&self) -> usize {
        self.queued
    }

    /// Whether anything of it was written.
    pub(crate) const fn has_begun(&self) -> bool {
        self.next > 1 || self.is_written
    }

    /// Whether there is a chunk to write: octets, or the end.
    pub(crate) fn has_chunk(&self) -> bool {
        // The last octets, and so all of a small message, wait for the word that they are the last: then their chunk is it.
        let is_small = self.total.is_some_and(|total| total <= SMALL as u64);
        let is_all = self.queued <= SMALL && self.total == Some(self.next - 1 + self.queued as u64);
        !self.is_written && (self.finished || (self.queued > 0 && !is_small && !is_all))
    }

    /// Whether every octet was taken and no more come.
    pub(crate) const fn is_exhausted(&self) -> bool {
        self.finished && self.queued == 0
    }

    /// The range of a chunk that starts here: of `len` octets, or of any number.
    pub(crate) fn range(&self, len: Option<usize>) -> ByteRange {
        ByteRange { start: self.next, end: len.map(|len| self.next - 1 + len as u64), total: self.total }
    }

    /// Takes the next octets, at most `max`, as they lie.
    pub(crate) fn take(&mut self, max: usize) -> Slice {
        let Some(front) = self.queue.front_mut() else { return Slice::default() };
        let is_long = front.data.len() > max;
        let slice = if is_long { front.split_to(max) } else { self.queue.pop_front().unwrap_or_default() };
        self.queued -= slice.data.len();
        self.next += slice.data.len() as u64;
        slice
    }

    /// Takes the next `len` octets in one piece.
    pub(crate) fn gather(&mut self, len: usize) -> Slice {
        let first = self.take(len);
        if first.data.len() == len {
            return first;
        }
        let mut all = BytesMut::with_capacity(len);
        all.extend_from_slice(&first.data);
        while all.len() < len {
            all.extend_from_slice(&self.take(len - all.len()).data);
        }
        all.freeze().into()
    }

    /// Puts octets back that were taken last and not written.
    pub(crate) fn put_back(&mut self, slice: Slice) {
        self.queued += slice.data.len();
        self.next -= slice.data.len() as u64;
        self.queue.push_front(slice);
    }
}
