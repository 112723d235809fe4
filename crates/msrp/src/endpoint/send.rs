//! The sending side: messages from the caller, answers and reports from the peer.

use bytes::{Bytes, BytesMut};
use wire::{ConnId, Now};

use super::{Endpoint, Heard};
use crate::connection::Sent;
use crate::frame::Flag;
use crate::grammar::is_token_char;
use crate::head::{Head, Start};
use crate::outgoing::{Outgoing, SMALL, Slice};
use crate::print::{self, TransactionId};
use crate::{ByteRange, Event, Failure, FailureReport, MessageId, OutgoingId, Outline, SendError, SessionId, Status};

impl Endpoint {
    /// Sends a message that is there as a whole.
    pub fn send(
        &mut self,
        session: SessionId,
        outline: Outline,
        body: Bytes,
        now: Now,
    ) -> Result<OutgoingId, SendError> {
        let outline = Outline { total: Some(body.len() as u64), ..outline };
        let outgoing = self.begin(session, outline)?;
        if let Some(message) = self.outgoing.get_mut(outgoing.0) {
            message.push(body.into());
        }
        self.finish(outgoing, now);
        Ok(outgoing)
    }

    /// Begins a message whose octets come bit by bit. It waits for the connection if there is none yet.
    pub fn begin(&mut self, session: SessionId, outline: Outline) -> Result<OutgoingId, SendError> {
        let known = self.sessions.get(session.0).filter(|known| !known.is_draining()).ok_or(SendError::Closed)?;
        if known.options.remote.is_empty() && !known.is_renewed {
            return Err(SendError::NoPath);
        }
        if !is_mime(&outline.mime) {
            return Err(SendError::Mime);
        }
        let id = outline.message_id.clone().unwrap_or_else(|| MessageId::draw(&mut self.entropy));
        if known.sending.contains(&id) {
            return Err(SendError::Duplicate);
        }
        let fields = print_fields(&known.paths, &id, &outline);
        let mut message = Outgoing::new(session, id.clone(), outline.total, fields, outline.mime);
        message.chunk = known.options.chunk.max(1);
        message.failure_report = outline.failure_report;
        let outgoing = OutgoingId(self.outgoing.insert(message));
        if let Some(known) = self.sessions.get_mut(session.0) {
            known.outgoing.push(outgoing);
            known.sending.insert(id.clone());
            if outline.success_report || outline.failure_report != FailureReport::No {
                known.reportable.insert(id, ());
            }
        }
        self.check_invariants();
        Ok(outgoing)
    }

    /// Adds octets to a message. False asks the source to wait for [`Event::WantsMore`]; what it gives all the same is kept.
    /// More octets than announced fail the message.
    pub fn push(&mut self, outgoing: OutgoingId, data: Bytes, now: Now) -> bool {
        self.push_slice(outgoing, data.into(), now)
    }

    /// The same for octets that something is known of.
    pub(crate) fn push_slice(&mut self, outgoing: OutgoingId, slice: Slice, now: Now) -> bool {
        let Some(message) = self.outgoing.get_mut(outgoing.0).filter(|message| !message.finished) else { return true };
        if !message.push(slice) {
            self.abort(outgoing, now);
            return true;
        }
        self.advance(outgoing, now);
        let Some(message) = self.outgoing.get_mut(outgoing.0) else { return true };
        message.is_full = message.queued() > self.options.queue.max(SMALL);
        !message.is_full
    }

    /// Ends a message. Fewer octets than announced fail it.
    pub fn finish(&mut self, outgoing: OutgoingId, now: Now) {
        let Some(message) = self.outgoing.get_mut(outgoing.0).filter(|message| !message.finished) else { return };
        if message.finish() {
            self.advance(outgoing, now);
        } else {
            self.abort(outgoing, now);
        }
        self.check_invariants();
    }

    /// Gives a message up (RFC 4975 §7.1.1: `#`). It is reported as failed: unsent, unless its last chunk was written.
    pub fn abort(&mut self, outgoing: OutgoingId, now: Now) {
        let Some(message) = self.outgoing.get(outgoing.0) else { return };
        let why = if message.is_written { Failure::Unknown } else { Failure::Unsent };
        self.fail(outgoing, why, now);
        self.check_invariants();
    }

    /// Sends a report on octets of a message that came (RFC 4975 §7.1.2): for a caller that confirms messages itself.
    pub fn report(&mut self, session: SessionId, message_id: &MessageId, range: &ByteRange, status: Status, now: Now) {
        let has_way = |known: &&crate::session::Session| known.is_bound && !known.options.remote.is_empty();
        let Some(known) = self.sessions.get(session.0).filter(has_way) else { return };
        let Some(conn) = known.conn else { return };
        let id = TransactionId::draw(&mut self.entropy, b"");
        let mut text = BytesMut::with_capacity(160 + known.paths.len());
        print::request_line(&mut text, &id, "REPORT");
        text.extend_from_slice(&known.paths);
        print::field(&mut text, "Message-ID", message_id.as_str());
        print::byte_range(&mut text, range);
        print::field(&mut text, "Status", &format!("000 {status}"));
        print::end_line(&mut text, id.as_bytes(), Flag::Complete);
        self.write_frame(conn, text.freeze(), now);
    }

    /// A session has its connection. The side that connects sends first, to name the session (RFC 4975 §5.4): a message if
    /// one waits, or else a SEND without body.
    pub(super) fn greet(&mut self, session: SessionId, conn: ConnId, now: Now) {
        self.bind(session);
        let Some(known) = self.sessions.get(session.0) else { return };
        let mut waiting = known.outgoing.iter().filter_map(|outgoing| self.outgoing.get(outgoing.0));
        if !waiting.any(Outgoing::has_chunk) {
            self.write_empty(conn, session, Sent::Bind(session), now);
        }
    }

    pub(super) fn on_response(&mut self, conn: ConnId, head: &Head, now: Now) {
        let Start::Response(status) = head.start() else { return };
        let Some(link) = self.connections.get_mut(&conn).filter(|_| head.fault().is_none()) else { return };
        let Some(transaction) = link.take_transaction(head.transaction_id()) else { return };
        link.silences = 0;
        self.traffic.confirmed.add(status);
        if let Some(deadline) = transaction.deadline {
            self.traffic.took.add((now.at + self.options.transaction_timeout).saturating_since(deadline));
        }
        match transaction.what {
            Sent::Chunk(outgoing) if status.is_success() => self.on_answered(outgoing),
            Sent::Chunk(outgoing) => {
                let session = self.outgoing.get(outgoing.0).map(|message| message.session);
                self.fail(outgoing, Failure::Refused(status), now);
                if let Some(session) = session.filter(|_| is_about_session(status)) {
                    self.unbind(session, Some(status), now);
                }
            }
            Sent::Quiet(session, message_id) if !status.is_success() => {
                self.events.push_back(Event::Report { session, message_id, range: ByteRange::WHOLE, status });
            }
            Sent::Bind(session) if is_about_session(status) => {
                self.unbind(session, Some(status), now);
            }
            Sent::Auth => self.heard.push_back((conn, Heard::Answer(Box::new(head.clone())))),
            Sent::Quiet(..) | Sent::Bind(_) | Sent::KeepAlive => {}
        }
    }

    /// Takes a message off the tables because the next hop has it.
    pub(super) fn on_sent(&mut self, outgoing: OutgoingId, confirmed: bool) {
        let Some(message) = self.outgoing.remove(outgoing.0) else { return };
        let session = message.session;
        if let Some(known) = self.sessions.get_mut(session.0) {
            known.forget_outgoing(outgoing, &message.id);
            known.stats.sent += 1;
        }
        self.events.push_back(Event::Sent { session, outgoing, message_id: message.id, confirmed });
        self.check_drained(session);
    }

    /// Takes a message off the tables because it failed. If its receiver may wait for more of it, the receiver is told.
    pub(super) fn fail(&mut self, outgoing: OutgoingId, why: Failure, now: Now) {
        let Some(message) = self.outgoing.get(outgoing.0) else { return };
        let (session, is_partly_sent) = (message.session, message.has_begun() && why == Failure::Unsent);
        if let Some(conn) = self.sessions.get(session.0).and_then(|known| known.conn)
            && let Some(link) = self.connections.get_mut(&conn)
        {
            link.ready.retain(|other| *other != outgoing);
            if link.open.as_ref().is_some_and(|open| open.outgoing == outgoing) {
                self.end_open_chunk(conn, Flag::Aborted, now);
            } else if link.is_up && is_partly_sent {
                self.write_abort(conn, outgoing, now);
            }
        }
        let Some(message) = self.outgoing.remove(outgoing.0) else { return };
        if let Some(known) = self.sessions.get_mut(session.0) {
            known.forget_outgoing(outgoing, &message.id);
        }
        self.events.push_back(Event::Failed { session, outgoing, message_id: message.id, why });
        self.check_drained(session);
    }

    fn on_answered(&mut self, outgoing: OutgoingId) {
        let Some(message) = self.outgoing.get_mut(outgoing.0) else { return };
        message.unanswered -= 1;
        if message.is_written && message.unanswered == 0 {
            self.on_sent(outgoing, true);
        }
    }

    fn advance(&mut self, outgoing: OutgoingId, now: Now) {
        self.make_ready(outgoing);
        // A message that has nothing to write yet changes nothing on its connection.
        if let Some(message) = self.outgoing.get(outgoing.0).filter(|message| message.is_ready)
            && let Some(conn) = self.sessions.get(message.session.0).and_then(|session| session.conn)
        {
            self.settle(conn, now);
        }
    }
}

/// Whether an error says that the peer does not know the session on this connection.
const fn is_about_session(status: Status) -> bool {
    matches!(status, Status::NO_SUCH_SESSION | Status::SESSION_IN_USE)
}

/// The header fields that are the same in all chunks, but for the MIME ones, which come last.
fn print_fields(paths: &[u8], id: &MessageId, outline: &Outline) -> Bytes {
    let mut fields = BytesMut::with_capacity(paths.len() + id.as_str().len() + 64);
    fields.extend_from_slice(paths);
    print::field(&mut fields, "Message-ID", id.as_str());
    if outline.success_report {
        print::field(&mut fields, "Success-Report", "yes");
    }
    if outline.failure_report != FailureReport::Yes {
        print::field(&mut fields, "Failure-Report", outline.failure_report.as_str());
    }
    fields.freeze()
}

/// Whether these are whole lines of header fields, so that nothing in them can end the head.
fn is_mime(mime: &[u8]) -> bool {
    let Some(lines) = mime.strip_suffix(b"\n") else { return false };
    lines.split(|byte| *byte == b'\n').all(|line| line.strip_suffix(b"\r").is_some_and(is_field))
}

/// Whether a line is a header field of UTF-8 without control characters.
fn is_field(line: &[u8]) -> bool {
    let Some(colon) = memchr::memchr(b':', line) else { return false };
    let (name, value) = line.split_at(colon);
    let is_name = name.first().is_some_and(u8::is_ascii_alphabetic) && name.iter().copied().all(is_token_char);
    is_name && is_plain(value)
}

fn is_plain(value: &[u8]) -> bool {
    if value.is_ascii() {
        return !value.iter().any(u8::is_ascii_control);
    }
    std::str::from_utf8(value).is_ok_and(|text| !text.contains(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mime_header_fields_are_whole_lines_with_a_name_and_no_control_characters() {
        for (mime, is_fine) in [
            ("Content-Type: text/plain\r\n", true),
            ("Content-ID:\r\nContent-Type: text/plain; n=\u{e9}\r\n", true),
            ("", false),
            ("\r\n", false),
            ("\n", false),
            ("Content-Type: text/plain", false),
            ("Content-Type: text/plain\n", false),
            ("Content-Type: text/plain\r\n\r\n", false),
            ("Content-Type: a\r\nContent-Type\r\n", false),
            ("Content Type: text/plain\r\n", false),
            ("1: text/plain\r\n", false),
            (": text/plain\r\n", false),
            ("Content-Type: text\t/plain\r\n", false),
            ("Content-Type: text\r/plain\r\n", false),
            ("Content-Type: \u{e9}\u{85}\r\n", false),
        ] {
            assert_eq!(is_mime(mime.as_bytes()), is_fine, "{mime:?}");
        }
        assert!(!is_mime(b"Content-Type: \xff\r\n"));
    }
}
