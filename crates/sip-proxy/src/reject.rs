use bytes::Bytes;
use sip::{Name, Request};
use sip_tx::{Incoming, Stack};

/// A refusal: not an error but an outcome, and all that the peer is told about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reject {
    /// The status code, 300 to 699.
    pub status: u16,
    /// What is wrong, for a person who reads the trace: the text of a Warning header field.
    pub warning: Option<String>,
    /// Header fields of the response.
    pub headers: Vec<(Name, String)>,
}

impl Reject {
    /// A status and nothing else.
    pub const fn new(status: u16) -> Reject {
        Reject { status, warning: None, headers: Vec::new() }
    }

    /// Says what is wrong.
    #[must_use]
    pub fn because(mut self, warning: impl Into<String>) -> Reject {
        self.warning = Some(warning.into());
        self
    }

    /// Adds a header field.
    #[must_use]
    pub fn with(mut self, name: Name, value: impl Into<String>) -> Reject {
        self.headers.push((name, value.into()));
        self
    }

    /// The response to `request`.
    pub fn answer(&self, request: &Request, to_tag: &str) -> Bytes {
        let mut response = request.respond(self.status, to_tag);
        for (name, value) in &self.headers {
            response = response.header(*name, value);
        }
        response.maybe(Name::Warning, self.warning.as_deref().map(warning)).finish()
    }

    /// Answers `incoming` once, and keeps nothing of it: a request that is refused on sight.
    pub fn send(&self, stack: &mut Stack, incoming: &Incoming) {
        stack.refuse(incoming, self.status, |tag| self.answer(&incoming.request, tag));
    }
}

/// RFC 3261 §20.43: code 399 carries any text for a person; the agent is a pseudonym.
fn warning(text: &str) -> String {
    let mut value = String::with_capacity(text.len() + 20);
    value.push_str("399 duologue \"");
    for c in text.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\') {
            value.push('\\');
        }
        value.push(c);
    }
    value.push('"');
    value
}

#[cfg(test)]
mod tests {
    use sip::Message;

    use super::*;

    #[test]
    fn a_refusal_carries_its_header_fields_and_its_warning() {
        let request = "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@x>;tag=1\r\n\
             To: <sip:b@x>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n";
        let request = Message::parse_request(Bytes::from(request)).unwrap();
        let reject = Reject::new(420).with(Name::Unsupported, "foo").because("no \"foo\"\r\nhere");
        let text = String::from_utf8(reject.answer(&request, "t").to_vec()).unwrap();
        assert!(text.starts_with("SIP/2.0 420 Bad Extension\r\n"), "{text}");
        assert!(text.contains("\r\nTo: <sip:b@x>;tag=t\r\n"), "{text}");
        assert!(text.contains("\r\nUnsupported: foo\r\nWarning: 399 duologue \"no \\\"foo\\\"here\"\r\n"), "{text}");
    }
}
