//! Requests and connections that would act on a session without being of it: refused, counted, and logged once a minute for
//! each source.

use std::net::IpAddr;

use sip_proxy::Reject;
use sip_tx::Flow;
use wire::{Instant, OncePerMinute};

/// How often somebody has tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Attempts {
    /// Requests from where no core is.
    pub untrusted: u64,
    /// Requests inside a dialog whose Route we never wrote for it.
    pub forged: u64,
    /// Requests of a dialog that no leg has: forged, or very late.
    pub no_dialog: u64,
}

/// What is counted, and who has been logged.
#[derive(Debug, Default)]
pub(crate) struct Watchman {
    pub(crate) attempts: Attempts,
    once: OncePerMinute,
}

impl Watchman {
    /// A request from where no core is.
    pub(crate) fn untrusted(&mut self, flow: &Flow, now: Instant) -> Reject {
        self.attempts.untrusted += 1;
        self.log(flow.remote.ip(), "not a core that this function trusts", now);
        Reject::new(403).because("not a core that this function trusts")
    }

    /// A request inside a dialog whose Route we never wrote for it.
    pub(crate) fn forged(&mut self, flow: &Flow, now: Instant) -> Reject {
        self.attempts.forged += 1;
        self.log(flow.remote.ip(), "a Route that was never given to this dialog", now);
        Reject::new(403).because("not in the route set of this dialog")
    }

    /// A request of a dialog that no leg has.
    pub(crate) fn no_dialog(&mut self, flow: &Flow, now: Instant) -> Reject {
        self.attempts.no_dialog += 1;
        self.log(flow.remote.ip(), "no such dialog", now);
        Reject::new(481)
    }

    fn log(&mut self, source: IpAddr, why: &str, now: Instant) {
        if self.once.is_due(source, now) {
            tracing::warn!(%source, why, "a request was refused (logged once a minute per source)");
        }
    }
}
