//! Through the participating function and on from it: the service chain (3GPP TS 24.229 §5.4.3.2, §5.4.3.3).

use cpm::{ServedUser, SessionCase};
use sip::{Method, Name, Request};
use sip_proxy::{Edits, ForwardTo, Plan, Preprocessed, Reject};
use wire::{Instant, Transport};

use crate::Core;
use crate::odi::Odi;

/// The transport that a URI of a participating function names.
fn transport_of(uri: &str) -> Transport {
    let is = |token: &str| uri.split(';').skip(1).any(|param| param.eq_ignore_ascii_case(token));
    if is("transport=tls") {
        Transport::Tls
    } else if is("transport=tcp") {
        Transport::Tcp
    } else {
        Transport::Udp
    }
}

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
        // It comes back over the transport on which it leaves.
        let transport = transport_of(uri);
        let (host, param) = self.place(transport);
        let routes = [format!("<{uri};lr>"), format!("<{}{param}>", odi.uri(host))];
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_names_its_transport_in_any_case() {
        for (uri, expected) in [
            ("sip:orig@10.0.0.3:5060", Transport::Udp),
            ("sip:10.0.0.3:5060;transport=udp;lr", Transport::Udp),
            ("sip:10.0.0.3:5060;lr;Transport=TCP", Transport::Tcp),
            ("sip:10.0.0.3:5061;transport=tls", Transport::Tls),
        ] {
            assert_eq!(transport_of(uri), expected, "{uri}");
        }
    }
}
