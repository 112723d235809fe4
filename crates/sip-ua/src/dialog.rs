use bytes::Bytes;
use sip::header::Contact;
use sip::{Address, Message, Method, Name, Request, Response, Scheme, Uri};

use crate::draft::Draft;
use crate::{Headers, Reject, Snapshot};

/// What identifies a dialog at one end (RFC 3261 §12).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DialogId {
    /// Call-ID.
    pub call_id: Bytes,
    /// Our tag.
    pub local_tag: Bytes,
    /// The peer's tag; empty for RFC 2543 peers.
    pub remote_tag: Bytes,
}

/// A dialog: the state that two user agents share (RFC 3261 §12). What is done in it is the business of its usages.
#[derive(Clone, Debug)]
pub struct Dialog {
    id: DialogId,
    /// From of our requests, tag included.
    local: Bytes,
    /// To of our requests, tag included.
    remote: Bytes,
    remote_target: Bytes,
    /// Route entries in the order in which our requests name them.
    route_set: Vec<Bytes>,
    local_cseq: u32,
    remote_cseq: Option<u32>,
    secure: bool,
}

/// What a caller knows of its dialogs before a response makes one: its INVITE may make several.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HalfDialog {
    pub(crate) call_id: Bytes,
    pub(crate) local_tag: Bytes,
    /// From, tag included.
    pub(crate) local: Bytes,
    /// The Request-URI.
    pub(crate) uri: Bytes,
    /// The sequence number of the INVITE that is under way, or was answered.
    pub(crate) cseq: u32,
    pub(crate) secure: bool,
}

impl Dialog {
    /// The dialog that a response with a To tag makes at the caller (RFC 3261 §12.1.2).
    pub fn as_uac(half: &HalfDialog, response: &Response) -> Dialog {
        let mut route_set: Vec<Bytes> = route_entries(response, Name::RecordRoute);
        route_set.reverse();
        Dialog {
            id: DialogId {
                call_id: half.call_id.clone(),
                local_tag: half.local_tag.clone(),
                remote_tag: own(response.to_tag()),
            },
            local: half.local.clone(),
            remote: own(response.header(Name::To).unwrap_or_default()),
            // A provisional response may lack its Contact; the Request-URI led there once.
            remote_target: contact_uri(response).unwrap_or_else(|| half.uri.clone()),
            route_set,
            local_cseq: half.cseq,
            remote_cseq: None,
            secure: half.secure,
        }
    }

    /// The dialog that our response with `local_tag` makes at the one who received `request` (RFC 3261 §12.1.1).
    pub fn as_uas(request: &Request, local_tag: &str) -> Result<Dialog, Reject> {
        // RFC 3261 §8.1.1.8: a request that makes a dialog has exactly one Contact.
        let remote_target = contact_uri(request).ok_or(Reject::new(400))?;
        let to = request.header(Name::To).unwrap_or_default();
        Ok(Dialog {
            id: DialogId {
                call_id: own(request.call_id()),
                local_tag: own(local_tag.as_bytes()),
                remote_tag: own(request.from_tag()),
            },
            local: [to, b";tag=", local_tag.as_bytes()].concat().into(),
            remote: own(request.header(Name::From).unwrap_or_default()),
            remote_target,
            route_set: route_entries(request, Name::RecordRoute),
            local_cseq: 0,
            remote_cseq: Some(request.cseq().number),
            secure: request.uri().scheme() == Scheme::Sips,
        })
    }

    /// The dialog of an earlier life.
    pub(crate) fn resumed(snapshot: &Snapshot) -> Dialog {
        Dialog {
            id: snapshot.id(),
            local: snapshot.local.clone(),
            remote: snapshot.remote.clone(),
            remote_target: snapshot.remote_target.clone(),
            route_set: snapshot.route_set.clone(),
            local_cseq: snapshot.local_cseq,
            remote_cseq: snapshot.remote_cseq,
            secure: snapshot.secure,
        }
    }

    /// What is left of a dialog whose session is over: no more requests are sent in it.
    pub(crate) const fn buried(id: DialogId, local_cseq: u32, remote_cseq: Option<u32>, secure: bool) -> Dialog {
        Dialog {
            id,
            local: Bytes::new(),
            remote: Bytes::new(),
            remote_target: Bytes::new(),
            route_set: Vec::new(),
            local_cseq,
            remote_cseq,
            secure,
        }
    }

    /// Takes over what the 2xx says (RFC 3261 §13.2.2.4: route set and remote target are computed again), and keeps the
    /// sequence numbers of the early dialog.
    pub(crate) fn confirm(&mut self, half: &HalfDialog, response: &Response) {
        let confirmed = Dialog::as_uac(half, response);
        let local_cseq = self.local_cseq.max(confirmed.local_cseq);
        *self = Dialog { local_cseq, remote_cseq: self.remote_cseq, ..confirmed };
    }

    /// Takes the Contact of a target refresh request, or of the 2xx to one of ours (RFC 3261 §12.2.1.2, §12.2.2).
    pub(crate) fn refresh_target(&mut self, message: &Message) {
        if let Some(uri) = contact_uri(message) {
            self.remote_target = uri;
        }
    }

    /// Whether `request`, received in this dialog, may be acted upon (RFC 3261 §12.2.2). Notes its sequence number if so.
    pub fn accept_request(&mut self, request: &Request) -> Result<(), Reject> {
        let is_ours = request.call_id() == self.id.call_id
            && request.to_tag() == self.id.local_tag
            && request.from_tag() == self.id.remote_tag;
        if !is_ours {
            return Err(Reject::new(481));
        }
        let number = request.cseq().number;
        if self.remote_cseq.is_some_and(|last| number < last) {
            return Err(Reject::new(500));
        }
        self.remote_cseq = Some(number);
        Ok(())
    }

    /// A request in this dialog, with the next sequence number (RFC 3261 §12.2.1.1).
    pub(crate) fn request(&mut self, method: Method) -> Draft {
        self.local_cseq += 1;
        self.draft(method, self.local_cseq)
    }

    /// The ACK of a 2xx to the INVITE with that sequence number (RFC 3261 §13.2.2.4).
    pub(crate) fn ack(&self, cseq: u32) -> Draft {
        self.draft(Method::Ack, cseq)
    }

    /// Draws the next sequence number, for a request that is sent once more.
    pub(crate) const fn next_cseq(&mut self) -> u32 {
        self.leap_cseq(1)
    }

    /// Draws a sequence number further ahead, for a peer that has counted further than we.
    pub(crate) const fn leap_cseq(&mut self, by: u32) -> u32 {
        self.local_cseq = self.local_cseq.saturating_add(by);
        self.local_cseq
    }

    fn draft(&self, method: Method, cseq: u32) -> Draft {
        let route = Route::to(&self.remote_target, &self.route_set);
        let fields = route.onto(Headers::with_room(ROOM).with(Name::MaxForwards, "70"));
        let fields = fields
            .with(Name::From, &self.local)
            .with(Name::To, &self.remote)
            .with(Name::CallId, &self.id.call_id)
            .with_shown(Name::CSeq, format_args!("{cseq} {method}"));
        Draft { method, uri: route.uri, next_hop: route.next_hop, fields, body: None }
    }

    /// Its identity at our end.
    pub const fn id(&self) -> &DialogId {
        &self.id
    }

    /// Our address, as From of our requests, with our tag.
    pub const fn local(&self) -> &Bytes {
        &self.local
    }

    /// The peer's address, as To of our requests, with its tag.
    pub const fn remote(&self) -> &Bytes {
        &self.remote
    }

    /// Where requests for the peer end.
    pub const fn remote_target(&self) -> &Bytes {
        &self.remote_target
    }

    /// The proxies in between, in the order of our requests' Route.
    pub fn route_set(&self) -> &[Bytes] {
        &self.route_set
    }

    /// The last sequence number of ours.
    pub const fn local_cseq(&self) -> u32 {
        self.local_cseq
    }

    /// The last sequence number of the peer's.
    pub const fn remote_cseq(&self) -> Option<u32> {
        self.remote_cseq
    }

    /// Whether it was made with a `sips:` Request-URI.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }
}

/// Octets that the header fields of most requests in a dialog have room in.
const ROOM: usize = 768;

/// Request-URI, Route and next hop for a target behind a route set (RFC 3261 §12.2.1.1, §8.1.2).
pub(crate) struct Route {
    pub(crate) uri: Bytes,
    pub(crate) routes: Vec<Bytes>,
    pub(crate) next_hop: Bytes,
}

impl Route {
    pub(crate) fn to(target: &Bytes, route_set: &[Bytes]) -> Route {
        let first = route_set.first().and_then(|entry| Address::parse(entry).ok()).map(|a| a.uri());
        match first {
            None => Route { uri: target.clone(), routes: route_set.to_vec(), next_hop: target.clone() },
            Some(first) if first.is_loose() || !first.is_sip() => {
                Route { uri: target.clone(), routes: route_set.to_vec(), next_hop: own(first.as_bytes()) }
            }
            Some(strict) => {
                // A strict router wants itself in the Request-URI, and the target as the last Route.
                let uri = request_uri(&strict);
                let last = [b"<", &target[..], b">"].concat().into();
                let routes = route_set.iter().skip(1).cloned().chain([last]).collect();
                Route { uri, routes, next_hop: own(strict.as_bytes()) }
            }
        }
    }

    pub(crate) fn onto(&self, headers: Headers) -> Headers {
        self.routes.iter().fold(headers, |headers, route| headers.with(Name::Route, route))
    }
}

/// RFC 3261 §19.1.1: the header part and the method parameter may not stand in a Request-URI.
fn request_uri(uri: &Uri<'_>) -> Bytes {
    let mut text = uri.without_params().to_vec();
    for (name, value) in uri.params().filter(|(name, _)| !name.eq_ignore_ascii_case(b"method")) {
        text.push(b';');
        text.extend_from_slice(name);
        if !value.is_empty() {
            text.push(b'=');
            text.extend_from_slice(value);
        }
    }
    text.into()
}

fn route_entries(message: &Message, name: Name) -> Vec<Bytes> {
    message.values(name).map(own).collect()
}

/// The URI of the first Contact.
pub(crate) fn contact_uri(message: &Message) -> Option<Bytes> {
    let value = message.values(Name::Contact).next()?;
    let contact = Contact::parse(value).ok()?.address()?;
    Some(own(contact.uri().as_bytes()))
}

pub(crate) fn own(part: &[u8]) -> Bytes {
    Bytes::copy_from_slice(part)
}

#[cfg(test)]
mod tests;
