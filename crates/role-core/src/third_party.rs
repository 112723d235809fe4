//! Third-party registration (3GPP TS 24.229 §5.4.1.7): the participating function is told who is registered, with the
//! REGISTER that changed it enclosed.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use sip::{Builder, Method, Name, Request, Uri};
use sip_tx::{Hop, Owner, Target};
use wire::Now;

use crate::Core;

/// What is added to the granted time: the next REGISTER of the user, and ours after it, may take a while.
const GRACE: Duration = Duration::from_secs(120);

/// TS 24.229 §5.4.1.7 leaves it open; the way is short.
const MAX_FORWARDS: &str = "10";

/// The series of REGISTER requests about each user: a Call-ID and the last CSeq. Bounded by the subscribers.
pub(crate) type Series = BTreeMap<String, (String, u32)>;

impl Core {
    /// Tells the participating function of a change: `request` made it, or time did.
    pub(crate) fn tell_of_registration(&mut self, aor: &str, request: Option<&Request>, now: Now) {
        let Some(trigger) = &self.config.trigger else { return };
        let Ok(uri) = Uri::parse(trigger.originating.as_bytes()) else { return };
        let (Some(target), text) = (Target::from_uri(&uri), without_user(&uri)) else { return };
        let left = self.location.bindings(aor, now.at).iter().map(|binding| binding.expires_at - now.at).max();
        let expires = left.map_or(0, |left| (left + GRACE).as_secs());
        // What proves who the user is concerns nobody else.
        let enclosed = request.map(|request| request.edit().remove(Name::Authorization).finish());
        let size = 600 + enclosed.as_ref().map_or(0, Bytes::len);
        let Some(hop) = self.stack.hop(&target, size, "") else { return };
        let bytes = self.third_party(&text, aor, expires, enclosed.as_ref(), &hop);
        self.stack.request(hop, Method::Register, bytes, Owner::Role(0), now);
    }

    fn third_party(&mut self, uri: &str, aor: &str, expires: u64, enclosed: Option<&Bytes>, hop: &Hop) -> Bytes {
        let (tag, host) = (self.stack.entropy().tag(), &self.host);
        let associated = self.associated(aor);
        let new = || (tag.clone(), 0);
        let (call_id, cseq) = self.series.entry(aor.to_owned()).or_insert_with(new);
        *cseq += 1;
        let message = Builder::request(Method::Register, uri)
            .header(Name::Via, hop.via())
            .header(Name::MaxForwards, MAX_FORWARDS)
            .header(Name::From, format!("<sip:{host}>;tag={tag}"))
            .header(Name::To, format!("<{aor}>"))
            .header(Name::CallId, format!("{call_id}@{host}"))
            .header(Name::CSeq, format!("{cseq} REGISTER"))
            .header(Name::Contact, format!("<sip:{host}>"))
            .header(Name::Event, "registration")
            .header(Name::Expires, expires.to_string());
        let message = associated.into_iter().fold(message, |message, uri| message.header(Name::PAssociatedUri, uri));
        match enclosed {
            Some(enclosed) => message.body("message/sip", enclosed),
            None => message.finish(),
        }
    }

    /// The public identities of a user, each in brackets.
    pub(crate) fn associated(&self, aor: &str) -> Vec<String> {
        let number = self.config.subscribers.get(crate::registrar::name_of(aor)).and_then(|s| s.number.as_ref());
        std::iter::once(format!("<{aor}>")).chain(number.map(|number| format!("<tel:{number}>"))).collect()
    }
}

/// The URI of an application server without the user part that stands for a session case.
fn without_user(uri: &Uri<'_>) -> String {
    let text = uri.to_string();
    match (text.split_once(':'), text.split_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}:{rest}"),
        (_, _) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_server_is_named_without_its_session_case() {
        for (uri, expected) in [
            ("sip:orig@10.0.0.3:5060;transport=tcp", "sip:10.0.0.3:5060;transport=tcp"),
            ("sip:10.0.0.3", "sip:10.0.0.3"),
            ("sips:orig@[2001:db8::3]:5061", "sips:[2001:db8::3]:5061"),
        ] {
            assert_eq!(without_user(&Uri::parse(uri.as_bytes()).unwrap()), expected);
        }
    }
}
