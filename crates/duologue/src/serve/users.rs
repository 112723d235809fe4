//! The users that operators enter by way of the admin interface: they are in the store, beside those of the file.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use admin::{StoreProblem, User, UserEntry};
use cpm::Profile;
use node::{CorePlan, PfPlan};
use role_core::{Secret, Subscriber};
use store::{Hashes, Store, StoreError};

use super::config::{self, ConfigError, Plan};
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

    /// Those in the store, as they were last read.
    pub(super) fn list(&self) -> Vec<store::Subscriber> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Enters a user, or says what is wrong with the entry. The plan is that of the file, whose users come first.
    pub(super) fn put(&self, plan: &Plan, user: &str, entry: UserEntry) -> Result<(), StoreProblem> {
        let store = self.store.as_ref().ok_or(StoreProblem::None)?;
        let wrong = |error: ConfigError| StoreProblem::Wrong(error.to_string());
        // 1. Whose it is: a user of a domain that is served here, if any is.
        let aor = config::aor("user", user).map_err(wrong)?;
        let (name, domain) = parts(&aor).ok_or(StoreProblem::Unknown)?;
        let core = plan.cores.iter().find(|core| core.role.domain == domain);
        if core.is_none() && !plan.cores.is_empty() {
            return Err(StoreProblem::Wrong(format!("no core here serves the domain {domain}")));
        }
        if core.is_some_and(|core| core.role.subscribers.contains_key(name)) {
            return Err(StoreProblem::InFile);
        }

        // 2. What is entered.
        if entry.password.is_empty() {
            return Err(StoreProblem::Wrong("the password is empty".to_owned()));
        }
        if let Some(number) = &entry.number {
            config::check_number("number", number).map_err(wrong)?;
        }
        let text = entry.profile.map(|profile| profile.to_string());
        if let Some(text) = &text {
            profile(text, &Profile::default()).map_err(StoreProblem::Wrong)?;
        }
        let secret = hashes(name, domain, &entry.password);
        let private = Some(hashes(&format!("{name}@{domain}"), domain, &entry.password));
        let subscriber = store::Subscriber { secret, private, number: entry.number, profile: text, aor };
        store.put_subscriber(&subscriber).map_err(away)
    }

    /// Takes a user out.
    pub(super) fn remove(&self, plan: &Plan, user: &str) -> Result<(), StoreProblem> {
        let store = self.store.as_ref().ok_or(StoreProblem::None)?;
        match store.remove_subscriber(user).map_err(away)? {
            true => Ok(()),
            false if in_file(plan).any(|known| known.user == user) => Err(StoreProblem::InFile),
            false => Err(StoreProblem::Unknown),
        }
    }

    /// Those of the file, and those of the store that it does not have.
    pub(super) fn all(&self, plan: &Plan) -> Vec<User> {
        let mut all: BTreeMap<String, User> = BTreeMap::new();
        for entry in self.list() {
            let profile = entry.profile.and_then(|text| serde_json::from_str(&text).ok());
            let user = User { user: entry.aor.clone(), number: entry.number, profile, in_file: false };
            all.insert(entry.aor, user);
        }
        all.extend(in_file(plan).map(|user| (user.user.clone(), user)));
        all.into_values().collect()
    }
}

/// The users of a file.
fn in_file(plan: &Plan) -> impl Iterator<Item = User> {
    plan.cores.iter().flat_map(|core| {
        core.role.subscribers.iter().map(|(name, subscriber)| User {
            user: format!("sip:{name}@{}", core.role.domain),
            number: subscriber.number.clone(),
            profile: None,
            in_file: true,
        })
    })
}

/// What is kept of a password, for a name that its user logs in with.
fn hashes(name: &str, domain: &str, password: &str) -> Hashes {
    let Secret::Hashed { md5: Some(md5), sha256: Some(sha256) } = Secret::hashed(name, domain, password) else {
        unreachable!("a password has a hash by each algorithm");
    };
    Hashes { md5, sha256 }
}

fn secret(hashes: &Hashes) -> Secret {
    Secret::Hashed { md5: Some(hashes.md5.clone()), sha256: Some(hashes.sha256.clone()) }
}

/// User and domain of an address-of-record.
fn parts(aor: &str) -> Option<(&str, &str)> {
    aor.strip_prefix("sip:")?.split_once('@')
}

/// What an operator is told of a store that did not do it.
pub(super) fn away(error: StoreError) -> StoreProblem {
    StoreProblem::Away(error.to_string())
}

/// The users of a core: those of the file, and of its domain those of the store that the file does not have.
pub(super) fn subscribers(core: &CorePlan, stored: &[store::Subscriber]) -> BTreeMap<String, Subscriber> {
    let of_domain = stored.iter().filter_map(|entry| {
        let (user, domain) = parts(&entry.aor)?;
        let (secret, private) = (secret(&entry.secret), entry.private.as_ref().map(secret));
        (domain == core.domain).then(|| (user.to_owned(), Subscriber { secret, private, number: entry.number.clone() }))
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
