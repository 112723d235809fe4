//! The registrar (RFC 3261 §10.3 with RFC 3327 and RFC 3608).

use std::time::Duration;

use bytes::Bytes;
use sip::header::{Contact, ContactAddress};
use sip::{Builder, Decimal, Name, Request};
use sip_tx::{Flow, Incoming};
use sip_ua::Reject;
use sip_ua::digest::{Authenticator, Check, Side};
use smallvec::SmallVec;
use wire::{Entropy, Now, Transport};

use crate::location::{Binding, Bindings, Sequence, Stale};
use crate::{Core, DigestOffer};

/// The part of the registrar that is not location: who may register.
#[derive(Debug)]
pub(crate) struct Registrar {
    authenticator: Authenticator,
}

impl Registrar {
    pub(crate) fn new(realm: &str, offer: DigestOffer, entropy: &mut Entropy) -> Registrar {
        let both = Authenticator::new(realm, entropy);
        let authenticator = match offer {
            DigestOffer::Both => both,
            DigestOffer::Sha256 => both.without_md5(),
            DigestOffer::Md5 => both.without_sha256(),
        };
        Registrar { authenticator }
    }
}

impl Core {
    /// Answers a REGISTER.
    pub(crate) fn register(&mut self, incoming: &Incoming, now: Now) {
        let (status, answer) = match self.registered(&incoming.request, &incoming.flow, now) {
            Ok((aor, answer)) => {
                self.stack.respond(incoming.tx, 200, answer, now);
                // A REGISTER without Contact only asks (RFC 3261 §10.2.3).
                if incoming.request.has(Name::Contact) {
                    self.keep_registration(&aor, now);
                    self.tell_of_registration(&aor, Some(&incoming.request), now);
                }
                return;
            }
            Err(reject) => {
                let tag = self.stack.entropy().tag();
                let answer = reject.headers.onto(incoming.request.respond(reject.status, &tag));
                (reject.status, answer.finish())
            }
        };
        self.stack.respond(incoming.tx, status, answer, now);
    }

    /// The steps of RFC 3261 §10.3. Returns whose registration it is, and the 200.
    fn registered(&mut self, request: &Request, flow: &Flow, now: Now) -> Result<(String, Bytes), Reject> {
        // 1. The domain is ours: whoever called us has seen to it.
        // 2. Extensions.
        let is_known = |tag: &&[u8]| tag.eq_ignore_ascii_case(b"path") || tag.eq_ignore_ascii_case(b"outbound");
        let unknown: Vec<_> =
            request.values(Name::Require).filter(|t| !is_known(t)).map(String::from_utf8_lossy).collect();
        if !unknown.is_empty() {
            return Err(Reject::new(420).with(Name::Unsupported, unknown.join(", ")));
        }

        // 5. The address-of-record, before authentication: whom else could the credentials be for?
        let aor = self.possible_user_at(&request.to().uri());

        // 3. and 4. Who registers, and whether it is the user. Who asks for a user that there is not is challenged like
        //    everybody else, or the answers would tell which users there are.
        let number = self.authenticate(request, aor.as_deref().unwrap_or_default(), now)?;
        let aor = aor.ok_or(Reject::new(404))?;

        // 6. and 7. The contacts. All are read before any is changed.
        let contacts: SmallVec<[_; 1]> =
            request.values(Name::Contact).map(Contact::parse).collect::<Result<_, _>>().map_err(malformed)?;
        match contacts.as_slice() {
            [Contact::Star] if request.header(Name::Expires) == Some(b"0") => {
                self.location.change(&aor, now.at, |bindings| bindings.unbind_all(sequence(request))).map_err(stale)?;
            }
            list if list.iter().any(|c| matches!(c, Contact::Star)) => {
                return Err(because(400, "Contact: * stands alone, with Expires: 0"));
            }
            list => self.bind_all(&aor, list, request, flow, now)?,
        }

        // 8. All bindings, and the way for what the user sends.
        let answer = self.registration_answer(request, &aor, number.as_deref(), now);
        Ok((aor, answer))
    }

    /// Returns the telephone number of the user, if there is one.
    fn authenticate(&mut self, request: &Request, aor: &str, now: Now) -> Result<Option<String>, Reject> {
        let name = name_of(aor);
        let authenticator = &mut self.registrar.authenticator;
        // IMS clients write the private identity `user@domain` as user name.
        let is_user = |user: &str| user == name || aor.strip_prefix("sip:") == Some(user);
        let subscribers = &self.config.subscribers;
        let mut number = None;
        let secret_of = |claimed: &str| {
            let subscriber = subscribers.get(name).filter(|_| is_user(claimed))?;
            number = subscriber.number.as_ref();
            Some(subscriber.private.as_ref().filter(|_| claimed != name).unwrap_or(&subscriber.secret))
        };
        match authenticator.check(request, Side::Server, now, secret_of) {
            Check::Granted { .. } => Ok(number.cloned()),
            Check::Missing { stale } => Err(authenticator.demand(Side::Server, stale, now)),
            Check::Refused => Err(because(403, "these credentials are not the user's")),
        }
    }

    fn bind_all(
        &mut self,
        aor: &str,
        contacts: &[Contact<'_>],
        request: &Request,
        flow: &Flow,
        now: Now,
    ) -> Result<(), Reject> {
        let bounds = self.config.registration;
        let asked: SmallVec<[_; 1]> =
            contacts.iter().filter_map(Contact::address).map(|c| (c, self.interval(&c, request))).collect();
        if asked.iter().any(|(_, interval)| !interval.is_zero() && *interval < bounds.min_expires) {
            return Err(Reject::new(423).with(Name::MinExpires, bounds.min_expires.as_secs().to_string()));
        }
        let change = |bindings: &mut Bindings| {
            for (contact, interval) in &asked {
                if interval.is_zero() {
                    bindings.unbind(&contact.uri(), contact.instance(), sequence(request))?;
                } else {
                    let make = |known: Option<&Binding>| binding(contact, known, request, flow, *interval, now);
                    bindings.bind(&contact.uri(), contact.instance(), bounds.max_contacts, make)?;
                }
            }
            Ok(())
        };
        self.location.change(aor, now.at, change).map_err(stale)
    }

    /// The `expires` parameter, else Expires, else our default; cut to the longest that we keep (RFC 3261 §10.2.1.1).
    fn interval(&self, contact: &ContactAddress<'_>, request: &Request) -> Duration {
        let bounds = self.config.registration;
        let header = request
            .header(Name::Expires)
            .map(|v| std::str::from_utf8(v).ok().and_then(|v| v.parse::<u64>().ok()).unwrap_or(3600));
        let asked = contact.expires().map(u64::from).or(header).map(Duration::from_secs);
        asked.unwrap_or(bounds.default_expires).min(bounds.max_expires)
    }

    fn registration_answer(&mut self, request: &Request, aor: &str, number: Option<&str>, now: Now) -> Bytes {
        let tag = self.stack.entropy().tag();
        let mut answer: Builder = request.respond(200, &tag);
        for binding in self.location.bindings(aor, now.at) {
            let left = Decimal::of((binding.expires_at - now.at).as_secs());
            let [before, instance, after] = match &binding.instance {
                Some(instance) => [&b";+sip.instance=\"<"[..], instance, b">\""],
                None => [&b""[..]; 3],
            };
            let pieces = [b"<", &*binding.uri, b">;expires=", left.as_bytes(), before, instance, after];
            answer = answer.header_of(Name::Contact, &pieces);
        }
        let (host, param) = self.place(request_transport(request));
        answer = answer
            .copied(request, Name::Path)
            .header_of(Name::ServiceRoute, &[b"<sip:", host.as_bytes(), param.as_bytes(), b";lr;orig>"])
            .header_of(Name::PAssociatedUri, &[b"<", aor.as_bytes(), b">"]);
        if let Some(number) = number {
            answer = answer.header_of(Name::PAssociatedUri, &[b"<tel:", number.as_bytes(), b">"]);
        }
        answer.finish()
    }
}

/// A client that registers over a stream sends everything else over it as well.
fn request_transport(request: &Request) -> Transport {
    let token = request.via().transport;
    let all = [Transport::Tcp, Transport::Tls];
    let named = all.into_iter().find(|transport| token.eq_ignore_ascii_case(transport.via_token().as_bytes()));
    named.unwrap_or(Transport::Udp)
}

/// The binding that a REGISTER asks for. Of the one that it refreshes it shares what has not changed.
fn binding(
    contact: &ContactAddress<'_>,
    known: Option<&Binding>,
    request: &Request,
    flow: &Flow,
    interval: Duration,
    now: Now,
) -> Binding {
    // Copies: a binding outlives the block of memory that its datagram shares with others.
    let copy = Bytes::copy_from_slice;
    let kept = |known: Option<&Bytes>, text: &[u8]| known.filter(|known| **known == *text).cloned();
    let (uri, call_id, instance) = (contact.uri().as_bytes(), request.call_id(), contact.instance());
    let entry = [b"<", uri, b">", contact.address().params().as_bytes()];
    Binding {
        uri: kept(known.map(|b| &b.uri), uri).unwrap_or_else(|| copy(uri)),
        contact: known
            .map(|b| &b.contact)
            .filter(|known| is_joined(known, &entry))
            .cloned()
            .unwrap_or_else(|| entry.concat().into()),
        instance: instance
            .map(|text| kept(known.and_then(|b| b.instance.as_ref()), text).unwrap_or_else(|| copy(text))),
        q: contact.q().unwrap_or(sip::header::Qvalue::ONE).thousandths(),
        expires_at: now.at + interval,
        call_id: kept(known.map(|b| &b.call_id), call_id).unwrap_or_else(|| copy(call_id)),
        cseq: request.cseq().number,
        path: request.values(Name::Path).map(copy).collect(),
        flow: *flow,
    }
}

/// Whether a text consists of these parts.
fn is_joined(text: &[u8], parts: &[&[u8]]) -> bool {
    parts.iter().try_fold(text, |rest, part| rest.strip_prefix(*part)).is_some_and(<[u8]>::is_empty)
}

fn sequence(request: &Request) -> Sequence<'_> {
    Sequence { call_id: request.call_id(), cseq: request.cseq().number }
}

fn stale(why: Stale) -> Reject {
    match why {
        Stale::OutOfOrder => because(500, "CSeq not higher than before"),
        Stale::Full => because(403, "too many contacts"),
    }
}

/// A refusal with a text for a person (RFC 3261 §20.43).
fn because(status: u16, text: &str) -> Reject {
    Reject::new(status).with(Name::Warning, format!("399 registrar \"{text}\""))
}

fn malformed(error: sip::ParseError) -> Reject {
    because(400, &format!("Contact: {error}"))
}

/// The user part of an address-of-record of ours.
pub(crate) fn name_of(aor: &str) -> &str {
    aor.strip_prefix("sip:").and_then(|a| a.split('@').next()).unwrap_or_default()
}
