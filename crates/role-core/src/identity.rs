//! Who a request is from, and for whom.

use cpm::aor;
use sip::{Address, Name, Request, Uri};
use sip_proxy::Edits;

use crate::Core;

impl Core {
    /// The telephone number in a URI, `+…` and digits only.
    pub(crate) fn number_of(&self, uri: &Uri<'_>) -> Option<String> {
        let user = uri.user()?;
        let digits: String =
            user.iter().map(|b| char::from(*b)).filter(|c| !matches!(c, '-' | '.' | '(' | ')')).collect();
        (digits.starts_with('+') && digits[1..].bytes().all(|b| b.is_ascii_digit())).then_some(digits)
    }

    /// The address-of-record of the subscriber that a URI names.
    pub(crate) fn user_at(&self, uri: &Uri<'_>) -> Option<String> {
        if let Some(aor) = self.number_of(uri).and_then(|n| self.config.numbers.get(&n)) {
            let known = Uri::parse(aor.as_bytes()).ok()?;
            return self.is_home(&known).then(|| aor.clone());
        }
        let aor = aor(uri);
        let name = aor.strip_prefix("sip:")?.split_once('@')?.0;
        (self.is_home(uri) && self.config.subscribers.contains_key(name)).then_some(aor)
    }

    /// RFC 3325 §5 and RFC 6050 §4: what the client prefers is asserted if it may say so, what it asserts itself is dropped.
    pub(crate) fn assert_identity(&mut self, request: &Request, user: &str) -> Edits {
        let mut edits = Edits::new();
        disbelieve(&mut edits);
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

/// Takes away what only the network may say of a client (RFC 3325 §5, RFC 6050 §4, RFC 5502 §4).
pub(crate) fn disbelieve(edits: &mut Edits) {
    for name in [Name::PPreferredIdentity, Name::PAssertedIdentity, Name::PServedUser, Name::PAssertedService] {
        edits.remove(name);
    }
}
