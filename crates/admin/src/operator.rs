use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{AuditEntry, Measurement};

/// A node of the process.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct NodeStatus {
    /// Its name in the configuration file.
    pub name: String,
    /// `core` or `pf`.
    pub role: String,
    /// Whether it runs.
    pub is_up: bool,
    /// Whether it runs and takes new work.
    pub is_ready: bool,
}

/// A session that a participating function holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Its name, of this life of the node.
    pub id: String,
    /// The participating function.
    pub node: String,
    /// The served user's address-of-record.
    pub served_user: String,
    /// `orig` or `term`.
    pub case: String,
    /// The other party, as the INVITE named it.
    pub peer: String,
    /// Conversation-ID.
    pub conversation_id: String,
    /// Contribution-ID.
    pub contribution_id: String,
    /// `on` or `off`: where the participating function stands.
    pub media_path: String,
    /// When it was set up (RFC 3339); absent while it is being set up.
    pub started: Option<String>,
}

/// Which sessions are wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionQuery {
    /// Those of this served user, by address-of-record, or all.
    pub user: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// A contact of a user of a core.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Registration {
    /// The core.
    pub node: String,
    /// The user's address-of-record.
    pub user: String,
    /// The contact URI.
    pub contact: String,
    /// The device (`+sip.instance`), if it names itself.
    pub instance: Option<String>,
    /// Seconds that it lasts without another REGISTER.
    pub expires: u64,
}

/// A user of a home network.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// The address-of-record.
    pub user: String,
    /// The telephone number in global form, if there is one.
    pub number: Option<String>,
    /// What differs from the default profile, with the words of the configuration file; of users in the store alone.
    pub profile: Option<Value>,
    /// Whether the user is in the configuration file, and cannot be changed here.
    pub in_file: bool,
}

/// What is entered of a user.
#[derive(Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserEntry {
    /// The password; it is not kept, only what proves it (RFC 7616).
    pub password: String,
    /// The telephone number in global form, if there is one.
    #[serde(default)]
    pub number: Option<String>,
    /// What differs from the default profile, with the words of the configuration file.
    #[serde(default)]
    pub profile: Option<Value>,
}

/// Messages of one direction of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Traffic {
    /// Whole messages.
    pub messages: u64,
    /// Their octets, and those of messages that were broken off.
    pub octets: u64,
}

/// The record of a session that has ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Record {
    /// Names the session.
    pub key: String,
    /// The served user's address-of-record.
    pub served_user: String,
    /// `originating` or `terminating`.
    pub case: String,
    /// The other party.
    pub peer: String,
    /// Conversation-ID.
    pub conversation_id: String,
    /// Contribution-ID.
    pub contribution_id: String,
    /// `on` or `off`: where the participating function stood.
    pub media_path: String,
    /// When it was set up (RFC 3339).
    pub started: String,
    /// When it was over.
    pub ended: String,
    /// Whose close it was, or what took its place.
    pub closed_by: String,
    /// Why the network closed, if it did.
    pub released: Option<String>,
    /// The Reason of the BYE (RFC 3326), if it gave one.
    pub cause: Option<String>,
    /// What the last BYE to the side that did not close was answered.
    pub bye: Option<u16>,
    /// Messages of the served user.
    pub sent: Traffic,
    /// Messages for the served user.
    pub received: Traffic,
}

/// Why the store did not do what was asked for.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreProblem {
    /// There is none.
    #[error("there is no store: the configuration has no [store]")]
    None,
    /// It does not answer.
    #[error("{0}")]
    Away(String),
    /// What is to be kept is wrong.
    #[error("{0}")]
    Wrong(String),
    /// The configuration file says otherwise.
    #[error("the user is in the configuration file: change it there")]
    InFile,
    /// There is no such user.
    #[error("there is no such user in the store")]
    Unknown,
}

/// A node did not answer in time, or has stopped.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("node {0} does not answer")]
pub struct Unavailable(pub String);

/// Why a session was not closed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CloseError {
    /// There is none of that name.
    #[error("there is no such session: it has ended, or is ending")]
    Unknown,
    /// Its node cannot close it, and says why.
    #[error("{0}")]
    Refused(String),
    /// Its node does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why there is no capture of a session.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PcapError {
    /// There is none of that name.
    #[error("there is no such session: it has ended, or is ending")]
    Unknown,
    /// Nothing is kept of any session.
    #[error("no messages are kept: the configuration has no [capture]")]
    NotKept,
    /// Others have taken their room.
    #[error("no message of the session is kept any more; a larger `octets` in [capture] keeps them longer")]
    Displaced,
    /// They cannot be written.
    #[error("the capture cannot be made: {0}")]
    Lost(String),
    /// Its node does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What the admin interface shows and does. Calls may block; each is given a few seconds.
pub trait Operator: Send + Sync + 'static {
    /// The nodes, in the order of the configuration.
    fn nodes(&self) -> Vec<NodeStatus>;
    /// Sessions of all participating functions, in a fixed order.
    fn sessions(&self, query: &SessionQuery) -> Result<Vec<Session>, Unavailable>;
    /// The session of this name.
    fn session(&self, id: &str) -> Result<Option<Session>, Unavailable>;
    /// Begins to close a session on all its legs.
    fn close(&self, id: &str) -> Result<(), CloseError>;
    /// The SIP and MSRP messages of a session on all its legs, as far as they are kept, as a capture file.
    fn pcap(&self, id: &str) -> Result<Vec<u8>, PcapError>;
    /// The registrations at all cores, by user.
    fn registrations(&self) -> Result<Vec<Registration>, Unavailable>;
    /// The users, those of the configuration file and those of the store.
    fn users(&self) -> Result<Vec<User>, StoreProblem>;
    /// Enters a user, in place of the one with the same address-of-record if there is one.
    fn put_user(&self, user: &str, entry: UserEntry) -> Result<(), StoreProblem>;
    /// Takes a user out.
    fn remove_user(&self, user: &str) -> Result<(), StoreProblem>;
    /// Records of sessions, those of one served user or of all, the one that ended last first.
    fn records(&self, user: Option<String>, limit: u32) -> Result<Vec<Record>, StoreProblem>;
    /// Something was wanted by way of the admin interface.
    fn audited(&self, entry: AuditEntry);
    /// What was, the newest first.
    fn audit(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreProblem>;
    /// What is measured, for Prometheus.
    fn measurements(&self) -> Vec<Measurement>;
    /// Reads a configuration and says what it holds, or what is wrong with it; changes nothing.
    fn check(&self, document: &str) -> Result<String, String>;
    /// Reads the configuration file again and applies what can be applied. Says what was applied and what wants a restart; when
    /// the file is wrong, says why, and everything stays as it was.
    fn reload(&self) -> Result<String, String>;
    /// What is logged, as a filter.
    fn log_filter(&self) -> String;
    /// Logs by another filter from now on.
    fn set_log_filter(&self, filter: &str) -> Result<(), String>;
}
