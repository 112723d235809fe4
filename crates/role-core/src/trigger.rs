//! Through the participating function and on from it: the service chain (3GPP TS 24.229 §5.4.3.2, §5.4.3.3).

use cpm::{ServedUser, SessionCase};
use sip::{Method, Name, Request};
use sip_proxy::{Edits, ForwardTo, Plan, Preprocessed, Reject};
use wire::Instant;

use crate::Core;
use crate::odi::Odi;

impl Core {
    /// Through the participating function, with the way back below it (3GPP TS 24.229 §5.4.3.2 step 4).
    pub(crate) fn through_trigger(
        &self,
        request: &Request,
        served: &ServedUser,
        is_registered: bool,
        mut edits: Edits,
    ) -> Plan {
        let trigger = self.config.trigger.as_ref().expect("a request matches the trigger only where there is one");
        let uri = match served.case {
            SessionCase::Originating => &trigger.originating,
            SessionCase::Terminating => &trigger.terminating,
        };
        let odi = Odi { case: served.case, served: served.aor.clone() };
        let transport = if uri.contains(";transport=tcp") { ";transport=tcp" } else { "" };
        let routes = [format!("<{uri};lr>"), format!("<{}{transport}>", odi.uri(&self.host))];
        let state = if is_registered { "reg" } else { "unreg" };
        edits.set(Name::PServedUser, format!("<{}>;sescase={};regstate={state}", served.aor, served.case.as_str()));
        Plan {
            record_route: Some(self.record_route(request)),
            edits,
            ..Plan::to(ForwardTo::along().via_routes(routes))
        }
    }

    /// The initial filter criterion: requests that open something of CPM, and sessions with MSRP or without an offer.
    pub(crate) fn matches_trigger(&self, request: &Request) -> bool {
        let method = request.method();
        let opens = method == Method::Invite && request.body().is_empty()
            || matches!(method, Method::Invite | Method::Message | Method::Refer) && cpm::classify(request).is_some();
        opens && self.config.trigger.is_some()
    }

    /// A request comes back from the participating function: the chain goes on where it was left.
    pub(crate) fn resume(
        &mut self,
        request: &Request,
        pre: &Preprocessed,
        odi: &Odi,
        now: Instant,
    ) -> Result<Plan, Reject> {
        let is_retargeted = self.user_at(&pre.uri(request)).is_none_or(|user| user != odi.served);
        match odi.case {
            SessionCase::Terminating if !is_retargeted => self.deliver(request, pre, now),
            SessionCase::Originating | SessionCase::Terminating => self.onward(request, pre, Edits::new(), now),
        }
    }
}
