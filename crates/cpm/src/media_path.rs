use serde::{Deserialize, Serialize};

/// Where a participating function stands in one session. Decided at INVITE, fixed for the session's life: a dialog cannot
/// move from a proxy to a B2BUA.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MediaPath {
    /// Off the media path: a record-routing proxy.
    Off,
    /// On the media path: a B2BUA with a leg to each side.
    On,
}

/// What an operator wants of the media path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MediaPathPolicy {
    /// Never on it.
    Off,
    /// Always on it.
    On,
    /// On it when one of the enabled reasons applies to the session.
    Auto(Vec<Reason>),
}

/// Why a participating function must see the messages of a session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reason {
    /// The served user's messages are recorded in the network store.
    Recording,
    /// Messages are kept for a peer that drops or never answers.
    StoreAndForward,
    /// The served user has several devices, one of which will take the session.
    MultiDevice,
    /// Sizes and contents of messages are policed, or messages are charged one by one.
    ContentPolicy,
    /// Inactive sessions are closed by the network.
    Inactivity,
    /// The network must be able to end the served user's sessions: a proxy has no dialog to close.
    Supervision,
    /// Neither client can be connected to: both only dial out.
    Unreachable,
    /// The two sides do not both speak plain TCP or both TLS.
    TlsAnchoring,
}

impl Reason {
    /// All reasons, with the words that configuration uses.
    pub const ALL: [(Reason, &'static str); 8] = [
        (Reason::Recording, "recording"),
        (Reason::StoreAndForward, "store-and-forward"),
        (Reason::MultiDevice, "multi-device"),
        (Reason::ContentPolicy, "content-policy"),
        (Reason::Inactivity, "inactivity"),
        (Reason::Supervision, "supervision"),
        (Reason::Unreachable, "unreachable"),
        (Reason::TlsAnchoring, "tls-anchoring"),
    ];

    /// The word that configuration uses.
    pub fn as_str(self) -> &'static str {
        Reason::ALL.iter().find(|(r, _)| *r == self).map_or("", |(_, word)| word)
    }
}

/// The reasons that apply to one session, found from its INVITE and the served user's profile.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reasons(Vec<Reason>);

impl Reasons {
    /// The reasons of a session of a user with `profile`, that offers `msrp`.
    pub fn of(profile: &crate::Profile, msrp: Option<&sdp::Glance>) -> Reasons {
        // A client that is active only cannot be dialled; it may do the dialling, if the other one listens. That is not
        // known before the answer, so an active offer is taken as a pair that cannot meet.
        let dials_only = msrp.is_some_and(|m| m.setup == Some(sdp::Setup::Active));
        let tls = msrp.is_some_and(|m| m.protocol == sdp::Protocol::Tls);
        let facts = [
            (Reason::Recording, profile.records_messages),
            (Reason::StoreAndForward, profile.defers_messages),
            (Reason::MultiDevice, profile.devices > 1),
            (Reason::ContentPolicy, profile.max_message_size.is_some()),
            (Reason::Inactivity, profile.idle_session.is_some()),
            (Reason::Supervision, profile.supervised),
            (Reason::Unreachable, dials_only),
            (Reason::TlsAnchoring, tls),
        ];
        Reasons(facts.into_iter().filter(|(_, applies)| *applies).map(|(r, _)| r).collect())
    }

    /// The reasons, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = Reason> + '_ {
        self.0.iter().copied()
    }
}

impl MediaPathPolicy {
    /// Decides for one session.
    pub fn decide(&self, reasons: &Reasons) -> MediaPath {
        match self {
            MediaPathPolicy::Off => MediaPath::Off,
            MediaPathPolicy::On => MediaPath::On,
            MediaPathPolicy::Auto(enabled) if reasons.iter().any(|r| enabled.contains(&r)) => MediaPath::On,
            MediaPathPolicy::Auto(_) => MediaPath::Off,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Profile;

    #[test]
    fn auto_stays_on_for_an_enabled_reason_only() {
        let profile = Profile { records_messages: true, idle_session: None, ..Profile::default() };
        let reasons = Reasons::of(&profile, None);
        assert_eq!(reasons.iter().collect::<Vec<_>>(), [Reason::Recording]);
        let auto = |enabled: &[Reason]| MediaPathPolicy::Auto(enabled.to_vec()).decide(&reasons);
        assert_eq!(auto(&[Reason::Recording, Reason::Inactivity]), MediaPath::On);
        assert_eq!(auto(&[Reason::Inactivity]), MediaPath::Off);
        assert_eq!(auto(&[]), MediaPath::Off);
        assert_eq!(MediaPathPolicy::Off.decide(&reasons), MediaPath::Off);
        assert_eq!(MediaPathPolicy::On.decide(&Reasons::default()), MediaPath::On);
    }

    #[test]
    fn an_offer_that_only_dials_needs_an_anchor() {
        let offer = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 9 TCP/TLS/MSRP *\r\n\
            a=accept-types:message/cpim\r\na=path:msrps://127.0.0.1:9/s;tcp\r\na=setup:active\r\n";
        let msrp = sdp::glance(offer.as_bytes()).unwrap();
        let reasons: Vec<_> = Reasons::of(&Profile::default(), msrp.as_ref()).iter().collect();
        assert_eq!(reasons, [Reason::Inactivity, Reason::Unreachable, Reason::TlsAnchoring]);
    }
}
