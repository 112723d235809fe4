use std::borrow::Cow;
use std::fmt;

use crate::content::is_mime_field;
use crate::header::{RawHeader, cut, declaration};
use crate::lines::{Line, Lines, MAX_HEADERS};
use crate::{
    Address, Content, DateTime, Disposition, Dispositions, Header, Imdn, IsComposing, MessageId, Namespace, ParseError,
};

/// A CPIM message as it came: its bytes, and where things stand in them.
///
/// Names of headers are compared without regard to case, line ends may be LF, the empty line before the content's header
/// fields may be missing, `imdn` and `cpm` need no NS. What could make two readers see two different messages is refused:
/// From, DateTime or imdn.Message-ID twice, control characters, bytes that are not UTF-8 in a header, folded lines.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope<'a> {
    bytes: &'a [u8],
    headers: Vec<Header<'a>>,
    prefixes: Vec<(&'a str, &'a str)>,
    from: Option<Address<'a>>,
    message_id: Option<MessageId<'a>>,
    dispositions: Dispositions,
    content: Content<'a>,
}

impl<'a> Envelope<'a> {
    /// Reads a whole message.
    pub fn parse(bytes: &'a [u8]) -> Result<Envelope<'a>, ParseError> {
        Envelope::read(bytes, true)
    }

    /// Reads the start of a message that is still arriving, as the first chunk of a large one. The content is what has
    /// arrived of it. An error that is [truncated](ParseError#structfield.truncated) may go away when more has come.
    pub fn parse_start(bytes: &'a [u8]) -> Result<Envelope<'a>, ParseError> {
        Envelope::read(bytes, false)
    }

    fn read(bytes: &'a [u8], whole: bool) -> Result<Envelope<'a>, ParseError> {
        let mut lines = Lines::new(bytes);
        let mut head = Head::default();
        let open = loop {
            let at = lines.at();
            let missing = ParseError::truncated(at, "the empty line after the message headers");
            let line = lines.next()?.ok_or(missing)?;
            let first = head.headers.is_empty() && head.prefixes.is_empty();
            match line.text {
                // A line end or two before the message do no harm.
                "" if first && line.ended && at < 4 => {}
                "" if first && line.ended => return Err(ParseError::new(at, "a message header")),
                "" if line.ended => break false,
                "" => return Err(missing),
                text if is_mime_field(text.as_bytes()) && !first => {
                    lines.go_back(at);
                    break true;
                }
                _ => head.take(line)?,
            }
        };
        let content = Content::read(bytes, &mut lines, whole, open)?;
        let Head { headers, prefixes, from, message_id, dispositions, .. } = head;
        Ok(Envelope { bytes, headers, prefixes, from, message_id, dispositions, content })
    }

    /// The message as it came: what a relay sends on.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What it carries.
    pub const fn content(&self) -> &Content<'a> {
        &self.content
    }

    /// All message headers but NS, in order.
    pub fn headers(&self) -> &[Header<'a>] {
        &self.headers
    }

    /// The headers of one name.
    pub fn headers_named<'s>(
        &'s self,
        namespace: Namespace<'s>,
        name: &'s str,
    ) -> impl Iterator<Item = &'s Header<'a>> {
        self.headers.iter().filter(move |h| h.is(namespace, name))
    }

    /// The first header of a name.
    pub fn header(&self, namespace: Namespace<'_>, name: &str) -> Option<&Header<'a>> {
        self.headers.iter().find(|h| h.is(namespace, name))
    }

    /// Who says to have sent it. In a one-to-one session it is mostly anonymous; who did send it says SIP.
    pub const fn from(&self) -> Option<Address<'a>> {
        self.from
    }

    /// Whom it is for.
    pub fn to(&self) -> impl Iterator<Item = Address<'a>> {
        self.addresses(Namespace::Cpim, "To")
    }

    /// Who else gets it.
    pub fn cc(&self) -> impl Iterator<Item = Address<'a>> {
        self.addresses(Namespace::Cpim, "cc")
    }

    /// imdn.Original-To: whom it was for before an exploder or a forwarding changed To (RFC 5438 §6).
    pub fn original_to(&self) -> Option<Address<'a>> {
        self.addresses(Namespace::Imdn, "Original-To").next()
    }

    /// imdn.IMDN-Record-Route: who wants to see the receipts, the last one first (RFC 5438 §6).
    pub fn record_route(&self) -> impl Iterator<Item = Address<'a>> {
        self.addresses(Namespace::Imdn, "IMDN-Record-Route")
    }

    /// imdn.IMDN-Route: the way of a receipt (RFC 5438 §6).
    pub fn route(&self) -> impl Iterator<Item = Address<'a>> {
        self.addresses(Namespace::Imdn, "IMDN-Route")
    }

    /// All of them were read when the message was, so none is left out here.
    fn addresses(&self, namespace: Namespace<'static>, name: &'static str) -> impl Iterator<Item = Address<'a>> {
        self.headers.iter().filter(move |h| h.is(namespace, name)).filter_map(|h| Address::parse(h.raw).ok())
    }

    /// When it was sent, by the sender's clock. A wrong DateTime is an error of that header, not of the message.
    pub fn date_time(&self) -> Option<Result<DateTime, ParseError>> {
        self.header(Namespace::Cpim, "DateTime").map(|h| DateTime::parse(h.raw))
    }

    /// The Subject; there may be more in other languages among [`Envelope::headers_named`].
    pub fn subject(&self) -> Option<Cow<'a, str>> {
        self.header(Namespace::Cpim, "Subject").map(Header::value)
    }

    /// imdn.Message-ID.
    pub const fn message_id(&self) -> Option<MessageId<'a>> {
        self.message_id
    }

    /// Which receipts the sender asks for. Whether one may be sent say the `wants_…` methods.
    pub const fn dispositions(&self) -> Dispositions {
        self.dispositions
    }

    /// cpm.Payload-Type: the type of the content, repeated by CPM where those who do not look inside can see it.
    pub fn payload_type(&self) -> Option<Cow<'a, str>> {
        self.header(Namespace::Cpm, "Payload-Type").map(Header::value)
    }

    /// The first header that Require says must be understood and that this crate does not know (RFC 3862 §3.5). A final
    /// recipient refuses such a message.
    pub fn not_understood(&self) -> Option<&'a str> {
        let required = self.headers_named(Namespace::Cpim, "Require").flat_map(|h| h.raw.split(','));
        required.map(str::trim_ascii).find(|name| !name.is_empty() && !self.understands(name))
    }

    fn understands(&self, full: &str) -> bool {
        let (prefix, name) = full.split_once('.').unwrap_or(("", full));
        let known: &[&str] = match namespace(&self.prefixes, (!prefix.is_empty()).then_some(prefix)) {
            Namespace::Cpim => &["From", "To", "cc", "DateTime", "Subject", "NS", "Require"],
            Namespace::Imdn => &IMDN_HEADERS,
            Namespace::Cpm => &["Payload-Type"],
            Namespace::Other(_) | Namespace::Undeclared(_) => &[],
        };
        known.iter().any(|k| k.eq_ignore_ascii_case(name))
    }

    /// Whether it is a receipt itself.
    pub fn is_imdn(&self) -> bool {
        self.content.is(Imdn::MEDIA_TYPE) || self.content.disposition().as_deref() == Some("notification")
    }

    /// Whether it only says that somebody is typing.
    pub fn is_composing(&self) -> bool {
        self.content.is(IsComposing::MEDIA_TYPE)
    }

    /// Whether to send `delivered` once it reached the recipient.
    pub fn wants_delivery_receipt(&self) -> bool {
        self.wants(Disposition::PositiveDelivery)
    }

    /// Whether to send `failed` when it cannot be delivered.
    pub fn wants_failure_receipt(&self) -> bool {
        self.wants(Disposition::NegativeDelivery)
    }

    /// Whether to send `displayed` once it was shown.
    pub fn wants_display_receipt(&self) -> bool {
        self.wants(Disposition::Display)
    }

    /// Whether an intermediary is to send `processed` or `stored`.
    pub fn wants_processing_receipt(&self) -> bool {
        self.wants(Disposition::Processing)
    }

    /// Whether a gateway is to tell that it left for SMS or MMS.
    pub fn wants_interworking_receipt(&self) -> bool {
        self.wants(Disposition::Interworking)
    }

    /// Never for a receipt, whatever it asks for (RFC 5438 §7.2: there would be no end), never for typing, and never without a
    /// Message-ID, which the receipt would have to name.
    fn wants(&self, disposition: Disposition) -> bool {
        self.dispositions.contains(disposition) && self.message_id.is_some() && !self.is_imdn() && !self.is_composing()
    }
}

/// The headers of RFC 5438 §6.
const IMDN_HEADERS: [&str; 5] =
    ["Message-ID", "Disposition-Notification", "Original-To", "IMDN-Record-Route", "IMDN-Route"];

/// What a prefix stands for: the last declaration counts.
fn namespace<'a>(prefixes: &[(&'a str, &'a str)], prefix: Option<&'a str>) -> Namespace<'a> {
    let wanted = prefix.unwrap_or("");
    match prefixes.iter().rev().find(|(declared, _)| declared.eq_ignore_ascii_case(wanted)) {
        Some((_, uri)) => Namespace::of(uri),
        None => prefix.map_or(Namespace::Cpim, Namespace::undeclared),
    }
}

/// The message headers while they are read.
#[derive(Default)]
struct Head<'a> {
    headers: Vec<Header<'a>>,
    prefixes: Vec<(&'a str, &'a str)>,
    from: Option<Address<'a>>,
    message_id: Option<MessageId<'a>>,
    dispositions: Dispositions,
    has_date_time: bool,
}

impl<'a> Head<'a> {
    fn take(&mut self, line: Line<'a>) -> Result<(), ParseError> {
        let fault = |error: ParseError| ParseError { truncated: !line.ended, ..error.shifted(line.at) };
        if self.headers.len() + self.prefixes.len() == MAX_HEADERS {
            return Err(ParseError::new(line.at, "the content after at most 128 message headers"));
        }
        let RawHeader { prefix, name, params, value } = cut(line.text).map_err(fault)?;
        if prefix.is_none() && name.eq_ignore_ascii_case("NS") {
            let wrong = ParseError::new(0, "a namespace: prefix <URI>");
            self.prefixes.push(declaration(value).ok_or(wrong).map_err(fault)?);
            return Ok(());
        }
        let header = Header { namespace: namespace(&self.prefixes, prefix), name, params, raw: value };
        self.index(&header).map_err(fault)?;
        self.headers.push(header);
        Ok(())
    }

    /// Checks the headers that are typed and keeps those that are asked for most.
    fn index(&mut self, header: &Header<'a>) -> Result<(), ParseError> {
        let is_cpim = |name| header.is(Namespace::Cpim, name);
        let is_imdn = |name| header.is(Namespace::Imdn, name);
        if is_cpim("From") {
            return once(&mut self.from, Address::parse(header.raw)?, "one From");
        }
        if is_imdn("Message-ID") {
            return once(&mut self.message_id, MessageId::parse(header.raw)?, "one imdn.Message-ID");
        }
        if is_cpim("DateTime") && std::mem::replace(&mut self.has_date_time, true) {
            return Err(ParseError::new(0, "one DateTime"));
        }
        if is_imdn("Disposition-Notification") {
            self.dispositions = self.dispositions.union(Dispositions::parse(header.raw));
        }
        let has_address = is_cpim("To") || is_cpim("cc") || IMDN_HEADERS[2..].iter().any(|name| is_imdn(name));
        if has_address {
            Address::parse(header.raw)?;
        }
        Ok(())
    }
}

fn once<T>(place: &mut Option<T>, value: T, expected: &'static str) -> Result<(), ParseError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(ParseError::new(0, expected)),
    }
}

/// Shows what identifies the message and nothing that its users wrote.
impl fmt::Debug for Envelope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Envelope");
        out.field("message_id", &self.message_id.map(MessageId::as_str)).field("dispositions", &self.dispositions);
        out.field("headers", &self.headers.len()).field("content", &self.content).finish()
    }
}

#[cfg(test)]
mod tests;
