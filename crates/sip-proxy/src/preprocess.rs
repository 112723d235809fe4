use bytes::Bytes;
use sip::{Address, Name, Request, Uri};
use sip_tx::Flow;
use smallvec::SmallVec;
use wire::Transport;

use crate::Reject;

/// What [`preprocess`] found: the request as the role must look at it.
#[derive(Clone, Debug, Default)]
pub struct Preprocessed {
    /// The Request-URI to work with, where it is not the one on the request line.
    uri: Option<Bytes>,
    own: SmallVec<[Bytes; 2]>,
    /// Topmost Route values that were ours.
    pub(crate) pops: usize,
    /// The last Route value has become the Request-URI.
    pub(crate) took_last: bool,
}

/// Route information preprocessing (RFC 3261 §16.4). `ours` says which URIs lead to this node.
///
/// All topmost Route values that are ours are taken off, not only the first: double record-routing (RFC 5658) leaves two.
/// A Route that cannot be read is answered 400.
pub fn preprocess(request: &Request, flow: &Flow, ours: &dyn Fn(&Uri<'_>) -> bool) -> Result<Preprocessed, Reject> {
    let mut pre = Preprocessed::default();
    if request.has(Name::Route) {
        pre.repair(request, ours)?;
        pre.pop(request, ours)?;
    }
    let uri = pre.uri(request);
    if uri.param("maddr").is_some_and(|maddr| is_here(&uri, maddr, flow, ours)) {
        pre.uri = Some(without_maddr(&uri));
    }
    Ok(pre)
}

impl Preprocessed {
    /// The Request-URI to route by.
    pub fn uri<'a>(&'a self, request: &'a Request) -> Uri<'a> {
        self.changed_uri().map_or_else(|| request.uri(), |text| Uri::parse(text).unwrap_or_else(|_| request.uri()))
    }

    /// The URIs of ours that the request carried in Route (or, from a strict router, as Request-URI), topmost first: they
    /// bring back what the role wrote into its Record-Route, Service-Route or Path.
    pub fn own(&self) -> impl Iterator<Item = Uri<'_>> {
        self.own.iter().filter_map(|text| Uri::parse(text).ok())
    }

    /// The Route values that are left, topmost first.
    pub fn routes<'a>(&self, request: &'a Request) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let count = if self.took_last { request.values(Name::Route).count() - 1 } else { usize::MAX };
        request.values(Name::Route).take(count).skip(self.pops)
    }

    pub(crate) fn changed_uri(&self) -> Option<&[u8]> {
        self.uri.as_deref()
    }

    /// A strict router put our Record-Route value onto the request line, and the Request-URI at the end of Route.
    fn repair(&mut self, request: &Request, ours: &dyn Fn(&Uri<'_>) -> bool) -> Result<(), Reject> {
        let uri = request.uri();
        // Every Record-Route of ours carries `lr`, which no other URI of ours does.
        if !uri.is_loose() || !ours(&uri) {
            return Ok(());
        }
        let last = request.values(Name::Route).last().unwrap_or_default();
        let last = address(last)?;
        self.uri = Some(request.share(last.uri().as_bytes()));
        self.own.push(request.share(uri.as_bytes()));
        self.took_last = true;
        Ok(())
    }

    fn pop(&mut self, request: &Request, ours: &dyn Fn(&Uri<'_>) -> bool) -> Result<(), Reject> {
        for top in self.routes(request) {
            let top = address(top)?.uri();
            if !ours(&top) {
                break;
            }
            self.own.push(request.share(top.as_bytes()));
            self.pops += 1;
        }
        Ok(())
    }
}

fn address(route: &[u8]) -> Result<Address<'_>, Reject> {
    Address::parse(route).map_err(|error| Reject::new(400).because(format!("Route: {error}")))
}

/// §16.4: the maddr is ours, and the request came by the port and transport that the URI asks for.
fn is_here(uri: &Uri<'_>, maddr: &[u8], flow: &Flow, ours: &dyn Fn(&Uri<'_>) -> bool) -> bool {
    let wanted = uri.param("transport").unwrap_or(if uri.scheme() == sip::Scheme::Sips { b"TLS" } else { b"UDP" });
    let port = uri.port().unwrap_or(if flow.transport == Transport::Tls { 5061 } else { 5060 });
    let text = [b"sip:", maddr, b":", port.to_string().as_bytes()].concat();
    wanted.eq_ignore_ascii_case(flow.transport.via_token().as_bytes())
        && port == flow.local.port()
        && Uri::parse(&text).is_ok_and(|uri| ours(&uri))
}

/// The URI without maddr, port and transport; nor does a Request-URI have headers (RFC 3261 §19.1.1).
fn without_maddr(uri: &Uri<'_>) -> Bytes {
    let text = uri.as_bytes();
    let host_end = uri.host().as_ptr().addr() + uri.host().len() - text.as_ptr().addr();
    let mut out = text[..host_end].to_vec();
    let dropped = |name: &[u8]| name.eq_ignore_ascii_case(b"maddr") || name.eq_ignore_ascii_case(b"transport");
    for (name, value) in uri.params().filter(|(name, _)| !dropped(name)) {
        out.push(b';');
        out.extend_from_slice(name);
        if !value.is_empty() {
            out.push(b'=');
            out.extend_from_slice(value);
        }
    }
    Bytes::from(out)
}
