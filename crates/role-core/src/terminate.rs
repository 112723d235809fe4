//! A request for a user of ours (3GPP TS 24.229 §5.4.3.3), or for one of another domain.

use cpm::{ServedUser, SessionCase};
use sip::{Name, Request, Uri};
use sip_proxy::{Edits, ForwardTo, Plan, Preprocessed, Reject};
use wire::Instant;

use crate::Core;
use crate::core::target_of;
use crate::identity::{disbelieve, keep_from_clients};
use crate::origin::Origin;

impl Core {
    /// Routes by the Request-URI: to a user of ours, or to the domain that it names.
    pub(crate) fn onward(
        &mut self,
        request: &Request,
        pre: &Preprocessed,
        mut edits: Edits,
        now: Instant,
    ) -> Result<Plan, Reject> {
        edits.remove(Name::PServedUser);
        let translated = self.number_of(&pre.uri(request)).and_then(|n| self.config.numbers.get(&n).cloned());
        let text = translated.clone().unwrap_or_else(|| pre.uri(request).to_string());
        let uri = Uri::parse(text.as_bytes()).map_err(|_| Reject::new(404))?;
        if !uri.is_sip() {
            return Err(Reject::new(if uri.scheme() == sip::Scheme::Tel { 404 } else { 416 }));
        }
        if self.is_home(&uri) {
            return self.terminate(request, &uri, edits, now);
        }
        let host = String::from_utf8_lossy(uri.host()).to_ascii_lowercase();
        let peer = self
            .config
            .peers
            .iter()
            .find(|p| p.domain == host)
            .ok_or(Reject::new(404).because("no way to this domain"))?;
        edits.remove(Name::PChargingFunctionAddresses);
        let target = target_of(&peer.uri).ok_or(Reject::new(500).because("address of the other domain"))?;
        let to = ForwardTo { uri: translated.map(Into::into), ..ForwardTo::along() }.at(target);
        Ok(Plan { record_route: Some(self.record_route(request)), edits, ..Plan::to(to) })
    }

    /// A request for a user of ours (3GPP TS 24.229 §5.4.3.3).
    pub(crate) fn terminate(
        &mut self,
        request: &Request,
        uri: &Uri<'_>,
        edits: Edits,
        now: Instant,
    ) -> Result<Plan, Reject> {
        let user = self.user_at(uri).ok_or(Reject::new(404))?;
        let moved = uri.as_bytes() != request.uri_text();
        if !self.matches_trigger(request) {
            return self.to_contacts(request, uri, &user, edits, now);
        }
        let is_registered = self.location.is_registered(&user, now);
        let served = ServedUser { aor: user, case: SessionCase::Terminating };
        let mut plan = self.through_trigger(request, &served, is_registered, edits);
        if moved {
            plan.targets.iter_mut().for_each(|t| t.uri = Some(uri.as_bytes().to_vec().into()));
        }
        Ok(plan)
    }

    pub(crate) fn deliver(&mut self, request: &Request, pre: &Preprocessed, now: Instant) -> Result<Plan, Reject> {
        let uri = pre.uri(request);
        let user = self.user_at(&uri).ok_or(Reject::new(404))?;
        let mut edits = Edits::new();
        edits.remove(Name::PServedUser);
        self.to_contacts(request, &uri, &user, edits, now)
    }

    /// To the user's devices that can take it (RFC 3841 §7.2): at once those that it prefers alike, one preference after the
    /// other (RFC 3261 §16.6).
    pub(crate) fn to_contacts(
        &self,
        request: &Request,
        uri: &Uri<'_>,
        user: &str,
        mut edits: Edits,
        now: Instant,
    ) -> Result<Plan, Reject> {
        let bindings = self.location.bindings(user, now);
        let takers: Vec<_> = bindings.into_iter().filter(|b| b.can_take(request)).collect();
        let mut groups = takers.chunk_by(|a, b| a.q == b.q).map(|group| group.iter().map(|b| b.way()).collect());
        let targets = groups.next().ok_or(Reject::new(480))?;
        let then = groups.collect();
        keep_from_clients(request, &mut edits);
        edits.set(Name::PCalledPartyId, format!("<{uri}>"));
        // RFC 3325 §5: what the callee asserts of itself in its responses is not believed either.
        let mut response_edits = Edits::new();
        disbelieve(&mut response_edits, Origin::Client);
        response_edits.set(Name::PAssertedIdentity, format!("<{user}>"));
        Ok(Plan {
            targets,
            then,
            record_route: Some(self.record_route(request)),
            edits,
            response_edits,
            ..Plan::default()
        })
    }
}
