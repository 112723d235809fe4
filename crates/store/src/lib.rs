//! What a server keeps in a database: subscribers, what its nodes keep beyond their lives, session records, the audit log.
//!
//! There is a narrow trait for each aggregate and three backends that pass one conformance suite (`tests/conformance.rs`):
//! [`Memory`] for tests, [`Sqlite`] for one server, [`Postgres`] for several that share one database.
//!
//! [`Measured`] tells how long a store takes. Everything here blocks, for a bounded time: callers have a thread of their own. A database that does not answer is
//! [`StoreError::Away`], and what was to be written may or may not have been: everything can be written twice.

#![expect(clippy::disallowed_types, reason = "threads that may wait share a database; no machine uses one")]

mod aggregates;
mod batch;
mod error;
#[cfg(test)]
mod first_version;
mod locator;
mod measured;
mod memory;
mod postgres;
mod sqlite;

use std::sync::Arc;

pub use self::aggregates::{
    Audit, AuditEntry, Hashes, Holder, Lease, Lives, RecordQuery, Records, Role, Store, Subscriber, Subscribers,
};
pub use self::error::StoreError;
pub use self::locator::{Locator, LocatorError, Server};
pub use self::measured::{Measured, Outcome};
pub use self::memory::Memory;
pub use self::postgres::Postgres;
pub use self::sqlite::Sqlite;

/// Opens a database, and brings its schema up to date.
pub fn open(locator: &Locator) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match locator {
        Locator::Sqlite(path) => Arc::new(Sqlite::open(path)?),
        Locator::Postgres(server) => Arc::new(Postgres::open(server)?),
    })
}
