use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::{Closing, Refusal, Service, SessionRecord, Traffic};

/// What a user may do, and what the network does for the user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Profile {
    /// Services that the user may use.
    pub services: Vec<Service>,
    /// Sessions at a time.
    pub max_sessions: usize,
    /// Addresses-of-record whose sessions are declined.
    pub blocked: Vec<String>,
    /// Messages are recorded in the network store.
    pub records_messages: bool,
    /// Messages that cannot be delivered are kept.
    pub defers_messages: bool,
    /// Devices that the user has registered.
    pub devices: usize,
    /// Octets of the largest message, if bounded.
    pub max_message_size: Option<u64>,
    /// A session without messages for so long is closed; `None`: never.
    pub idle_session: Option<Duration>,
    /// The network must be able to end the user's sessions: when a service is withdrawn, when the user is no longer
    /// registered, when an operator wants it.
    pub supervised: bool,
}

impl Default for Profile {
    fn default() -> Profile {
        Profile {
            services: vec![Service::Session, Service::PagerMessage, Service::LargeMessage, Service::FileTransfer],
            max_sessions: 100,
            blocked: Vec::new(),
            records_messages: false,
            defers_messages: false,
            devices: 1,
            max_message_size: None,
            idle_session: Some(Duration::from_secs(300)),
            supervised: false,
        }
    }
}

/// Records kept until somebody fetches them; the oldest go first.
const RECORDS: usize = 10_000;

/// Service control: what a participating function does with every request that passes, on or off the media path. It
/// authorises, counts sessions and writes the record. It never stands in the way of a BYE.
#[derive(Clone, Debug, Default)]
pub struct ServiceControl {
    default_profile: Profile,
    profiles: BTreeMap<String, Profile>,
    open: BTreeMap<String, usize>,
    total: usize,
    records: VecDeque<SessionRecord>,
    lost_records: u64,
    totals: Totals,
}

/// What there was so far.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Sessions that were admitted.
    pub opened: u64,
    /// Sessions that were set up and have ended, by who ended them and, if it was the function itself, why.
    pub ended: BTreeMap<(&'static str, &'static str), u64>,
    /// Messages of served users in them.
    pub sent: Traffic,
    /// Messages for served users in them.
    pub received: Traffic,
}

impl Totals {
    fn note(&mut self, record: &SessionRecord) {
        let why = if let Closing::Released(why) = record.closing { why.as_str() } else { "" };
        *self.ended.entry((record.closing.as_str(), why)).or_default() += 1;
        for (total, traffic) in [(&mut self.sent, record.sent), (&mut self.received, record.received)] {
            total.messages += traffic.messages;
            total.octets += traffic.octets;
        }
    }
}

impl ServiceControl {
    /// Service control with the profile of users that have none of their own.
    pub fn new(default_profile: Profile, profiles: BTreeMap<String, Profile>) -> ServiceControl {
        ServiceControl { default_profile, profiles, ..ServiceControl::default() }
    }

    /// The profile of a user.
    pub fn profile(&self, aor: &str) -> &Profile {
        self.profiles.get(aor).unwrap_or(&self.default_profile)
    }

    /// Gives a user a profile of its own.
    pub fn set_profile(&mut self, aor: &str, profile: Profile) {
        self.profiles.insert(aor.to_owned(), profile);
    }

    /// Gives all users other profiles: `default_profile` to those that have none of their own.
    pub fn set_profiles(&mut self, default_profile: Profile, profiles: BTreeMap<String, Profile>) {
        (self.default_profile, self.profiles) = (default_profile, profiles);
    }

    /// What there was so far.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Whether `aor` may use `service`.
    pub fn authorise(&self, aor: &str, service: Service) -> Result<(), Refusal> {
        if self.profile(aor).services.contains(&service) { Ok(()) } else { Err(Refusal::not_authorised()) }
    }

    /// Whether `aor` may have one more session.
    pub fn admit(&self, aor: &str) -> Result<(), Refusal> {
        let open = self.open.get(aor).copied().unwrap_or(0);
        if open < self.profile(aor).max_sessions { Ok(()) } else { Err(Refusal::too_many_sessions()) }
    }

    /// A session of `aor` is being set up.
    pub fn opened(&mut self, aor: &str) {
        *self.open.entry(aor.to_owned()).or_default() += 1;
        self.total += 1;
        self.totals.opened += 1;
    }

    /// A session of `aor` is over; `record` is there if it had been set up.
    pub fn closed(&mut self, aor: &str, record: Option<SessionRecord>) {
        if let Some(open) = self.open.get_mut(aor) {
            *open -= 1;
            self.total -= 1;
            if *open == 0 {
                self.open.remove(aor);
            }
        }
        if let Some(record) = record {
            self.totals.note(&record);
            self.take_over(record);
        }
    }

    /// Takes a record of an earlier life, which nobody has fetched.
    pub fn take_over(&mut self, record: SessionRecord) {
        if self.records.len() == RECORDS {
            self.records.pop_front();
            self.lost_records += 1;
        }
        self.records.push_back(record);
    }

    /// Sessions of all users that are open or being set up.
    pub const fn open_sessions(&self) -> usize {
        self.total
    }

    /// Takes the oldest record.
    pub fn take_record(&mut self) -> Option<SessionRecord> {
        self.records.pop_front()
    }

    /// Records that wait for somebody to fetch them, and how many may.
    pub fn waiting_records(&self) -> (usize, usize) {
        (self.records.len(), RECORDS)
    }

    /// Records dropped because nobody fetched them in time.
    pub const fn lost_records(&self) -> u64 {
        self.lost_records
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_counted_per_user() {
        let mut control = ServiceControl::new(Profile { max_sessions: 1, ..Profile::default() }, BTreeMap::new());
        control.opened("sip:a@x");
        assert_eq!(control.admit("sip:a@x"), Err(Refusal::too_many_sessions()));
        assert_eq!(control.admit("sip:b@x"), Ok(()));
        control.closed("sip:a@x", None);
        assert_eq!((control.admit("sip:a@x"), control.open_sessions()), (Ok(()), 0));
    }

    #[test]
    fn a_user_without_the_service_is_refused() {
        let mut control = ServiceControl::default();
        control.set_profile("sip:a@x", Profile { services: vec![], ..Profile::default() });
        assert_eq!(control.authorise("sip:a@x", Service::Session), Err(Refusal::not_authorised()));
        assert_eq!(control.authorise("sip:b@x", Service::Session), Ok(()));
        assert_eq!(
            Refusal::not_authorised().warning_value("pf").as_deref(),
            Some("399 pf \"127 Service not authorised\"")
        );
    }
}
