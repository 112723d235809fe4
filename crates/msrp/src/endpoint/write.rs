//! Writing: chunks of the messages that wait, in turns, as far as the host and the peer keep up.

use bytes::{Bytes, BytesMut};
use wire::{ConnId, Now, Output};

use super::Endpoint;
use crate::connection::{OpenChunk, Sent, Transaction};
use crate::frame::Flag;
use crate::outgoing::{Outgoing, SMALL, Slice};
use crate::print::{self, MARK, TransactionId};
use crate::{ByteRange, Event, FailureReport, OutgoingId, SessionId};

/// What is written of a large chunk before another message gets its turn.
const SLICE: usize = 32 * 1024;
/// What a chunk weighs in the window beside its octets, so that the number of open transactions is bounded too.
const WEIGHT: usize = 256;
/// Most transactions remembered on a connection; beyond, the oldest that would only be answered with an error is forgotten.
const MAX_QUIET: usize = 1024;

impl Endpoint {
    /// Writes as long as something waits, the host keeps up and the window is open.
    pub(super) fn pump(&mut self, conn: ConnId, now: Now) {
        while let Some(link) = self.connections.get(&conn)
            && link.is_up
            && self.options.write_budget.is_none_or(|budget| link.unsent < budget)
        {
            let open = link.open.as_ref().map_or(0, |open| open.octets);
            // Answers that we do not read cannot open the window: two sides that hold each other up would do so for ever.
            if link.in_flight + open >= self.options.window && !self.is_stopped(link) {
                // The peer answers a chunk when it ends.
                if open == 0 {
                    break;
                }
                self.end_open_chunk(conn, Flag::Continued, now);
                continue;
            }
            let Some(outgoing) = self.connections.get_mut(&conn).and_then(|link| link.ready.pop_front()) else { break };
            self.write_next(conn, outgoing, now);
            self.after_turn(outgoing);
        }
    }

    /// Writes a whole frame. The chunk that is being written is interrupted for it.
    pub(super) fn write_frame(&mut self, conn: ConnId, frame: Bytes, now: Now) {
        self.end_open_chunk(conn, Flag::Continued, now);
        self.write(conn, frame, now);
    }

    /// Hands octets to the host.
    fn write(&mut self, conn: ConnId, data: Bytes, now: Now) {
        let Some(link) = self.connections.get_mut(&conn) else { return };
        link.handed += data.len() as u64;
        if self.options.write_budget.is_some() {
            link.unsent += data.len();
        }
        link.keep_alive_at = self.options.keep_alive.map(|interval| now.at + interval);
        self.out.push_back(Output::Write { conn, data });
    }

    /// Writes a SEND without a body: it names a session on a new connection, or keeps a connection open.
    pub(super) fn write_empty(&mut self, conn: ConnId, session: SessionId, what: Sent, now: Now) {
        let Some(paths) = self.sessions.get(session.0).map(|session| session.paths.clone()) else { return };
        let id = TransactionId::draw(&mut self.entropy, b"");
        let mut text = BytesMut::with_capacity(128 + paths.len());
        print::request_line(&mut text, &id, "SEND");
        text.extend_from_slice(&paths);
        print::field(&mut text, "Message-ID", &self.entropy.tag());
        print::field(&mut text, "Byte-Range", "1-0/0");
        print::end_line(&mut text, id.as_bytes(), Flag::Complete);
        self.write_frame(conn, text.freeze(), now);
        self.expect_answer(conn, id, what, 0, now);
    }

    /// Ends the chunk that is being written.
    pub(super) fn end_open_chunk(&mut self, conn: ConnId, flag: Flag, now: Now) {
        let Some(open) = self.connections.get_mut(&conn).and_then(|link| link.open.take()) else { return };
        let mut text = BytesMut::from(&b"\r\n"[..]);
        print::end_line(&mut text, open.id.as_bytes(), flag);
        self.write(conn, text.freeze(), now);
        self.on_chunk_written(conn, open.outgoing, open.id, open.octets, flag, now);
    }

    /// Writes the empty chunk that gives a message up, which stands between two of its chunks.
    pub(super) fn write_abort(&mut self, conn: ConnId, outgoing: OutgoingId, now: Now) {
        let Some(message) = self.outgoing.get(outgoing.0) else { return };
        let id = TransactionId::draw(&mut self.entropy, b"");
        let mut text = chunk_head(message, &id, &message.range(Some(0)), 0);
        text.extend_from_slice(b"\r\n\r\n");
        print::end_line(&mut text, id.as_bytes(), Flag::Aborted);
        self.write_frame(conn, text.freeze(), now);
    }

    fn write_next(&mut self, conn: ConnId, outgoing: OutgoingId, now: Now) {
        let Some(link) = self.connections.get_mut(&conn) else { return };
        if link.open.as_ref().is_some_and(|open| open.outgoing != outgoing) {
            self.end_open_chunk(conn, Flag::Continued, now);
        }
        let Some(link) = self.connections.get_mut(&conn) else { return };
        let Some(message) = self.outgoing.get_mut(outgoing.0) else { return };
        message.is_ready = false;
        if !message.has_chunk() {
            return;
        }
        let len = message.queued().min(message.chunk);
        let is_known = message.chunk <= SMALL || (message.finished && len == message.queued());
        if link.open.is_none() && is_known && len <= SMALL {
            self.write_small_chunk(conn, outgoing, len, now);
        } else {
            self.write_slice(conn, outgoing, now);
        }
    }

    /// Gives a message its next place in the queue, and tells its source when there is room.
    fn after_turn(&mut self, outgoing: OutgoingId) {
        self.make_ready(outgoing);
        if let Some(message) = self.outgoing.get_mut(outgoing.0)
            && message.is_full
            && message.queued() <= (self.options.queue / 2).max(SMALL)
        {
            message.is_full = false;
            self.events.push_back(Event::WantsMore { session: message.session, outgoing });
        }
    }

    fn write_small_chunk(&mut self, conn: ConnId, outgoing: OutgoingId, len: usize, now: Now) {
        let Some(message) = self.outgoing.get_mut(outgoing.0) else { return };
        let range = message.range(Some(len));
        let Slice { data: body, plain } = message.gather(len);
        let id = TransactionId::draw(&mut self.entropy, if plain { b"" } else { &body });
        let mut text = chunk_head(message, &id, &range, len);
        text.extend_from_slice(b"\r\n");
        text.extend_from_slice(&body);
        text.extend_from_slice(b"\r\n");
        let flag = if message.is_exhausted() { Flag::Complete } else { Flag::Continued };
        print::end_line(&mut text, id.as_bytes(), flag);
        self.write_frame(conn, text.freeze(), now);
        self.on_chunk_written(conn, outgoing, id, len, flag, now);
    }

    /// Writes a part of a chunk that can be interrupted; begins one if there is none.
    fn write_slice(&mut self, conn: ConnId, outgoing: OutgoingId, now: Now) {
        let Some(message) = self.outgoing.get_mut(outgoing.0) else { return };
        let Some(link) = self.connections.get_mut(&conn) else { return };
        let written = link.open.as_ref().map_or(0, |open| open.octets);
        let range = message.range(None);
        let room = self.options.write_budget.map_or(SLICE, |budget| budget.saturating_sub(link.unsent).max(SMALL));
        let slice = message.take(SLICE.min(room).min(message.chunk - written));
        let mut head = None;
        let open = link.open.get_or_insert_with(|| {
            let id = TransactionId::draw(&mut self.entropy, if slice.plain { b"" } else { &slice.data });
            head = Some(chunk_head(message, &id, &range, 0));
            OpenChunk { outgoing, id, octets: 0, tail: Vec::new() }
        });
        if !open.admits(&slice) {
            // RFC 4975 §7.1: the end-line may not occur in the body. End the chunk before it; the next has another.
            message.put_back(slice);
            self.end_open_chunk(conn, Flag::Continued, now);
            return;
        }
        let is_over = message.is_exhausted() || open.octets >= message.chunk;
        let flag = if message.is_exhausted() { Flag::Complete } else { Flag::Continued };
        if let Some(mut head) = head {
            head.extend_from_slice(b"\r\n");
            self.write(conn, head.freeze(), now);
        }
        if !slice.data.is_empty() {
            self.write(conn, slice.data, now);
        }
        if is_over {
            self.end_open_chunk(conn, flag, now);
        }
    }

    fn on_chunk_written(
        &mut self,
        conn: ConnId,
        outgoing: OutgoingId,
        id: TransactionId,
        octets: usize,
        flag: Flag,
        now: Now,
    ) {
        let Some(message) = self.outgoing.get_mut(outgoing.0).filter(|_| flag != Flag::Aborted) else { return };
        message.is_written = flag == Flag::Complete;
        let session = message.session;
        let what = match message.failure_report {
            FailureReport::Yes => {
                message.unanswered += 1;
                Some(Sent::Chunk(outgoing))
            }
            FailureReport::Partial => Some(Sent::Quiet(session, message.id.clone())),
            FailureReport::No => None,
        };
        let is_sent = message.is_written && message.unanswered == 0;
        if let Some(session) = self.sessions.get_mut(session.0) {
            session.stats.octets_sent += octets as u64;
        }
        if let Some(what) = what {
            self.expect_answer(conn, id, what, octets, now);
        }
        if is_sent {
            self.on_sent(outgoing, false);
        }
    }

    pub(super) fn expect_answer(&mut self, conn: ConnId, id: TransactionId, what: Sent, octets: usize, now: Now) {
        let Some(link) = self.connections.get_mut(&conn) else { return };
        let octets = if matches!(what, Sent::Chunk(_)) { octets + WEIGHT } else { 0 };
        let deadline = (self.options.write_budget.is_none()).then(|| now.at + self.options.transaction_timeout);
        link.in_flight += octets;
        self.traffic.sent += 1;
        link.transactions.push_back(Transaction { id, what, octets, mark: link.handed, deadline });
        if link.transactions.len() > MAX_QUIET
            && let Some(oldest) = link.transactions.iter().position(|t| matches!(t.what, Sent::Quiet(..)))
        {
            link.transactions.remove(oldest);
        }
    }
}

impl OpenChunk {
    /// Adds octets, unless the end-line would occur in the body.
    fn admits(&mut self, slice: &Slice) -> bool {
        let Slice { data: slice, plain } = slice;
        let overlap = slice.len().min(MARK - 1);
        let mut seam = std::mem::take(&mut self.tail);
        let tail = seam.len();
        seam.extend_from_slice(&slice[..overlap]);
        // An end-line may also begin in one slice and end in the next.
        if self.id.is_in(&seam) || (!plain && self.id.is_in(slice)) {
            seam.truncate(tail);
            self.tail = seam;
            return false;
        }
        if slice.len() > overlap {
            seam = slice[slice.len() - overlap..].to_vec();
        } else {
            seam.drain(..seam.len().saturating_sub(MARK - 1));
        }
        self.tail = seam;
        self.octets += slice.len();
        true
    }
}

/// The head of a chunk, up to where the blank line goes, with room for a body of this size.
fn chunk_head(message: &Outgoing, id: &TransactionId, range: &ByteRange, body: usize) -> BytesMut {
    let mut text = BytesMut::with_capacity(128 + message.fields.len() + message.mime.len() + body);
    print::request_line(&mut text, id, "SEND");
    text.extend_from_slice(&message.fields);
    print::byte_range(&mut text, range);
    text.extend_from_slice(&message.mime);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_ends_before_its_end_line_occurs_in_it_however_it_is_cut() {
        let id = TransactionId::draw(&mut wire::Entropy::from_seed(1), b"");
        let body = [b"some octets, then -------".as_slice(), id.as_bytes(), b" and more"].concat();
        let end = 18 + MARK;
        for size in 1..body.len() {
            let outgoing = OutgoingId(wire::Slab::new().insert(()));
            let mut open = OpenChunk { outgoing, id, octets: 0, tail: Vec::new() };
            let slices = body.chunks(size).map(|octets| Slice {
                data: Bytes::copy_from_slice(octets),
                plain: crate::hyphens::rows(octets).next().is_none(),
            });
            let refused = slices.into_iter().position(|slice| !open.admits(&slice));
            assert_eq!(refused, Some((end - 1) / size), "in pieces of {size}");
            assert!(open.octets < end && open.tail.len() < MARK);
        }
    }
}
