//! PostgreSQL, shared by several servers. A small pool of connections, statements prepared once for each; one thread of a
//! runtime of its own serves the connections, and callers block on it for a bounded time.
//!
//! `tokio-postgres` and not `sqlx`: there is one dialect for each backend here anyway, and no macro that wants a database at
//! build time; pipelining and `unnest` of whole batches are what counts.

mod aggregates;
mod lives;
mod tls;

use std::error::Error;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolConfig, PoolError, RecyclingMethod, Runtime, Timeouts,
};
use tokio_postgres::error::SqlState;

use crate::StoreError;
use crate::locator::{Server, reason};

/// A database on a server.
pub struct Postgres {
    runtime: tokio::runtime::Runtime,
    pool: Pool,
    /// Until when nobody needs to ask: it was away a moment ago.
    away: Mutex<Option<(Instant, StoreError)>>,
}

/// Connections: one for each thread that writes, and some for who looks.
const CONNECTIONS: usize = 8;

/// How long to wait for a connection, and for what is asked over it.
const CONNECT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(3);

/// How long a database that was away is left alone.
const AWAY: Duration = Duration::from_millis(500);

/// What brings a schema from one version to the next, by the version that it starts at.
const MIGRATIONS: [&str; 3] = [
    include_str!("postgres/schema.sql"),
    include_str!("postgres/private_identity.sql"),
    include_str!("postgres/tries.sql"),
];

/// The lock of those who migrate: a number that nothing else uses.
const LOCK: i64 = 0x0044_554f_4c4f_4755;

impl Postgres {
    /// Connects, and brings the schema up to date.
    pub fn open(server: &Server) -> Result<Postgres, StoreError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("postgres")
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| StoreError::Away(error.to_string()))?;
        let mut config = server.config.clone();
        config.connect_timeout(CONNECT).application_name("duologue");
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, tls::connector(&server.proof)?, recycling);
        let timeouts = Timeouts { wait: Some(CONNECT), create: Some(CONNECT), recycle: Some(CONNECT) };
        let pool = Pool::builder(manager)
            .config(PoolConfig { timeouts, ..PoolConfig::new(CONNECTIONS) })
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Refused(error.to_string()))?;
        let postgres = Postgres { runtime, pool, away: Mutex::new(None) };
        postgres.ask(async |client| migrate(client).await)?;
        Ok(postgres)
    }

    /// Does some work on a connection, within bounds. One whose work was broken off is not used again.
    fn ask<R>(&self, work: impl AsyncFnOnce(&mut Object) -> Result<R, StoreError>) -> Result<R, StoreError> {
        if let Some((until, why)) = &*self.away.lock().unwrap_or_else(PoisonError::into_inner)
            && now() < *until
        {
            return Err(why.clone());
        }
        let result = self.runtime.block_on(async {
            let mut client = self.pool.get().await.map_err(unconnected)?;
            match tokio::time::timeout(ANSWER, work(&mut client)).await {
                Ok(result) => {
                    if matches!(result, Err(StoreError::Away(_))) {
                        drop(Object::take(client));
                    }
                    result
                }
                Err(_) => {
                    drop(Object::take(client));
                    Err(StoreError::Away(format!("no answer within {} s", ANSWER.as_secs())))
                }
            }
        });
        if let Err(error @ (StoreError::Away(_) | StoreError::Untrusted(_) | StoreError::Shut(_))) = &result {
            *self.away.lock().unwrap_or_else(PoisonError::into_inner) = Some((now() + AWAY, error.clone()));
        }
        result
    }
}

#[expect(clippy::disallowed_methods, reason = "a host of connections, with a clock")]
fn now() -> Instant {
    Instant::now()
}

async fn migrate(client: &mut Object) -> Result<(), StoreError> {
    let transaction = client.transaction().await.map_err(error_of)?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(error_of)?;
    transaction.batch_execute("CREATE TABLE IF NOT EXISTS schema (version bigint NOT NULL)").await.map_err(error_of)?;
    let row = transaction.query_opt("SELECT version FROM schema", &[]).await.map_err(error_of)?;
    let version = row.map(|row| row.try_get::<_, i64>(0)).transpose().map_err(error_of)?.unwrap_or(0);
    let Some(missing) = usize::try_from(version).ok().and_then(|version| MIGRATIONS.get(version..)) else {
        return Err(StoreError::later(version, MIGRATIONS.len()));
    };
    for migration in missing {
        transaction.batch_execute(migration).await.map_err(error_of)?;
    }
    if !missing.is_empty() {
        transaction.execute("DELETE FROM schema", &[]).await.map_err(error_of)?;
        let reached = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
        transaction.execute("INSERT INTO schema VALUES ($1)", &[&reached]).await.map_err(error_of)?;
    }
    transaction.commit().await.map_err(error_of)
}

/// Why there is no connection: what PostgreSQL or TLS says, without a word of the pool.
fn unconnected(error: PoolError) -> StoreError {
    let PoolError::Backend(error) = error else { return StoreError::Away(reason(&error)) };
    if is_refused_by_tls(&error) {
        StoreError::Untrusted(reason(&error))
    } else if is_not_let_in(&error) {
        StoreError::Shut(reason(&error))
    } else {
        error_of(error)
    }
}

/// Whether it is a matter of who we are (SQLSTATE class 28), of a password that there is not, or of how to prove that we have it.
fn is_not_let_in(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        Some(code) => code.code().starts_with("28"),
        // The kinds of the error have no other names.
        None => ["authentication error", "invalid configuration"].contains(&&*error.to_string()),
    }
}

/// Whether TLS says no, and not the network below it.
fn is_refused_by_tls(error: &tokio_postgres::Error) -> bool {
    // The kind of the error has no other name.
    if error.to_string() != "error performing TLS handshake" {
        return false;
    }
    let below = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    below.is_none_or(|below| below.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<rustls::Error>))
}

/// What an error of PostgreSQL means for the caller: no answer, an answer that it shuts down or starts up, or that it has no
/// room or no connections left, and a lost race are worth another try.
fn error_of(error: tokio_postgres::Error) -> StoreError {
    let passes = error.code().is_none_or(|code| {
        let class = &code.code()[..2];
        ["08", "40", "53", "57", "58"].contains(&class) || *code == SqlState::LOCK_NOT_AVAILABLE
    });
    let why = reason(&error);
    if passes { StoreError::Away(why) } else { StoreError::Refused(why) }
}

#[cfg(test)]
mod tests {
    use interop::Loopback;

    use super::*;
    use crate::{Locator, first_version};

    #[test]
    fn users_of_the_first_version_are_there_and_log_in_as_before() {
        let lease = Loopback::lease();
        let old = interop::Postgres::start(lease.at(5432));
        old.query(MIGRATIONS[0]);
        old.query("CREATE TABLE schema (version bigint NOT NULL); INSERT INTO schema VALUES (1)");
        old.query(first_version::USER);
        let Locator::Postgres(server) = Locator::parse(&old.url()).unwrap() else { panic!("{}", old.url()) };
        first_version::is_brought_up_to_date(|| Box::new(Postgres::open(&server).unwrap()));
        assert_eq!(old.query("SELECT version FROM schema"), "3");
    }
}
