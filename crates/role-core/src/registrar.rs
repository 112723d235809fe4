//! The registrar (RFC 3261 §10.3 with RFC 3327 and RFC 3608).

use std::time::Duration;

use sip::header::{Contact, ContactAddress};
use sip::{Builder, Name, Request};
use sip_proxy::Reject;
use sip_tx::{Flow, Incoming};
use sip_ua::digest::{self, Verdict};
use wire::{Entropy, Now};

use crate::Core;
use crate::location::{Binding, Stale};

/// The part of the registrar that is not location: who may register.
#[derive(Debug)]
pub(crate) struct Registrar {
    digest: digest::Server,
}

impl Registrar {
    pub(crate) fn new(realm: &str, entropy: &mut Entropy) -> Registrar {
        Registrar { digest: digest::Server::new(realm, entropy) }
    }
}

impl Core {
    /// Answers a REGISTER.
    pub(crate) fn register(&mut self, incoming: &Incoming, now: Now) {
        let (status, answer) = match self.registered(&incoming.request, &incoming.flow, now) {
            Ok(answer) => (200, answer),
            Err(Refused::Challenge(challenges)) => {
                let tag = self.stack.entropy().tag();
                let answer = incoming.request.respond(401, &tag);
                let challenged = challenges.iter().fold(answer, |a, c| a.header(Name::WwwAuthenticate, c));
                (401, challenged.finish())
            }
            Err(Refused::Reject(reject)) => {
                let tag = self.stack.entropy().tag();
                (reject.status, reject.answer(&incoming.request, &tag))
            }
        };
        self.stack.respond(incoming.tx, status, answer, now);
    }

    /// The steps of RFC 3261 §10.3. Returns the 200.
    fn registered(&mut self, request: &Request, flow: &Flow, now: Now) -> Result<bytes::Bytes, Refused> {
        // 1. The domain is ours: whoever called us has seen to it.
        // 2. Extensions.
        let is_known = |tag: &&[u8]| tag.eq_ignore_ascii_case(b"path") || tag.eq_ignore_ascii_case(b"outbound");
        let unknown: Vec<_> = request.values(Name::Require).filter(|t| !is_known(t)).map(String::from_utf8_lossy).collect();
        if !unknown.is_empty() {
            return Err(Reject::new(420).with(Name::Unsupported, unknown.join(", ")).into());
        }

        // 5. The address-of-record, before authentication: whom else could the credentials be for?
        let aor = self.user_at(&request.to().uri()).ok_or(Reject::new(404))?;

        // 3. and 4. Who registers, and whether it is the user.
        self.authenticate(request, &aor, now)?;

        // 6. and 7. The contacts. All are read before any is changed.
        let contacts: Vec<_> = request.values(Name::Contact).map(Contact::parse).collect::<Result<_, _>>().map_err(malformed)?;
        match contacts.as_slice() {
            [Contact::Star] if request.header(Name::Expires) == Some(b"0") => self.location.unbind_all(&aor),
            list if list.iter().any(|c| matches!(c, Contact::Star)) => {
                return Err(Reject::new(400).because("Contact: * stands alone, with Expires: 0").into());
            }
            list => self.bind_all(&aor, list, request, flow, now)?,
        }

        // 8. All bindings, and the way for what the user sends.
        Ok(self.registration_answer(request, &aor, now))
    }

    fn authenticate(&mut self, request: &Request, aor: &str, now: Now) -> Result<(), Refused> {
        let name = aor.strip_prefix("sip:").and_then(|a| a.split('@').next()).unwrap_or_default();
        let password = self.config.subscribers.get(name).map(|s| s.password.clone()).unwrap_or_default();
        // IMS clients write the private identity `user@domain` as user name.
        let is_user = |user: &str| user == name || aor.strip_prefix("sip:") == Some(user);
        match self.registrar.digest.verify(request, |user| is_user(user).then(|| password.clone()), now) {
            Verdict::Granted { .. } => Ok(()),
            Verdict::Denied => Err(Reject::new(403).because("these credentials are not the user's").into()),
            Verdict::Challenge { stale } => Err(Refused::Challenge(self.registrar.digest.challenges(stale, self.stack.entropy(), now))),
        }
    }

    fn bind_all(&mut self, aor: &str, contacts: &[Contact<'_>], request: &Request, flow: &Flow, now: Now) -> Result<(), Refused> {
        let bounds = self.config.registration;
        let asked: Vec<_> = contacts.iter().filter_map(Contact::address).map(|c| (c, self.interval(&c, request))).collect();
        if asked.iter().any(|(_, interval)| !interval.is_zero() && *interval < bounds.min_expires) {
            return Err(Reject::new(423).with(Name::MinExpires, bounds.min_expires.as_secs().to_string()).into());
        }
        for (contact, interval) in asked {
            if interval.is_zero() {
                self.location.unbind(aor, &contact.uri(), contact.instance());
                continue;
            }
            let binding = binding(&contact, request, flow, interval, now);
            match self.location.bind(aor, binding, bounds.max_contacts, now.at) {
                Ok(()) => {}
                Err(Stale::OutOfOrder) => return Err(Reject::new(500).because("CSeq not higher than before").into()),
                Err(Stale::Full) => return Err(Reject::new(403).because("too many contacts").into()),
            }
        }
        Ok(())
    }

    /// The `expires` parameter, else Expires, else our default; cut to the longest that we keep (RFC 3261 §10.2.1.1).
    fn interval(&self, contact: &ContactAddress<'_>, request: &Request) -> Duration {
        let bounds = self.config.registration;
        let header = request.header(Name::Expires).map(|v| {
            std::str::from_utf8(v).ok().and_then(|v| v.parse::<u64>().ok()).unwrap_or(3600)
        });
        let asked = contact.expires().map(u64::from).or(header).map(Duration::from_secs);
        asked.unwrap_or(bounds.default_expires).min(bounds.max_expires)
    }

    fn registration_answer(&mut self, request: &Request, aor: &str, now: Now) -> bytes::Bytes {
        let tag = self.stack.entropy().tag();
        let mut answer: Builder = request.respond(200, &tag);
        for binding in self.location.bindings(aor, now.at) {
            let left = (binding.expires_at - now.at).as_secs();
            let instance = binding.instance.as_ref().map(|i| format!(";+sip.instance=\"<{}>\"", String::from_utf8_lossy(i)));
            let uri = String::from_utf8_lossy(&binding.uri);
            answer = answer.header(Name::Contact, format!("<{uri}>;expires={left}{}", instance.unwrap_or_default()));
        }
        let transport = request_transport(request);
        answer = answer.copied(request, Name::Path);
        answer = answer.header(Name::ServiceRoute, format!("<sip:{}{transport};lr;orig>", self.host));
        let name = aor.strip_prefix("sip:").and_then(|a| a.split('@').next()).unwrap_or_default();
        answer = answer.header(Name::PAssociatedUri, format!("<{aor}>"));
        if let Some(number) = self.config.subscribers.get(name).and_then(|s| s.number.as_ref()) {
            answer = answer.header(Name::PAssociatedUri, format!("<tel:{number}>"));
        }
        answer.finish()
    }
}

/// A client that registers over a stream sends everything else over it as well.
fn request_transport(request: &Request) -> &'static str {
    if request.via().transport.eq_ignore_ascii_case(b"TCP") { ";transport=tcp" } else { "" }
}

fn binding(contact: &ContactAddress<'_>, request: &Request, flow: &Flow, interval: Duration, now: Now) -> Binding {
    // Copies: a binding outlives the block of memory that its datagram shares with others.
    let copy = bytes::Bytes::copy_from_slice;
    let params = contact.address().params();
    Binding {
        uri: copy(contact.uri().as_bytes()),
        contact: [b"<", contact.uri().as_bytes(), b">", params.as_bytes()].concat().into(),
        instance: contact.instance().map(copy),
        q: contact.q().unwrap_or(sip::header::Qvalue::ONE).thousandths(),
        expires_at: now.at + interval,
        call_id: copy(request.call_id()),
        cseq: request.cseq().number,
        path: request.values(Name::Path).map(copy).collect(),
        flow: *flow,
    }
}

/// Why a REGISTER is not answered 200.
enum Refused {
    Challenge(Vec<String>),
    Reject(Reject),
}

impl From<Reject> for Refused {
    fn from(reject: Reject) -> Refused {
        Refused::Reject(reject)
    }
}

fn malformed(error: sip::ParseError) -> Reject {
    Reject::new(400).because(format!("Contact: {error}"))
}
