use bytes::Bytes;
use sip::{Builder, Method, Name, Uri};
use sip_tx::{Hop, Stack, Target};

use crate::{Body, Headers};

/// A request that has everything but its Via: what is kept to send it once more (credentials, glare).
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) method: Method,
    pub(crate) uri: Bytes,
    /// The URI that says where the request goes next (RFC 3261 §8.1.2).
    pub(crate) next_hop: Bytes,
    pub(crate) fields: Headers,
    pub(crate) body: Option<Body>,
}

impl Draft {
    /// Sets the sequence number: a request that is sent anew gets a new one.
    pub(crate) fn renumber(&mut self, number: u32) {
        self.fields.replace(Name::CSeq, format!("{number} {}", self.method));
    }

    pub(crate) fn size(&self) -> usize {
        let body = self.body.as_ref().map_or(0, |b| b.bytes.len() + b.content_type.len() + 16);
        // Request line and Content-Length.
        self.uri.len() + 45 + self.fields.size() + body
    }

    pub(crate) fn print(&self, via: &str) -> Bytes {
        let room = self.size() + via.len();
        let builder = Builder::request_with_room(self.method, &self.uri, room).header(Name::Via, via);
        let builder = self.fields.onto(builder);
        match &self.body {
            Some(body) => builder.body(&body.content_type, &body.bytes),
            None => builder.finish(),
        }
    }

    /// Where it goes next.
    pub(crate) fn target(&self, pinned: Option<&Target>, resolver: &Resolver) -> Option<Target> {
        pinned.copied().or_else(|| resolver.resolve(&Uri::parse(&self.next_hop).ok()?))
    }

    /// Chooses the hop and prints the request for it. `None` when its next hop cannot be reached.
    pub(crate) fn route(
        &self,
        stack: &mut Stack,
        pinned: Option<&Target>,
        resolver: &Resolver,
    ) -> Option<(Hop, Bytes)> {
        let target = self.target(pinned, resolver).filter(|target| target.is_fit_for(&self.uri))?;
        let hop = stack.hop(&target, self.size(), "")?;
        let bytes = self.print(&hop.via());
        Some((hop, bytes))
    }
}

/// Where URIs lead: handed to the user agent when it is made.
pub struct Resolver(Box<Resolve>);

type Resolve = dyn Fn(&Uri<'_>) -> Option<Target> + Send;

impl Resolver {
    /// Resolves by a function of the role's: static names, an outbound proxy, a connection to keep to.
    pub fn new(resolve: impl Fn(&Uri<'_>) -> Option<Target> + Send + 'static) -> Resolver {
        Resolver(Box::new(resolve))
    }

    /// The target of a URI.
    pub fn resolve(&self, uri: &Uri<'_>) -> Option<Target> {
        (self.0)(uri)
    }
}

impl Default for Resolver {
    /// Only URIs with IP addresses lead anywhere.
    fn default() -> Resolver {
        Resolver::new(Target::from_uri)
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Resolver")
    }
}
