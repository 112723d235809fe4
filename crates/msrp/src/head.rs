use std::fmt;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::byte_range::ByteRange;
use crate::{ParseError, Status};

/// The methods of RFC 4975 and RFC 4976; the token of any other is kept in the start line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// Carries a chunk of a message.
    Send,
    /// Tells the sender what became of a message. Never answered.
    Report,
    /// Asks a relay for a URI (RFC 4976).
    Auth,
    /// Not known here: answered 501.
    Other,
}

/// A header field that has a meaning here. The letters of the name may be upper or lower case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Name {
    /// `To-Path`
    ToPath,
    /// `From-Path`
    FromPath,
    /// `Message-ID`
    MessageId,
    /// `Byte-Range`
    ByteRange,
    /// `Success-Report`
    SuccessReport,
    /// `Failure-Report`
    FailureReport,
    /// `Status`
    Status,
    /// `Content-Type`
    ContentType,
    /// `Expires` (RFC 4976)
    Expires,
    /// `Min-Expires` (RFC 4976)
    MinExpires,
    /// `Max-Expires` (RFC 4976)
    MaxExpires,
    /// `Use-Path` (RFC 4976)
    UsePath,
    /// `WWW-Authenticate` (RFC 4976)
    WwwAuthenticate,
    /// `Authorization` (RFC 4976)
    Authorization,
    /// `Authentication-Info` (RFC 4976)
    AuthenticationInfo,
    /// Any other.
    Other,
}

/// The known names as they are printed.
const NAMES: [(Name, &str); 15] = [
    (Name::ToPath, "To-Path"),
    (Name::FromPath, "From-Path"),
    (Name::MessageId, "Message-ID"),
    (Name::ByteRange, "Byte-Range"),
    (Name::SuccessReport, "Success-Report"),
    (Name::FailureReport, "Failure-Report"),
    (Name::Status, "Status"),
    (Name::ContentType, "Content-Type"),
    (Name::Expires, "Expires"),
    (Name::MinExpires, "Min-Expires"),
    (Name::MaxExpires, "Max-Expires"),
    (Name::UsePath, "Use-Path"),
    (Name::WwwAuthenticate, "WWW-Authenticate"),
    (Name::Authorization, "Authorization"),
    (Name::AuthenticationInfo, "Authentication-Info"),
];

impl Name {
    /// The name of a header field.
    pub fn from_bytes(text: &[u8]) -> Name {
        // Nearly everybody writes them as they are printed.
        let printed = NAMES.iter().find(|(_, name)| name.as_bytes() == text);
        let known = printed.or_else(|| NAMES.iter().find(|(_, name)| name.as_bytes().eq_ignore_ascii_case(text)));
        known.map_or(Name::Other, |(name, _)| *name)
    }

    /// Whether two of it in one head contradict each other. A relay may offer several challenges.
    pub(crate) const fn is_single(self) -> bool {
        !matches!(self, Name::Other | Name::WwwAuthenticate)
    }
}

/// When a sender wants to hear that a message failed (RFC 4975 §7.1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FailureReport {
    /// Every transaction is answered; no answer is a failure. The default.
    #[default]
    Yes,
    /// Only errors are answered.
    Partial,
    /// Nothing is answered.
    No,
}

impl FailureReport {
    /// The token of the header field.
    pub const fn as_str(self) -> &'static str {
        match self {
            FailureReport::Yes => "yes",
            FailureReport::Partial => "partial",
            FailureReport::No => "no",
        }
    }

    /// Whether a response with this status is sent.
    pub const fn wants(self, status: Status) -> bool {
        match self {
            FailureReport::Yes => true,
            FailureReport::Partial => !status.is_success(),
            FailureReport::No => false,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    pub(crate) start: u16,
    pub(crate) end: u16,
}

impl Span {
    const fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: Name,
    pub(crate) token: Span,
    pub(crate) value: Span,
}

/// What the start line says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// A request.
    Request(Method),
    /// A response.
    Response(Status),
}

/// Start line and header fields of a request or response: an index over the bytes that came, which are not copied.
///
/// A head is handed out even if it breaks the grammar, as long as its frame can be followed: then [`Head::fault`] says
/// what is wrong, and a request is answered 400 if its paths can be read.
#[derive(Clone)]
pub struct Head {
    pub(crate) bytes: Bytes,
    pub(crate) transaction: Span,
    pub(crate) start: Start,
    pub(crate) fields: SmallVec<[Field; 10]>,
    pub(crate) fault: Option<ParseError>,
    pub(crate) has_body: bool,
}

impl Head {
    /// Request or response.
    pub const fn start(&self) -> Start {
        self.start
    }

    /// The start line as it came, without its CRLF.
    pub fn start_line(&self) -> &[u8] {
        // A head has one, or nobody could have told where it ends.
        &self.bytes[..memchr::memchr(b'\r', &self.bytes).unwrap_or(self.bytes.len())]
    }

    /// The transaction identifier.
    pub fn transaction_id(&self) -> &[u8] {
        &self.bytes[self.transaction.range()]
    }

    /// The first thing in it that breaks the grammar.
    pub const fn fault(&self) -> Option<ParseError> {
        self.fault
    }

    /// Whether a blank line follows: octets of a body, perhaps none, come before the end-line.
    pub const fn has_body(&self) -> bool {
        self.has_body
    }

    /// The value of a header field; of the first one if there are several.
    pub fn value(&self, name: Name) -> Option<&str> {
        let field = self.fields.iter().find(|field| field.name == name)?;
        std::str::from_utf8(&self.bytes[field.value.range()]).ok()
    }

    /// The octets of a value, for comparing.
    pub(crate) fn raw(&self, name: Name) -> Option<&[u8]> {
        let field = self.fields.iter().find(|field| field.name == name)?;
        Some(&self.bytes[field.value.range()])
    }

    /// Copies it out of what was read, which it would keep alive as a whole otherwise.
    pub(crate) fn detach(&mut self) {
        self.bytes = Bytes::copy_from_slice(&self.bytes);
    }

    /// The value of a header field as a slice that keeps what came alive.
    pub fn value_bytes(&self, name: Name) -> Option<Bytes> {
        let field = self.fields.iter().find(|field| field.name == name)?;
        Some(self.bytes.slice(field.value.range()))
    }

    /// All header fields in their order, unknown ones too: name and value as they came.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|field| (&self.bytes[field.token.range()], &self.bytes[field.value.range()]))
    }

    /// `Message-ID`, if there is one.
    pub fn message_id(&self) -> Option<&str> {
        self.value(Name::MessageId)
    }

    /// `Byte-Range`, or its default.
    pub fn byte_range(&self) -> Result<ByteRange, ParseError> {
        self.value(Name::ByteRange).map_or(Ok(ByteRange::WHOLE), ByteRange::parse)
    }

    /// `Success-Report`, `no` by default.
    pub fn success_report(&self) -> Result<bool, ParseError> {
        match self.value(Name::SuccessReport) {
            Some(text) if text.eq_ignore_ascii_case("yes") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("no") => Ok(false),
            None => Ok(false),
            Some(_) => Err(ParseError::new(0, "yes or no")),
        }
    }

    /// `Failure-Report`, `yes` by default.
    pub fn failure_report(&self) -> Result<FailureReport, ParseError> {
        match self.value(Name::FailureReport) {
            Some(text) if text.eq_ignore_ascii_case("yes") => Ok(FailureReport::Yes),
            Some(text) if text.eq_ignore_ascii_case("partial") => Ok(FailureReport::Partial),
            Some(text) if text.eq_ignore_ascii_case("no") => Ok(FailureReport::No),
            None => Ok(FailureReport::Yes),
            Some(_) => Err(ParseError::new(0, "yes, no or partial")),
        }
    }

    /// The MIME header fields, each with its CRLF, as they stand before a body (RFC 4975 §9, `content-stuff`).
    pub fn mime(&self) -> Vec<u8> {
        let is_mime = |name: &[u8]| {
            name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"Content-"))
                || name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"MIME-"))
        };
        let octets = |span: Span| &self.bytes[span.range()];
        // Of those with a meaning here one is.
        let candidates = || self.fields.iter().filter(|field| matches!(field.name, Name::ContentType | Name::Other));
        let fields = || candidates().filter(|field| is_mime(octets(field.token)));
        let lines = || fields().map(|field| [octets(field.token), b": ", octets(field.value), b"\r\n"]);
        let mut out = Vec::with_capacity(lines().flatten().map(<[u8]>::len).sum());
        lines().flatten().for_each(|part| out.extend_from_slice(part));
        out
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("start", &self.start)
            .field("transaction_id", &String::from_utf8_lossy(self.transaction_id()))
            .field("fields", &self.fields.len())
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}
