//! The users that operators enter by way of the admin interface: they are in the store, beside those of the file.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use cpm::Profile;
use node::{CorePlan, PfPlan};
use role_core::{Secret, Subscriber};
use store::{Store, StoreError};

use super::config;
use super::document;

/// What the store has, as it was last read.
pub(super) struct Users {
    store: Option<Arc<dyn Store>>,
    known: RwLock<Vec<store::Subscriber>>,
}

impl Users {
    pub(super) fn new(store: Option<Arc<dyn Store>>) -> Users {
        Users { store, known: RwLock::new(Vec::new()) }
    }

    /// Reads them again. When that fails, they are those that they were.
    pub(super) fn read(&self) -> Result<(), StoreError> {
        if let Some(store) = &self.store {
            *self.known.write().unwrap_or_else(PoisonError::into_inner) = store.subscribers()?;
        }
        Ok(())
    }

    pub(super) fn list(&self) -> Vec<store::Subscriber> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The users of a core: those of the file, and of its domain those of the store that the file does not have.
pub(super) fn subscribers(core: &CorePlan, stored: &[store::Subscriber]) -> BTreeMap<String, Subscriber> {
    let of_domain = stored.iter().filter_map(|entry| {
        let (user, domain) = entry.aor.strip_prefix("sip:")?.split_once('@')?;
        let secret = Secret::Hashed { md5: Some(entry.md5.clone()), sha256: Some(entry.sha256.clone()) };
        (domain == core.domain).then(|| (user.to_owned(), Subscriber { secret, number: entry.number.clone() }))
    });
    let mut all: BTreeMap<_, _> = of_domain.collect();
    all.extend(core.subscribers.clone());
    all
}

/// The profiles of a participating function, likewise.
pub(super) fn profiles(pf: &PfPlan, stored: &[store::Subscriber]) -> BTreeMap<String, Profile> {
    let with_profile = stored.iter().filter_map(|entry| {
        let profile = profile(entry.profile.as_deref()?, &pf.default_profile);
        // It was right when it was entered; a later version may know less.
        let warn =
            |error| tracing::error!(user = %entry.aor, %error, "the profile in the store is wrong, and passed over");
        Some((entry.aor.clone(), profile.map_err(warn).ok()?))
    });
    let mut all: BTreeMap<_, _> = with_profile.collect();
    all.extend(pf.profiles.clone());
    all
}

/// A profile as it stands in the store; what it does not say is as in `usual`.
pub(super) fn profile(text: &str, usual: &Profile) -> Result<Profile, String> {
    let entry: document::Profile = serde_json::from_str(text).map_err(|error| error.to_string())?;
    config::profile("profile", &entry, usual).map_err(|error| error.to_string())
}
