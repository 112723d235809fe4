use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;
use wire::Instant;

use crate::head::Head;
use crate::{ByteRange, MessageId, SessionId};

/// Most gaps in one message that are waited for.
const MAX_GAPS: usize = 32;

/// Octets that do not fit the message they claim to be of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Misfit {
    /// Larger than we take.
    TooLarge,
    /// Too far from what came before to wait for what is missing.
    TooScattered,
    /// Beyond the announced end, or against the announced total.
    Contradiction,
}

/// Octets that are next, with the place of the first.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) at: u64,
    pub(crate) data: Bytes,
    /// They are known to hold no seven hyphens in a row.
    pub(crate) plain: bool,
}

/// Octets in their order.
pub(crate) type Pieces = SmallVec<[Piece; 2]>;

/// A message that is coming in, in chunks that may overlap and change places (RFC 4975 §7.3.1). Its octets are handed on at
/// once and in order, so of octets that come twice the first count.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) session: SessionId,
    pub(crate) id: MessageId,
    pub(crate) success_report: bool,
    pub(crate) touched: Instant,
    /// The request that completed it, while the caller decides on the answer.
    pub(crate) pending: Option<Box<Head>>,
    total: Option<u64>,
    max_size: u64,
    /// The chunk with the last octet has ended.
    has_last: bool,
    /// The next octet to hand on.
    next: u64,
    held: BTreeMap<u64, BytesMut>,
    pub(crate) held_octets: usize,
}

impl Incoming {
    pub(crate) const fn new(
        session: SessionId,
        id: MessageId,
        max_size: u64,
        success_report: bool,
        now: Instant,
    ) -> Incoming {
        Incoming {
            session,
            id,
            success_report,
            touched: now,
            pending: None,
            total: None,
            max_size,
            has_last: false,
            next: 1,
            held: BTreeMap::new(),
            held_octets: 0,
        }
    }

    /// A chunk with this range begins.
    pub(crate) fn on_chunk(&mut self, range: &ByteRange) -> Result<(), Misfit> {
        if range.start - 1 > self.max_size || range.total.is_some_and(|total| total > self.max_size) {
            return Err(Misfit::TooLarge);
        }
        match (self.total, range.total) {
            (Some(ours), Some(theirs)) if ours != theirs => return Err(Misfit::Contradiction),
            (None, Some(total)) if self.reached() > total => return Err(Misfit::Contradiction),
            (None, Some(total)) => self.total = Some(total),
            (Some(_) | None, _) => {}
        }
        Ok(())
    }

    /// Takes octets and gives out those that are next. `reorder` bounds what is kept.
    pub(crate) fn put(&mut self, piece: Piece, reorder: usize) -> Result<Pieces, Misfit> {
        let Piece { at, mut data, plain } = piece;
        let end = at.checked_add(data.len() as u64 - 1).ok_or(Misfit::TooLarge)?;
        if end > self.max_size {
            return Err(Misfit::TooLarge);
        }
        if self.total.is_some_and(|total| end > total) {
            return Err(Misfit::Contradiction);
        }
        let mut pieces = Pieces::new();
        if at > self.next {
            self.hold(at, &data, reorder)?;
            return Ok(pieces);
        }
        if end >= self.next {
            let _known = data.split_to((self.next - at) as usize);
            self.next = end + 1;
            pieces.push(Piece { at: end + 1 - data.len() as u64, data, plain });
            self.release(&mut pieces);
        }
        Ok(pieces)
    }

    /// A chunk ends with the last octet of the message, which is the one before `next`.
    pub(crate) fn on_last(&mut self, next: u64) -> Result<(), Misfit> {
        let end = next - 1;
        if self.total.is_some_and(|total| total != end) || self.reached() > end {
            return Err(Misfit::Contradiction);
        }
        self.total = Some(end);
        self.has_last = true;
        Ok(())
    }

    /// The size, once every octet is there and the sender has said that these are all.
    pub(crate) fn complete(&self) -> Option<u64> {
        self.total.filter(|total| self.has_last && self.next == total + 1)
    }

    /// The last octet that came.
    fn reached(&self) -> u64 {
        let held = self.held.last_key_value().map_or(0, |(at, piece)| at + piece.len() as u64 - 1);
        held.max(self.next - 1)
    }

    fn hold(&mut self, at: u64, piece: &Bytes, reorder: usize) -> Result<(), Misfit> {
        self.held_octets += piece.len();
        if self.held_octets > reorder {
            return Err(Misfit::TooScattered);
        }
        // However the stream was cut, a chunk is one piece here.
        if let Some((start, before)) = self.held.range_mut(..at).next_back()
            && start + before.len() as u64 == at
        {
            before.extend_from_slice(piece);
            return Ok(());
        }
        if let Some(known) = self.held.get_mut(&at) {
            if known.len() < piece.len() {
                *known = BytesMut::from(&piece[..]);
            }
            return Ok(());
        }
        if self.held.len() == MAX_GAPS {
            return Err(Misfit::TooScattered);
        }
        self.held.insert(at, BytesMut::from(&piece[..]));
        Ok(())
    }

    fn release(&mut self, pieces: &mut Pieces) {
        while let Some(entry) = self.held.first_entry()
            && *entry.key() <= self.next
        {
            let (at, piece) = entry.remove_entry();
            let end = at + piece.len() as u64 - 1;
            if end >= self.next {
                let fresh = piece.freeze().slice((self.next - at) as usize..);
                pieces.push(Piece { at: self.next, data: fresh, plain: false });
                self.next = end + 1;
            }
        }
        if self.held.is_empty() {
            self.held_octets = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wire::Slab;

    use super::*;

    fn message() -> Incoming {
        let session = SessionId(Slab::new().insert(()));
        Incoming::new(session, MessageId::parse("id-1").unwrap(), 1000, false, Instant::ZERO)
    }

    fn piece(at: u64, octets: &[u8]) -> Piece {
        Piece { at, data: Bytes::copy_from_slice(octets), plain: true }
    }

    fn put(message: &mut Incoming, at: u64, text: &str) -> String {
        let pieces = message.put(piece(at, text.as_bytes()), 100).unwrap();
        pieces.iter().map(|piece| String::from_utf8_lossy(&piece.data).into_owned()).collect()
    }

    #[test]
    fn octets_come_out_once_and_in_order() {
        let mut message = message();
        assert_eq!(put(&mut message, 4, "def"), "");
        assert_eq!(put(&mut message, 9, "ij"), "");
        assert_eq!(put(&mut message, 1, "abXd"), "abXdef");
        assert_eq!(put(&mut message, 2, "bc"), "");
        assert_eq!(put(&mut message, 6, "fgh"), "ghij");
        message.on_last(11).unwrap();
        assert_eq!(message.complete(), Some(10));
    }

    #[test]
    fn a_message_is_complete_only_with_its_last_chunk() {
        let mut message = message();
        message.on_chunk(&ByteRange { start: 1, end: None, total: Some(3) }).unwrap();
        put(&mut message, 1, "abc");
        assert_eq!(message.complete(), None);
        message.on_last(4).unwrap();
        assert_eq!(message.complete(), Some(3));
    }

    #[test]
    fn contradictions_and_excess_are_refused() {
        let range = |start, total| ByteRange { start, end: None, total };
        let mut fixed = message();
        fixed.on_chunk(&range(1, Some(5))).unwrap();
        assert_eq!(fixed.on_chunk(&range(1, Some(6))), Err(Misfit::Contradiction));
        assert_eq!(fixed.put(piece(4, b"abc"), 100).map(drop), Err(Misfit::Contradiction));
        assert_eq!(fixed.on_last(4), Err(Misfit::Contradiction));
        assert_eq!(message().on_chunk(&range(1, Some(1001))), Err(Misfit::TooLarge));
        assert_eq!(message().put(piece(1000, b"ab"), 100).map(drop), Err(Misfit::TooLarge));
        assert_eq!(message().put(piece(u64::MAX, b"ab"), 100).map(drop), Err(Misfit::TooLarge));
        assert_eq!(message().put(piece(2, &[0; 101]), 100).map(drop), Err(Misfit::TooScattered));
        let mut late = message();
        put(&mut late, 5, "x");
        assert_eq!(late.on_last(4), Err(Misfit::Contradiction));
        assert_eq!(late.on_chunk(&range(1, Some(4))), Err(Misfit::Contradiction));
    }

    #[test]
    fn the_number_of_gaps_is_bounded() {
        let mut message = message();
        for n in 0..MAX_GAPS as u64 {
            put(&mut message, 3 + 2 * n, "x");
        }
        assert_eq!(message.put(piece(500, b"x"), 100).map(drop), Err(Misfit::TooScattered));
    }

    proptest! {
        #[test]
        fn any_order_of_overlapping_pieces_gives_the_message(
            cuts in prop::collection::vec((0_usize..60, 1_usize..20), 1..20),
        ) {
            let body: Vec<u8> = (0..60).collect();
            let mut message = message();
            let mut got = Vec::new();
            let all = cuts.iter().map(|(from, len)| (*from, (from + len).min(60))).chain([(0, 60)]);
            for (from, to) in all {
                for piece in message.put(piece(from as u64 + 1, &body[from..to]), 1000).unwrap() {
                    prop_assert_eq!(piece.at as usize, got.len() + 1);
                    got.extend_from_slice(&piece.data);
                }
            }
            prop_assert_eq!(got, body);
        }
    }
}
