//! Matching messages to transactions (RFC 3261 §17.1.3 and §17.2.3).

use bytes::Bytes;
use sip::header::Via;
use sip::{Method, Name, Request};

use crate::event::ClientId;
use wire::Key;

/// The methods that are transactions of their own kind under one branch: an ACK counts as its INVITE.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Class {
    Invite,
    Cancel,
    Other,
}

impl Class {
    pub(crate) const fn of(method: Method) -> Class {
        match method {
            Method::Invite | Method::Ack => Class::Invite,
            Method::Cancel => Class::Cancel,
            Method::Bye
            | Method::Register
            | Method::Options
            | Method::Message
            | Method::Update
            | Method::Prack
            | Method::Info
            | Method::Subscribe
            | Method::Notify
            | Method::Refer
            | Method::Publish
            | Method::Extension => Class::Other,
        }
    }
}

/// What identifies a server transaction: the branch and sent-by of the topmost Via, and the class of the method.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct ServerKey {
    /// The branch, or for RFC 2543 peers a text made of what they do have.
    id: Bytes,
    sent_by: Bytes,
    port: Option<u16>,
    class: Class,
}

impl ServerKey {
    pub(crate) fn of(request: &Request) -> ServerKey {
        ServerKey::with_class(request, Class::of(request.method()))
    }

    /// The key of the INVITE that a CANCEL is for.
    pub(crate) fn of_cancelled(cancel: &Request) -> ServerKey {
        ServerKey::with_class(cancel, Class::Invite)
    }

    fn with_class(request: &Request, class: Class) -> ServerKey {
        let via = request.via();
        let id = if via.has_cookie() { request.share(via.branch) } else { old_id(request, &via) };
        ServerKey { id, sent_by: request.share(via.host), port: via.port, class }
    }
}

/// RFC 3261 §17.2.3 for RFC 2543 peers. The To tag is left out: the ACK has one that the INVITE had not, and requests that
/// differ in nothing else do not occur.
fn old_id(request: &Request, via: &Via<'_>) -> Bytes {
    let mut id = Vec::with_capacity(160);
    let top = request.values(Name::Via).next().unwrap_or_default();
    let parts = [request.uri_text(), request.from_tag(), request.call_id(), top, via.branch];
    for part in parts {
        id.extend_from_slice(part);
        id.push(0);
    }
    id.extend_from_slice(&request.cseq().number.to_be_bytes());
    Bytes::from(id)
}

/// The magic cookie (RFC 3261 §8.1.1.7).
const COOKIE: &str = "z9hG4bK";
/// Characters of the transaction's place behind the cookie.
const PLACE: usize = 16;

/// A branch that leads straight to its client transaction: cookie, place in the table, 64 random bits, and what the proxy
/// wants to recognise later (RFC 3261 §16.6 step 8).
pub(crate) fn branch(id: ClientId, random: &[u8; 16], suffix: &str) -> String {
    let mut branch = String::with_capacity(COOKIE.len() + PLACE + random.len() + suffix.len());
    branch.push_str(COOKIE);
    branch.push_str(&format!("{:016x}", id.0.to_bits()));
    branch.extend(random.iter().map(|b| char::from(*b)));
    branch.push_str(suffix);
    branch
}

/// The client transaction that a branch of ours names; the caller compares the whole branch.
pub(crate) fn client_of(branch: &[u8]) -> Option<ClientId> {
    let place = branch.get(COOKIE.len()..COOKIE.len() + PLACE)?;
    let bits = u64::from_str_radix(std::str::from_utf8(place).ok()?, 16).ok()?;
    Some(ClientId(Key::from_bits(bits)))
}
