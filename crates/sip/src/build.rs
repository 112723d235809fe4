use bytes::Bytes;

use crate::{Decimal, Message, Method, Name, Request, reason};

/// Prints a new message, header field by header field.
pub struct Builder {
    out: Vec<u8>,
}

impl Builder {
    /// A request without header fields.
    pub fn request(method: Method, uri: impl AsRef<[u8]>) -> Builder {
        Builder::request_named(method.as_str(), uri)
    }

    /// A request whose method may be an extension.
    pub fn request_named(method: &str, uri: impl AsRef<[u8]>) -> Builder {
        Builder::begin(method, uri, 1024)
    }

    /// A request that will have about so many octets.
    pub fn request_with_room(method: Method, uri: impl AsRef<[u8]>, octets: usize) -> Builder {
        Builder::begin(method.as_str(), uri, octets)
    }

    fn begin(method: &str, uri: impl AsRef<[u8]>, octets: usize) -> Builder {
        let mut out = Vec::with_capacity(octets);
        out.extend_from_slice(method.as_bytes());
        out.push(b' ');
        out.extend_from_slice(uri.as_ref());
        out.extend_from_slice(b" SIP/2.0\r\n");
        Builder { out }
    }

    /// A response to `request` (RFC 3261 §8.2.6): status line, Via, From, To, Call-ID and CSeq as they came, Timestamp in
    /// a 100. `to_tag` is added to To if the request had no tag there and the status is not 100.
    pub fn response(request: &Message, status: u16, to_tag: &str) -> Builder {
        Builder::response_with_reason(request, status, reason(status), to_tag)
    }

    /// A response with a reason phrase of its own.
    pub fn response_with_reason(request: &Message, status: u16, phrase: &str, to_tag: &str) -> Builder {
        let mut out = Vec::with_capacity(768);
        out.extend_from_slice(b"SIP/2.0 ");
        out.extend_from_slice(&[100, 10, 1].map(|place| b'0' + (status / place % 10) as u8));
        out.push(b' ');
        out.extend_from_slice(phrase.as_bytes());
        out.extend_from_slice(b"\r\n");
        let mut builder = Builder { out };
        builder.vias(request);
        builder.copy(request, Name::From);
        match request.header(Name::To) {
            Some(to) if status > 100 && !to_tag.is_empty() && request.to_tag().is_empty() => {
                builder.parts(Name::To.as_str(), &[to, b";tag=", to_tag.as_bytes()]);
            }
            Some(to) => builder.parts(Name::To.as_str(), &[to]),
            None => {}
        }
        builder.copy(request, Name::CallId);
        builder.copy(request, Name::CSeq);
        if status == 100 {
            builder.copy(request, Name::Timestamp);
        }
        builder
    }

    /// Adds a header field.
    pub fn header(mut self, name: Name, value: impl AsRef<[u8]>) -> Builder {
        self.parts(name.as_str(), &[value.as_ref()]);
        self
    }

    /// Adds a header field whose value is in pieces.
    pub fn header_of(mut self, name: Name, pieces: &[&[u8]]) -> Builder {
        self.parts(name.as_str(), pieces);
        self
    }

    /// Adds a header field of any name.
    pub fn named(mut self, name: &str, value: impl AsRef<[u8]>) -> Builder {
        self.parts(name, &[value.as_ref()]);
        self
    }

    /// Adds header fields that are printed already: whole lines, with their ends.
    pub fn lines(mut self, printed: &[u8]) -> Builder {
        debug_assert!(printed.is_empty() || printed.ends_with(b"\r\n"), "lines have ends");
        self.out.extend_from_slice(printed);
        self
    }

    /// Adds a header field if there is a value for it.
    pub fn maybe(self, name: Name, value: Option<impl AsRef<[u8]>>) -> Builder {
        match value {
            Some(value) => self.header(name, value),
            None => self,
        }
    }

    /// Adds all header fields of that name that `message` has, as they stood there.
    pub fn copied(mut self, message: &Message, name: Name) -> Builder {
        self.copy_all(message, name);
        self
    }

    /// Ends the message without a body.
    pub fn finish(mut self) -> Bytes {
        self.out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
        Bytes::from(self.out)
    }

    /// Ends the message with a body.
    pub fn body(mut self, content_type: impl AsRef<[u8]>, body: &[u8]) -> Bytes {
        self.parts(Name::ContentType.as_str(), &[content_type.as_ref()]);
        self.parts(Name::ContentLength.as_str(), &[Decimal::of(body.len() as u64).as_bytes()]);
        self.out.extend_from_slice(b"\r\n");
        self.out.extend_from_slice(body);
        Bytes::from(self.out)
    }

    fn parts(&mut self, name: &str, value: &[&[u8]]) {
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        value.iter().for_each(|v| self.out.extend_from_slice(v));
        self.out.extend_from_slice(b"\r\n");
    }

    /// The Via header fields, the topmost with what the transport knows of the sender.
    fn vias(&mut self, request: &Message) {
        let Some(stamp) = &request.stamp else { return self.copy_all(request, Name::Via) };
        let mut at = request.field(Name::Via).map_or(0, |i| usize::from(request.index.fields[i].value.start));
        let first_end = request.field(Name::Via).map_or(0, |i| usize::from(request.index.fields[i].value.end));
        self.out.extend_from_slice(b"Via: ");
        for (place, text) in stamp.texts() {
            self.out.extend_from_slice(&request.bytes[at..place]);
            self.out.extend_from_slice(text);
            at = place;
        }
        self.out.extend_from_slice(&request.bytes[at..first_end]);
        self.out.extend_from_slice(b"\r\n");
        for value in request.headers(Name::Via).skip(1) {
            self.parts(Name::Via.as_str(), &[value]);
        }
    }

    fn copy(&mut self, message: &Message, name: Name) {
        if let Some(value) = message.header(name) {
            self.parts(name.as_str(), &[value]);
        }
    }

    fn copy_all(&mut self, message: &Message, name: Name) {
        for value in message.headers(name) {
            self.parts(name.as_str(), &[value]);
        }
    }
}

impl Request {
    /// Starts a response to this request.
    pub fn respond(&self, status: u16, to_tag: &str) -> Builder {
        Builder::response(self, status, to_tag)
    }
}
