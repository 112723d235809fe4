use bytes::Bytes;
use cpm::SessionRecord;
use wire::{Entry, Redacted};

use crate::StoreError;

/// A database: all aggregates.
pub trait Store: Subscribers + Lives + Records + Audit + Send + Sync {
    /// Whether it answers.
    fn ping(&self) -> Result<(), StoreError>;
}

/// A user of a home network, as an operator has entered it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subscriber {
    /// The address-of-record, `sip:user@domain`.
    pub aor: String,
    /// What proves the user by the name in front of the `@`.
    pub secret: Hashes,
    /// What proves the user by the whole `user@domain`, which IMS clients log in with. Missing where the password was entered
    /// before that was kept.
    pub private: Option<Hashes>,
    /// The telephone number in global form, if there is one.
    pub number: Option<String>,
    /// The service profile, as JSON with the words of the configuration file; without one the user has the default profile.
    pub profile: Option<String>,
}

/// H(name:domain:password), in lower-case hexadecimal (RFC 7616 §3.4.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hashes {
    /// By MD5.
    pub md5: Redacted<String>,
    /// By SHA-256.
    pub sha256: Redacted<String>,
}

impl Hashes {
    /// Both, if there are both.
    pub(crate) fn both(md5: Option<String>, sha256: Option<String>) -> Option<Hashes> {
        Some(Hashes { md5: Redacted(md5?), sha256: Redacted(sha256?) })
    }
}

/// The subscribers.
pub trait Subscribers {
    /// All of them, by address-of-record.
    fn subscribers(&self) -> Result<Vec<Subscriber>, StoreError>;

    /// Enters a subscriber, in place of the one with the same address-of-record if there is one.
    fn put_subscriber(&self, subscriber: &Subscriber) -> Result<(), StoreError>;

    /// Takes a subscriber out; whether there was one.
    fn remove_subscriber(&self, aor: &str) -> Result<bool, StoreError>;

    /// Grows with every change of a subscriber, whoever makes it.
    fn subscribers_version(&self) -> Result<i64, StoreError>;
}

/// What a node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// A SIP/IP core: it keeps registrations.
    Core,
    /// A participating function: it keeps sessions.
    Participating,
}

impl Role {
    /// Its word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Core => "core",
            Role::Participating => "pf",
        }
    }
}

/// The right of one life of a node to write what the node keeps. A later life, or a node that takes over, makes it void.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lease {
    /// The node.
    pub node: String,
    /// The number of its life.
    pub epoch: i64,
}

/// A node as others see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    /// The node.
    pub node: String,
    /// The number of its life.
    pub epoch: i64,
    /// Grows as long as it lives.
    pub beat: i64,
}

/// What nodes keep beyond their lives ([`wire::Output::Keep`]), and who may take it over.
pub trait Lives {
    /// Begins a life of a node. Earlier ones can write no more.
    fn begin(&self, node: &str, role: Role) -> Result<Lease, StoreError>;

    /// What earlier lives have kept.
    fn recall(&self, lease: &Lease) -> Result<Vec<(u64, Bytes)>, StoreError>;

    /// Keeps a batch of entries, all or none: they are durable when this returns.
    fn keep(&self, lease: &Lease, batch: &[Entry]) -> Result<(), StoreError>;

    /// How many lives have begun to take an entry up and were not seen to survive it, of entries where there is one. Entries
    /// that are taken over bring theirs along.
    fn tries(&self, lease: &Lease) -> Result<Vec<(u64, u32)>, StoreError>;

    /// Sets that number for some entries, all or none; those that are gone have none.
    fn set_tries(&self, lease: &Lease, tries: &[(u64, u32)]) -> Result<(), StoreError>;

    /// Says that the node lives.
    fn beat(&self, lease: &Lease) -> Result<(), StoreError>;

    /// The nodes of a role that hold something.
    fn holders(&self, role: Role) -> Result<Vec<Holder>, StoreError>;

    /// Takes over what a node holds, if it has not given a sign of life since it was seen like this; `None` if it has. The
    /// other node can write no more.
    fn take_over(&self, lease: &Lease, from: &Holder) -> Result<Option<Vec<(u64, Bytes)>>, StoreError>;
}

/// Which session records are wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordQuery {
    /// Those of one served user.
    pub user: Option<String>,
    /// How many at most: the latest.
    pub limit: u32,
}

/// The session records.
pub trait Records {
    /// Adds records. One whose key is there already is not added again.
    fn add_records(&self, records: &[SessionRecord]) -> Result<(), StoreError>;

    /// Some records, the one that ended last first.
    fn records(&self, query: &RecordQuery) -> Result<Vec<SessionRecord>, StoreError>;
}

/// Who wanted what by way of the admin interface, and what became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditEntry {
    /// Seconds since 1970.
    pub at: u64,
    /// The name of the token; `None` when none or a wrong one was shown.
    pub who: Option<String>,
    /// The address of the client.
    pub from: String,
    /// Method and path.
    pub what: String,
    /// The status of the answer.
    pub status: u16,
}

/// The audit log.
pub trait Audit {
    /// Adds entries.
    fn add_audit(&self, entries: &[AuditEntry]) -> Result<(), StoreError>;

    /// The latest entries, the newest first.
    fn audit(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError>;
}
