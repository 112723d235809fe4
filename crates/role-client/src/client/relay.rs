//! The MSRP relay of the client (RFC 4976): credentials for it, and what the user is told.

use bytes::Bytes;
use msrp::RelayEvent;
use sip::Name;
use wire::Now;

use super::Client;
use crate::Event;

/// What the user is told when the relay was not reached, or was lost.
const AWAY: u16 = 408;

impl Client {
    pub(super) fn on_relay(&mut self, event: RelayEvent, now: Now) {
        match event {
            RelayEvent::Challenged { challenges } => {
                let authorization = self.credentials(&challenges);
                self.messages.authorize_relay(authorization.as_deref(), now);
            }
            RelayEvent::Granted => {
                self.relay_digest.accepted();
                self.events.push_back(Event::RelayUp);
                if std::mem::take(&mut self.waits_for_relay) {
                    self.registration.register(&self.ua, &mut self.stack, now);
                }
            }
            RelayEvent::Refused { status } => self.events.push_back(Event::RelayFailed { status: status.0 }),
            RelayEvent::Lost => self.events.push_back(Event::RelayFailed { status: AWAY }),
            // Messages dial by themselves.
            RelayEvent::Dial => {}
        }
    }

    /// The value of `Authorization`, with the account that SIP has; `None` when no challenge is one for us.
    fn credentials(&mut self, challenges: &[Bytes]) -> Option<String> {
        let uri = self.messages.relay_uri()?.as_str().to_owned();
        if !self.relay_digest.challenged(challenges.iter().map(|value| &value[..]), Name::Authorization) {
            return None;
        }
        let cnonce = self.stack.entropy().tag();
        let (_, value) = self.relay_digest.authorize("AUTH", uri.as_bytes(), &cnonce).into_iter().next()?;
        String::from_utf8(value).ok()
    }
}
