use sip::header::MinSe;
use sip::{Builder, Method, Name, Request};

use crate::{Body, Headers};

/// What a user agent says about itself, and what it takes.
#[derive(Clone, Debug)]
pub struct Config {
    /// Value of User-Agent and Server; empty for none.
    pub product: String,
    /// Methods that the role takes inside a session, besides INVITE, ACK, CANCEL, BYE, UPDATE and OPTIONS, which the user
    /// agent handles itself. Others are answered 405.
    pub methods: Vec<Method>,
    /// Option tags for Supported, besides `timer`; a Require with any other one is answered 420.
    pub supported: Vec<String>,
    /// Media types for Accept.
    pub accept: Vec<String>,
    /// How long sessions live without a sign of life.
    pub intervals: Intervals,
}

/// Session intervals in seconds (RFC 4028).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Intervals {
    /// What is asked for, and the longest that is agreed to unless the peer insists (Session-Expires).
    pub session_expires: u32,
    /// The shortest that is agreed to; from 90 on (§5).
    pub min_se: u32,
}

impl Default for Intervals {
    /// What §4 and §5 recommend: half an hour, and 90 s.
    fn default() -> Intervals {
        Intervals { session_expires: 1800, min_se: MinSe::DEFAULT.0 }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            product: String::new(),
            methods: vec![Method::Message],
            supported: Vec::new(),
            accept: vec!["application/sdp".to_owned()],
            intervals: Intervals::default(),
        }
    }
}

/// What the user agent handles in a session by itself.
const OWN: [Method; 6] = [Method::Invite, Method::Ack, Method::Cancel, Method::Bye, Method::Update, Method::Options];

impl Config {
    /// Whether the role takes a method inside a session.
    pub(crate) fn takes(&self, method: Method) -> bool {
        self.methods.contains(&method)
    }

    /// The value of Allow.
    pub fn allow(&self) -> String {
        let others = self.methods.iter().filter(|m| !OWN.contains(m));
        OWN.iter().chain(others).map(|m| m.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn option_tags(&self) -> impl Iterator<Item = &str> {
        self.supported.iter().map(String::as_str).chain(["timer"])
    }

    /// The option tags of a Require that we do not understand (RFC 3261 §8.2.2.3).
    pub(crate) fn unsupported(&self, request: &Request) -> Vec<String> {
        let is_known = |tag: &[u8]| self.option_tags().any(|known| known.as_bytes().eq_ignore_ascii_case(tag));
        request
            .values(Name::Require)
            .filter(|tag| !is_known(tag))
            .map(|tag| String::from_utf8_lossy(tag).into_owned())
            .collect()
    }
}

/// A configuration with what messages say of it, printed once.
#[derive(Debug)]
pub(crate) struct Prepared {
    config: Config,
    allow: String,
    supported: String,
}

impl std::ops::Deref for Prepared {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.config
    }
}

impl From<Config> for Prepared {
    fn from(config: Config) -> Prepared {
        let supported = config.option_tags().collect::<Vec<_>>().join(", ");
        Prepared { allow: config.allow(), supported, config }
    }
}

impl Prepared {
    /// What every request outside and inside dialogs says, unless the role says it.
    pub(crate) fn describe(&self, method: Method, mut fields: Headers, extra: &Headers) -> Headers {
        for name in [Name::MaxForwards, Name::Contact] {
            if extra.has(name) {
                fields.remove(name);
            }
        }
        if matches!(method, Method::Invite | Method::Update | Method::Register) {
            fields = self.describe_capabilities(fields, extra);
        }
        if !extra.has(Name::UserAgent) && !self.product.is_empty() {
            fields.push(Name::UserAgent, &self.product);
        }
        fields.extend(extra);
        fields
    }

    fn describe_capabilities(&self, mut fields: Headers, extra: &Headers) -> Headers {
        if !extra.has(Name::Allow) {
            fields.push(Name::Allow, &self.allow);
        }
        if !extra.has(Name::Supported) {
            fields.push(Name::Supported, &self.supported);
        }
        fields
    }

    /// A response: what RFC 3261 §8.2.6.2 and §12.1.1 ask for, and what the role adds.
    pub(crate) fn response(&self, request: &Request, status: u16, tag: &[u8], parts: &Parts<'_>) -> bytes::Bytes {
        let tag = String::from_utf8_lossy(tag);
        let mut builder: Builder = request.respond(status, &tag);
        let establishes = request.method() == Method::Invite && (101..300).contains(&status);
        let refreshes = establishes || (request.method() == Method::Update && (200..300).contains(&status));
        if establishes {
            builder = builder.copied(request, Name::RecordRoute);
        }
        if let Some(contact) = parts.contact.filter(|_| refreshes && !parts.headers.has(Name::Contact)) {
            builder = builder.header(Name::Contact, contact);
        }
        let mut fields = Headers::new();
        if refreshes || status == 405 || (request.method() == Method::Options && status == 200) {
            fields = self.describe_capabilities(fields, parts.headers);
        }
        if !parts.headers.has(Name::Server) && !self.product.is_empty() {
            fields.push(Name::Server, &self.product);
        }
        fields.extend(parts.headers);
        builder = fields.onto(builder);
        match parts.body {
            Some(body) => builder.body(&body.content_type, &body.bytes),
            None => builder.finish(),
        }
    }
}

/// What a response carries besides what every response carries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) contact: Option<&'a [u8]>,
    pub(crate) headers: &'a Headers,
    pub(crate) body: Option<&'a Body>,
}
