use bytes::Bytes;
use cpm::Service;
use sip::Builder;

/// A request as a test writes it: header fields by name, in order, replaced or left out at will.
#[derive(Clone, Debug)]
pub struct Ask {
    pub(crate) method: String,
    pub(crate) uri: String,
    fields: Vec<(String, String)>,
    body: Option<(String, String)>,
}

/// An offer of MSRP as clients make it.
pub const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\n\
    m=message 2855 TCP/MSRP *\r\na=accept-types:message/cpim\r\na=accept-wrapped-types:*\r\n\
    a=path:msrp://10.0.0.9:2855/phone;tcp\r\na=setup:actpass\r\n";

/// An offer without MSRP.
pub const AUDIO: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\n\
    m=audio 49170 RTP/AVP 0\r\n";

impl Ask {
    /// A request with nothing but its line.
    pub fn new(method: &str, uri: &str) -> Ask {
        Ask { method: method.to_owned(), uri: uri.to_owned(), fields: Vec::new(), body: None }
    }

    /// The INVITE of a one-to-one session.
    pub fn invite(uri: &str) -> Ask {
        Ask::new("INVITE", uri).cpm(Service::Session).sdp(OFFER)
    }

    /// The MESSAGE of a standalone message in pager mode.
    pub fn message(uri: &str) -> Ask {
        Ask::new("MESSAGE", uri)
            .cpm(Service::PagerMessage)
            .body("message/cpim", "From: <sip:anonymous@invalid>\r\n\r\nContent-Type: text/plain\r\n\r\nhi")
    }

    /// What a request of a CPM service says.
    #[must_use]
    fn cpm(self, service: Service) -> Ask {
        self.with("P-Preferred-Service", service.icsi())
            .with("Accept-Contact", &format!("*;{};require;explicit", service.feature_tag()))
            .with("Conversation-ID", "11111111-2222-4333-8444-555555555555")
            .with("Contribution-ID", "66666666-7777-4888-8999-aaaaaaaaaaaa")
    }

    /// With this value as the only one of its name.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Ask {
        self.without(name).and(name, value)
    }

    /// With one more value.
    #[must_use]
    pub fn and(mut self, name: &str, value: &str) -> Ask {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without any value of that name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Ask {
        self.fields.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self
    }

    /// With this value, unless there is one.
    #[must_use]
    pub fn or(self, name: &str, value: &str) -> Ask {
        let has = self.fields.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        if has { self } else { self.and(name, value) }
    }

    /// With a session description.
    #[must_use]
    pub fn sdp(self, sdp: &str) -> Ask {
        self.body("application/sdp", sdp)
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, kind: &str, text: &str) -> Ask {
        self.body = Some((kind.to_owned(), text.to_owned()));
        self
    }

    /// The bytes, with `via` on top.
    pub(crate) fn print(&self, via: &str) -> Bytes {
        let start = Builder::request_named(&self.method, &self.uri).named("Via", via);
        let head = self.fields.iter().fold(start, |head, (name, value)| head.named(name, value));
        match &self.body {
            Some((kind, text)) => head.body(kind, text.as_bytes()),
            None => head.finish(),
        }
    }

    /// Octets, about.
    pub(crate) fn size(&self) -> usize {
        self.print("").len() + 100
    }
}
