//! The receiving side: requests from the peer, their octets, and the answers.

use bytes::Bytes;
use wire::{ConnId, Now};

use super::Endpoint;
use crate::connection::{ReadChunk, Route, Target};
use crate::frame::{Flag, Frame};
use crate::head::{Head, Method, Name, Start};
use crate::incoming::{Incoming, Misfit, Piece};
use crate::session::Outcome;
use crate::{
    ByteRange, Confirm, Event, FailureReport, IncomingId, Incomplete, MessageId, Outline, SessionId, Status, path,
    print,
};

/// How far a chunk may go on after it contradicted what it had announced. There is a stack that now and then leaves an
/// end-line out: what follows is read as the body, for ever, unless the connection ends.
const ASTRAY: usize = 4096;

/// What is done with a request instead of what it asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refusal {
    /// It is answered with an error, as far as errors are wanted.
    Answer(Status),
    /// Nobody can be answered.
    Ignore,
}

impl Endpoint {
    /// Answers 200 to a complete message that the caller confirms itself.
    pub fn accept(&mut self, incoming: IncomingId, now: Now) {
        let Some(message) = self.incoming.get_mut(incoming.0).filter(|message| message.complete().is_some()) else {
            return;
        };
        let (request, session) = (message.pending.take(), message.session);
        self.answer_pending(session, request, Status::OK, now);
        self.end_incoming(incoming, Outcome::Taken);
        self.check_drained(session);
        self.check_invariants();
    }

    /// Refuses a message: with its last chunk's answer, or before that, to make its sender stop.
    pub fn refuse(&mut self, incoming: IncomingId, status: Status, now: Now) {
        let Some(message) = self.incoming.get_mut(incoming.0) else { return };
        let (mut request, session) = (message.pending.take(), message.session);
        let conn = self.sessions.get(session.0).and_then(|known| known.conn);
        if let Some(chunk) = conn.and_then(|conn| self.connections.get_mut(&conn)?.chunk.as_mut())
            && chunk.target == Target::Message(incoming)
        {
            chunk.target = Target::Nowhere;
            request = chunk.request.take();
        }
        self.answer_pending(session, request, status, now);
        self.end_incoming(incoming, Outcome::Refused(status));
        self.check_drained(session);
        self.check_invariants();
    }

    pub(super) fn on_stream(&mut self, conn: ConnId, data: Bytes, now: Now) {
        let Some(link) = self.connections.get_mut(&conn) else { return };
        link.inbox_octets += data.len();
        link.inbox.push_back(data);
        self.process(conn, now);
        if self.connections.get(&conn).is_some_and(|link| link.inbox_octets > self.options.inbox) {
            self.lose(conn, true, now);
        }
        self.settle(conn, now);
    }

    /// Reads on, as far as there is something and nobody wants a pause.
    pub(super) fn process(&mut self, conn: ConnId, now: Now) {
        while let Some(link) = self.connections.get(&conn)
            && !self.is_stopped(link)
            && let Some(link) = self.connections.get_mut(&conn)
            && let Some(front) = link.inbox.front_mut()
        {
            let before = front.len();
            let frame = link.decoder.next(front);
            link.inbox_octets -= before - front.len();
            match frame {
                Ok(Some(Frame::Head(head))) => self.on_head(conn, head, now),
                Ok(Some(Frame::Body { data, plain })) => self.on_body(conn, data, plain, now),
                Ok(Some(Frame::End(flag))) => self.on_end(conn, flag, now),
                Ok(None) => drop(link.inbox.pop_front()),
                Err(_) => {
                    let source = link.source;
                    self.strangers.note(|refusals| &mut refusals.not_msrp, source, "no MSRP", now.at);
                    self.lose(conn, true, now);
                }
            }
        }
        let head_by = now.at + self.options.head_timeout;
        if let Some(link) = self.connections.get_mut(&conn) {
            link.head_by = link.decoder.in_head().then(|| link.head_by.unwrap_or(head_by));
        }
    }

    fn on_head(&mut self, conn: ConnId, head: Box<Head>, now: Now) {
        let failure_report = head.failure_report().unwrap_or_default();
        let mut chunk =
            ReadChunk { target: Target::Nowhere, request: None, failure_report, next: 1, end: None, astray: None };
        match head.start() {
            Start::Response(_) => self.on_response(conn, &head, now),
            Start::Request(Method::Report) => self.on_report(conn, &head),
            Start::Request(Method::Send | Method::Auth | Method::Other) => {
                self.traffic.received += 1;
                match self.on_request(conn, &head, &mut chunk, now) {
                    Ok(()) => chunk.request = Some(head),
                    Err(Refusal::Answer(status)) => {
                        self.note_stranger(conn, status, now);
                        self.answer(conn, &head, failure_report, status, now);
                    }
                    Err(Refusal::Ignore) => {}
                }
                self.count_strike(conn, chunk.request.is_none(), now);
            }
        }
        if let Some(link) = self.connections.get_mut(&conn) {
            link.chunk = Some(chunk);
        }
    }

    /// Checks a request and says where its octets go.
    fn on_request(&mut self, conn: ConnId, head: &Head, chunk: &mut ReadChunk, now: Now) -> Result<(), Refusal> {
        let session = self.route(conn, head)?;
        let bad = |_| Refusal::Answer(Status::BAD_REQUEST);
        head.fault().map_or(Ok(()), |fault| Err(bad(fault)))?;
        if head.start() != Start::Request(Method::Send) {
            return Err(Refusal::Answer(Status::UNKNOWN_METHOD));
        }
        head.failure_report().map_err(bad)?;
        let success_report = head.success_report().map_err(bad)?;
        let range = head.byte_range().map_err(bad)?;
        let id = head.message_id().and_then(MessageId::parse).ok_or(Refusal::Answer(Status::BAD_REQUEST))?;
        if !self.bind_to(session, conn) {
            self.send_away(session, conn, now);
            return Err(Refusal::Ignore);
        }
        chunk.next = range.start;
        chunk.end = range.end;
        chunk.target = self.target(session, head, &id, &range, success_report, now)?;
        Ok(())
    }

    /// Finds the session of a request (RFC 4975 §7.3): one of ours, named by the whole To-Path, on this connection or none.
    fn route(&mut self, conn: ConnId, head: &Head) -> Result<SessionId, Refusal> {
        let link = self.connections.get_mut(&conn).ok_or(Refusal::Ignore)?;
        if let Some(route) = link.route.as_ref().filter(|route| route.is_of(head)) {
            return Ok(route.session);
        }
        let (to, from) =
            (head.value(Name::ToPath).ok_or(Refusal::Ignore)?, head.value(Name::FromPath).ok_or(Refusal::Ignore)?);
        let limit = self.options.heads.path;
        if !path::is_path(to, limit) || !path::is_path(from, limit) {
            return Err(Refusal::Ignore);
        }
        let unknown = Refusal::Answer(Status::NO_SUCH_SESSION);
        let uri = sdp::MsrpUri::parse(to).map_err(|_| unknown)?;
        let session = uri.session_id().and_then(|id| self.by_id.get(id)).copied().ok_or(unknown)?;
        let known = self.sessions.get(session.0).ok_or(unknown)?;
        let local = &known.options.local;
        let is_ours = uri.is_tls() == local.is_tls() && uri.transport().eq_ignore_ascii_case(local.transport());
        if !is_ours || !known.is_peer(from) || (local.is_tls() && !link.is_tls) {
            return Err(unknown);
        }
        match known.conn {
            Some(other) if other != conn => Err(Refusal::Answer(Status::SESSION_IN_USE)),
            Some(_) => {
                let (to, from) = (Bytes::copy_from_slice(to.as_bytes()), Bytes::copy_from_slice(from.as_bytes()));
                link.route = Some(Route { to, from, session });
                Ok(session)
            }
            None if known.is_drained => Err(unknown),
            None => Ok(session),
        }
    }

    /// Gives a session without a connection this one; false when its peer is not the one of the session.
    fn bind_to(&mut self, session: SessionId, conn: ConnId) -> bool {
        if self.sessions.get(session.0).is_some_and(|known| known.conn.is_none()) {
            match self.is_wanted(session, conn) {
                Some(false) => return false,
                Some(true) => {
                    self.join_connection(session, conn);
                    self.bind(session);
                }
                // Joined, so that nobody else is; bound when its description says that it is the one.
                None => self.join_connection(session, conn),
            }
        }
        true
    }

    /// Where the octets of a SEND go.
    fn target(
        &mut self,
        session: SessionId,
        head: &Head,
        id: &MessageId,
        range: &ByteRange,
        success_report: bool,
        now: Now,
    ) -> Result<Target, Refusal> {
        let known = self.sessions.get(session.0).ok_or(Refusal::Ignore)?;
        if let Some(incoming) = known.incoming.get(id.as_str()).copied() {
            return self.go_on(incoming, range, now).map(|()| Target::Message(incoming));
        }
        if !head.has_body() {
            return Ok(Target::Empty(session, success_report.then(|| id.clone())));
        }
        match known.ended.get(id.as_str()) {
            Some(Outcome::Taken) => return Ok(Target::Nowhere),
            Some(Outcome::Refused(status)) => return Err(Refusal::Answer(status)),
            None => {}
        }
        if known.is_draining() {
            return Err(Refusal::Answer(Status::NO_SUCH_SESSION));
        }
        let media_type = head.value(Name::ContentType).ok_or(Refusal::Answer(Status::BAD_REQUEST))?;
        if !known.options.accept.accepts(media_type) {
            return Err(Refusal::Answer(Status::UNSUPPORTED_MEDIA_TYPE));
        }
        if known.incoming.len() >= self.options.messages {
            return Err(Refusal::Answer(Status::STOP_SENDING));
        }
        let mut message = Incoming::new(session, id.clone(), known.options.max_size, success_report, now.at);
        message.on_chunk(range).map_err(|misfit| Refusal::Answer(misfit.status()))?;
        let outline = Outline {
            message_id: Some(id.clone()),
            mime: head.mime().into(),
            total: range.total,
            success_report,
            failure_report: head.failure_report().unwrap_or_default(),
        };
        Ok(Target::Message(self.start_incoming(message, outline)))
    }

    fn start_incoming(&mut self, message: Incoming, outline: Outline) -> IncomingId {
        let (session, id) = (message.session, message.id.clone());
        let incoming = IncomingId(self.incoming.insert(message));
        if let Some(known) = self.sessions.get_mut(session.0) {
            known.incoming.insert(id, incoming);
        }
        self.events.push_back(Event::Started { session, incoming, outline: Box::new(outline) });
        self.arm_session(session);
        incoming
    }

    /// A further chunk of a message begins.
    fn go_on(&mut self, incoming: IncomingId, range: &ByteRange, now: Now) -> Result<(), Refusal> {
        let message = self.incoming.get_mut(incoming.0).ok_or(Refusal::Ignore)?;
        message.touched = now.at;
        message.on_chunk(range).map_err(|misfit| {
            self.break_off(incoming, misfit.status());
            Refusal::Answer(misfit.status())
        })
    }

    fn on_body(&mut self, conn: ConnId, data: Bytes, plain: bool, now: Now) {
        let Some(chunk) = self.connections.get_mut(&conn).and_then(|link| link.chunk.as_mut()) else { return };
        let (at, end) = (chunk.next, chunk.end);
        let last = at.saturating_add(data.len() as u64 - 1);
        chunk.next = last.saturating_add(1);
        let Target::Message(incoming) = chunk.target else {
            chunk.astray = chunk.astray.map(|octets| octets + data.len());
            if chunk.astray.is_some_and(|octets| octets > ASTRAY) {
                self.lose(conn, true, now);
            }
            return;
        };
        let Some(message) = self.incoming.get_mut(incoming.0) else { return };
        message.touched = now.at;
        let session = message.session;
        let result = if end.is_some_and(|end| last > end) {
            Err(Misfit::Contradiction)
        } else {
            message.put(Piece { at, data, plain }, self.options.reorder)
        };
        match result {
            Ok(pieces) => {
                let stats = self.sessions.get_mut(session.0).map(|known| &mut known.stats);
                let octets: usize = pieces.iter().map(|piece| piece.data.len()).sum();
                if let Some(stats) = stats {
                    stats.octets_received += octets as u64;
                }
                let pieces = pieces.into_iter();
                self.events.extend(pieces.map(|Piece { at, data, plain }| Event::Piece {
                    session,
                    incoming,
                    at,
                    data,
                    plain,
                }));
            }
            Err(misfit) => {
                if let Some(chunk) = self.connections.get_mut(&conn).and_then(|link| link.chunk.as_mut()) {
                    chunk.astray = (misfit == Misfit::Contradiction).then_some(0);
                }
                self.refuse_chunk(conn, incoming, misfit.status(), now);
            }
        }
    }

    fn on_end(&mut self, conn: ConnId, flag: Flag, now: Now) {
        let Some(chunk) = self.connections.get_mut(&conn).and_then(|link| link.chunk.take()) else { return };
        let Some(request) = chunk.request else { return };
        match chunk.target {
            Target::Message(incoming) => self.on_chunk_end(conn, incoming, chunk.next, request, flag, now),
            Target::Nowhere => self.answer(conn, &request, chunk.failure_report, Status::OK, now),
            Target::Empty(session, report) => {
                self.answer(conn, &request, chunk.failure_report, Status::OK, now);
                if let Some(id) = report {
                    let nothing = ByteRange { start: 1, end: Some(0), total: Some(0) };
                    self.report(session, &id, &nothing, Status::OK, now);
                }
            }
        }
    }

    fn on_chunk_end(
        &mut self,
        conn: ConnId,
        incoming: IncomingId,
        next: u64,
        mut request: Box<Head>,
        flag: Flag,
        now: Now,
    ) {
        let failure_report = request.failure_report().unwrap_or_default();
        let Some(message) = self.incoming.get_mut(incoming.0) else { return };
        let session = message.session;
        if flag == Flag::Aborted {
            self.answer(conn, &request, failure_report, Status::OK, now);
            self.forget_incoming(incoming);
            self.events.push_back(Event::Incomplete { session, incoming, why: Incomplete::Aborted });
            self.check_drained(session);
            return;
        }
        let fits = if flag == Flag::Complete { message.on_last(next) } else { Ok(()) };
        if let Err(misfit) = fits {
            self.answer(conn, &request, failure_report, misfit.status(), now);
            self.break_off(incoming, misfit.status());
        } else if let Some(total) = message.complete() {
            if self.sessions.get(session.0).is_some_and(|known| known.options.confirm == Confirm::ByCaller) {
                // It may have to wait for long.
                request.detach();
            }
            message.pending = Some(request);
            self.on_complete(incoming, total, now);
        } else {
            self.answer(conn, &request, failure_report, Status::OK, now);
        }
    }

    fn on_complete(&mut self, incoming: IncomingId, total: u64, now: Now) {
        let Some(message) = self.incoming.get(incoming.0) else { return };
        let (session, id, success_report) = (message.session, message.id.clone(), message.success_report);
        let Some(known) = self.sessions.get_mut(session.0) else { return };
        known.stats.received += 1;
        self.events.push_back(Event::Complete { session, incoming, total });
        match known.options.confirm {
            Confirm::ByCaller => {}
            Confirm::AtOnce => {
                self.accept(incoming, now);
                if success_report {
                    let all = ByteRange { start: 1, end: Some(total), total: Some(total) };
                    self.report(session, &id, &all, Status::OK, now);
                }
            }
        }
    }

    /// A report never gets an answer, so whatever is wrong with it is passed over.
    fn on_report(&mut self, conn: ConnId, head: &Head) {
        if head.fault().is_some() {
            return;
        }
        let Ok(session) = self.route(conn, head) else { return };
        let Some(known) = self.sessions.get(session.0).filter(|known| known.conn == Some(conn)) else { return };
        let Some(message_id) =
            head.message_id().filter(|id| known.reportable.get(id).is_some()).and_then(MessageId::parse)
        else {
            return;
        };
        let Some(status) = head.value(Name::Status).and_then(|text| Status::parse_header(text).ok()) else { return };
        let Ok(range) = head.byte_range() else { return };
        self.events.push_back(Event::Report { session, message_id, range, status });
    }

    fn refuse_chunk(&mut self, conn: ConnId, incoming: IncomingId, status: Status, now: Now) {
        let chunk = self.connections.get_mut(&conn).and_then(|link| link.chunk.as_mut());
        if let Some(chunk) = chunk {
            chunk.target = Target::Nowhere;
            let failure_report = chunk.failure_report;
            if let Some(request) = chunk.request.take() {
                self.answer(conn, &request, failure_report, status, now);
            }
        }
        self.break_off(incoming, status);
    }

    /// Ends a message that we refuse, whose sender has been answered.
    fn break_off(&mut self, incoming: IncomingId, status: Status) {
        let Some(session) = self.incoming.get(incoming.0).map(|message| message.session) else { return };
        self.end_incoming(incoming, Outcome::Refused(status));
        self.events.push_back(Event::Incomplete { session, incoming, why: Incomplete::Refused(status) });
        self.check_drained(session);
    }

    fn end_incoming(&mut self, incoming: IncomingId, outcome: Outcome) {
        if let Some(message) = self.incoming.remove(incoming.0)
            && let Some(known) = self.sessions.get_mut(message.session.0)
        {
            known.incoming.remove(&message.id);
            known.ended.insert(message.id, outcome);
        }
    }

    fn answer_pending(&mut self, session: SessionId, request: Option<Box<Head>>, status: Status, now: Now) {
        let conn = self.sessions.get(session.0).and_then(|known| known.conn);
        if let Some((conn, request)) = conn.zip(request) {
            self.answer(conn, &request, request.failure_report().unwrap_or_default(), status, now);
        }
    }

    fn answer(&mut self, conn: ConnId, request: &Head, failure_report: FailureReport, status: Status, now: Now) {
        self.traffic.answered.add(status);
        if !failure_report.wants(status) {
            return;
        }
        let route = self.connections.get(&conn).and_then(|link| link.route.as_ref());
        let text = match route {
            // What led to a session has been found to be paths.
            Some(route) if route.is_of(request) => print::answer(request, status),
            Some(_) | None => print::response(request, status, &self.options.heads),
        };
        if let Some(text) = text {
            self.write_frame(conn, text, now);
        }
    }

    /// Notes a request for a session that its sender is not in.
    fn note_stranger(&mut self, conn: ConnId, status: Status, now: Now) {
        let source = self.connections.get(&conn).and_then(|link| link.source);
        if status == Status::NO_SUCH_SESSION {
            self.strangers.note(|refusals| &mut refusals.unknown_session, source, "no such session", now.at);
        } else if status == Status::SESSION_IN_USE {
            self.strangers.note(
                |refusals| &mut refusals.session_in_use,
                source,
                "a session that is not its own",
                now.at,
            );
        }
    }

    /// A connection that has no session and does not find one is not kept for long.
    fn count_strike(&mut self, conn: ConnId, is_refused: bool, now: Now) {
        let Some(link) = self.connections.get_mut(&conn) else { return };
        link.strikes += usize::from(is_refused);
        if link.sessions.is_empty() && link.strikes > self.options.strikes {
            self.lose(conn, true, now);
        }
    }
}

impl Misfit {
    const fn status(self) -> Status {
        match self {
            Misfit::TooLarge | Misfit::TooScattered => Status::STOP_SENDING,
            Misfit::Contradiction => Status::BAD_REQUEST,
        }
    }
}
