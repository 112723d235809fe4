//! Who may send inside a dialog through this core: whoever brings back the mark that the dialog was given, from where it
//! registered.

use std::net::IpAddr;

use sip::{Request, Uri};
use sip_proxy::{Preprocessed, RecordRoute, Reject};
use sip_tx::Flow;
use wire::Instant;

use crate::Core;

impl Core {
    /// What stands in our Record-Route of a request outside any dialog.
    pub(crate) fn record_route(&self, request: &Request) -> RecordRoute {
        RecordRoute::here(format!("{:016x}", self.key.mark(request, 0)))
    }

    /// Whether a request inside a dialog brings back what we wrote.
    pub(crate) fn is_marked(&self, request: &Request, pre: &Preprocessed) -> bool {
        pre.own().next().and_then(|uri| mark(&uri)).is_some_and(|mark| self.key.knows(mark, request, 0))
    }

    /// Refuses what is of no dialog that came through here.
    pub(crate) fn must_be_marked(
        &mut self,
        request: &Request,
        flow: &Flow,
        pre: &Preprocessed,
        now: Instant,
    ) -> Result<(), Reject> {
        if self.is_marked(request, pre) {
            return Ok(());
        }
        self.note_forged(flow.remote.ip(), "no dialog of this core has such a Route", now);
        Err(Reject::new(403).because("not in the route set of this dialog"))
    }

    /// A client sends for itself: if we know where the devices of the user in From are, it comes from there. An anonymous
    /// user, and one whose registration has run out, has the mark alone.
    pub(crate) fn must_come_from_its_user(
        &mut self,
        request: &Request,
        flow: &Flow,
        now: Instant,
    ) -> Result<(), Reject> {
        let Some(user) = self.user_at(&request.from().uri()) else { return Ok(()) };
        let devices = self.location.bindings(&user, now);
        if devices.is_empty() || devices.iter().any(|device| device.flow.remote.ip() == flow.remote.ip()) {
            return Ok(());
        }
        self.note_forged(flow.remote.ip(), "in the name of a user who is elsewhere", now);
        Err(Reject::new(403).because("not from a device of this user"))
    }

    /// Counts a request that pretends to be of a dialog, and says so once a minute for each source.
    fn note_forged(&mut self, source: IpAddr, why: &str, now: Instant) {
        self.forged += 1;
        if self.once.is_due(source, now) {
            tracing::warn!(%source, why, "a forged request inside a dialog was refused (logged once a minute per source)");
        }
    }
}

fn mark(uri: &Uri<'_>) -> Option<u64> {
    let user = std::str::from_utf8(uri.user()?).ok().filter(|user| user.len() == 16)?;
    u64::from_str_radix(user, 16).ok()
}
