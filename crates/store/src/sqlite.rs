//! SQLite, built in: the database of one server. One connection, write-ahead log, every commit synced.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cpm::SessionRecord;
use rusqlite::{Connection, ErrorCode, Row, Transaction, TransactionBehavior, params};
use wire::{Entry, Redacted};

use crate::batch;
use crate::{
    Audit, AuditEntry, Hashes, Holder, Lease, Lives, RecordQuery, Records, Role, Store, StoreError, Subscriber,
    Subscribers,
};

/// A file.
#[derive(Debug)]
pub struct Sqlite {
    connection: Mutex<Connection>,
}

/// What brings a schema from one version to the next, by the version that it starts at.
const MIGRATIONS: [&str; 3] =
    [include_str!("sqlite/schema.sql"), include_str!("sqlite/private_identity.sql"), include_str!("sqlite/tries.sql")];

/// How long another process may hold the file.
const BUSY: Duration = Duration::from_secs(3);

impl Sqlite {
    /// Opens a file, or makes one.
    pub fn open(path: &Path) -> Result<Sqlite, StoreError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|e| StoreError::Away(format!("{}: {e}", folder.display())))?;
        }
        let at = |error: rusqlite::Error| match error_of(error) {
            StoreError::Away(why) => StoreError::Away(format!("{}: {why}", path.display())),
            StoreError::Refused(why) => StoreError::Refused(format!("{}: {why}", path.display())),
            other @ (StoreError::Untrusted(_)
            | StoreError::Shut(_)
            | StoreError::Fenced(_)
            | StoreError::Unreadable(_)) => other,
        };
        let mut connection = Connection::open(path).map_err(at)?;
        connection.busy_timeout(BUSY).map_err(at)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(at)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(at)?;
        migrate(&mut connection)?;
        Ok(Sqlite { connection: Mutex::new(connection) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a transaction: it is undone unless all goes well.
    fn transact<R>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<R, StoreError>) -> Result<R, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(error_of)?;
        let result = work(&transaction)?;
        transaction.commit().map_err(error_of)?;
        Ok(result)
    }

    fn rows<R>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<R>,
    ) -> Result<Vec<R>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(sql).map_err(error_of)?;
        let rows = statement.query_map(params, read).map_err(error_of)?;
        rows.collect::<Result<_, _>>().map_err(error_of)
    }
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(error_of)?;
    let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(error_of)?;
    let Some(missing) = usize::try_from(version).ok().and_then(|version| MIGRATIONS.get(version..)) else {
        return Err(StoreError::later(version, MIGRATIONS.len()));
    };
    for migration in missing {
        transaction.execute_batch(migration).map_err(error_of)?;
    }
    let reached = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    transaction.pragma_update(None, "user_version", reached).map_err(error_of)?;
    transaction.commit().map_err(error_of)
}

/// What an error of SQLite means for the caller.
fn error_of(error: rusqlite::Error) -> StoreError {
    let away = matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::CannotOpen
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
        )
    );
    let reason = crate::locator::reason(&error);
    if away { StoreError::Away(reason) } else { StoreError::Refused(reason) }
}

fn check(transaction: &Transaction<'_>, lease: &Lease) -> Result<(), StoreError> {
    let sql = "SELECT 1 FROM node WHERE name = ?1 AND epoch = ?2";
    let mut statement = transaction.prepare_cached(sql).map_err(error_of)?;
    let is_valid = statement.exists(params![lease.node, lease.epoch]).map_err(error_of)?;
    if is_valid { Ok(()) } else { Err(StoreError::Fenced(lease.node.clone())) }
}

fn execute(transaction: &Transaction<'_>, sql: &str, params: impl rusqlite::Params) -> Result<usize, StoreError> {
    let mut statement = transaction.prepare_cached(sql).map_err(error_of)?;
    statement.execute(params).map_err(error_of)
}

fn held(transaction: &Transaction<'_>, node: &str) -> Result<Vec<(u64, Bytes)>, StoreError> {
    let mut statement =
        transaction.prepare_cached("SELECT key, value FROM kept WHERE node = ?1 ORDER BY key").map_err(error_of)?;
    let entry = |row: &Row<'_>| Ok((batch::key(row.get(0)?), Bytes::from(row.get::<_, Vec<u8>>(1)?)));
    let rows = statement.query_map([node], entry).map_err(error_of)?;
    rows.collect::<Result<_, _>>().map_err(error_of)
}

impl Store for Sqlite {
    fn ping(&self) -> Result<(), StoreError> {
        self.rows("SELECT 1", [], |_| Ok(())).map(drop)
    }
}

const SUBSCRIBERS: &str =
    "SELECT aor, md5, sha256, private_md5, private_sha256, number, profile FROM subscriber ORDER BY aor";

const PUT_SUBSCRIBER: &str = "
    INSERT OR REPLACE INTO subscriber (aor, md5, sha256, private_md5, private_sha256, number, profile)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

impl Subscribers for Sqlite {
    fn subscribers(&self) -> Result<Vec<Subscriber>, StoreError> {
        self.rows(SUBSCRIBERS, [], |row| {
            Ok(Subscriber {
                aor: row.get(0)?,
                secret: Hashes { md5: Redacted(row.get(1)?), sha256: Redacted(row.get(2)?) },
                private: Hashes::both(row.get(3)?, row.get(4)?),
                number: row.get(5)?,
                profile: row.get(6)?,
            })
        })
    }

    fn put_subscriber(&self, subscriber: &Subscriber) -> Result<(), StoreError> {
        let Subscriber { aor, secret: Hashes { md5, sha256 }, private, number, profile } = subscriber;
        let private = private.as_ref();
        let (private_md5, private_sha256) = (private.map(|p| &p.md5.0), private.map(|p| &p.sha256.0));
        self.transact(|transaction| {
            let values = params![aor, md5.0, sha256.0, private_md5, private_sha256, number, profile];
            execute(transaction, PUT_SUBSCRIBER, values)?;
            changed(transaction)
        })
    }

    fn remove_subscriber(&self, aor: &str) -> Result<bool, StoreError> {
        self.transact(|transaction| {
            let was_there = execute(transaction, "DELETE FROM subscriber WHERE aor = ?1", [aor])? > 0;
            if was_there {
                changed(transaction)?;
            }
            Ok(was_there)
        })
    }

    fn subscribers_version(&self) -> Result<i64, StoreError> {
        let sql = "SELECT number FROM version WHERE what = 'subscriber'";
        self.connection().query_row(sql, [], |row| row.get(0)).map_err(error_of)
    }
}

/// Subscribers are not what they were.
fn changed(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    execute(transaction, "UPDATE version SET number = number + 1 WHERE what = 'subscriber'", []).map(drop)
}

impl Lives for Sqlite {
    fn begin(&self, node: &str, role: Role) -> Result<Lease, StoreError> {
        self.transact(|transaction| {
            let sql = "INSERT INTO node (name, role, epoch, beat) VALUES (?1, ?2, 1, 0)
                       ON CONFLICT (name) DO UPDATE SET role = excluded.role, epoch = epoch + 1 RETURNING epoch";
            let epoch = transaction.query_row(sql, params![node, role.as_str()], |row| row.get(0)).map_err(error_of)?;
            Ok(Lease { node: node.to_owned(), epoch })
        })
    }

    fn recall(&self, lease: &Lease) -> Result<Vec<(u64, Bytes)>, StoreError> {
        self.transact(|transaction| {
            check(transaction, lease)?;
            held(transaction, &lease.node)
        })
    }

    fn keep(&self, lease: &Lease, entries: &[Entry]) -> Result<(), StoreError> {
        let (kept, gone) = batch::outcome(entries);
        self.transact(|transaction| {
            check(transaction, lease)?;
            for (key, value) in kept {
                let sql = "INSERT OR REPLACE INTO kept (node, key, value) VALUES (?1, ?2, ?3)";
                execute(transaction, sql, params![lease.node, key, &**value])?;
            }
            for key in gone {
                execute(transaction, "DELETE FROM kept WHERE node = ?1 AND key = ?2", params![lease.node, key])?;
            }
            Ok(())
        })
    }

    fn tries(&self, lease: &Lease) -> Result<Vec<(u64, u32)>, StoreError> {
        self.transact(|transaction| {
            check(transaction, lease)?;
            let sql = "SELECT key, tries FROM tried JOIN kept USING (node, key) WHERE node = ?1 ORDER BY key";
            let mut statement = transaction.prepare_cached(sql).map_err(error_of)?;
            let tried = |row: &Row<'_>| Ok((batch::key(row.get(0)?), row.get(1)?));
            let rows = statement.query_map([&lease.node], tried).map_err(error_of)?;
            rows.collect::<Result<_, _>>().map_err(error_of)
        })
    }

    fn set_tries(&self, lease: &Lease, tries: &[(u64, u32)]) -> Result<(), StoreError> {
        self.transact(|transaction| {
            check(transaction, lease)?;
            for (key, tries) in tries {
                let sql = "INSERT OR REPLACE INTO tried (node, key, tries) VALUES (?1, ?2, ?3)";
                execute(transaction, sql, params![lease.node, batch::number(*key), tries])?;
            }
            let sql = "DELETE FROM tried WHERE node = ?1 AND (tries = 0
                       OR NOT EXISTS (SELECT 1 FROM kept WHERE kept.node = tried.node AND kept.key = tried.key))";
            execute(transaction, sql, [&lease.node])?;
            Ok(())
        })
    }

    fn beat(&self, lease: &Lease) -> Result<(), StoreError> {
        self.transact(|transaction| {
            let sql = "UPDATE node SET beat = beat + 1 WHERE name = ?1 AND epoch = ?2";
            let is_valid = execute(transaction, sql, params![lease.node, lease.epoch])? == 1;
            if is_valid { Ok(()) } else { Err(StoreError::Fenced(lease.node.clone())) }
        })
    }

    fn holders(&self, role: Role) -> Result<Vec<Holder>, StoreError> {
        let sql = "SELECT name, epoch, beat FROM node WHERE role = ?1
                   AND EXISTS (SELECT 1 FROM kept WHERE kept.node = node.name) ORDER BY name";
        self.rows(sql, [role.as_str()], |row| Ok(Holder { node: row.get(0)?, epoch: row.get(1)?, beat: row.get(2)? }))
    }

    fn take_over(&self, lease: &Lease, from: &Holder) -> Result<Option<Vec<(u64, Bytes)>>, StoreError> {
        self.transact(|transaction| {
            check(transaction, lease)?;
            let sql = "UPDATE node SET epoch = epoch + 1 WHERE name = ?1 AND epoch = ?2 AND beat = ?3";
            if execute(transaction, sql, params![from.node, from.epoch, from.beat])? == 0 {
                return Ok(None);
            }
            let taken = held(transaction, &from.node)?;
            let sql = "UPDATE kept SET node = ?1 WHERE node = ?2";
            execute(transaction, sql, params![lease.node, from.node])?;
            let sql = "UPDATE OR REPLACE tried SET node = ?1 WHERE node = ?2";
            execute(transaction, sql, params![lease.node, from.node])?;
            Ok(Some(taken))
        })
    }
}

impl Records for Sqlite {
    fn add_records(&self, records: &[SessionRecord]) -> Result<(), StoreError> {
        self.transact(|transaction| {
            for record in records {
                let sql = "INSERT OR IGNORE INTO record (key, served_user, ended, body) VALUES (?1, ?2, ?3, ?4)";
                let (key, ended) = (batch::number(record.key), batch::micros(record.ended));
                execute(transaction, sql, params![key, record.served_user, ended, batch::text(record)])?;
            }
            Ok(())
        })
    }

    fn records(&self, query: &RecordQuery) -> Result<Vec<SessionRecord>, StoreError> {
        let body = |row: &Row<'_>| row.get::<_, String>(0);
        let found = match &query.user {
            Some(user) => {
                let sql = "SELECT body FROM record WHERE served_user = ?1 ORDER BY ended DESC, key DESC LIMIT ?2";
                self.rows(sql, params![user, query.limit], body)
            }
            None => self.rows("SELECT body FROM record ORDER BY ended DESC, key DESC LIMIT ?1", [query.limit], body),
        };
        found?.iter().map(|text| batch::record(text)).collect()
    }
}

impl Audit for Sqlite {
    fn add_audit(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        self.transact(|transaction| {
            for AuditEntry { at, who, from, what, status } in entries {
                let sql = "INSERT INTO audit (at, who, origin, what, status) VALUES (?1, ?2, ?3, ?4, ?5)";
                execute(transaction, sql, params![batch::seconds(*at), who, from, what, status])?;
            }
            Ok(())
        })
    }

    fn audit(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let sql = "SELECT at, who, origin, what, status FROM audit ORDER BY id DESC LIMIT ?1";
        self.rows(sql, [limit], |row| {
            let at: i64 = row.get(0)?;
            Ok(AuditEntry {
                at: at.max(0).cast_unsigned(),
                who: row.get(1)?,
                from: row.get(2)?,
                what: row.get(3)?,
                status: row.get(4)?,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::first_version;

    #[test]
    fn users_of_the_first_version_are_there_and_log_in_as_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(MIGRATIONS[0]).unwrap();
        old.execute_batch(first_version::USER).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        drop(old);
        first_version::is_brought_up_to_date(|| Box::new(Sqlite::open(&path).unwrap()));
        let version: i64 =
            Connection::open(&path).unwrap().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        assert_eq!(version, 3);
    }
}
