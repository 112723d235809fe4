use std::net::IpAddr;

use wire::{Instant, OncePerMinute};

/// What came on connections of the endpoint from somebody who is in none of the sessions that it named.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Refusals {
    /// Requests for a session that there is not, or by whom it is not with (481).
    pub unknown_session: u64,
    /// Requests for a session that has its connection already (506).
    pub session_in_use: u64,
    /// Streams that are no MSRP, or stopped to be.
    pub not_msrp: u64,
    /// Connections that named no session in time.
    pub unbound: u64,
}

/// Counts them, and logs each source once a minute.
#[derive(Debug, Default)]
pub(crate) struct Strangers {
    pub(crate) refusals: Refusals,
    once: OncePerMinute,
}

impl Strangers {
    pub(crate) fn note(
        &mut self,
        count: fn(&mut Refusals) -> &mut u64,
        source: Option<IpAddr>,
        why: &str,
        now: Instant,
    ) {
        *count(&mut self.refusals) += 1;
        if let Some(source) = source
            && self.once.is_due(source, now)
        {
            tracing::warn!(%source, why, "MSRP was refused (logged once a minute per source)");
        }
    }
}
