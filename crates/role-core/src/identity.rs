//! Who a request is from, and for whom.

use cpm::aor;
use sip::header::Privacy;
use sip::{Address, Name, Request, Uri};
use sip_proxy::Edits;

use crate::Core;
use crate::origin::Origin;

impl Core {
    /// The telephone number in a URI, `+…` and digits only.
    pub(crate) fn number_of(&self, uri: &Uri<'_>) -> Option<String> {
        let user = uri.user().filter(|user| user.contains(&b'+'))?;
        let digits: String =
            user.iter().map(|b| char::from(*b)).filter(|c| !matches!(c, '-' | '.' | '(' | ')')).collect();
        (digits.starts_with('+') && digits[1..].bytes().all(|b| b.is_ascii_digit())).then_some(digits)
    }

    /// The address-of-record of the subscriber that a URI names.
    pub(crate) fn user_at(&self, uri: &Uri<'_>) -> Option<String> {
        let is_subscriber = |aor: &String| {
            let name = aor.strip_prefix("sip:").and_then(|aor| aor.split_once('@'));
            name.is_some_and(|(name, _)| self.config.subscribers.contains_key(name))
        };
        match self.numbered(uri) {
            Some(aor) => aor,
            None => self.home_aor(uri).filter(is_subscriber),
        }
    }

    /// The address-of-record that a URI would name if there were such a subscriber: for who looks for the subscriber anyway.
    pub(crate) fn possible_user_at(&self, uri: &Uri<'_>) -> Option<String> {
        self.numbered(uri).unwrap_or_else(|| self.home_aor(uri))
    }

    /// Whom a telephone number stands for, which may be nobody of ours; `None` if the URI is not one that we know.
    fn numbered(&self, uri: &Uri<'_>) -> Option<Option<String>> {
        let aor = self.number_of(uri).and_then(|n| self.config.numbers.get(&n))?;
        let is_ours = Uri::parse(aor.as_bytes()).is_ok_and(|known| self.is_home(&known));
        Some(is_ours.then(|| aor.clone()))
    }

    /// A URI of our domain with a user part, as an address-of-record.
    fn home_aor(&self, uri: &Uri<'_>) -> Option<String> {
        let is_one = self.is_home(uri) && uri.is_sip() && uri.user().is_some();
        is_one.then(|| aor(uri))
    }

    /// RFC 3325 §5 and RFC 6050 §4: what the client prefers is asserted if it may say so, what it asserts itself is dropped.
    pub(crate) fn assert_identity(&mut self, request: &Request, user: &str) -> Edits {
        let mut edits = Edits::new();
        disbelieve(&mut edits, Origin::Client);
        let name = user.strip_prefix("sip:").and_then(|u| u.split('@').next()).unwrap_or_default();
        let number = self.config.subscribers.get(name).and_then(|s| s.number.clone());
        let preferred =
            request.addresses(Name::PPreferredIdentity).find_map(Result::ok).map(|a: Address<'_>| aor(&a.uri()));
        let tel = number.map(|n| format!("tel:{n}"));
        let first = if preferred.is_some() && preferred == tel { tel.clone() } else { None };
        let second = if first.is_some() { Some(user.to_owned()) } else { tel };
        edits.append(Name::PAssertedIdentity, format!("<{}>", first.as_deref().unwrap_or(user)));
        if let Some(second) = second {
            edits.append(Name::PAssertedIdentity, format!("<{second}>"));
        }
        if let Some(service) = request.header(Name::PPreferredService) {
            edits.append(Name::PAssertedService, service.to_vec());
            edits.remove(Name::PPreferredService);
        }
        let icid = self.stack.entropy().tag();
        edits.set(Name::PChargingVector, format!("icid-value={icid};orig-ioi={}", self.config.domain));
        edits
    }
}

/// What clients may say in header fields that begin with `P-`: what they prefer, and where they are.
const FROM_CLIENTS: &[Name] = &[Name::PPreferredService, Name::PAccessNetworkInfo];

/// What networks that trust each other tell each other.
const BETWEEN_NETWORKS: &[Name] =
    &[Name::PAssertedIdentity, Name::PAssertedService, Name::PChargingVector, Name::PAccessNetworkInfo];

/// What clients are told of what the network knows.
const TO_CLIENTS: &[Name] = &[Name::PAssertedIdentity, Name::PAssertedService, Name::PCalledPartyId];

/// Takes away what the sender has no right to say (RFC 3325 §5, RFC 6050 §4, RFC 5502 §4, RFC 7315 §5): of header fields that
/// begin with `P-`, nothing is believed that is not named here.
pub(crate) fn disbelieve(edits: &mut Edits, origin: Origin) {
    match origin {
        Origin::Client => edits.remove_private(FROM_CLIENTS),
        Origin::Peer => edits.remove_private(BETWEEN_NETWORKS),
        Origin::ApplicationServer => edits,
    };
}

/// Takes away what is not for clients: what networks tell each other, and who the sender is if the sender wants that (RFC 3325
/// §7).
pub(crate) fn keep_from_clients(request: &Request, edits: &mut Edits) {
    edits.remove_private(TO_CLIENTS).withdraw(Name::PChargingVector);
    // A wish that cannot be read may be that one.
    let hides = |value| Privacy::parse(value).ok().is_none_or(|wish| wish.hides_identity());
    if request.headers(Name::Privacy).any(hides) {
        edits.withdraw(Name::PAssertedIdentity);
    }
}
