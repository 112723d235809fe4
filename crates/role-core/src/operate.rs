//! What an operator sees of a core, and changes while it runs.

use std::collections::BTreeMap;
use std::time::Duration;

use wire::Now;

use crate::{Core, Subscriber};

/// A contact of a user, as an operator sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegistrationView {
    /// The user's address-of-record.
    pub user: String,
    /// The contact URI.
    pub contact: String,
    /// The device (`+sip.instance`), if it names itself.
    pub instance: Option<String>,
    /// How long it lasts without another REGISTER.
    pub expires: Duration,
}

impl Core {
    /// The registrations, by user.
    pub fn registrations(&self, now: Now) -> Vec<RegistrationView> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let view = |(user, binding): (&str, &crate::location::Binding)| RegistrationView {
            user: user.to_owned(),
            contact: text(&binding.uri),
            instance: binding.instance.as_deref().map(text),
            expires: binding.expires_at - now.at,
        };
        self.location.all(now.at).map(view).collect()
    }

    /// How many contacts are registered.
    pub fn registered_contacts(&self, now: Now) -> usize {
        self.location.all(now.at).count()
    }

    /// Serves these users from now on. What a user that is gone has registered is not asked any more, and expires.
    pub fn set_subscribers(&mut self, subscribers: BTreeMap<String, Subscriber>, numbers: BTreeMap<String, String>) {
        (self.config.subscribers, self.config.numbers) = (subscribers, numbers);
    }
}
