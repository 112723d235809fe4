//! Third-party registration (3GPP TS 24.229 §5.7.1.1): the core tells who is registered, and with what.

use cpm::Release;
use sip_proxy::Reject;
use sip_tx::Incoming;
use wire::{Instant, Now};

use crate::registrations::{Device, Told};
use crate::{Participating, overload};

impl Participating {
    /// The devices that a user has registered; `None` when no core has told of the user, which says nothing about it.
    pub fn devices(&self, aor: &str, now: Instant) -> Option<Vec<Device>> {
        Some(self.registrations.devices(aor, now)?.cloned().collect())
    }

    /// A core that we trust tells of a registration.
    pub(crate) fn on_third_party(&mut self, incoming: &Incoming, now: Now) {
        // 1. What is new of it.
        let told = self.registrations.told(&incoming.request, now);
        match told {
            Told::Registered | Told::Gone(_) | Told::Unknown => self.answer(incoming, 200, now),
            Told::Late => Reject::new(500).because("CSeq not higher than before").send(&mut self.stack, incoming),
            Told::Full => overload::come_back(self.stack.entropy()).send(&mut self.stack, incoming),
        }

        // 2. Nothing reaches a user without a device: the sessions end (TS 24.229 leaves it to the application server).
        if let Told::Gone(names) = told {
            self.on_gone(&names, now);
        }
    }

    /// Registrations that were not refreshed have ended like those that were taken back.
    pub(crate) fn expire_registrations(&mut self, now: Now) {
        while let Some(names) = self.registrations.pop_expired(now.at) {
            self.on_gone(&names, now);
        }
    }

    fn on_gone(&mut self, names: &[String], now: Now) {
        tracing::info!("a served user is not registered any more");
        for key in names.iter().flat_map(|aor| self.bridges.of_user(aor)).collect::<Vec<_>>() {
            self.release(key, Release::Deregistered, now);
        }
    }
}
