use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Measurement;

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

/// What the admin interface shows and does. Calls may block; each is given a few seconds.
pub trait Operator: Send + Sync + 'static {
    /// The nodes, in the order of the configuration.
    fn nodes(&self) -> Vec<NodeStatus>;
    /// The sessions of all participating functions, in a fixed order.
    fn sessions(&self) -> Result<Vec<Session>, Unavailable>;
    /// Begins to close a session on all its legs.
    fn close(&self, id: &str) -> Result<(), CloseError>;
    /// The registrations at all cores, by user.
    fn registrations(&self) -> Result<Vec<Registration>, Unavailable>;
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
