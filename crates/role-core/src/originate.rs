//! A client of ours sends a request (3GPP TS 24.229 §5.4.3.2).

use cpm::{ServedUser, SessionCase};
use sip::Request;
use sip_proxy::{Plan, Preprocessed, Reject};
use sip_tx::Flow;
use wire::Instant;

use crate::Core;

impl Core {
    /// A client of ours sends a request (3GPP TS 24.229 §5.4.3.2).
    pub(crate) fn originate(
        &mut self,
        request: &Request,
        flow: &Flow,
        pre: &Preprocessed,
        now: Instant,
    ) -> Result<Plan, Reject> {
        // 1. No relay for strangers' routes.
        if pre.routes(request).next().is_some() {
            return Err(Reject::new(403).because("foreign Route"));
        }
        // 2. The client is one that has registered, from where it registered.
        let user = self.user_at(&request.from().uri()).ok_or(Reject::new(403).because("not a subscriber"))?;
        if !self.location.bindings(&user, now).iter().any(|b| b.is_from(request, flow)) {
            return Err(Reject::new(403).because("not registered"));
        }
        // 3. Its identity is asserted, its own assertions dropped.
        let edits = self.assert_identity(request, &user);
        // 4. The participating function sees what belongs to CPM.
        if self.matches_trigger(request) {
            let served = ServedUser { aor: user, case: SessionCase::Originating };
            return Ok(self.through_trigger(request, &served, true, edits));
        }
        self.onward(request, pre, edits, now)
    }
}
