use std::ops::Range;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::message::{Message, StartLine};
use crate::scan::Commas;
use crate::{Name, Request};

/// Changes to a message that is forwarded: pieces are cut out and put in, everything else keeps its bytes and its order.
///
/// All calls speak of the message as it came: `remove_top` twice removes the same values twice, that is, once. Of two changes
/// to the same text the last counts. Nothing is copied before [`Edit::finish`], which allocates once.
pub struct Edit<'a> {
    message: &'a Message,
    /// Texts put in, one after the other.
    scratch: Vec<u8>,
    cuts: SmallVec<[Cut; 12]>,
    body: Option<Part>,
}

/// More cuts than one message can have: each is a line of it, or was asked for by a call.
const LAST: u32 = (1 << 31) - 1;

/// Replaces `at` (a range of the message) by `text` (a range of the scratch).
#[derive(Clone, Copy, Debug)]
struct Cut {
    at: Part,
    text: Part,
    /// Which header field that the message does not have it sets; [`Name::Other`] for every other cut.
    set: Name,
}

/// A range of octets. Neither a head nor what is put into one comes near 4 GiB.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Part {
    start: u32,
    end: u32,
}

impl Part {
    const NOTHING: Part = Part { start: 0, end: 0 };

    const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    const fn is_empty(self) -> bool {
        self.start == self.end
    }
}

impl From<Range<usize>> for Part {
    fn from(range: Range<usize>) -> Part {
        Part { start: range.start as u32, end: range.end as u32 }
    }
}

impl<'a> Edit<'a> {
    /// No changes yet.
    pub fn new(message: &'a Message) -> Edit<'a> {
        let mut edit = Edit { message, scratch: Vec::with_capacity(512), cuts: SmallVec::new(), body: None };
        // The last one put in at a place is printed first: `rport` may be the last parameter.
        for (at, text) in message.stamp.iter().flat_map(|stamp| stamp.texts().rev()) {
            let text = edit.text(&[text]);
            edit.cut(at..at, text);
        }
        edit
    }

    /// Replaces the Request-URI.
    pub fn uri(&mut self, uri: &[u8]) -> &mut Self {
        if let StartLine::Request { uri: span, .. } = self.message.index.start {
            let text = self.text(&[uri]);
            self.cut(span.range(), text);
        }
        self
    }

    /// Puts a header field before all others of its name, or before all header fields if it is the first of its name.
    /// A later call puts its field above that of an earlier one.
    pub fn prepend(&mut self, name: Name, value: impl AsRef<[u8]>) -> &mut Self {
        let at = match self.message.field(name) {
            Some(i) => self.message.line_of(i).start,
            None => self.message.fields_start(),
        };
        self.insert(at, name.as_str(), value.as_ref());
        self
    }

    /// Puts a header field after all others.
    pub fn append(&mut self, name: Name, value: impl AsRef<[u8]>) -> &mut Self {
        self.append_named(name.as_str(), value)
    }

    /// Puts a header field of any name after all others.
    pub fn append_named(&mut self, name: &str, value: impl AsRef<[u8]>) -> &mut Self {
        let end = usize::from(self.message.index.head_end);
        // Appended ones keep the order of the calls: insertions at one place are printed last call first.
        let text = self.text(&[name.as_bytes(), b": ", value.as_ref(), b"\r\n"]);
        let at = Part::from(end..end);
        let place = self.cuts.iter().position(|cut| cut.at == at).unwrap_or(self.cuts.len());
        self.cuts.insert(place, Cut { at, text, set: Name::Other });
        self
    }

    /// Removes every header field of that name, in every spelling.
    pub fn remove(&mut self, name: Name) -> &mut Self {
        let message = self.message;
        for (i, _) in message.index.fields.iter().enumerate().filter(|(_, f)| f.name == name) {
            self.cut(message.line_of(i), Part::NOTHING);
        }
        self
    }

    /// Removes every header field whose name, as it is written, is one of these.
    pub fn remove_where(&mut self, is_one: impl Fn(&[u8]) -> bool) -> &mut Self {
        let message = self.message;
        for (i, _) in message.all_headers().enumerate().filter(|(_, (_, written, _))| is_one(written)) {
            self.cut(message.line_of(i), Part::NOTHING);
        }
        self
    }

    /// Replaces the value of the first header field of that name and removes the others; appends one if there is none.
    /// The last of several calls counts, also after [`Edit::remove`].
    pub fn set(&mut self, name: Name, value: impl AsRef<[u8]>) -> &mut Self {
        let Some(first) = self.message.field(name) else { return self.set_new(name, value.as_ref()) };
        let text = self.text(&[value.as_ref()]);
        let (line, value) = (self.message.line_of(first), self.message.index.fields[first].value.range());
        let (whole, inner) = (Part::from(line), Part::from(value.clone()));
        self.cuts.retain(|cut| cut.at != whole && cut.at != inner);
        self.cut(value, text);
        let message = self.message;
        for (i, _) in message.index.fields.iter().enumerate().skip(first + 1).filter(|(_, f)| f.name == name) {
            self.cut(message.line_of(i), Part::NOTHING);
        }
        self
    }

    /// Sets a header field that the message does not have.
    fn set_new(&mut self, name: Name, value: &[u8]) -> &mut Self {
        let earlier = self.cuts.iter().position(|cut| cut.set == name && name != Name::Other);
        match earlier {
            Some(i) => self.cuts[i].text = self.text(&[name.as_str().as_bytes(), b": ", value, b"\r\n"]),
            None => {
                self.append(name, value);
                let end = usize::from(self.message.index.head_end);
                let own = self.cuts.iter().position(|cut| cut.at == Part::from(end..end)).unwrap_or_default();
                self.cuts[own].set = name;
            }
        }
        self
    }

    /// Removes the first `count` values of a list header field, counted over lines and commas.
    pub fn remove_top(&mut self, name: Name, mut count: usize) -> &mut Self {
        let message = self.message;
        for (i, field) in message.index.fields.iter().enumerate().filter(|(_, f)| f.name == name) {
            if count == 0 {
                break;
            }
            let value = &message.bytes[field.value.range()];
            let mut entries = Commas::new(value);
            while count > 0 && entries.next().is_some() {
                count -= 1;
            }
            match entries.rest() {
                None => self.cut(message.line_of(i), Part::NOTHING),
                Some(rest) => {
                    let kept = rest.len() - rest.trim_ascii_start().len();
                    let start = usize::from(field.value.start);
                    self.cut(start..start + value.len() - rest.len() + kept, Part::NOTHING);
                }
            }
        }
        self
    }

    /// Replaces the first value of a list header field and keeps the others.
    pub fn replace_top(&mut self, name: Name, value: impl AsRef<[u8]>) -> &mut Self {
        if let Some(i) = self.message.field(name) {
            let span = self.message.index.fields[i].value;
            let top = Commas::new(&self.message.bytes[span.range()]).next().unwrap_or_default();
            let start = usize::from(span.start);
            let text = self.text(&[value.as_ref()]);
            self.cut(start..start + top.len(), text);
        }
        self
    }

    /// Replaces `part`, a piece borrowed from the head of the message, by `text`.
    pub fn splice(&mut self, part: &[u8], text: &[u8]) -> &mut Self {
        let start = part.as_ptr().addr().wrapping_sub(self.message.bytes.as_ptr().addr());
        debug_assert!(start + part.len() <= self.message.bytes.len(), "the piece is part of the message");
        let text = self.text(&[text]);
        self.cut(start..start + part.len(), text);
        self
    }

    /// Replaces the body, and Content-Length with it.
    pub fn body(&mut self, body: &[u8]) -> &mut Self {
        let length = body.len().to_string();
        self.set(Name::ContentLength, length);
        self.body = Some(self.text(&[body]));
        self
    }

    /// Prints the message with its changes.
    pub fn finish(&mut self) -> Bytes {
        // At one place: what is put in comes before what is cut out, the last put in first (it was prepended last).
        // The key of a cut is its place, then that, then its number, from the last.
        let key = |(i, cut): (usize, &Cut)| {
            u64::from(cut.at.start) << 32 | u64::from(!cut.at.is_empty()) << 31 | u64::from(LAST - i as u32)
        };
        let mut order: SmallVec<[u64; 12]> = self.cuts.iter().enumerate().map(key).collect();
        order.sort_unstable();
        // Exactly as large as needed: such a vector becomes shared bytes without another allocation.
        let mut length = 0;
        self.pieces(&order, |piece| length += piece.len());
        let mut out = Vec::with_capacity(length);
        self.pieces(&order, |piece| out.extend_from_slice(piece));
        Bytes::from(out)
    }

    /// Hands out the pieces of the changed message, in order.
    fn pieces(&self, order: &[u64], mut take: impl FnMut(&[u8])) {
        let bytes = &self.message.bytes;
        let mut at = 0;
        for cut in order.iter().map(|key| &self.cuts[(LAST - (*key as u32 & LAST)) as usize]) {
            let place = cut.at.range();
            if place.start < at {
                // A removal of the whole line wins over a change inside it.
                continue;
            }
            take(&bytes[at..place.start]);
            take(&self.scratch[cut.text.range()]);
            at = place.end;
        }
        match &self.body {
            None => take(&bytes[at..self.message.index.body.end]),
            Some(text) => {
                take(&bytes[at..usize::from(self.message.index.head_end) + 2]);
                take(&self.scratch[text.range()]);
            }
        }
    }

    fn insert(&mut self, at: usize, name: &str, value: &[u8]) {
        let text = self.text(&[name.as_bytes(), b": ", value, b"\r\n"]);
        self.cut(at..at, text);
    }

    fn cut(&mut self, at: Range<usize>, text: Part) {
        self.cuts.push(Cut { at: at.into(), text, set: Name::Other });
    }

    fn text(&mut self, parts: &[&[u8]]) -> Part {
        let start = self.scratch.len();
        parts.iter().for_each(|p| self.scratch.extend_from_slice(p));
        Part::from(start..self.scratch.len())
    }
}

impl Message {
    /// Starts a changed copy for forwarding.
    pub fn edit(&self) -> Edit<'_> {
        Edit::new(self)
    }
}

impl Request {
    /// How many header octets and body octets the request has: what decides on UDP or TCP (RFC 3261 §18.1.1).
    pub fn size(&self) -> usize {
        self.message().index.body.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &[u8] = b"INVITE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bKa, SIP/2.0/UDP h\r\n\
        Route: <sip:a;lr>, <sip:b;lr>\r\nroute: <sip:c;lr>\r\nMax-Forwards: 70\r\nf: <sip:a@x>;tag=1\r\nt: <sip:b@x>\r\n\
        i: x\r\nCSeq: 1 INVITE\r\nX-Foo: \xe9\r\nl: 0\r\n\r\n";

    fn text(bytes: &Bytes) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    #[test]
    fn forwarding_changes_what_it_must_and_nothing_else() {
        let mut request = Message::parse_request(Bytes::from_static(INVITE)).unwrap();
        assert_eq!(request.edit().finish(), INVITE);
        request.stamp_received("127.0.0.1:4000".parse().unwrap());
        let mut edit = request.edit();
        edit.prepend(Name::Via, "SIP/2.0/UDP me").remove_top(Name::Route, 1).set(Name::MaxForwards, "69");
        edit.append(Name::Reason, "1").append(Name::Warning, "2").uri(b"sip:z@y");
        let out = text(&edit.finish());
        assert!(
            out.starts_with(
                "INVITE sip:z@y SIP/2.0\r\nVia: SIP/2.0/UDP me\r\n\
                 Via: SIP/2.0/UDP 10.0.0.1;rport=4000;branch=z9hG4bKa;received=127.0.0.1, SIP/2.0/UDP h\r\n\
                 Route: <sip:b;lr>\r\nroute: <sip:c;lr>\r\nMax-Forwards: 69\r\n"
            ),
            "{out}"
        );
        assert!(out.ends_with("\r\nl: 0\r\nReason: 1\r\nWarning: 2\r\n\r\n"), "{out}");
        let answer = text(&request.respond(200, "t").finish());
        assert!(
            answer
                .contains("Via: SIP/2.0/UDP 10.0.0.1;rport=4000;branch=z9hG4bKa;received=127.0.0.1, SIP/2.0/UDP h\r\n"),
            "{answer}"
        );
    }
}
