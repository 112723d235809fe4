use serde::{Deserialize, Serialize};

/// Why the network ends a session by itself. Only a function on the media path can do so: a proxy has no dialog to close.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Release {
    /// No message came for too long.
    Inactive,
    /// The served user may not use the service any more.
    NotAuthorised,
    /// The served user has no device left.
    Deregistered,
    /// The MSRP connection of a leg is gone and has not come back, or never came.
    MediaLost,
    /// An operator wanted it.
    Operator,
    /// The function is being shut down.
    Shutdown,
    /// The function was started anew, and the media of its sessions is gone.
    Restarted,
}

impl Release {
    /// All of them: the word for logs and records, and the value of the Reason header field (RFC 3326) that the BYE carries.
    /// A BYE without Reason is what clients take for the close of an idle session.
    pub const ALL: [(Release, &'static str, Option<&'static str>); 7] = [
        (Release::Inactive, "inactive", None),
        (Release::NotAuthorised, "not-authorised", Some("SIP;cause=403;text=\"Service not authorised\"")),
        (Release::Deregistered, "deregistered", Some("SIP;cause=480;text=\"User deregistered\"")),
        (Release::MediaLost, "media-lost", Some("SIP;cause=500;text=\"Media lost\"")),
        (Release::Operator, "operator", Some("SIP;cause=403")),
        (Release::Shutdown, "shutdown", Some("SIP;cause=503;text=\"Server shutdown\"")),
        (Release::Restarted, "restarted", Some("SIP;cause=503;text=\"Server restarted\"")),
    ];

    /// The word for logs and records.
    pub fn as_str(self) -> &'static str {
        Release::ALL.iter().find(|(release, ..)| *release == self).map_or("", |(_, word, _)| word)
    }

    /// The value of Reason, if there is one.
    pub fn reason(self) -> Option<&'static str> {
        Release::ALL.iter().find(|(release, ..)| *release == self).and_then(|(.., reason)| *reason)
    }

    /// Whether the served user's own leg gets a BYE: nothing reaches a user without a device.
    pub const fn reaches_served_user(self) -> bool {
        !matches!(self, Release::Deregistered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_release_has_a_word_of_its_own_and_no_one_to_one_leg_is_told_410() {
        let words: std::collections::BTreeSet<_> = Release::ALL.iter().map(|(release, ..)| release.as_str()).collect();
        assert_eq!(words.len(), Release::ALL.len());
        // 410 says that a group has come to its minimum.
        assert!(Release::ALL.iter().all(|(release, ..)| release.reason().is_none_or(|reason| !reason.contains("410"))));
    }
}
