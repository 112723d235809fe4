use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::{Deref, Range};

use bytes::Bytes;
use smallvec::SmallVec;

use crate::digits::{push_decimal, push_ip};
use crate::essentials::Essentials;
use crate::header::{CSeq, Via};
use crate::scan::{Commas, trim};
use crate::{Address, Builder, Limits, Method, Name, ParseError, Uri, index, name};

/// A piece of the head. The head is at most 65,535 octets, so two bytes each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u16,
    pub(crate) end: u16,
}

impl Span {
    pub(crate) const fn new(start: usize, end: usize) -> Span {
        Span { start: start as u16, end: end as u16 }
    }

    pub(crate) const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One header field: where its line starts (it ends where the next one starts) and where its value stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: Name,
    pub(crate) line: u16,
    pub(crate) value: Span,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum StartLine {
    Request { method: Method, token: Span, uri: Span },
    Response { status: u16, reason: Span },
}

/// A received message: its bytes, untouched, and an index of where things stand in them. Copying it copies no text of it.
#[derive(Clone)]
pub struct Message {
    pub(crate) bytes: Bytes,
    /// Apart, for a message changes hands more often than it is read.
    pub(crate) index: Box<Index>,
    pub(crate) stamp: Option<Stamp>,
}

/// Where things stand in a message.
#[derive(Clone)]
pub(crate) struct Index {
    pub(crate) start: StartLine,
    pub(crate) fields: SmallVec<[Field; 40]>,
    pub(crate) first: [u8; name::COUNT],
    /// Start of the blank line that ends the head.
    pub(crate) head_end: u16,
    pub(crate) body: Range<usize>,
    pub(crate) essentials: Essentials,
}

/// What the receiving transport adds to the topmost Via. Kept beside the bytes, printed when they are.
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    /// Where `=port` goes: after an `rport` without value.
    rport_at: Option<u16>,
    /// Where `;received=…` goes: the end of the Via entry.
    end: u16,
    /// The two, one after the other: written once, for answers and copies have them alike.
    text: String,
    /// Where the first of them ends.
    port_end: usize,
}

/// A message that cannot be taken as SIP, with as much of it as could be indexed: enough, often, to answer it.
///
/// In that message the accessors for checked header fields give what could be read, and else empty text.
#[derive(Debug)]
pub struct Malformed {
    /// What is wrong, where, and with which status a request is answered.
    pub error: ParseError,
    /// The message as far as its head could be indexed; `None` when not even its start line could.
    pub message: Option<Box<Message>>,
}

impl Malformed {
    /// Starts the answer that the fault deserves. A request with a Via is answered, as well as its other header fields
    /// allow (RFC 4475 §3.3.1); an ACK, a response and anything less is dropped.
    pub fn answer(&self, to_tag: &str) -> Option<Builder> {
        let message = self.message.as_deref()?;
        match message.index.start {
            StartLine::Request { method: Method::Ack, .. } | StartLine::Response { .. } => None,
            StartLine::Request { .. } if !message.has(Name::Via) => None,
            StartLine::Request { .. } => Some(Builder::response(message, self.error.status, to_tag)),
        }
    }
}

impl Message {
    /// Reads one message that fills `bytes`: a datagram, or what the stream framing cut out.
    ///
    /// Octets after the body are ignored, as RFC 3261 §18.3 wants for datagrams. The header fields that every element
    /// needs (Via, From, To, Call-ID, CSeq, Max-Forwards, Content-Length) are checked here, so that the accessors for
    /// them cannot fail; all others are checked when they are read.
    pub fn parse(bytes: Bytes, limits: &Limits) -> Result<Message, Malformed> {
        let (mut message, fault) = match index::index(bytes, limits) {
            Ok(message) => (message, None),
            Err(Malformed { error, message: Some(message) }) => (*message, Some(error)),
            Err(malformed) => return Err(malformed),
        };
        let checked = Essentials::check(&mut message, limits);
        match fault.map_or(checked, Err) {
            Ok(()) => Ok(message),
            Err(error) => Err(Malformed { error, message: Some(Box::new(message)) }),
        }
    }

    /// The message as it came.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Whether it is a request.
    pub const fn is_request(&self) -> bool {
        matches!(self.index.start, StartLine::Request { .. })
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.index.body.clone()]
    }

    /// The body, sharing the message's memory.
    pub fn body_bytes(&self) -> Bytes {
        self.bytes.slice(self.index.body.clone())
    }

    /// A piece of the message as shared bytes; `part` must be borrowed from it.
    pub fn share(&self, part: &[u8]) -> Bytes {
        if part.is_empty() { Bytes::new() } else { self.bytes.slice_ref(part) }
    }

    /// The value of the first header field of that name, as it stood (perhaps folded).
    pub fn header(&self, name: Name) -> Option<&[u8]> {
        self.field(name).map(|i| self.value_of(i))
    }

    /// Where `part`, borrowed from the message, stands in it.
    pub(crate) fn offset_of(&self, part: &[u8]) -> usize {
        part.as_ptr().addr().wrapping_sub(self.bytes.as_ptr().addr()).min(self.bytes.len())
    }

    /// Whether there is a header field of that name.
    pub fn has(&self, name: Name) -> bool {
        self.field(name).is_some()
    }

    /// The values of all header fields of that name, one per line.
    pub fn headers(&self, name: Name) -> impl Iterator<Item = &[u8]> {
        let from = self.field(name).unwrap_or(self.index.fields.len());
        (from..self.index.fields.len()).filter(move |i| self.index.fields[*i].name == name).map(|i| self.value_of(i))
    }

    /// The values of a list header field: lines and their comma-separated parts, in order.
    pub fn values(&self, name: Name) -> impl Iterator<Item = &[u8]> {
        self.headers(name).flat_map(Commas::new)
    }

    /// The addresses of a list header field. An entry that is no address is an error in its place.
    pub fn addresses(&self, name: Name) -> impl Iterator<Item = Result<Address<'_>, ParseError>> {
        self.values(name).map(Address::parse)
    }

    /// Whether a list of tokens (Supported, Require, Allow, …) holds `token`.
    pub fn lists(&self, name: Name, token: &str) -> bool {
        self.values(name).any(|t| t.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Every header field: its known name, its name as written and its value.
    pub fn all_headers(&self) -> impl Iterator<Item = (Name, &[u8], &[u8])> {
        (0..self.index.fields.len()).map(|i| {
            let field = &self.index.fields[i];
            let head = &self.bytes[usize::from(field.line)..usize::from(field.value.start)];
            let colon = memchr::memchr(b':', head).unwrap_or(head.len());
            (field.name, trim(&head[..colon]), self.value_of(i))
        })
    }

    /// The value of the first header field whose name nobody here interprets.
    pub fn other_header(&self, name: &str) -> Option<&[u8]> {
        self.all_headers().find(|(_, n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, _, v)| v)
    }

    /// The topmost Via.
    pub fn via(&self) -> Via<'_> {
        self.index.essentials.via(&self.bytes)
    }

    /// The topmost Via as written.
    pub fn top_via(&self) -> &[u8] {
        &self.bytes[self.index.essentials.top_via.range()]
    }

    /// Records where a request really came from (RFC 3261 §18.2.1, RFC 3581 §4): responses and forwarded copies made from
    /// this message carry `received` (if sent-by says otherwise, or `rport` is there) and the value of `rport`.
    pub fn stamp_received(&mut self, source: SocketAddr) {
        let via = self.via();
        let asked = matches!(via.rport(), Some(None));
        let is_claimed = || {
            let claimed = std::str::from_utf8(via.host).ok();
            claimed.and_then(|h| h.trim_matches(['[', ']']).parse::<IpAddr>().ok()) == Some(source.ip().to_canonical())
        };
        if via.received().is_some() || (!asked && is_claimed()) {
            return;
        }
        let end_of = |part: &[u8]| (self.offset_of(part) + part.len()) as u16;
        let is_rport = |(name, _): &(&[u8], _)| name.eq_ignore_ascii_case(b"rport");
        let rport_at = if asked { via.params.iter().find(is_rport).map(|(name, _)| end_of(name)) } else { None };
        let end = end_of(self.top_via());
        self.stamp = Some(Stamp::new(rport_at, end, source));
    }

    /// From.
    pub fn from(&self) -> Address<'_> {
        self.index.essentials.from.of(&self.bytes)
    }

    /// To.
    pub fn to(&self) -> Address<'_> {
        self.index.essentials.to.of(&self.bytes)
    }

    /// The tag of From; empty for RFC 2543 peers that send none.
    pub fn from_tag(&self) -> &[u8] {
        &self.bytes[self.index.essentials.from_tag.range()]
    }

    /// The tag of To; empty outside a dialog.
    pub fn to_tag(&self) -> &[u8] {
        &self.bytes[self.index.essentials.to_tag.range()]
    }

    /// Call-ID.
    pub fn call_id(&self) -> &[u8] {
        self.header(Name::CallId).unwrap_or_default()
    }

    /// CSeq.
    pub const fn cseq(&self) -> CSeq {
        self.index.essentials.cseq
    }

    /// Max-Forwards, if there is one.
    pub const fn max_forwards(&self) -> Option<u8> {
        self.index.essentials.max_forwards
    }

    /// The method's token as it stands in CSeq: for extension methods, the only place a response has it.
    pub fn cseq_method(&self) -> &[u8] {
        let value = self.header(Name::CSeq).unwrap_or_default();
        value.rsplit(|b| crate::scan::is_space(*b)).next().unwrap_or_default()
    }

    pub(crate) fn field(&self, name: Name) -> Option<usize> {
        let i = usize::from(self.index.first[name as usize]);
        if i != NONE {
            return Some(i);
        }
        // The table of first occurrences covers the first 254 lines; Limits may allow more.
        (NONE..self.index.fields.len()).find(|i| self.index.fields[*i].name == name)
    }

    pub(crate) fn value_of(&self, i: usize) -> &[u8] {
        &self.bytes[self.index.fields[i].value.range()]
    }

    /// Where the first header field begins, or the blank line where there is none.
    pub(crate) fn fields_start(&self) -> usize {
        usize::from(self.index.fields.first().map_or(self.index.head_end, |field| field.line))
    }

    /// The whole line of a field, folded lines and final CRLF included.
    pub(crate) fn line_of(&self, i: usize) -> Range<usize> {
        let end = self.index.fields.get(i + 1).map_or(self.index.head_end, |next| next.line);
        usize::from(self.index.fields[i].line)..usize::from(end)
    }
}

pub(crate) const NONE: usize = 255;

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Header fields and bodies carry users' addresses and words: only the shape is shown.
        match self.index.start {
            StartLine::Request { method, .. } => {
                write!(f, "Message({method}, {} header fields)", self.index.fields.len())
            }
            StartLine::Response { status, .. } => {
                write!(f, "Message({status}, {} header fields)", self.index.fields.len())
            }
        }
    }
}

/// A request that passed [`Message::parse`].
#[derive(Clone, Debug)]
pub struct Request(Message);

/// A response that passed [`Message::parse`].
#[derive(Clone, Debug)]
pub struct Response(Message);

/// A message, told apart by its start line.
#[derive(Clone, Debug)]
pub enum Either {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

impl Message {
    /// Tells requests and responses apart.
    pub fn split(self) -> Either {
        if self.is_request() { Either::Request(Request(self)) } else { Either::Response(Response(self)) }
    }

    /// Reads bytes that must be a request, for instance one of our own.
    pub fn parse_request(bytes: Bytes) -> Result<Request, ParseError> {
        match Message::parse(bytes, &Limits::default()).map_err(|m| m.error)?.split() {
            Either::Request(request) => Ok(request),
            Either::Response(_) => Err(ParseError::new(0, "a request")),
        }
    }

    /// Reads bytes that must be a response.
    pub fn parse_response(bytes: Bytes) -> Result<Response, ParseError> {
        match Message::parse(bytes, &Limits::default()).map_err(|m| m.error)?.split() {
            Either::Response(response) => Ok(response),
            Either::Request(_) => Err(ParseError::new(0, "a response")),
        }
    }
}

/// `=` and a port, `;received=` and an IPv6 address.
const LONGEST_STAMP: usize = 6 + 10 + 39;

impl Stamp {
    fn new(rport_at: Option<u16>, end: u16, source: SocketAddr) -> Stamp {
        let mut text = String::with_capacity(LONGEST_STAMP);
        if rport_at.is_some() {
            text.push('=');
            push_decimal(&mut text, source.port().into());
        }
        let port_end = text.len();
        // RFC 5118 §4.5: an IPv6 address stands here without brackets.
        text.push_str(";received=");
        push_ip(&mut text, source.ip().to_canonical());
        Stamp { rport_at, end, text, port_end }
    }

    /// The insertions, in order of place.
    pub(crate) fn texts(&self) -> impl DoubleEndedIterator<Item = (usize, &[u8])> {
        let (port, received) = self.text.as_bytes().split_at(self.port_end);
        [(self.rport_at, port), (Some(self.end), received)]
            .into_iter()
            .filter_map(|(at, text)| at.map(|at| (usize::from(at), text)))
    }
}

impl Request {
    /// The request in memory of its own: for who keeps it, where what it was read from holds others as well.
    #[must_use]
    pub fn detached(mut self) -> Request {
        self.0.bytes = Bytes::copy_from_slice(&self.0.bytes);
        self
    }

    /// [`Message::stamp_received`].
    pub fn stamp_received(&mut self, source: SocketAddr) {
        self.0.stamp_received(source);
    }

    /// The method.
    pub fn method(&self) -> Method {
        match self.0.index.start {
            StartLine::Request { method, .. } => method,
            StartLine::Response { .. } => unreachable!("a Request is made from a request line only"),
        }
    }

    /// The method's token as written: tells extension methods apart.
    pub fn method_token(&self) -> &[u8] {
        match self.0.index.start {
            StartLine::Request { token, .. } => &self.0.bytes[token.range()],
            StartLine::Response { .. } => unreachable!("a Request is made from a request line only"),
        }
    }

    /// The Request-URI as written.
    pub fn uri_text(&self) -> &[u8] {
        match self.0.index.start {
            StartLine::Request { uri, .. } => &self.0.bytes[uri.range()],
            StartLine::Response { .. } => unreachable!("a Request is made from a request line only"),
        }
    }

    /// The Request-URI.
    pub fn uri(&self) -> Uri<'_> {
        self.0.index.essentials.uri.of(&self.0.bytes)
    }

    /// The message.
    pub const fn message(&self) -> &Message {
        &self.0
    }
}

impl Response {
    /// The status code, 100 to 699.
    pub fn status(&self) -> u16 {
        match self.0.index.start {
            StartLine::Response { status, .. } => status,
            StartLine::Request { .. } => unreachable!("a Response is made from a status line only"),
        }
    }

    /// The reason phrase as written.
    pub fn reason_phrase(&self) -> &[u8] {
        match self.0.index.start {
            StartLine::Response { reason, .. } => &self.0.bytes[reason.range()],
            StartLine::Request { .. } => unreachable!("a Response is made from a status line only"),
        }
    }

    /// Whether it is a 1xx.
    pub fn is_provisional(&self) -> bool {
        self.status() < 200
    }

    /// Whether it is a 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status())
    }

    /// The message.
    pub const fn message(&self) -> &Message {
        &self.0
    }
}

impl Deref for Request {
    type Target = Message;
    fn deref(&self) -> &Message {
        &self.0
    }
}

impl Deref for Response {
    type Target = Message;
    fn deref(&self) -> &Message {
        &self.0
    }
}
