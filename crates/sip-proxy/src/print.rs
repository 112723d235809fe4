//! The copy of a request that is forwarded (RFC 3261 §16.6 steps 1 to 9): one splice, nothing re-printed.

use std::net::SocketAddr;

use bytes::Bytes;
use sip::{Address, Decimal, Edit, Method, Name, Request, Scheme, Uri, push_addr};
use sip_tx::{Flow, Hop, Stack, Target};
use wire::Transport;

use crate::plan::{RecordRoute, Resolve};
use crate::{Edits, ForwardTo, Preprocessed};

/// A target whose next hop is known.
#[derive(Debug)]
pub(crate) struct Prepared {
    to: ForwardTo,
    /// The next hop, or the status that its lack amounts to.
    pub(crate) target: Result<Target, u16>,
    /// The next hop is a strict router.
    strict: bool,
}

impl Prepared {
    /// Steps 6 and 7: whether the next hop is a strict router, and its address.
    pub(crate) fn new(request: &Request, pre: &Preprocessed, to: ForwardTo, resolve: Resolve<'_>) -> Prepared {
        match next_hop(request, pre, &to, resolve) {
            Ok((target, strict)) => Prepared { to, target: Ok(target), strict },
            Err(status) => Prepared { to, target: Err(status), strict: false },
        }
    }

    /// How many octets the copy has beyond the request, about, Via aside.
    pub(crate) fn added_size(&self) -> usize {
        self.to.routes.iter().map(|route| route.len() + 9).sum::<usize>() + self.to.uri.as_ref().map_or(0, Bytes::len)
    }
}

fn next_hop(
    request: &Request,
    pre: &Preprocessed,
    to: &ForwardTo,
    resolve: Resolve<'_>,
) -> Result<(Target, bool), u16> {
    let uri = match &to.uri {
        Some(text) => Uri::parse(text).map_err(|_| 500u16)?,
        None => pre.uri(request),
    };
    let top = to.routes.first().map(String::as_bytes).or_else(|| pre.routes(request).next());
    let (next, strict) = match top {
        Some(route) => {
            let next = Address::parse(route).map_err(|_| 400u16)?.uri();
            (next, !next.is_loose())
        }
        None => (uri, false),
    };
    let target = to.target.or_else(|| match (uri.scheme(), next.scheme()) {
        // Step 7: towards a SIPS resource every next hop is taken as a SIPS URI.
        (Scheme::Sips, Scheme::Sip) => {
            let secure = [b"sips", &next.as_bytes()[3..]].concat();
            Uri::parse(&secure).ok().and_then(|secure| resolve(&secure))
        }
        (_, _) => resolve(&next),
    });
    match (target, next.is_sip()) {
        // RFC 3261 §26.2.2: a SIPS URI is not reached without TLS, though a way without be known.
        (Some(target), _) if !target.is_fit_for(uri.as_bytes()) => Err(503),
        (Some(target), _) => Ok((target, strict)),
        // RFC 3263 §4.3: no address is as good as a next hop that answers 503.
        (None, true) => Err(503),
        (None, false) => Err(416),
    }
}

/// What all copies of a request share.
pub(crate) struct Copy<'a> {
    pub(crate) request: &'a Request,
    pub(crate) pre: &'a Preprocessed,
    pub(crate) edits: &'a Edits,
    /// The Record-Route to insert, and the way the request came.
    pub(crate) record_route: Option<(&'a RecordRoute, Flow)>,
    /// Max-Breadth of this copy; `None` leaves it as it is.
    pub(crate) breadth: Option<u32>,
}

impl Copy<'_> {
    pub(crate) fn print(&self, stack: &Stack, to: &Prepared, hop: &Hop) -> Bytes {
        // 1. Copy the request.
        let request = self.request;
        let mut edit = request.edit();

        // 2. and 6. Request-URI and Route.
        let uri = to.to.uri.as_deref().or(self.pre.changed_uri());
        if to.strict || self.pre.took_last {
            self.rebuild_route(&mut edit, to, uri.unwrap_or(request.uri_text()));
        } else {
            edit.remove_top(Name::Route, self.pre.pops);
            for route in to.to.routes.iter().rev() {
                edit.prepend(Name::Route, route);
            }
            if let Some(uri) = uri {
                edit.uri(uri);
            }
        }

        // 3. Max-Forwards. Validation has refused 0.
        let left = request.max_forwards().map_or(70, |n| n.saturating_sub(1));
        edit.set(Name::MaxForwards, Decimal::of(left.into()));

        // RFC 5393 §5.3.3: Max-Breadth.
        if let Some(breadth) = self.breadth {
            edit.set(Name::MaxBreadth, Decimal::of(breadth.into()));
        }

        // 4. Record-Route.
        if let Some((record_route, flow)) = self.record_route {
            insert_record_route(&mut edit, record_route, &flow, stack, hop, request.uri().scheme());
        }

        // 5. Additional header fields.
        self.edits.apply(&mut edit);

        // 8. Via.
        edit.prepend(Name::Via, hop.via());

        // 9. Content-Length, without which a stream cannot be framed.
        if hop.transport.is_reliable() && !request.has(Name::ContentLength) {
            edit.append(Name::ContentLength, Decimal::of(request.body().len() as u64));
        }
        edit.finish()
    }

    /// The whole Route anew: where a strict router sent us the request, or will get it from us.
    fn rebuild_route(&self, edit: &mut Edit<'_>, to: &Prepared, uri: &[u8]) {
        let pushed = to.to.routes.iter().map(String::as_bytes);
        let mut routes: Vec<&[u8]> = pushed.chain(self.pre.routes(self.request)).collect();
        let bracketed = [b"<", uri, b">"].concat();
        if to.strict {
            // Step 6: the strict router wants its own URI on the request line, and the Request-URI at the end of Route.
            let next = Address::parse(routes.remove(0)).map(|next| next.uri());
            edit.uri(next.map_or(uri, |next| next.as_bytes()));
            routes.push(&bracketed);
        } else {
            edit.uri(uri);
        }
        edit.remove(Name::Route);
        if !routes.is_empty() {
            edit.prepend(Name::Route, routes.join(&b", "[..]));
        }
    }
}

/// Step 4. The way in below, the way out on top if it is another one (RFC 5658 §4.1).
fn insert_record_route(
    edit: &mut Edit<'_>,
    record_route: &RecordRoute,
    flow: &Flow,
    stack: &Stack,
    hop: &Hop,
    scheme: Scheme,
) {
    let (user, params) = match record_route {
        RecordRoute::Here { user, params } => (user, params),
        RecordRoute::Value(value) => {
            edit.prepend(Name::RecordRoute, value);
            return;
        }
    };
    let listener = |transport, like: SocketAddr| {
        let mut all = stack.transports().listeners().iter();
        all.find(|l| l.transport == transport && l.addr.is_ipv4() == like.is_ipv4()).map_or(like, |l| l.addr)
    };
    // A connection that we opened ends at a port where nobody can reach us.
    let is_opened = flow.conn.is_some_and(|conn| !conn.is_accepted());
    let way_in = (flow.transport, if is_opened { listener(flow.transport, flow.local) } else { flow.local });
    // What went to TCP for its size only says nothing about the next request.
    let way_out =
        if hop.was_udp { (Transport::Udp, listener(Transport::Udp, hop.local)) } else { (hop.transport, hop.local) };
    edit.prepend(Name::RecordRoute, route_value(scheme, user, way_in, params));
    if way_out != way_in {
        edit.prepend(Name::RecordRoute, route_value(scheme, user, way_out, params));
    }
}

fn route_value(scheme: Scheme, user: &str, (transport, addr): (Transport, SocketAddr), params: &str) -> String {
    let mut value = String::with_capacity(user.len() + params.len() + 64);
    value.push_str(if scheme == Scheme::Sips { "<sips:" } else { "<sip:" });
    if !user.is_empty() {
        value.push_str(user);
        value.push('@');
    }
    let transport = match transport {
        Transport::Udp => "",
        Transport::Tcp => ";transport=tcp",
        Transport::Tls => ";transport=tls",
    };
    push_addr(&mut value, addr);
    for part in [transport, ";lr", params, ">"] {
        value.push_str(part);
    }
    value
}

/// Methods that Max-Breadth counts for: an ACK takes the way its INVITE was given.
pub(crate) const fn has_breadth(method: Method) -> bool {
    !matches!(method, Method::Ack | Method::Cancel)
}
