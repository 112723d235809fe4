//! The header fields that every element needs, checked once when a message is parsed.

use crate::header::{CSeq, Known, Via};
use crate::message::{Message, Span, StartLine};
use crate::scan::{Commas, number};
use crate::uri::UriParts;
use crate::{Address, Limits, Name, Params, ParseError, Uri, name};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Essentials {
    pub(crate) uri: UriSpans,
    pub(crate) from: AddressSpans,
    pub(crate) to: AddressSpans,
    pub(crate) from_tag: Span,
    pub(crate) to_tag: Span,
    pub(crate) cseq: CSeq,
    pub(crate) max_forwards: Option<u8>,
    pub(crate) top_via: Span,
    via: ViaSpans,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct UriSpans {
    text: Span,
    parts: UriParts,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AddressSpans {
    display: Span,
    uri: UriSpans,
    params: Span,
}

#[derive(Clone, Copy, Debug, Default)]
struct ViaSpans {
    transport: Span,
    host: Span,
    port: Option<u16>,
    params: Span,
    branch: Span,
    received: Option<Span>,
    rport: Option<Span>,
    maddr: Option<Span>,
    oc: bool,
}

/// Header fields that may occur once (RFC 3261 §7.3.1: all whose grammar is not a list). Two of them, or two that differ,
/// are how one hop is made to read another message than the next: refused, never chosen from.
const SINGLE: [bool; name::COUNT] = {
    let mut single = [false; name::COUNT];
    let names = [
        Name::From,
        Name::To,
        Name::CallId,
        Name::CSeq,
        Name::MaxForwards,
        Name::ContentLength,
        Name::ContentType,
        Name::Expires,
        Name::ConversationId,
    ];
    let mut i = 0;
    while i < names.len() {
        single[names[i] as usize] = true;
        i += 1;
    }
    single
};

impl UriSpans {
    pub(crate) fn of<'a>(&self, bytes: &'a [u8]) -> Uri<'a> {
        Uri::trusted(&bytes[self.text.range()], self.parts)
    }
}

impl AddressSpans {
    pub(crate) fn of<'a>(&self, bytes: &'a [u8]) -> Address<'a> {
        let params = Params::trusted(&bytes[self.params.range()]);
        Address::trusted(&bytes[self.display.range()], self.uri.of(bytes), params)
    }
}

impl Essentials {
    /// Checks the message and fills its essentials in. All that can be read is, whatever the first fault was.
    pub(crate) fn check(message: &mut Message, limits: &Limits) -> Result<(), ParseError> {
        let mut essentials = Essentials::default();
        let mut fault = None;
        let mut keep = |e| _ = fault.get_or_insert(e);
        check_start_line(message).map(|uri| essentials.uri = uri).unwrap_or_else(&mut keep);
        check_single(message).unwrap_or_else(&mut keep);
        essentials.top_via = top_via(message);
        via(message, essentials.top_via).map(|via| essentials.via = via).unwrap_or_else(&mut keep);
        cseq(message).map(|cseq| essentials.cseq = cseq).unwrap_or_else(&mut keep);
        match address(message, Name::From) {
            Ok((from, tag)) => (essentials.from, essentials.from_tag) = (from, tag),
            Err(e) => keep(e),
        }
        match address(message, Name::To) {
            Ok((to, tag)) => (essentials.to, essentials.to_tag) = (to, tag),
            Err(e) => keep(e),
        }
        call_id(message).unwrap_or_else(&mut keep);
        max_forwards(message).map(|n| essentials.max_forwards = n).unwrap_or_else(&mut keep);
        body(message, limits).map(|range| message.index.body = range).unwrap_or_else(&mut keep);
        message.index.essentials = essentials;
        fault.map_or(Ok(()), Err)
    }

    pub(crate) fn via<'a>(&self, bytes: &'a [u8]) -> Via<'a> {
        Via {
            transport: &bytes[self.via.transport.range()],
            host: &bytes[self.via.host.range()],
            port: self.via.port,
            branch: &bytes[self.via.branch.range()],
            params: Params::trusted(&bytes[self.via.params.range()]),
            known: Known {
                received: self.via.received.map(|span| &bytes[span.range()]),
                rport: self.via.rport.map(|span| &bytes[span.range()]),
                maddr: self.via.maddr.map(|span| &bytes[span.range()]),
                oc: self.via.oc,
            },
        }
    }
}

fn check_start_line(message: &Message) -> Result<UriSpans, ParseError> {
    let StartLine::Request { uri: text, .. } = message.index.start else { return Ok(UriSpans::default()) };
    let after = usize::from(text.end) + 1;
    let version = &message.bytes[after..message.fields_start() - 2];
    if !version.eq_ignore_ascii_case(b"SIP/2.0") {
        let error = ParseError::new(after, "SIP/2.0 at the end of the request line");
        let other_version = version.len() > 4 && version[..4].eq_ignore_ascii_case(b"SIP/");
        return Err(if other_version { error.with_status(505) } else { error });
    }
    let at = usize::from(text.start);
    let uri = Uri::parse(&message.bytes[text.range()]).map_err(|e| e.shifted(at))?;
    // RFC 3261 §19.1.1: headers in a Request-URI must never become header fields, nor be forwarded.
    if uri.headers().is_some() {
        return Err(ParseError::new(at, "a Request-URI without headers"));
    }
    Ok(UriSpans { text, parts: uri.parts() })
}

fn check_single(message: &Message) -> Result<(), ParseError> {
    for (i, field) in message.index.fields.iter().enumerate() {
        if SINGLE[field.name as usize] && message.field(field.name) != Some(i) {
            return Err(ParseError::new(usize::from(field.line), "this header field once only"));
        }
    }
    Ok(())
}

fn required(message: &Message, name: Name, missing: &'static str) -> Result<(Span, usize), ParseError> {
    let i = message.field(name).ok_or(ParseError::new(usize::from(message.index.head_end), missing))?;
    let value = message.index.fields[i].value;
    Ok((value, usize::from(value.start)))
}

/// The span that `part`, a piece of the message's head, occupies.
fn span_of(message: &Message, part: &[u8]) -> Span {
    if part.is_empty() {
        return Span::default();
    }
    let start = message.offset_of(part);
    Span::new(start, start + part.len())
}

/// The topmost Via, whether it can be read or not.
fn top_via(message: &Message) -> Span {
    let value = message.header(Name::Via).unwrap_or_default();
    span_of(message, Commas::new(value).next().unwrap_or_default())
}

fn via(message: &Message, top: Span) -> Result<ViaSpans, ParseError> {
    let (value, at) = required(message, Name::Via, "a Via header field")?;
    let via = Via::parse(&message.bytes[top.range()]).map_err(|e| e.shifted(at))?;
    // The other entries of the line came the same way, so they are held to the same grammar.
    if top.end < value.end {
        let mut others = Commas::new(&message.bytes[value.range()]).skip(1);
        others.try_for_each(|entry| Via::parse(entry).map(drop)).map_err(|e| e.shifted(at))?;
    }
    Ok(ViaSpans {
        transport: span_of(message, via.transport),
        host: span_of(message, via.host),
        port: via.port,
        params: span_of(message, via.params.as_bytes()),
        branch: span_of(message, via.branch),
        received: via.known.received.map(|part| span_of(message, part)),
        rport: via.known.rport.map(|part| span_of(message, part)),
        maddr: via.known.maddr.map(|part| span_of(message, part)),
        oc: via.known.oc,
    })
}

fn cseq(message: &Message) -> Result<CSeq, ParseError> {
    let (value, at) = required(message, Name::CSeq, "a CSeq header field")?;
    let (cseq, token) = CSeq::parse_with_token(&message.bytes[value.range()]).map_err(|e| e.shifted(at))?;
    if let StartLine::Request { token: method, .. } = message.index.start
        && message.bytes[method.range()] != *token
    {
        return Err(ParseError::new(at, "the method of the request line in CSeq"));
    }
    Ok(cseq)
}

fn address(message: &Message, name: Name) -> Result<(AddressSpans, Span), ParseError> {
    let missing = if matches!(name, Name::From) { "a From header field" } else { "a To header field" };
    let (value, at) = required(message, name, missing)?;
    let (address, tag) = Address::parse_with_tag(&message.bytes[value.range()]).map_err(|e| e.shifted(at))?;
    let uri = UriSpans { text: span_of(message, address.uri().as_bytes()), parts: address.uri().parts() };
    let spans = AddressSpans {
        display: span_of(message, address.display()),
        uri,
        params: span_of(message, address.params().as_bytes()),
    };
    // An empty tag would read as no tag, and a response would add a second one.
    if tag == Some(b"") {
        return Err(ParseError::new(at, "a tag that is not empty"));
    }
    Ok((spans, span_of(message, tag.unwrap_or_default())))
}

fn call_id(message: &Message) -> Result<(), ParseError> {
    let (value, at) = required(message, Name::CallId, "a Call-ID header field")?;
    let text = &message.bytes[value.range()];
    if text.is_empty() || text.iter().any(|b| *b <= b' ' || *b == 0x7f) {
        return Err(ParseError::new(at, "a word as Call-ID"));
    }
    Ok(())
}

fn max_forwards(message: &Message) -> Result<Option<u8>, ParseError> {
    let Some(i) = message.field(Name::MaxForwards) else { return Ok(None) };
    let at = usize::from(message.index.fields[i].value.start);
    let n = number(message.value_of(i)).and_then(|n| u8::try_from(n).ok());
    n.map(Some).ok_or(ParseError::new(at, "Max-Forwards from 0 to 255"))
}

/// RFC 3261 §18.3: what exceeds Content-Length is cut, what falls short of it is an error. Without Content-Length the
/// body fills the datagram.
fn body(message: &Message, limits: &Limits) -> Result<std::ops::Range<usize>, ParseError> {
    let start = message.index.body.start;
    let available = message.bytes.len() - start;
    let length = match message.field(Name::ContentLength) {
        None => available,
        Some(i) => {
            let at = usize::from(message.index.fields[i].value.start);
            let length = number(message.value_of(i)).ok_or(ParseError::new(at, "a Content-Length"))?;
            if length > limits.body as u64 {
                return Err(ParseError::new(at, "a smaller body").with_status(413));
            }
            if length > available as u64 {
                return Err(ParseError::new(at, "as many octets of body as Content-Length says"));
            }
            length as usize
        }
    };
    if length > limits.body {
        return Err(ParseError::new(start, "a smaller body").with_status(413));
    }
    Ok(start..start + length)
}
